//! What may run twice is sent again: idempotent methods, and methods whose service config says so; nothing else is.

use super::raw::{self, Act};
use super::stage::{Stage, config, described, only_status, retry_policy};
use crate::fixture::{Producer, World, answer_ok, frame};
use bytes::Bytes;
use http::{HeaderMap, Response};
use portolan::transport::{Exchange, Reason};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const POST: &str = "/pay.v1.Ledger/Post";
const GET: &str = "/pay.v1.Ledger/Get";

/// A producer that answers `bad` so many times, and then well.
async fn moody(
    world: &World,
    times: usize,
    bad: impl Fn(Exchange) + Send + Sync + Copy + 'static,
) -> (Producer, Arc<std::sync::Mutex<Vec<HeaderMap>>>) {
    let (count, seen) = (Arc::new(AtomicUsize::new(0)), Arc::<std::sync::Mutex<Vec<HeaderMap>>>::default());
    let heads = seen.clone();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let (count, heads) = (count.clone(), heads.clone());
        async move {
            heads.lock().unwrap().push(exchange.request.headers().clone());
            if count.fetch_add(1, Ordering::SeqCst) < times {
                return bad(exchange);
            }
            answer_ok(exchange, Bytes::from_static(b"well")).await;
        }
    })
    .await;
    (producer, seen)
}

fn unavailable(exchange: Exchange) {
    only_status(exchange, 14, &[]);
}

#[tokio::test]
async fn a_status_of_the_policy_is_retried_and_each_attempt_says_which_it_is() {
    let world = World::new();
    let (producer, seen) = moody(&world, 2, unavailable).await;
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.01s")), "").await;
    let reply =
        stage.consumer.unary(POST, &[("x-mine", "kept"), ("grpc-timeout", "5S")], b"message").await.unwrap();
    assert_eq!((reply.status(), &reply.body), (0, &frame(b"well")));
    let seen = seen.lock().unwrap();
    let previous: Vec<_> =
        seen.iter().map(|head| head.get("grpc-previous-rpc-attempts").map(|v| v.to_str().unwrap())).collect();
    assert_eq!(previous, [None, Some("1"), Some("2")]);
    assert!(seen.iter().all(|head| head["x-mine"] == "kept" && head.contains_key("portolan-caller")));
    let timeouts: Vec<u64> = seen
        .iter()
        .map(|head| head["grpc-timeout"].to_str().unwrap().strip_suffix('u').unwrap().parse().unwrap())
        .collect();
    assert!(timeouts[0] > timeouts[1] && timeouts[1] > timeouts[2], "{timeouts:?}");
}

#[tokio::test]
async fn after_the_last_attempt_its_status_is_the_calls() {
    let world = World::new();
    let (producer, _) = moody(&world, 100, unavailable).await;
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.001s")), "").await;
    let reply = stage.consumer.unary(POST, &[], b"message").await.unwrap();
    assert_eq!(
        (reply.status(), reply.header("grpc-message")),
        (14, "as the test wants it"),
        "the producer's own"
    );
    assert_eq!(producer.calls(), 3);
}

#[tokio::test]
async fn without_a_policy_a_call_that_may_have_run_is_sent_once() {
    for bad in [unavailable as fn(Exchange), |exchange| exchange.respond.reset(Reason::INTERNAL_ERROR)] {
        let world = World::new();
        let (producer, _) = moody(&world, 1, bad).await;
        let facts = described(&world);
        let stage = Stage::new(world, &[&producer], &facts, "").await;
        let reply = stage.consumer.unary(POST, &[], b"message").await.unwrap();
        assert_ne!(reply.status(), 0);
        assert_eq!(producer.calls(), 1, "it is not idempotent");
    }
}

#[tokio::test]
async fn an_idempotent_method_is_sent_again_when_it_is_unavailable_or_its_connection_breaks() {
    let world = World::new();
    let (producer, _) = moody(&world, 1, unavailable).await;
    let facts = described(&world);
    let stage = Stage::new(world, &[&producer], &facts, "").await;
    assert_eq!(stage.consumer.unary(GET, &[], b"message").await.unwrap().status(), 0);
    assert_eq!(producer.calls(), 2);

    let world = World::new();
    let (good, _) = moody(&world, 0, unavailable).await;
    let bad = raw::producer(&world, &world.payments, "/ledger", Act::HangUp).await;
    let facts = described(&world);
    let stage = Stage::new(world, &[&good, &bad], &facts, "").await;
    for _ in 0..100 {
        assert_eq!(stage.consumer.unary(GET, &[], raw::MARK).await.unwrap().status(), 0);
        if bad.calls() > 0 {
            return;
        }
    }
    panic!("the bad endpoint was never tried");
}

#[tokio::test]
async fn what_has_begun_to_answer_is_never_sent_again() {
    let world = World::new();
    // Headers, and then the status: not Trailers-Only.
    let (producer, _) = moody(&world, 100, |exchange| {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut send = exchange.respond.send(head, false).unwrap();
        let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "14".parse().unwrap())]);
        send.trailers(trailers).unwrap();
    })
    .await;
    let facts = described(&world) + &config(&retry_policy("0.001s"));
    let stage = Stage::new(world, &[&producer], &facts, "").await;
    for path in [POST, GET] {
        assert_eq!(stage.consumer.unary(path, &[], b"message").await.unwrap().status(), 14);
    }
    assert_eq!(producer.calls(), 2);

    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut send = exchange.respond.send(head, false).unwrap();
        // The message comes when the head has arrived.
        exchange.request.into_body().frame().await.unwrap().unwrap();
        send.reset(Reason::REFUSED_STREAM);
    })
    .await;
    let facts = described(&world) + &config(&retry_policy("0.001s"));
    let stage = Stage::new(world, &[&producer], &facts, "").await;
    let (response, mut send) = stage.consumer.open(POST, &[]);
    let mut body = response.await.unwrap().into_body();
    send.frame(frame(b"message"), true).await.unwrap();
    assert!(body.frame().await.is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "14");
    assert_eq!(producer.calls(), 1, "reset after its head");
}

#[tokio::test]
async fn the_producers_word_on_retries_is_kept() {
    let world = World::new();
    let (producer, _) = moody(&world, 1, |exchange| {
        only_status(exchange, 14, &[("grpc-retry-pushback-ms", "300")]);
    })
    .await;
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.001s")), "").await;
    let begin = Instant::now();
    assert_eq!(stage.consumer.unary(POST, &[], b"message").await.unwrap().status(), 0);
    assert!(begin.elapsed() >= Duration::from_millis(300));

    for never in ["-1", "soon"] {
        let world = World::new();
        let producer =
            Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| async move {
                only_status(exchange, 14, &[("grpc-retry-pushback-ms", never)]);
            })
            .await;
        let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.001s")), "").await;
        assert_eq!(stage.consumer.unary(POST, &[], b"message").await.unwrap().status(), 14);
        assert_eq!(producer.calls(), 1, "{never:?}");
    }
}

#[tokio::test]
async fn when_all_fails_retries_stay_within_their_budget() {
    let world = World::new();
    let (producer, _) = moody(&world, usize::MAX, unavailable).await;
    let retries = "[retries]\nshare_percent = 10\nat_least = 2";
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.001s")), retries).await;
    let begin = Instant::now();
    for _ in 0..200 {
        assert_eq!(stage.consumer.unary(POST, &[], b"message").await.unwrap().status(), 14);
    }
    let most = 200 + 20 + 2 * (begin.elapsed().as_secs() as usize + 2);
    assert!((202..=most).contains(&producer.calls()), "{} of at most {most}", producer.calls());
}

#[tokio::test]
async fn a_request_too_large_to_keep_is_sent_once_and_whole() {
    let world = World::new();
    // It reads all before it refuses.
    let refusing = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let mut body = exchange.request.into_body();
        while let Some(Ok(data)) = body.frame().await {
            body.release(data.len());
        }
        exchange.respond.reset(Reason::REFUSED_STREAM);
    })
    .await;
    let stage = Stage::new(
        world,
        &[&refusing],
        &config(&retry_policy("0.001s")),
        "[retries]\nreplay_bytes = \"8KiB\"",
    )
    .await;
    let reply = stage.consumer.unary(POST, &[], &[7; 100_000]).await.unwrap();
    assert_eq!((reply.status(), refusing.calls()), (14, 1));
    let reply = stage.consumer.unary(POST, &[], &[7; 100]).await.unwrap();
    assert_eq!((reply.status(), refusing.calls()), (14, 1 + 4), "once transparently, then by policy");
}

#[tokio::test]
async fn a_consumer_that_leaves_during_a_pause_ends_the_call() {
    let world = World::new();
    let (producer, _) = moody(&world, 100, unavailable).await;
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("0.5s")), "").await;
    let (response, mut send) = stage.consumer.open(POST, &[]);
    send.frame(frame(b"message"), true).await.unwrap();
    while producer.calls() == 0 {
        tokio::task::yield_now().await;
    }
    drop((response, send));
    // Longer than both pauses would be.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(producer.calls(), 1);
}
