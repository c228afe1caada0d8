use crate::fixture::{Consumer, Hub, Producer, World, echo, frame, read};
use bytes::Bytes;
use http::Response;
use portolan::transport::{Exchange, Reason};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(10);

/// A producer that opens its answer, says so, and then waits until the stream ends; it reports how it ended.
async fn waiting(with_head: bool) -> (World, Producer, Hub, mpsc::Receiver<&'static str>) {
    let world = World::new();
    let (told, events) = mpsc::channel(16);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let told = told.clone();
        async move {
            let Exchange { request: _request, mut respond } = exchange;
            if with_head {
                let head = Response::builder().header("content-type", "application/grpc");
                let mut send = respond.send(head.body(()).unwrap(), false).unwrap();
                send.frame(frame(b"first"), false).await.unwrap();
                told.send("began").await.unwrap();
                send.closed().await;
            } else {
                told.send("began").await.unwrap();
                respond.closed().await;
            }
            told.send("ended").await.unwrap();
        }
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    (world, producer, hub, events)
}

async fn next(events: &mut mpsc::Receiver<&'static str>) -> &'static str {
    timeout(SOON, events.recv()).await.expect("an event within 10 s").unwrap()
}

#[tokio::test]
async fn a_deadline_before_the_answer_ends_both_legs() {
    let (world, _producer, hub, mut events) = waiting(false).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[("grpc-timeout", "300m")], b"").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (4, "DEADLINE_EXCEEDED"));
    assert_eq!((next(&mut events).await, next(&mut events).await), ("began", "ended"));
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_a_stream_ends_both_legs() {
    let (world, _producer, hub, mut events) = waiting(true).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Watch", &[("grpc-timeout", "300m")], b"").await.unwrap();
    assert_eq!(reply.body, frame(b"first"));
    assert_eq!(reply.trailers["grpc-status"], "4");
    assert_eq!((next(&mut events).await, next(&mut events).await), ("began", "ended"));
}

#[tokio::test]
async fn the_producer_is_told_a_deadline_that_the_broker_reduced() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[("grpc-timeout", "99S")], b"").await.unwrap();
    let seen = reply.header("seen-grpc-timeout");
    let micros: u64 = seen.strip_suffix('u').expect("microseconds").parse().unwrap();
    assert!(micros < 99_000_000 && micros > 80_000_000, "{seen}");
}

#[tokio::test]
async fn a_consumer_that_cancels_ends_the_producers_work() {
    for with_head in [false, true] {
        let (world, _producer, hub, mut events) = waiting(with_head).await;
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        let (response, send) = consumer.open("/pay.v1.Ledger/Watch", &[]);
        assert_eq!(next(&mut events).await, "began");
        drop((response, send));
        assert_eq!(next(&mut events).await, "ended");
    }
}

#[tokio::test]
async fn a_consumer_that_dies_ends_the_producers_work() {
    let (world, _producer, hub, mut events) = waiting(true).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, _send) = consumer.open("/pay.v1.Ledger/Watch", &[]);
    let _body = response.await.unwrap();
    assert_eq!(next(&mut events).await, "began");
    consumer.die();
    assert_eq!(next(&mut events).await, "ended");
}

#[tokio::test]
async fn a_producer_that_resets_becomes_a_clear_status() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let code = exchange.request.headers()["x-code"].to_str().unwrap().parse::<u32>().unwrap();
        exchange.respond.reset(Reason::from(code));
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let table = [
        (Reason::REFUSED_STREAM, 14),
        (Reason::CANCEL, 1),
        (Reason::ENHANCE_YOUR_CALM, 8),
        (Reason::INTERNAL_ERROR, 13),
    ];
    for (reason, status) in table {
        let code = u32::from(reason).to_string();
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[("x-code", &code)], b"").await.unwrap();
        assert_eq!(reply.status(), status, "{reason:?}");
        assert!(consumer.connection.is_open());
    }
}

#[tokio::test]
async fn a_drain_lets_an_open_stream_finish() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let address = hub.address;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.open("/pay.v1.Ledger/Chat", &[]);
    let mut body = response.await.unwrap().into_body();

    let drained = async { assert!(timeout(SOON, hub.drain(SOON)).await.unwrap(), "every call finished") };
    let finished = async {
        while consumer.connection.is_open() {
            tokio::task::yield_now().await;
        }
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "no new connections");
        send.frame(frame(b"late"), false).await.unwrap();
        let data = body.frame().await.unwrap().unwrap();
        assert_eq!(data, frame(b"late"));
        body.release(data.len());
        send.frame(Bytes::new(), true).await.unwrap();
        assert!(body.frame().await.is_none());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    };
    tokio::join!(drained, finished);
}

#[tokio::test]
async fn a_drain_cuts_what_outlives_its_deadline_with_a_status() {
    let (world, _producer, hub, mut events) = waiting(true).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, _send) = consumer.open("/pay.v1.Ledger/Watch", &[]);
    assert_eq!(next(&mut events).await, "began");
    let (finished, reply) = tokio::join!(hub.drain(Duration::from_millis(200)), read(response));
    assert!(!finished);
    assert_eq!(reply.unwrap().trailers["grpc-status"], "14");
    assert_eq!(next(&mut events).await, "ended");
}
