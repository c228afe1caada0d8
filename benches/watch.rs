//! What watchers cost: how soon a change of the catalogue reaches 1,000 of them, and what an idle one takes.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use portolan::lifecycle;
use portolan::transport::{self, Channel};
use portolan::wire::pb::portolan::catalog::v1::catalog_service_client::CatalogServiceClient;
use portolan::wire::pb::portolan::catalog::v1::{self as catalog, WatchCatalogRequest, WatchKind};
use portolan::wire::pb::portolan::registry::v1::registry_service_client::RegistryServiceClient;
use portolan::wire::pb::portolan::registry::v1::{CapabilityVersion, RegisterProducerRequest};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

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
use producer::Producer;

/// Watchers, and the connections that they share.
const WATCHERS: usize = 1_000;
const CONNECTIONS: usize = 10;
/// Changes that are timed.
const CHANGES: usize = 50;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::new();
    runtime.block_on(measure(&world));
}

async fn measure(world: &World) {
    let hub = world.broker().start().await;
    let mut registry =
        RegistryServiceClient::new(Consumer::connect(&world.payments, "/ledger", &hub).await.channel());
    registry.register_producer(registration(0)).await.unwrap();

    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let settings = transport::Settings::default();
        let consumer = Consumer::try_connect(&world.data, "/app", &hub, &settings).await.unwrap();
        channels.push(consumer.channel());
    }
    let before = resident();
    let (told, mut reached) = mpsc::channel(WATCHERS);
    for n in 0..WATCHERS {
        let channel = channels[n % CONNECTIONS].clone();
        lifecycle::spawn("bench watcher", watch(channel, told.clone()));
    }
    for _ in 0..WATCHERS {
        reached.recv().await.unwrap();
    }
    // What ends with the beginning of the watches is not theirs to keep.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = (resident() - before) as f64 / WATCHERS as f64;
    println!(
        "an idle watcher: {each:.1} KiB, both its ends in this process ({WATCHERS} on {CONNECTIONS} connections)"
    );

    let mut times = Vec::with_capacity(WATCHERS * CHANGES);
    for n in 1..=CHANGES {
        let begin = Instant::now();
        registry.register_producer(registration(n)).await.unwrap();
        for _ in 0..WATCHERS {
            times.push(reached.recv().await.unwrap().duration_since(begin));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "a change reaches {WATCHERS} watchers, from the request on: p50 {:?} p99 {:?} max {:?} ({CHANGES} changes)",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Tells when it is synced, and then of each change.
async fn watch(channel: Channel, told: mpsc::Sender<Instant>) {
    let mut client = CatalogServiceClient::new(channel);
    let mut messages = client.watch_catalog(WatchCatalogRequest::default()).await.unwrap().into_inner();
    let mut is_synced = false;
    while let Some(message) = messages.message().await.unwrap() {
        let is_news = is_synced && message.kind() == WatchKind::Changes && !message.versions.is_empty();
        is_synced |= message.kind() == WatchKind::Synced;
        if (is_news || message.kind() == WatchKind::Synced) && told.send(Instant::now()).await.is_err() {
            return;
        }
    }
}

/// The same producer, with another word said of its version each time.
fn registration(n: usize) -> RegisterProducerRequest {
    RegisterProducerRequest {
        platform: "payments.example".into(),
        producer: "ledger".into(),
        endpoints: vec![catalog::Endpoint { address: "127.0.0.1:1".into(), ..Default::default() }],
        versions: vec![CapabilityVersion {
            capability: "ledger".into(),
            version: "1.0.0".into(),
            services: vec!["pay.v1.Ledger".into()],
            description: format!("said for the {n}th time"),
            owner: "team".into(),
            contact: "team@payments.example".into(),
            stage: catalog::Stage::Stable.into(),
            visibility: vec!["*".into()],
            ..Default::default()
        }],
        permanent: true,
        ..Default::default()
    }
}

/// `VmRSS` of this process, in KiB.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
