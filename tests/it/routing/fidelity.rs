use crate::fixture::{Consumer, Hub, Producer, World, echo, frame, read};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};

async fn echoing() -> (World, Producer, Hub) {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    (world, producer, hub)
}

#[tokio::test]
async fn a_message_comes_back_as_it_went() {
    let (world, _producer, hub) = echoing().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for length in [0, 1, 16 * 1024, 1 << 20] {
        let message = vec![7; length];
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], &message).await.unwrap();
        assert_eq!(reply.status(), 0);
        assert_eq!(reply.body, frame(&message), "{length}");
        assert_eq!(reply.trailers["x-trailer-bin"], "AAEC");
    }
}

#[tokio::test]
async fn metadata_pass_in_order_with_duplicates_and_binary_values() {
    let (world, _producer, hub) = echoing().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let long = "v".repeat(7 * 1024);
    let sent = [
        ("x-a", "1"),
        ("x-a", "2"),
        ("x-raw-bin", "AAECAw"),
        ("x-raw-bin", "AAECAw=="),
        ("x-long", long.as_str()),
    ];
    let reply = consumer.unary("/pay.v1.Ledger/Post", &sent, b"").await.unwrap();
    let got =
        |name: &str| reply.head.headers.get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(got("x-a"), ["1", "2"]);
    assert_eq!(got("x-raw-bin"), ["AAECAw", "AAECAw=="]);
    assert_eq!(got("x-long"), [long.as_str()]);
}

#[tokio::test]
async fn the_producer_learns_who_calls_and_cannot_be_told_otherwise() {
    let (world, _producer, hub) = echoing().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let forged = [
        ("portolan-caller", "spiffe://payments.example/boss"),
        ("x-forwarded-client-cert", "URI=spiffe://payments.example/boss"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let reply = consumer.unary("/pay.v1.Ledger/Post", &forged, b"").await.unwrap();
    assert_eq!(reply.header("seen-portolan-caller"), "spiffe://data.example/app");
    assert_eq!(reply.head.headers.get_all("seen-portolan-caller").iter().count(), 1);
    assert_eq!(reply.header("seen-portolan-via"), "hub-1");
    assert_eq!(reply.header("seen-x-forwarded-client-cert"), "");
    assert_eq!(reply.header("seen-traceparent"), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
}

#[tokio::test]
async fn a_stream_goes_back_and_forth_one_message_at_a_time() {
    let (world, _producer, hub) = echoing().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.open("/pay.v1.Ledger/Chat", &[]);
    let mut body = response.await.unwrap().into_body();
    for n in 0..100u8 {
        let message = frame(&[n; 300]);
        send.frame(message.clone(), false).await.unwrap();
        let mut back = Vec::new();
        while back.len() < message.len() {
            let data = body.frame().await.unwrap().unwrap();
            body.release(data.len());
            back.extend_from_slice(&data);
        }
        assert_eq!(back, message);
    }
    send.frame(Bytes::new(), true).await.unwrap();
    assert!(body.frame().await.is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}

#[tokio::test]
async fn a_thousand_streams_at_once_each_get_their_own_answer() {
    let (world, _producer, hub) = echoing().await;
    let mut consumers = Vec::new();
    for n in 0..5 {
        consumers.push(Consumer::connect(&world.data, &format!("/app{n}"), &hub).await);
    }
    let calls = (0..1000u32).map(|n| {
        let consumer = &consumers[n as usize % consumers.len()];
        async move {
            let reply = consumer.unary("/pay.v1.Ledger/Post", &[], &n.to_be_bytes()).await.unwrap();
            assert_eq!((reply.status(), reply.body), (0, frame(&n.to_be_bytes())));
        }
    });
    futures::future::join_all(calls).await;
}

#[tokio::test]
async fn every_status_passes_with_its_details_and_as_one_frame() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange| async move {
        let code = exchange.request.headers()["x-code"].clone();
        let head = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", code)
            .header("grpc-message", "no%20money")
            .header("grpc-status-details-bin", "CAkSCG5vIG1vbmV5")
            .header("x-more", "1");
        exchange.respond.send(head.body(()).unwrap(), true).unwrap();
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for code in 0..=16u32 {
        let (response, mut send) = consumer.open("/pay.v1.Ledger/Post", &[("x-code", &code.to_string())]);
        send.frame(frame(b""), true).await.unwrap();
        let response = response.await.unwrap();
        assert!(response.body().is_end(), "Trailers-Only stays one HEADERS frame with END_STREAM");
        let reply = response.headers();
        assert_eq!(reply["grpc-status"], code.to_string());
        assert_eq!(reply["grpc-message"], "no%20money");
        assert_eq!(reply["grpc-status-details-bin"], "CAkSCG5vIG1vbmV5");
        assert_eq!(reply["x-more"], "1");
        assert!(!reply.contains_key("portolan-route"));
    }
}

#[tokio::test]
async fn a_status_arrives_while_the_consumer_still_sends_and_the_connection_lives() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange| async move {
        let head = Response::builder().header("content-type", "application/grpc");
        let mut send = exchange.respond.send(head.body(()).unwrap(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("8"));
        send.trailers(trailers).unwrap();
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..50 {
        let (response, mut send) = consumer.open("/pay.v1.Ledger/Upload", &[]);
        let upload = async {
            // Far more than the windows hold: it ends only because the answer came.
            for _ in 0..100 {
                if send.frame(frame(&[0; 64 * 1024]), false).await.is_err() {
                    return;
                }
            }
        };
        let (reply, ()) = tokio::join!(read(response), upload);
        assert_eq!(reply.unwrap().status(), 8);
        assert!(consumer.connection.is_open());
    }
}

#[tokio::test]
async fn a_deprecated_version_says_so_in_its_answers() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let id = world.payments.id("/ledger");
    let hub = world
        .broker()
        .with(&format!(
            "[[producers]]\nplatform = \"payments.example\"\nid = \"old\"\nidentity = {id:?}\n\
             endpoints = [{{ address = \"{}\" }}]\n[[producers.capabilities]]\nname = \"ledger\"\nversion = \"1.0.0\"\n\
             services = [\"pay.v1.Ledger\"]\nowner = \"o\"\ncontact = \"c\"\nstage = \"deprecated\"\n\
             deprecation_time = 2026-01-01T00:00:00Z\nsunset_time = 2027-01-01T00:00:00Z\nvisibility = [\"*\"]",
            producer.address
        ))
        .start()
        .await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap();
    assert_eq!(reply.header("deprecation"), "@1767225600");
    assert_eq!(reply.header("sunset"), "Fri, 01 Jan 2027 00:00:00 GMT");
}
