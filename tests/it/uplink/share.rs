//! Whoever does not read costs its own streams, and at most its share of what all may hold.

use crate::fixture::{Consumer, Hub, Producer, World, echo, frame, read};
use crate::resilience::stage::{declared, retry_policy, service_config};
use http::Response;
use portolan::lifecycle;
use portolan::transport::{Exchange, Settings, client};
use std::time::Duration;
use tonic_types::StatusExt;

const WINDOW: usize = 256 << 10;

/// `/Flood` answers as much as the consumer takes, `/Sink` reads nothing of what it is sent, the rest is sent back.
async fn answer(mut exchange: Exchange) {
    let path = exchange.request.uri().path().to_owned();
    if path.ends_with("/Flood") {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let Ok(mut send) = exchange.respond.send(head, false) else { return };
        while send.frame(frame(&[7; 16 << 10]), false).await.is_ok() {}
    } else if path.ends_with("/Sink") {
        drop(exchange.respond.closed().await);
    } else {
        echo(exchange).await;
    }
}

async fn stage(world: &World, config: &str) -> (Producer, Hub) {
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]);
    (producer, hub.with(config).start().await)
}

/// What the broker holds for the tenant.
fn held(hub: &Hub, tenant: &str) -> usize {
    let used = hub.broker.as_ref().unwrap().buffered();
    used.iter().find(|used| used.tenant.as_str() == tenant).map_or(0, |used| used.bytes)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        // The broker's threads move it, nothing here can be awaited for it.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 5 s: {what}");
}

async fn flood(consumer: &Consumer) -> client::Response {
    let (response, mut send) = consumer.open("/pay.v1.Ledger/Flood", &[]);
    send.frame(frame(b""), true).await.unwrap();
    response
}

#[tokio::test]
async fn a_consumer_that_does_not_read_holds_up_nobody_of_its_own_house() {
    let world = World::new();
    let (_producer, hub) = stage(&world, "").await;
    let stalled = Consumer::connect(&world.data, "/stalled", &hub).await;
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(flood(&stalled).await.await.unwrap());
    }
    until("all of them wait", || held(&hub, "data.example") >= 40 * WINDOW).await;
    // The same tenant, and so the same connection to the producer.
    let other = Consumer::connect(&world.data, "/other", &hub).await;
    for _ in 0..50 {
        let reply = other.unary("/pay.v1.Ledger/Post", &[], &[1; 100_000]).await.unwrap();
        assert_eq!((reply.status(), reply.body.len()), (0, 100_005));
    }
    let bound = 40 * (WINDOW + 2 * (16 << 10));
    assert!(held(&hub, "data.example") <= bound, "a window and a frame in hand for each");
    drop((answers, stalled));
    until("nothing is left", || held(&hub, "data.example") == 0).await;
}

#[tokio::test]
async fn a_producer_that_does_not_read_costs_its_streams_only() {
    let world = World::new();
    let (_producer, hub) = stage(&world, "").await;
    let upload = Consumer::connect(&world.data, "/upload", &hub).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let (response, mut send) = upload.open("/pay.v1.Ledger/Sink", &[]);
        let sending = lifecycle::spawn("test upload", async move {
            while send.frame(frame(&[7; 16 << 10]), false).await.is_ok() {}
        });
        open.push((response, sending));
    }
    until("all of them wait", || held(&hub, "data.example") >= 4 * WINDOW).await;
    let other = Consumer::connect(&world.data, "/other", &hub).await;
    for _ in 0..50 {
        assert_eq!(other.unary("/pay.v1.Ledger/Post", &[], &[1; 100_000]).await.unwrap().status(), 0);
    }
    assert!(held(&hub, "data.example") <= 4 * (WINDOW + 2 * (16 << 10)));
    for (response, sending) in open {
        drop(response);
        sending.abort();
    }
    until("nothing is left", || held(&hub, "data.example") == 0).await;
}

#[tokio::test]
async fn whoever_holds_more_than_its_share_is_told_so_and_others_are_served() {
    let world = World::new();
    // Room for 32 streams that wait.
    let (_producer, hub) =
        stage(&world, "[limits]\nbuffered_bytes = \"8MiB\"\nstream_window = \"256KiB\"").await;
    let settings = Settings { stream_window: 64 << 10, ..Settings::default() };
    let greedy = Consumer::try_connect(&world.data, "/greedy", &hub, &settings).await.unwrap();
    let (mut waiting, mut refused) = (Vec::new(), 0);
    for _ in 0..60 {
        let (mut head, mut body) = flood(&greedy).await.await.unwrap().into_parts();
        head.extensions.clear();
        if body.is_end() {
            refused += 1;
            let status = tonic::Status::from_header_map(&head.headers).unwrap();
            assert_eq!(status.code(), tonic::Code::ResourceExhausted);
            let details = status.get_error_details();
            assert_eq!(details.error_info().unwrap().reason, "OVER_SHARE");
            let quota = &details.quota_failure().unwrap().violations[0];
            assert_eq!(quota.subject, "trust_domain:data.example");
            continue;
        }
        // It reads a little, so that what it does not read piles up at the broker.
        let first = body.frame().await.unwrap().unwrap();
        drop(first);
        waiting.push(body);
    }
    until("all that there is is held", || held(&hub, "data.example") >= 7 << 20).await;
    assert!(held(&hub, "data.example") <= 10 << 20, "{} bytes", held(&hub, "data.example"));

    // Another tenant has its share all the same, also when it does not read.
    let modest = Consumer::try_connect(&world.ml, "/modest", &hub, &settings).await.unwrap();
    assert_eq!(modest.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().status(), 0);
    let mut own = Vec::new();
    for _ in 0..8 {
        own.push(flood(&modest).await.await.unwrap());
    }
    until("it holds what it asked for", || held(&hub, "ml.example") >= 8 * WINDOW).await;
    until("the other gave it back", || held(&hub, "data.example") <= 7 << 20).await;
    for _ in 0..20 {
        assert_eq!(modest.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().status(), 0);
    }
    let mut cut = 0;
    for mut body in waiting {
        let ended = tokio::time::timeout(Duration::from_millis(300), async {
            while let Some(Ok(data)) = body.frame().await {
                body.release(data.len());
            }
            body.trailers().await
        });
        if let Ok(Ok(Some(trailers))) = ended.await {
            let status = tonic::Status::from_header_map(&trailers).unwrap();
            assert_eq!(status.get_error_details().error_info().unwrap().reason, "OVER_SHARE");
            cut += 1;
        }
    }
    assert!(cut + refused >= 8, "{cut} were cut and {refused} refused");
    drop((own, greedy));
    until("nothing is left", || held(&hub, "data.example") == 0).await;
    let (response, mut send) = modest.open("/pay.v1.Ledger/Post", &[]);
    send.frame(frame(b"again"), true).await.unwrap();
    assert_eq!(read(response).await.unwrap().status(), 0);
}

#[tokio::test]
async fn an_upload_over_the_share_is_told_so_too_and_tells_nothing_of_its_producer() {
    let world = World::new();
    // One failure would be enough, and there is another endpoint to go to.
    let config = "[outliers]\nconsecutive_failures = 1\n\
                  [limits]\nbuffered_bytes = \"2MiB\"\nstream_window = \"256KiB\"";
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let other = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let facts = service_config(&retry_policy("0.001s").replace("UNAVAILABLE", "RESOURCE_EXHAUSTED"));
    let text = declared(&world, &[&producer, &other], &format!("service_config = '{facts}'"));
    let hub = world.broker().with(config).with(&text).start().await;
    let greedy = Consumer::connect(&world.data, "/greedy", &hub).await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let (response, mut send) = greedy.open("/pay.v1.Ledger/Sink", &[]);
        let sending = lifecycle::spawn("test upload", async move {
            while send.frame(frame(&[7; 16 << 10]), false).await.is_ok() {}
        });
        open.push((response, sending));
    }
    let mut refused = 0;
    for (response, sending) in open {
        if let Ok(reply) = tokio::time::timeout(Duration::from_millis(500), read(response)).await {
            assert_eq!(reply.unwrap().reason(), "OVER_SHARE");
            refused += 1;
        }
        sending.abort();
    }
    assert!((12..=16).contains(&refused), "{refused} of 20, where about 7 have room");
    let sent = producer.calls() + other.calls();
    assert!(sent <= 20, "none is sent again, though its policy names the status: {sent}");

    drop(greedy);
    until("nothing is left", || held(&hub, "data.example") == 0).await;
    let samples = crate::telemetry::scrape(&hub).await;
    let of = |name: &str, words: &str| -> f64 {
        let named = samples.iter().filter(|(key, _)| key.starts_with(name) && key.contains(words));
        named.map(|(_, value)| value).sum()
    };
    assert_eq!(of("portolan_endpoint_attempts_total", "outcome=\"failed\""), 0.0, "{samples:#?}");
    assert_eq!(of("grpc_lb_outlier_detection_ejections_enforced_total", ""), 0.0, "{samples:#?}");
    let modest = Consumer::connect(&world.ml, "/modest", &hub).await;
    for _ in 0..20 {
        assert_eq!(modest.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().status(), 0);
    }
    assert!(producer.calls() > 0 && other.calls() > 0, "both are called");
}
