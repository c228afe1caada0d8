//! One consumer cancels by the hundreds; the others, who share its connection to the producer, do not notice.

use crate::fixture::{Consumer, Hub, Producer, World, echo, frame, read};
use crate::foreign::{Running, file, python};
use portolan::lifecycle;
use portolan::transport::{self, Exchange};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Changes its mind again and again, at every moment of a call's life; other consumers of its tenant go on meanwhile.
async fn storm(world: &World, hub: &Hub, hang: &str, echo: &str) {
    let over = AtomicBool::new(false);
    let patient = Consumer::connect(&world.payments, "/patient", hub).await;
    let (response, mut send) = patient.open(echo, &[]);
    send.frame(frame(b"\x0a\x01a"), false).await.unwrap();
    let steady = Consumer::connect(&world.payments, "/steady", hub).await;
    let steadily = async {
        // Paced resets go on for a while after the storm: so many calls have to pass behind it.
        let (mut calls, mut left) = (0, 400);
        while left > 0 {
            left -= u32::from(over.load(Ordering::SeqCst));
            let reply = steady.unary(echo, &[], b"\x0a\x01a").await;
            let reply = reply.unwrap_or_else(|error| panic!("after {calls} calls: {error}"));
            assert_eq!(reply.status(), 0, "after {calls} calls: {:?}", reply.as_status());
            calls += 1;
        }
    };
    let storming = async {
        for round in 0..12 {
            cancel_sixty(world, hub, hang, Duration::from_millis(round * 2)).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    tokio::join!(steadily, storming);
    send.frame(frame(b"\x0a\x01b"), true).await.unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!(reply.status(), 0, "{:?}", reply.as_status());
}

async fn cancel_sixty(world: &World, hub: &Hub, path: &str, pause: Duration) {
    let hasty = Consumer::connect(&world.payments, "/hasty", hub).await;
    let mut open = Vec::new();
    for _ in 0..60 {
        let (response, mut send) = hasty.open(path, &[]);
        send.frame(frame(b"\x0a\x01a"), true).await.unwrap();
        open.push((response, send));
    }
    // Some are on their way, some have just arrived, some are being worked on: where is not ours to see.
    tokio::time::sleep(pause).await;
    drop(open);
    lifecycle::spawn("test goodbye", async move {
        // Its resets leave before it does.
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(hasty);
    });
}

#[tokio::test]
async fn an_h2_producer_as_hyper_and_tonic_run_it_stays_connected() {
    let world = World::new();
    // What they allow unless told otherwise.
    let settings = transport::Settings { max_pending_resets: 20, ..transport::Settings::default() };
    let answer = |mut exchange: Exchange| async move {
        if exchange.request.uri().path().ends_with("/Hang") {
            drop(exchange.respond.closed().await);
        } else {
            echo(exchange).await;
        }
    };
    let producer = Producer::start_with(&world.data, &world.hub, "/ledger", settings, answer).await;
    let hub = world.broker().producer(&world.data, "ledger", &producer, &["dat.v1.Ledger"]).start().await;
    storm(&world, &hub, "/dat.v1.Ledger/Hang", "/dat.v1.Ledger/Post").await;
}

#[tokio::test]
async fn a_grpcio_producer_stays_connected() {
    let world = World::new();
    let protos = file("tests/it/python");
    let files = world.data.files("/echo");
    let mut serving = Running::start(python().arg(protos.join("producer.py")).args([
        &files.certificate,
        &files.key,
        &world.hub.bundle(),
        &protos,
    ]));
    let port: u16 = serving.line().await.strip_prefix("listening ").unwrap().parse().unwrap();
    let address = ([127, 0, 0, 1], port).into();
    let producer = Producer::elsewhere(address, world.data.id("/echo"), Arc::default(), Default::default());
    let services = ["dat.echo.v1.EchoService"];
    let hub = world.broker().producer(&world.data, "echo", &producer, &services).start().await;
    storm(&world, &hub, "/dat.echo.v1.EchoService/Chat", "/dat.echo.v1.EchoService/Chat").await;
}
