//! A second attempt beside a slow one: the first that answers wins, the others are cancelled, none without leave.

use super::stage::{Stage, config, described, only_status};
use crate::fixture::{Producer, World, answer_ok, frame};
use bytes::Bytes;
use portolan::broker::config as broker_config;
use portolan::transport::Exchange;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const GET: &str = "/pay.v1.Ledger/Get";

fn hedging(delay: &str) -> String {
    config(&format!("\"hedgingPolicy\": {{\"maxAttempts\": 2, \"hedgingDelay\": \"{delay}\"}}"))
}

async fn good(world: &World) -> Producer {
    Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        answer_ok(exchange, Bytes::from_static(b"well")).await;
    })
    .await
}

/// A producer that never answers, and says when it was cancelled.
async fn silent(world: &World) -> (Producer, mpsc::Receiver<()>) {
    let (told, cancelled) = mpsc::channel(64);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let told = told.clone();
        async move {
            let Exchange { request: _request, mut respond } = exchange;
            respond.closed().await;
            let _ = told.send(()).await;
        }
    })
    .await;
    (producer, cancelled)
}

#[tokio::test]
async fn a_slow_attempt_is_overtaken_and_cancelled() {
    let world = World::new();
    let good = good(&world).await;
    let (slow, mut cancelled) = silent(&world).await;
    let facts = described(&world) + &hedging("0.05s");
    let stage = Stage::new(world, &[&good, &slow], &facts, "[retries]\nshare_percent = 100").await;
    let begin = Instant::now();
    for nth in 0..100 {
        let reply = stage.consumer.unary(GET, &[], b"message").await.unwrap();
        assert_eq!((reply.status(), &reply.body), (0, &frame(b"well")), "call {nth}");
        if slow.calls() > 0 {
            tokio::time::timeout(Duration::from_secs(10), cancelled.recv()).await.unwrap();
            assert!(begin.elapsed() < Duration::from_secs(10));
            return;
        }
    }
    panic!("the slow endpoint was never tried");
}

#[tokio::test]
async fn only_methods_with_leave_are_hedged() {
    let world = World::new();
    let (slow, _cancelled) = silent(&world).await;
    let facts = described(&world) + &hedging("0.01s");
    let stage = Stage::new(world, &[&slow], &facts, "").await;
    // Post is not idempotent, and Watch streams; the config speaks of every method.
    for path in ["/pay.v1.Ledger/Post", "/pay.v1.Ledger/Watch"] {
        let before = slow.calls();
        let reply = stage.consumer.unary(path, &[("grpc-timeout", "300m")], b"message").await.unwrap();
        assert_eq!((reply.status(), slow.calls() - before), (4, 1), "{path}");
    }
    let before = slow.calls();
    let reply = stage.consumer.unary(GET, &[("grpc-timeout", "300m")], b"message").await.unwrap();
    assert_eq!((reply.status(), slow.calls() - before), (4, 2));
}

#[tokio::test]
async fn a_status_that_is_final_ends_the_race_and_unavailable_does_not() {
    let world = World::new();
    let bad = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let code = exchange.request.headers()["x-code"].to_str().unwrap().parse().unwrap();
        only_status(exchange, code, &[]);
    })
    .await;
    let facts = described(&world) + &hedging("10s");
    let stage = Stage::new(world, &[&bad], &facts, "").await;
    for (code, calls) in [(5, 1), (14, 2)] {
        let before = bad.calls();
        let reply = stage.consumer.unary(GET, &[("x-code", &code.to_string())], b"message").await.unwrap();
        assert_eq!((reply.status(), bad.calls() - before), (code, calls));
    }
}

#[tokio::test]
async fn without_a_budget_the_only_attempt_is_the_last_word() {
    let world = World::new();
    let bad = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        only_status(exchange, 14, &[]);
    })
    .await;
    let facts = described(&world) + &hedging("0.01s");
    let none = "[retries]\nshare_percent = 0\nat_least = 0";
    let stage = Stage::new(world, &[&bad], &facts, none).await;
    let reply = stage.consumer.unary(GET, &[], b"message").await.unwrap();
    assert_eq!((reply.status(), bad.calls()), (14, 1));
}

#[tokio::test]
async fn a_request_without_room_to_keep_it_arrives_whole() {
    let world = World::new();
    let echo = Producer::start(&world.payments, &world.hub, "/ledger", crate::fixture::echo).await;
    let facts = described(&world) + &hedging("0.001s");
    let stage = Stage::new(world, &[&echo], &facts, "[retries]\nreplay_bytes_in_all = \"4KiB\"").await;
    let message = vec![7; 30_000];
    let reply = stage.consumer.unary(GET, &[], &message).await.unwrap();
    assert_eq!((reply.status(), reply.body == frame(&message), echo.calls()), (0, true, 1));
}

#[tokio::test]
async fn a_large_request_is_carried_unhedged() {
    let world = World::new();
    let echo = Producer::start(&world.payments, &world.hub, "/ledger", crate::fixture::echo).await;
    let facts = described(&world) + &hedging("0.001s");
    let stage = Stage::new(world, &[&echo], &facts, "").await;
    let message = vec![7; 300_000];
    let reply = stage.consumer.unary(GET, &[], &message).await.unwrap();
    assert_eq!((reply.status(), reply.body == frame(&message), echo.calls()), (0, true, 1));
}

#[tokio::test]
async fn hedging_what_is_not_idempotent_is_refused_with_its_place() {
    let world = World::new();
    let good = good(&world).await;
    let policy = r#"{"methodConfig": [{"name": [{"service": "pay.v1.Ledger", "method": "Post"}], "hedgingPolicy": {"maxAttempts": 2}}]}"#;
    let facts = format!("{}service_config = '{policy}'", described(&world));
    let text = super::stage::declared(&world, &[&good], &facts);
    let path = world.broker().with(&text).write();
    let config = broker_config::load(&path).unwrap();
    let refused = portolan::broker::Broker::start(config).await.err().expect("a refusal");
    let text = format!("{refused:#}");
    assert!(text.contains("methodConfig[0].name[0]") && text.contains("idempotency_level"), "{text}");
}
