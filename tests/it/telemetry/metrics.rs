//! Numbers that are scraped are those of the calls that were made.

use super::*;
use crate::fixture::{Consumer, echo};

const OF: &str = "platform=\"payments.example\",capability=\"ledger\",version=\"1.2.0\"";

#[tokio::test]
async fn what_is_scraped_is_what_was_called() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = hub(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..3 {
        assert_eq!(consumer.unary(POST, &[], &[7; 2000]).await.unwrap().status(), 0);
    }
    for number in 0..300 {
        // The producer echoes whatever it is asked; its descriptors know one method.
        let path = format!("/pay.v1.Ledger/Invented{number}");
        assert_eq!(consumer.unary(&path, &[], b"x").await.unwrap().status(), 0);
    }
    assert_eq!(consumer.unary("/nobody.v1.X/Y", &[], b"").await.unwrap().reason(), "NO_OWNER");
    assert_eq!(consumer.unary("/no-path", &[], b"").await.unwrap().reason(), "MALFORMED_METHOD");

    let samples = scraped_after(&hub, 305.0).await;
    let ok = "grpc_status=\"OK\"";
    let expected = [
        (format!("grpc_server_call_started_total{{{OF},grpc_method=\"pay.v1.Ledger/Post\"}}"), 3.0),
        (format!("grpc_server_call_started_total{{{OF},grpc_method=\"other\"}}"), 300.0),
        ("grpc_server_call_started_total{grpc_method=\"other\"}".into(), 2.0),
        (
            format!(
                "grpc_server_call_duration_seconds_count{{{OF},grpc_method=\"pay.v1.Ledger/Post\",{ok}}}"
            ),
            3.0,
        ),
        // Three messages of 2,000 bytes, each with its prefix, there and back.
        (
            format!(
                "grpc_server_call_rcvd_total_compressed_message_size_bytes_sum{{{OF},grpc_method=\"pay.v1.Ledger/Post\",{ok}}}"
            ),
            6015.0,
        ),
        (
            format!(
                "grpc_server_call_sent_total_compressed_message_size_bytes_sum{{{OF},grpc_method=\"pay.v1.Ledger/Post\",{ok}}}"
            ),
            6015.0,
        ),
        (
            format!(
                "grpc_client_attempt_started_total{{{OF},grpc_method=\"other\",grpc_target=\"portolan:///payments.example/ledger\"}}"
            ),
            300.0,
        ),
        (
            format!(
                "rpc_server_call_duration_seconds_count{{{OF},rpc_system_name=\"grpc\",rpc_method=\"pay.v1.Ledger/Post\",rpc_response_status_code=\"OK\"}}"
            ),
            3.0,
        ),
        (
            format!(
                "rpc_client_call_duration_seconds_count{{{OF},rpc_system_name=\"grpc\",rpc_method=\"_OTHER\",rpc_response_status_code=\"OK\"}}"
            ),
            300.0,
        ),
        (
            format!(
                "portolan_call_messages_total{{{OF},grpc_method=\"pay.v1.Ledger/Post\",direction=\"received\"}}"
            ),
            3.0,
        ),
        (format!("portolan_calls_open{{{OF},grpc_method=\"other\"}}"), 0.0),
        ("portolan_calls_refused_total{reason=\"NO_OWNER\"}".into(), 1.0),
        ("portolan_calls_refused_total{reason=\"MALFORMED_METHOD\"}".into(), 1.0),
        ("portolan_connections".into(), 1.0),
        (format!("portolan_endpoint_attempts_total{{endpoint=\"{}\",identity={:?},outcome=\"succeeded\"}}", producer.address, producer.identity), 303.0),
        ("grpc_lb_outlier_detection_ejections_enforced_total{grpc_lb_outlier_detection_detection_method=\"LATENCY\"}".into(), 0.0),
        ("portolan_endpoint_busy_total{limit=\"CONNECTIONS\"}".into(), 0.0),
        ("portolan_catalog_producers{source=\"configuration\",freshness=\"live\"}".into(), 1.0),
        ("portolan_catalog_versions".into(), 1.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(&name), Some(&value), "{name}\n{samples:#?}");
    }
    assert!(!samples.keys().any(|name| name.contains("Invented")), "{samples:#?}");
    assert!(samples["process_resident_memory_bytes"] > 1e6);
    assert!(samples.keys().any(|name| name.starts_with("portolan_certificate_expiry_seconds{of=\"broker\"")));
}

#[tokio::test]
async fn our_own_services_are_counted_and_so_are_those_who_are_not_let_in() {
    use portolan::client::pb::portolan::catalog::v1 as catalog;
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = hub(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let mut client = catalog::catalog_service_client::CatalogServiceClient::new(consumer.channel());
    client.list_platforms(catalog::ListPlatformsRequest::default()).await.unwrap();
    let missing = catalog::GetPlatformRequest { name: "platforms/nobody.example".into() };
    assert_eq!(client.get_platform(missing).await.unwrap_err().code(), tonic::Code::NotFound);
    let mut stranger = TcpStream::connect(hub.address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = stranger.read_to_end(&mut rest).await;

    let samples = scraped_after(&hub, 2.0).await;
    let of = |method: &str, status: &str| {
        let method = format!("portolan.catalog.v1.CatalogService/{method}");
        let name = "grpc_server_call_duration_seconds_count";
        samples[&format!("{name}{{grpc_method={method:?},grpc_status={status:?}}}")]
    };
    assert_eq!((of("ListPlatforms", "OK"), of("GetPlatform", "NOT_FOUND")), (1.0, 1.0));
    let refused = soon("the refusal", async || {
        scrape(&hub).await.get("portolan_connections_refused_total{reason=\"HANDSHAKE\"}").copied()
    });
    assert_eq!(refused.await, 1.0);
}

#[tokio::test]
async fn a_draining_broker_is_alive_and_not_ready() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let mut hub = hub(&world, &producer, "").await;
    assert_eq!(page(&hub, "/readyz").await, (200, "ready\n".into()));
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.open(POST, &[]);
    send.frame(crate::fixture::frame(b"first"), false).await.unwrap();
    let (_, mut body) = response.await.unwrap().into_parts();
    body.frame().await.unwrap().unwrap();

    let address = hub.broker.as_ref().unwrap().admin()[0];
    let (tell, told) = tokio::sync::oneshot::channel();
    let drain = hub.broker.take().unwrap().drain(Duration::from_secs(10));
    portolan::lifecycle::spawn("test drain", async { tell.send(drain.await).unwrap() });
    let get = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    soon("the drain", async || get("/readyz").await.contains(" 503 ").then_some(())).await;
    assert!(get("/healthz").await.contains(" 200 "));
    assert!(
        get("/metrics")
            .await
            .contains(&format!("portolan_calls_open{{{OF},grpc_method=\"pay.v1.Ledger/Post\"}} 1\n"))
    );
    // Taking an answer back: the call ends, and with it the drain.
    send.frame(bytes::Bytes::new(), true).await.unwrap();
    assert!(told.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err());
}
