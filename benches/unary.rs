//! What the hop through the broker costs a unary call: real mTLS on both legs, all in one process.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use criterion::Criterion;
use portolan::identity::{self, Expected, Trust};
use portolan::lifecycle;
use portolan::model::TrustDomain;
use portolan::transport::{self, client};
use rustls::pki_types::ServerName;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

#[path = "../tests/it/fixture/broker.rs"]
mod broker;
#[path = "../tests/it/fixture/consumer.rs"]
mod consumer;
#[path = "../tests/it/fixture/organisation.rs"]
mod organisation;
#[path = "../tests/it/fixture/producer.rs"]
mod producer;

use broker::Hub;
use consumer::{Consumer, frame, head, read};
use organisation::{Organisation, World};
use producer::{Producer, echo};

const PATH: &str = "/pay.v1.Ledger/Post";
/// A message of usual size, in bytes.
const MESSAGE: usize = 128;
/// Calls at once, in the second measurement.
const WIDE: usize = 64;

fn main() {
    // The consumer and the producer share this runtime's one thread; the broker has a worker of its own.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let world = World::new();
    let (_producer, _hub, direct, through) = runtime.block_on(stage(&world));

    let mut criterion = Criterion::default().configure_from_args().measurement_time(Duration::from_secs(5));
    for (name, connection) in [("unary direct", &direct), ("unary through the broker", &through)] {
        criterion.bench_function(name, |b| b.iter(|| runtime.block_on(call(connection))));
    }
    criterion.final_summary();
    for (name, connection) in [("direct", &direct), ("through the broker", &through)] {
        wide(&runtime, name, connection);
    }
}

async fn stage(world: &World) -> (Producer, Hub, client::Connection, client::Connection) {
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let through = Consumer::connect(&world.payments, "/app", &hub).await.connection.clone();

    let trust = Trust::load(&[world.payments.domain()]).unwrap();
    let expected = Expected::Domain(TrustDomain::parse("payments.example").unwrap());
    let tls = identity::client_config(&trust, &world.payments.credentials("/app"), expected);
    let tcp = TcpStream::connect(producer.address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let (io, _) = identity::connect(tls, ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    let (direct, driver) = client::connect(io, &transport::Settings::default()).await.unwrap();
    lifecycle::spawn("bench direct", async { drop(driver.run().await) });
    (producer, hub, direct, through)
}

async fn call(connection: &client::Connection) {
    let (response, mut send) = connection.send(head(PATH, &[]), false).unwrap();
    send.frame(frame(&[7; MESSAGE]), true).await.unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!((reply.status(), reply.body.len()), (0, MESSAGE + 5));
}

/// Many calls at once, for three seconds: how many a second, and how long each took.
fn wide(runtime: &Runtime, name: &str, connection: &client::Connection) {
    let begin = Instant::now();
    let (report, reports) = std::sync::mpsc::channel();
    let report = Arc::new(report);
    let caller = |connection: client::Connection| {
        let report = report.clone();
        async move {
            let mut times = Vec::new();
            while begin.elapsed() < Duration::from_secs(3) {
                let start = Instant::now();
                call(&connection).await;
                times.push(start.elapsed());
            }
            let _ = report.send(times);
        }
    };
    let callers: Vec<_> = (0..WIDE).map(|_| caller(connection.clone())).collect();
    runtime.block_on(all(callers));
    drop(report);
    let mut times: Vec<_> = reports.iter().take(WIDE).flatten().collect();
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    println!("unary {name}, {WIDE} at once: {rate:.0} calls/s, p50 {:?}, p99 {:?}", at(0.5), at(0.99));
}

async fn all(callers: Vec<impl Future<Output = ()> + Send + 'static>) {
    futures::future::join_all(callers).await;
}
