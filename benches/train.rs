//! Drives a broker in a process of its own with every kind of call, so that a compiler can see what it does all day.
//!
//! `./release` runs it against a broker that counts its own branches (profile-guided optimisation). It measures nothing.
//!
//!     cargo test --bench train -- PORTOLAN [SECONDS]     SECONDS of each kind of call; 3 if nothing is said

#![allow(clippy::unwrap_used, reason = "a run that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use bytes::Bytes;
use futures::future::join_all;
use http::{HeaderMap, Response};
use portolan::transport::Exchange;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[path = "../tests/it/fixture/broker.rs"]
mod broker;
#[path = "../tests/it/fixture/consumer.rs"]
mod consumer;
#[path = "../tests/it/fixture/organisation.rs"]
mod organisation;
#[path = "../tests/it/fixture/producer.rs"]
mod producer;

use broker::Hub;
use consumer::{Consumer, frame};
use organisation::{Organisation, World};
use producer::{Producer, echo};

/// Connections of consumers.
const CONNECTIONS: usize = 8;
/// Messages of a server's stream.
const MESSAGES: usize = 1000;

/// A kind of call, with how many of them are under way on each connection.
type Kind = (&'static str, usize, Shape);

#[derive(Clone, Copy)]
enum Shape {
    /// One message of so many bytes, and the same back.
    Unary(usize),
    /// Many small messages back.
    Stream,
    /// A message there, one back, again and again.
    PingPong,
    /// A connection of its own for each call.
    Handshake,
}

const KINDS: [Kind; 6] = [
    ("unary, 128 bytes", 16, Shape::Unary(128)),
    ("unary, 16 KiB", 8, Shape::Unary(16 * 1024)),
    ("unary, 1 MiB", 2, Shape::Unary(1024 * 1024)),
    ("server streams", 4, Shape::Stream),
    ("ping-pong", 8, Shape::PingPong),
    ("handshakes", 1, Shape::Handshake),
];

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(portolan) = arguments.next() else {
        return eprintln!("which broker? cargo test --bench train -- PORTOLAN [SECONDS]");
    };
    let seconds = arguments.next().map_or(3, |seconds| seconds.parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(train(&portolan, Duration::from_secs(seconds)));
}

async fn train(portolan: &str, each: Duration) {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let config = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).write();
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let mut command = Command::new(portolan);
    command.arg("serve").arg("--config").arg(config).env("PORTOLAN__LISTEN", address.to_string());
    let mut broker = started(command).await;
    let hub = Hub { address, domain: world.hub.domain(), broker: None };
    for (name, at_once, shape) in KINDS {
        let calls = drive(&world, &hub, (at_once, shape), each).await;
        eprintln!("{name}: {calls} calls");
    }
    // Not killed: it writes down what it counted when it ends.
    let process = rustix::process::Pid::from_raw(broker.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    broker.wait().await.unwrap();
}

async fn started(mut command: Command) -> Child {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().expect("it becomes ready").contains("ready") {}
    portolan::lifecycle::spawn("log of the broker", async move {
        while let Ok(Some(_)) = lines.next_line().await {}
    });
    child
}

async fn drive(world: &World, hub: &Hub, (at_once, shape): (usize, Shape), each: Duration) -> usize {
    let end = Instant::now() + each;
    let connections = (0..CONNECTIONS).map(async |_| {
        let consumer = Consumer::connect(&world.data, "/app", hub).await;
        let callers = (0..at_once).map(async |_| {
            let mut calls = 0;
            while Instant::now() < end {
                call(world, hub, &consumer, shape).await;
                calls += 1;
            }
            calls
        });
        join_all(callers).await.into_iter().sum::<usize>()
    });
    join_all(connections).await.into_iter().sum()
}

async fn call(world: &World, hub: &Hub, consumer: &Consumer, shape: Shape) {
    let status = match shape {
        Shape::Unary(bytes) => {
            consumer.unary("/pay.v1.Ledger/Post", &[], &vec![7; bytes]).await.unwrap().status()
        }
        Shape::Stream => consumer.unary("/pay.v1.Ledger/Watch", &[], b"all").await.unwrap().status(),
        Shape::PingPong => ping_pong(consumer).await,
        Shape::Handshake => {
            let other = Consumer::connect(&world.data, "/app", hub).await;
            other.unary("/pay.v1.Ledger/Post", &[], b"hello").await.unwrap().status()
        }
    };
    assert_eq!(status, 0);
}

async fn ping_pong(consumer: &Consumer) -> u32 {
    let (response, mut send) = consumer.open("/pay.v1.Ledger/Chat", &[]);
    send.frame(frame(&[7; 128]), false).await.unwrap();
    let (_, mut body) = response.await.unwrap().into_parts();
    for nth in 0..100 {
        let data = body.frame().await.unwrap().unwrap();
        body.release(data.len());
        send.frame(frame(&[7; 128]), nth == 99).await.unwrap();
    }
    while let Some(data) = body.frame().await {
        body.release(data.unwrap().len());
    }
    let trailers = body.trailers().await.unwrap().unwrap();
    trailers["grpc-status"].to_str().unwrap().parse().unwrap()
}

async fn answer(exchange: Exchange) {
    if !exchange.request.uri().path().ends_with("/Watch") {
        return echo(exchange).await;
    }
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let Ok(mut send) = exchange.respond.send(head, false) else { return };
    let message: Bytes = frame(&[7; 128]);
    for _ in 0..MESSAGES {
        if send.frame(message.clone(), false).await.is_err() {
            return;
        }
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let _ = send.trailers(trailers);
}
