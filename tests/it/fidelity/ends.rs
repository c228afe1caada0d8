//! Who ends what first: a status while the request still streams, half-closes early and late.

use super::{PATH, request};
use crate::attacks::end::End;
use crate::attacks::raw::*;
use crate::attacks::scripted::{Ask, ledger, ok, reset, send, trailers, trailers_only, whole};
use crate::attacks::stage::Stage;
use crate::fixture::{Consumer, Producer, World, frame as message, head, read};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use portolan::transport::Exchange;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

fn status(code: &'static str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(code));
    trailers
}

/// A consumer that does not stop to send when it is answered: its frames may be under way when the stream has ended.
#[tokio::test]
async fn an_early_status_arrives_every_time_and_late_frames_harm_nothing() {
    let answer = |Ask { call, connection, stream }: Ask| match call % 3 {
        // One is the prober's, and a connection on which 128 streams were reset of late is worn out.
        _ if connection > 3 => panic!("the connections to the producer did not live"),
        0 => send(&[trailers_only(stream, &[("grpc-status", "8")])]),
        1 => send(&[ok(stream), trailers(stream, &[("grpc-status", "8")])]),
        // As the specification of HTTP/2 asks (RFC 9113 §8.1): whole, then no more is wanted.
        _ => send(&[ok(stream), trailers(stream, &[("grpc-status", "8")]), reset(stream, 0)]),
    };
    let (world, scripted, listed) = ledger(answer).await;
    let stage = Stage::over(world, listed, "").await;
    let neighbour_calls = 150;
    let mut consumer = stage.attacker().await;
    for n in 0..neighbour_calls {
        let id = 2 * n + 1;
        let piece = frame(DATA, 0, id, &message(&[7; 100]));
        consumer.send(&[frame(HEADERS, END_HEADERS, id, &request()), piece.clone()].concat()).await;
        assert_eq!(consumer.end_of(id).await, End::Status(8), "call {n}");
        // It has not seen the end yet, as far as the broker can know.
        consumer.send(&[piece.clone(), piece.clone(), frame(DATA, END_STREAM, id, b"")].concat()).await;
    }
    assert_eq!(scripted.calls(), neighbour_calls as usize);
    assert_eq!(stage.hub.broker.as_ref().unwrap().connections().list().len(), 1);
}

#[tokio::test]
async fn an_early_status_passes_many_uploads_at_once() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let Exchange { request, respond } = exchange;
        let mut body = request.into_body();
        // It reads a little and has seen enough.
        let mut left = 100_000usize;
        while left > 0 {
            let Some(Ok(data)) = body.frame().await else { return };
            left = left.saturating_sub(data.len());
            body.release(data.len());
        }
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut send = respond.send(head, false).unwrap();
        send.frame(message(b"enough"), false).await.unwrap();
        send.trailers(status("11")).unwrap();
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for round in 0..4 {
        let uploads = (0..16).map(|_| async {
            let (response, mut send) = consumer.open(PATH, &[]);
            let upload = async {
                // It ends only because the answer came.
                while send.frame(message(&[0; 16 * 1024]), false).await.is_ok() {}
            };
            let (reply, ()) = tokio::join!(read(response), upload);
            let reply = reply.unwrap();
            assert_eq!((reply.status(), reply.body), (11, message(b"enough")), "round {round}");
        });
        futures::future::join_all(uploads).await;
        assert!(consumer.connection.is_open());
    }
    assert_eq!(producer.calls(), 64);
}

#[tokio::test]
async fn the_producer_sees_the_half_close_when_the_consumer_makes_it_and_not_before() {
    let world = World::new();
    let (tell, mut told) = mpsc::channel(64);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let tell = tell.clone();
        async move {
            let Exchange { request, respond } = exchange;
            let mut body = request.into_body();
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut send = respond.send(head, false).unwrap();
            while let Some(Ok(data)) = body.frame().await {
                body.release(data.len());
                if !data.is_empty() {
                    tell.send("data").await.unwrap();
                }
            }
            tell.send("half-close").await.unwrap();
            // The answer goes on after the consumer has ended its half.
            for n in 0..100u8 {
                send.frame(message(&[n; 1000]), false).await.unwrap();
            }
            send.trailers(status("0")).unwrap();
        }
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.open(PATH, &[]);
    for _ in 0..3 {
        send.frame(message(b"x"), false).await.unwrap();
        assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("data"));
    }
    // Another whole call takes its time meanwhile: a half-close that came by itself would have come by now.
    let (other, mut end) = consumer.open(PATH, &[]);
    end.frame(Bytes::new(), true).await.unwrap();
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("half-close"));
    assert_eq!(read(other).await.unwrap().body.len(), 100 * 1005);
    assert!(told.try_recv().is_err(), "the first call is not half-closed");

    send.frame(Bytes::new(), true).await.unwrap();
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some("half-close"));
    let reply = read(response).await.unwrap();
    assert_eq!((reply.status(), reply.body.len()), (0, 100 * 1005));
}

#[tokio::test]
async fn a_consumer_may_half_close_after_the_whole_answer() {
    let answer = |ask: Ask| send(&[whole(ask.stream)]);
    let (world, scripted, listed) = ledger(answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..50 {
        let (response, mut send) = consumer.open(PATH, &[]);
        send.frame(message(b"x"), false).await.unwrap();
        let reply = read(response).await.unwrap();
        assert_eq!((reply.status(), reply.body), (0, message(&[42])));
        let _ = send.frame(Bytes::new(), true).await;
        assert!(consumer.connection.is_open());
    }
    // One is the prober's.
    assert!(scripted.connections() <= 2, "the connection to the producer lives too");
}

#[tokio::test]
async fn a_head_comes_before_any_message_and_a_message_before_any_other() {
    let world = World::new();
    let (go, gate) = tokio::sync::watch::channel(0);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let mut gate = gate.clone();
        async move {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let mut send = exchange.respond.send(head, false).unwrap();
            gate.wait_for(|n| *n >= 1).await.unwrap();
            send.frame(message(b"first"), false).await.unwrap();
            gate.wait_for(|n| *n >= 2).await.unwrap();
            send.frame(message(b"second"), false).await.unwrap();
            gate.wait_for(|n| *n >= 3).await.unwrap();
            send.trailers(status("0")).unwrap();
        }
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, _send) = consumer.connection.send(head(PATH, &[]), true).unwrap();
    // Nothing waits for what comes after it: neither a head for a message, nor one message for the next.
    let mut body = timeout(SOON, response).await.expect("the head alone").unwrap().into_body();
    for (n, expected) in [(1, b"first".as_slice()), (2, b"second")] {
        go.send_replace(n);
        let mut got = Vec::new();
        while got.len() < expected.len() + 5 {
            let data = timeout(SOON, body.frame()).await.expect("the message alone").unwrap().unwrap();
            body.release(data.len());
            got.extend_from_slice(&data);
        }
        assert_eq!(got, message(expected));
    }
    go.send_replace(3);
    assert!(timeout(SOON, body.frame()).await.unwrap().is_none());
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}
