//! RST_STREAM both ways: the codes of "gRPC over HTTP/2", section "Errors", at real peers.

use crate::attacks::raw::*;
use crate::attacks::scripted::{Ask, Scripted, data, ledger, ok, reset, send};
use crate::attacks::stage::Stage;
use crate::fixture::{Consumer, World};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Each code of RFC 9113 §7 and one that nobody knows, with the gRPC status that the specification names. It names none
/// for STREAM_CLOSED, HTTP_1_1_REQUIRED and what is unknown: INTERNAL, as for all that have no better one.
const TABLE: [(u32, u32, &str); 15] = [
    (0, 13, "RESET_BY_PRODUCER"),
    (1, 13, "RESET_BY_PRODUCER"),
    (2, 13, "RESET_BY_PRODUCER"),
    (3, 13, "RESET_BY_PRODUCER"),
    (4, 13, "RESET_BY_PRODUCER"),
    (5, 13, "RESET_BY_PRODUCER"),
    (6, 13, "RESET_BY_PRODUCER"),
    (REFUSED_STREAM, 14, "REFUSED_BY_PRODUCER"),
    (CANCEL, 1, "CANCELLED_BY_PRODUCER"),
    (9, 13, "RESET_BY_PRODUCER"),
    (10, 13, "RESET_BY_PRODUCER"),
    (11, 8, "PRODUCER_OVERLOADED"),
    (12, 7, "INADEQUATE_SECURITY"),
    (13, 13, "RESET_BY_PRODUCER"),
    (0xbad, 13, "RESET_BY_PRODUCER"),
];
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;

/// One producer for each code, which ends every call so.
async fn table(answer: fn(u32, u32) -> Vec<u8>) -> Vec<(u32, usize)> {
    let world = World::new();
    let (mut builder, mut producers) = (world.broker(), Vec::new());
    for (n, (code, ..)) in TABLE.into_iter().enumerate() {
        let ends = move |ask: Ask| send(&[answer(ask.stream, code)]);
        let producer = Scripted::start(&world.payments, &world.hub, "/bad", ends).await;
        let listed = producer.listed(&world.payments, "/bad");
        let services = [format!("pay.v{n}.Bad")];
        builder = builder.producer(&world.payments, &format!("bad-{n}"), &listed, &[&services[0]]);
        producers.push((producer, listed));
    }
    let hub = builder.start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for (n, (code, status, reason)) in TABLE.into_iter().enumerate() {
        let reply = consumer.unary(&format!("/pay.v{n}.Bad/Do"), &[], b"x").await.unwrap();
        assert_eq!((reply.status(), reply.reason().as_str()), (status, reason), "code {code}");
        assert!(consumer.connection.is_open(), "code {code}");
    }
    TABLE.into_iter().zip(producers).map(|((code, ..), (producer, _))| (code, producer.calls())).collect()
}

#[tokio::test]
async fn a_reset_before_the_head_becomes_the_status_of_the_specification() {
    for (code, calls) in table(reset).await {
        match code {
            // Nothing was processed, so it may come again; but not for ever.
            REFUSED_STREAM => assert!((1..=5).contains(&calls), "{calls} times"),
            _ => assert_eq!(calls, 1, "code {code}: it may have run"),
        }
    }
}

#[tokio::test]
async fn a_reset_after_the_head_becomes_the_status_of_the_specification() {
    let ends = |stream, code| [ok(stream), data(stream), reset(stream, code)].concat();
    for (code, calls) in table(ends).await {
        assert_eq!(calls, 1, "code {code}: its answer had begun");
    }
}

#[tokio::test]
async fn whatever_code_a_consumer_ends_with_the_producer_sees_cancel_at_once() {
    let (world, scripted, listed) = ledger(|ask: Ask| send(&[ok(ask.stream), data(ask.stream)])).await;
    let stage = Stage::over(world, listed, "").await;
    let mut consumer = stage.attacker().await;
    for (n, code) in [0u32, 2, 5, 7, 8, 11, 0xbad].into_iter().enumerate() {
        let id = 2 * n as u32 + 1;
        consumer.send(&frame(HEADERS, END_HEADERS, id, &super::request())).await;
        // The answer has begun: the call is at the producer.
        while consumer.next().await.expect("the connection lives").kind != DATA {}
        consumer.send(&reset(id, code)).await;
        let seen = async {
            let resets =
                || scripted.frames().into_iter().filter(|frame| frame.kind == RST_STREAM).collect::<Vec<_>>();
            while resets().len() <= n {
                // What another process's socket brings cannot be awaited here.
                sleep(Duration::from_millis(1)).await;
            }
            resets()
        };
        let seen =
            timeout(Duration::from_secs(5), seen).await.unwrap_or_else(|_| panic!("code {code}: no reset"));
        assert_eq!(seen.last().unwrap().payload, CANCEL.to_be_bytes(), "code {code}");
    }
    // Calls go on over the same connections.
    let other = Consumer::connect(&stage.world.data, "/app", &stage.hub).await;
    let (response, _send) = other.open(super::PATH, &[]);
    assert_eq!(response.await.unwrap().status(), 200);
}
