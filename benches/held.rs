//! What a broker process holds: 10,000 idle connections, then 10,000 open streams; its memory at each step.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use portolan::transport::{self, Send, client};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::sleep;

#[path = "../tests/it/fixture/broker.rs"]
mod broker;
#[path = "../tests/it/fixture/consumer.rs"]
mod consumer;
#[path = "../tests/it/fixture/organisation.rs"]
mod organisation;
#[path = "../tests/it/fixture/producer.rs"]
mod producer;

use broker::Hub;
use consumer::{Consumer, frame, head};
use organisation::{Organisation, World};
use producer::{Producer, echo};

const CONNECTIONS: usize = 10_000;
const STREAMS: usize = 10_000;
/// A producer takes 256 streams on each of the broker's connections, and the broker keeps few.
const PRODUCERS: usize = 10;
/// Streams of one consumer's connection.
const EACH: usize = 100;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = World::new();
    runtime.block_on(async {
        connections(&world).await;
        streams(&world).await;
    });
}

async fn connections(world: &World) {
    let mut broker = Process::start(world, &[]).await;
    let idle = broker.memory();
    println!("a broker at rest:                    {:8.1} MiB", idle / 1024.0);
    let mut held = Vec::with_capacity(CONNECTIONS);
    while held.len() < CONNECTIONS {
        let batch = (0..100).map(|_| broker.consumer(&world.data));
        held.extend(futures::future::join_all(batch).await);
    }
    broker.settle().await;
    let full = broker.memory();
    println!(
        "with {CONNECTIONS} idle connections:         {:8.1} MiB, {:.1} KiB each",
        full / 1024.0,
        (full - idle) / CONNECTIONS as f64
    );
    drop(held);
    broker.settle().await;
    println!("when they are gone:                  {:8.1} MiB", broker.memory() / 1024.0);
    broker.child.kill().await.unwrap();
}

async fn streams(world: &World) {
    let mut producers = Vec::new();
    for n in 0..PRODUCERS {
        producers.push(Producer::start(&world.payments, &world.hub, &format!("/ledger-{n}"), echo).await);
    }
    let mut broker = Process::start(world, &producers).await;
    let mut held = Vec::new();
    let mut open: Vec<(client::Response, Send)> = Vec::with_capacity(STREAMS);
    let begin = broker.memory();
    for n in 0..STREAMS / EACH {
        let consumer = broker.consumer(&world.data).await;
        for _ in 0..EACH {
            let path = format!("/pay.v1.Ledger{}/Post", n % PRODUCERS);
            let (response, mut send) = consumer.connection.send(head(&path, &[]), false).unwrap();
            send.frame(frame(&[7; 128]), false).await.unwrap();
            open.push((response, send));
        }
        held.push(consumer);
    }
    let mut answers = Vec::with_capacity(STREAMS);
    for (response, send) in open {
        let mut answer = response.await.unwrap();
        assert!(!answer.headers().contains_key("grpc-status"), "{answer:?}");
        let data = answer.body_mut().frame().await.unwrap().unwrap();
        answer.body_mut().release(data.len());
        answers.push((answer, send));
    }
    broker.settle().await;
    let full = broker.memory();
    println!(
        "with {STREAMS} open streams ({} connections): {:8.1} MiB, {:.1} KiB each, connections included",
        STREAMS / EACH,
        full / 1024.0,
        (full - begin) / STREAMS as f64
    );
    broker.child.kill().await.unwrap();
}

/// A broker in a process of its own, as users run it.
struct Process {
    child: Child,
    hub: Hub,
}

impl Process {
    async fn start(world: &World, producers: &[Producer]) -> Self {
        let mut config = world.broker();
        for (n, producer) in producers.iter().enumerate() {
            let service = format!("pay.v1.Ledger{n}");
            config = config.producer(&world.payments, &format!("ledger-{n}"), producer, &[&service]);
        }
        // Above the default of 10,000, for those of the producers.
        let file = config.with("[limits]\nconnections = 10200").write();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = free.local_addr().unwrap();
        drop(free);
        let child = Command::new(env!("CARGO_BIN_EXE_portolan"))
            .args(["serve", "--config"])
            .arg(file)
            .env("PORTOLAN__LISTEN", address.to_string())
            .env("PORTOLAN__LOG__FILTER", "error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut process = Self { child, hub: Hub { address, domain: world.hub.domain(), broker: None } };
        let settings = transport::Settings::default();
        // Another process starts: nothing here can be awaited for it.
        while Consumer::try_connect(&world.data, "/app", &process.hub, &settings).await.is_err() {
            sleep(Duration::from_millis(50)).await;
        }
        process.settle().await;
        process
    }

    async fn consumer(&self, organisation: &Organisation) -> Consumer {
        Consumer::connect(organisation, "/app", &self.hub).await
    }

    /// Waits until its memory no longer moves.
    async fn settle(&mut self) {
        let mut last = 0.0;
        while (self.memory() - last).abs() > 64.0 {
            last = self.memory();
            sleep(Duration::from_secs(2)).await;
        }
    }

    /// KiB that are its own: its proportional set size.
    fn memory(&self) -> f64 {
        let rollup = format!("/proc/{}/smaps_rollup", self.child.id().unwrap());
        let text = std::fs::read_to_string(rollup).unwrap();
        let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}
