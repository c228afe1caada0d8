use crate::fixture::{Consumer, Producer, World, echo, read};
use http::Request;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_service_nobody_offers_is_unimplemented() {
    let world = World::new();
    let hub = world.broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/nobody.v1.Nothing/Do", &[], b"").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (12, "NO_OWNER"));
}

#[tokio::test]
async fn a_consumer_that_visibility_does_not_name_is_denied() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world
        .broker()
        .producer_for(&world.payments, "ledger", &producer, &["pay.v1.Ledger"], &["data.example"])
        .start()
        .await;
    for (organisation, status) in [(&world.data, 0), (&world.payments, 0), (&world.ml, 7)] {
        let consumer = Consumer::connect(organisation, "/app", &hub).await;
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap();
        assert_eq!(reply.status(), status, "{}", organisation.name);
    }
    assert_eq!(producer.calls(), 2);
}

#[tokio::test]
async fn an_owner_that_cannot_be_reached_is_named_with_since_when() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);
    producer.stop();
    let status = loop {
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap();
        if reply.status() != 0 {
            break reply.as_status();
        }
    };
    assert_eq!(status.code(), Code::Unavailable);
    // The connection may break under the first call; the next finds nobody.
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap();
    let status = reply.as_status();
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(info.metadata["platform"], "payments.example");
    assert!(info.metadata.contains_key("since"), "{info:?}");
    assert_eq!(info.metadata["fault"], "producer");
}

#[tokio::test]
async fn a_producer_with_another_identity_than_registered_gets_no_call() {
    let world = World::new();
    let mut producer = Producer::start(&world.payments, &world.hub, "/impostor", echo).await;
    producer.identity = world.payments.id("/ledger");
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap();
    assert_eq!(reply.status(), 14);
    let message = reply.as_status().message().to_owned();
    assert!(message.contains("spiffe://payments.example/impostor"), "{message}");
    assert_eq!(producer.calls(), 0);
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused_and_never_unbounded() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for path in ["/pay.v1.Ledger/Post", "/portolan.catalog.v1.CatalogService/ListPlatforms"] {
        for bad in ["", "1", "S", "123456789S", "-1S", "1x", "1.5S"] {
            let reply = consumer.unary(path, &[("grpc-timeout", bad)], b"").await.unwrap();
            assert_eq!((reply.status(), reply.reason().as_str()), (3, "BAD_TIMEOUT"), "{path} {bad:?}");
        }
        let reply = consumer.unary(path, &[("grpc-timeout", "0n")], b"").await.unwrap();
        assert_eq!(reply.status(), 4, "{path}");
    }
    assert_eq!(producer.calls(), 0);
}

#[tokio::test]
async fn a_refusal_of_our_own_services_is_one_frame_with_and_without_a_deadline() {
    let world = World::new();
    let hub = world.broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let absent = [b"\x0a\x10".as_slice(), b"platforms/absent"].concat();
    for metadata in [&[][..], &[("grpc-timeout", "10S")]] {
        let reply = consumer
            .unary("/portolan.catalog.v1.CatalogService/GetPlatform", metadata, &absent)
            .await
            .unwrap();
        assert_eq!((reply.status(), reply.is_one_frame), (5, true), "{metadata:?}");
    }
}

#[tokio::test]
async fn what_is_no_grpc_call_is_answered_in_http() {
    let world = World::new();
    let hub = world.broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for bad in ["", "application/json", "application/grpc-web", "text/application/grpc"] {
        let (response, _send) = consumer.open("/x.Y/Z", &[("content-type", bad)]);
        assert_eq!(response.await.unwrap().status(), 415, "{bad:?}");
    }
    let get =
        Request::get("https://localhost/x.Y/Z").header("content-type", "application/grpc").body(()).unwrap();
    let (response, _send) = consumer.connection.send(get, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 405);
    let reply = consumer.unary("/x.Y/Z", &[("content-type", "application/grpc+foo")], b"").await.unwrap();
    assert_eq!(reply.status(), 12);
}

#[tokio::test]
async fn the_very_bytes_that_are_authorised_are_routed() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for bad in [
        "/pay.v1.Ledger/Post?x=1",
        "/pay.v1.Ledger",
        "/pay.v1.Ledger/",
        "/pay.v1.Ledger/a/b",
        "//pay.v1.Ledger/Post",
        "/../pay.v1.Ledger/Post",
        "/pay.v1.Ledger/%50ost",
        "/pay.v1%2eLedger/Post",
        "/PAY.v1.Ledger/Post",
        "/pay.v1.Ledger./Post",
    ] {
        let (response, _send) = consumer.open(bad, &[]);
        assert_eq!(read(response).await.unwrap().status(), 12, "{bad}");
    }
    assert_eq!(producer.calls(), 0);
}

#[tokio::test]
async fn a_call_that_came_here_before_is_refused() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply =
        consumer.unary("/pay.v1.Ledger/Post", &[("portolan-via", "other, hub-1")], b"").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (9, "ROUTING_LOOP"));
    assert!(reply.as_status().message().contains("other, hub-1"));
}
