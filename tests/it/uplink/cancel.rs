//! One consumer's cancellations do not end the calls of others.

use crate::attacks::scripted::{Ask, head, ledger, ok, send, whole};
use crate::attacks::stage::Neighbour;
use crate::fixture::{Consumer, Producer, World, echo, frame, read};
use portolan::transport;
use std::time::Duration;

#[tokio::test]
async fn calls_that_are_cancelled_at_once_do_not_reach_the_producer() {
    let world = World::new();
    // h2 servers give a connection up after 20 streams that were reset before anybody looked at them (tonic's default).
    let settings = transport::Settings { max_pending_resets: 20, ..transport::Settings::default() };
    let producer = Producer::start_with(&world.payments, &world.hub, "/ledger", settings, echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let hasty = Consumer::connect(&world.data, "/hasty", &hub).await;
    // The same tenant: both share one connection to the producer.
    let patient = Consumer::connect(&world.data, "/patient", &hub).await;
    let (response, mut send) = patient.open("/pay.v1.Ledger/Post", &[]);
    send.frame(frame(b"first"), false).await.unwrap();
    assert_eq!(patient.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);

    for _ in 0..90 {
        // Head and reset leave in one write.
        drop(hasty.open("/pay.v1.Ledger/Post", &[]));
    }
    assert_eq!(hasty.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);
    assert!(producer.calls() < 20, "{} calls reached it", producer.calls());
    send.frame(frame(b"last"), true).await.unwrap();
    assert_eq!(read(response).await.unwrap().status(), 0);
}

/// Fifty legal cancels at once suffice to lose a connection to a producer, if they all reach it.
#[tokio::test]
async fn a_storm_of_cancels_by_one_consumer_fails_no_call_of_another() {
    let world = World::new();
    let settings = transport::Settings { max_pending_resets: 20, ..transport::Settings::default() };
    let producer = Producer::start_with(&world.payments, &world.hub, "/ledger", settings, echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    // Of the same organisation, so that they may share a connection to the producer.
    let neighbour = Consumer::connect(&world.data, "/neighbour", &hub).await;
    let neighbour = Neighbour::start(neighbour, "/pay.v1.Ledger/Post");
    let patient = Consumer::connect(&world.data, "/patient", &hub).await;
    let (response, mut send) = patient.open("/pay.v1.Ledger/Post", &[]);
    send.frame(frame(b"first"), false).await.unwrap();
    neighbour.is_unharmed("the calm").await;
    for wave in 0..80usize {
        // Each on a connection of its own: on one, the broker would tell it to calm down.
        let stormy = Consumer::connect(&world.data, &format!("/stormy-{}", wave % 8), &hub).await;
        let mut open: Vec<_> = (0..50).map(|_| stormy.open("/pay.v1.Ledger/Post", &[])).collect();
        // Sooner and later: before the broker has looked at them, on their way, at the producer.
        for _ in 0..wave % 20 {
            tokio::task::yield_now().await;
        }
        if wave % 4 == 3 {
            // All are surely at the producer.
            let (response, _) = open.pop().unwrap();
            let _ = response.await;
        }
        drop(open);
        if wave % 10 == 0 {
            neighbour.is_unharmed("a storm of cancels").await;
        }
    }
    neighbour.is_unharmed("a storm of cancels").await;
    send.frame(frame(b"last"), true).await.unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!((reply.status(), reply.body.len()), (0, 5 + 5 + 5 + 4));
}

/// h2 gives up a connection on which it had to reset 1,024 streams for the peer's faults: it is retired before that.
#[tokio::test]
async fn a_producer_that_gets_many_streams_wrong_loses_no_call_of_others() {
    // A head that HTTP/2 does not allow for every call but the first, which stays open, and those that ask well.
    let (world, scripted, listed) = ledger(|Ask { call, stream, .. }: Ask| match call {
        0 => send(&[ok(stream)]),
        n if n % 50 == 0 => send(&[whole(stream)]),
        _ => send(&[head(stream, &[("content-type", "application/grpc")])]),
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"]).start().await;
    let patient = Consumer::connect(&world.data, "/patient", &hub).await;
    let (response, _send) = patient.open("/pay.v1.Ledger/Watch", &[]);
    let mut watch = response.await.unwrap().into_body();
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let mut good = 0;
    for n in 1..=1_500 {
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
        assert!([0, 13, 14].contains(&reply.status()), "call {n}: {:?}", reply.as_status());
        good += usize::from(reply.status() == 0);
    }
    assert!(good >= 25, "{good} of 30 that are answered well");
    assert!(scripted.calls() >= 1_000, "{} calls", scripted.calls());
    let nothing = tokio::time::timeout(Duration::from_millis(100), watch.frame()).await;
    assert!(nothing.is_err(), "the call of another lives: {nothing:?}");
}
