//! A cancellation reaches the other side within 10 ms (attacks.md G5), both ways.

use crate::fixture::{Consumer, Producer, World};
use http::Response;
use portolan::transport::{Exchange, Reason};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::timeout;

const TRIES: usize = 20;
const PROMPT: Duration = Duration::from_millis(10);
const SOON: Duration = Duration::from_secs(10);

/// The best of several tries: others on this machine may delay some, but a timer in the way would delay all.
fn assert_prompt(took: &[Duration], what: &str) {
    let best = took.iter().min().unwrap();
    assert!(*best < PROMPT, "{what}: at best {best:?}");
}

#[tokio::test]
async fn a_cancel_and_a_death_of_the_consumer_end_the_producers_work_at_once() {
    let world = World::new();
    let (tell, mut told) = mpsc::channel(4);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let tell = tell.clone();
        async move {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut send = exchange.respond.send(head, false).unwrap();
            send.closed().await;
            tell.send(Instant::now()).await.unwrap();
        }
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    for dies in [false, true] {
        let mut took = Vec::new();
        for n in 0..TRIES {
            let consumer = Consumer::connect(&world.data, &format!("/app-{n}"), &hub).await;
            let (response, send) = consumer.open("/pay.v1.Ledger/Watch", &[]);
            let response = response.await.unwrap();
            let begin = Instant::now();
            if dies {
                consumer.die();
            } else {
                drop((response, send));
            }
            let ended = timeout(SOON, told.recv()).await.expect("the producer hears of it").unwrap();
            took.push(ended.saturating_duration_since(begin));
        }
        assert_prompt(&took, if dies { "a death" } else { "a cancel" });
    }
}

#[tokio::test]
async fn a_reset_of_the_producer_ends_the_consumers_call_at_once() {
    let world = World::new();
    let (tell, mut told) = mpsc::channel(4);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let tell = tell.clone();
        async move {
            tell.send(Instant::now()).await.unwrap();
            exchange.respond.reset(Reason::INTERNAL_ERROR);
        }
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let mut took = Vec::new();
    for _ in 0..TRIES {
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
        let ended = Instant::now();
        assert_eq!(reply.status(), 13);
        took.push(ended.saturating_duration_since(timeout(SOON, told.recv()).await.unwrap().unwrap()));
    }
    assert_prompt(&took, "a reset");
}
