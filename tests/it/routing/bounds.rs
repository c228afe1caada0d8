use crate::fixture::{Consumer, Producer, World, answer_ok, echo, frame, settle};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use portolan::transport::{Exchange, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_message_over_the_limit_is_refused_at_its_prefix() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world
        .broker()
        .producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"])
        .with("[limits]\nmessage_bytes = \"64KiB\"")
        .start()
        .await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], &vec![0; 64 * 1024]).await.unwrap();
    assert_eq!(reply.status(), 0);
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], &vec![0; 64 * 1024 + 1]).await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (8, "MESSAGE_TOO_LARGE"));
    assert_eq!(consumer.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);
}

/// A producer that sends 100 MiB and counts what it could hand over.
async fn flooding(world: &World, sent: Arc<AtomicUsize>) -> Producer {
    let answer = move |exchange: Exchange| {
        let sent = sent.clone();
        async move {
            if exchange.request.uri().path().ends_with("/Get") {
                return answer_ok(exchange, Bytes::from_static(b"quick")).await;
            }
            let head = Response::builder().header("content-type", "application/grpc");
            let mut send = exchange.respond.send(head.body(()).unwrap(), false).unwrap();
            let message = frame(&vec![1; MIB - 5]);
            for _ in 0..100 {
                for piece in 0..64 {
                    let piece = message.slice(piece * MIB / 64..(piece + 1) * MIB / 64);
                    if send.frame(piece, false).await.is_err() {
                        return;
                    }
                    sent.fetch_add(MIB / 64, Ordering::SeqCst);
                }
            }
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let _ = send.trailers(trailers);
        }
    };
    Producer::start(&world.payments, &world.hub, "/ledger", answer).await
}

#[tokio::test]
async fn a_reader_that_stalls_stalls_the_producer_and_nobody_else() {
    let world = World::new();
    let sent = Arc::new(AtomicUsize::new(0));
    let producer = flooding(&world, sent.clone()).await;
    let hub = world
        .broker()
        .producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"])
        .with("[limits]\nstream_window = \"64KiB\"")
        .start()
        .await;
    let small = Settings { stream_window: 64 * 1024, ..Settings::default() };
    let slow = Consumer::try_connect(&world.data, "/slow", &hub, &small).await.unwrap();

    // Many readers of one tenant open a flood and do not read.
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let (response, send) = slow.open("/pay.v1.Ledger/Flood", &[]);
        stalled.push((response.await.unwrap(), send));
    }
    let before = settle(&sent).await;
    // Per stream: our window, the consumer's window, and what the send buffers of both legs may hold.
    let bound = 20 * (64 + 64 + 2 * 256) * 1024;
    assert!(before <= bound, "{before} bytes left the producer, {bound} may");

    // A neighbour on a connection of its own, and one on the same connection, are served meanwhile.
    let neighbour = Consumer::connect(&world.data, "/quick", &hub).await;
    for consumer in [&neighbour, &slow] {
        assert_eq!(consumer.unary("/pay.v1.Ledger/Get", &[], b"").await.unwrap().status(), 0);
    }

    // One of them reads on: everything arrives.
    let (response, _send) = stalled.pop().unwrap();
    let mut body = response.into_body();
    let mut total = 0;
    while let Some(data) = body.frame().await {
        let data = data.unwrap();
        total += data.len();
        body.release(data.len());
    }
    assert_eq!(total, 100 * MIB);
    assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
}
