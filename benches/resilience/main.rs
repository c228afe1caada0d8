//! Three producers behind Portolan and behind Envoy at once, constant load on an idempotent unary method, and one producer
//! that is killed, hung, slowed 50 times, and made to answer UNAVAILABLE: what the callers of each see.
//!
//! `cargo bench --bench resilience`; Envoy is `$ENVOY`, or what `bench-peers setup` left in `$BENCH_WORK`.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use std::time::Duration;
use tokio::time::{Instant, sleep_until};

#[path = "../../tests/it/fixture/broker.rs"]
mod broker;
#[path = "../../tests/it/fixture/consumer.rs"]
mod consumer;
mod load;
#[path = "../../tests/it/fixture/organisation.rs"]
mod organisation;
mod peers;
#[path = "../../tests/it/fixture/producer.rs"]
mod producer;
#[path = "../shown.rs"]
mod shown;
mod worker;

use broker::Hub;
use consumer::{Consumer, frame};
use load::{Flow, Span};
use organisation::{Organisation, World};
use peers::Peer;
use producer::Producer;
use worker::{Mood, Worker};

const PRODUCERS: usize = 3;
/// Before the fault, while it lasts, and after it was mended.
const PHASES: [(&str, Duration); 3] = [
    ("before", Duration::from_secs(5)),
    ("during", Duration::from_secs(10)),
    ("after", Duration::from_secs(10)),
];
/// For whoever was ejected to come back.
const REST: Duration = Duration::from_secs(6);

/// What happens to one of the three.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Killed,
    Hung,
    Slowed,
    Unavailable,
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match arguments.get(1).map(String::as_str) {
        Some("producer") => runtime.block_on(worker::run(&arguments[2..])),
        _ => runtime.block_on(measure()),
    }
}

async fn measure() {
    let world = World::new();
    let mut workers = Vec::new();
    for _ in 0..PRODUCERS {
        workers.push(Worker::start(&world, 0).await);
    }
    let ports: Vec<_> = workers.iter().map(|worker| worker.port).collect();
    let peers = [Peer::portolan(&world, &ports).await, Peer::envoy(&world, &ports).await];
    let mut flows = Vec::new();
    for peer in &peers {
        for method in load::METHODS {
            flows.push(Flow::start(&world, peer, method).await);
        }
    }
    println!(
        "{} calls/s on each of {} flows; an answer takes {} ms; deadline {} ms; one of {PRODUCERS} producers is spoilt\n",
        load::RATE,
        flows.len(),
        worker::WORK.as_millis(),
        load::DEADLINE.as_millis()
    );
    println!("| fault | proxy, policy | phase | calls | success | p50 | p99 | max |");
    println!("|---|---|---|---|---|---|---|---|");
    for fault in [Fault::Killed, Fault::Hung, Fault::Slowed, Fault::Unavailable] {
        let mut edges = vec![Instant::now()];
        for (phase, long) in PHASES {
            match phase {
                "during" => spoil(&mut workers[0], fault).await,
                "after" => mend(&mut workers[0], &world, fault).await,
                _ => {}
            }
            let end = Instant::now() + long;
            sleep_until(end).await;
            edges.push(end);
        }
        // The last calls of the last phase are still under way.
        sleep_until(Instant::now() + load::DEADLINE + load::DEADLINE).await;
        for flow in &flows {
            for (at, (phase, _)) in PHASES.iter().enumerate() {
                let span = flow.between(edges[at], edges[at + 1]);
                println!("| {fault:?} | {} | {phase} | {} |", flow.name, tell(&span));
            }
        }
        sleep_until(Instant::now() + REST).await;
    }
}

fn tell(span: &Span) -> String {
    let ms = |at: f64| format!("{:.1} ms", span.quantile(at).as_secs_f64() * 1e3);
    format!("{} | {:.2} % | {} | {} | {}", span.calls(), span.success() * 100.0, ms(0.5), ms(0.99), ms(1.0))
}

async fn spoil(worker: &mut Worker, fault: Fault) {
    match fault {
        Fault::Killed => worker.kill().await,
        Fault::Hung => worker.signal("STOP"),
        Fault::Slowed => worker.set(Mood::Slow).await,
        Fault::Unavailable => worker.set(Mood::Unavailable).await,
    }
}

async fn mend(worker: &mut Worker, world: &World, fault: Fault) {
    match fault {
        Fault::Killed => *worker = Worker::start(world, worker.port).await,
        Fault::Hung => worker.signal("CONT"),
        Fault::Slowed | Fault::Unavailable => worker.set(Mood::Well).await,
    }
}
