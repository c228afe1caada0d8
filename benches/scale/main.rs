//! What a call costs the broker as catalogue, producers, connections and workers grow.
//!
//! `cargo bench --bench scale [-- AXIS…] [--rounds N] [--seconds S]`: all axes take 4 minutes. The broker has core 0, load and
//! producers have core 1. All sizes of an axis stand at once and take turns, so that noise reaches all alike.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]
#![allow(dead_code, unreachable_pub, reason = "the fixture of the tests, of which this needs a part")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use std::time::{Duration, Instant};
use tokio::time::sleep;

mod axis;
mod backend;
#[path = "../../tests/it/fixture/broker.rs"]
mod broker;
#[path = "../../tests/it/fixture/consumer.rs"]
mod consumer;
mod load;
#[path = "../../tests/it/fixture/organisation.rs"]
mod organisation;
#[path = "../../tests/it/fixture/producer.rs"]
mod producer;
#[path = "../shown.rs"]
mod shown;
mod stand;
mod wire;

use axis::{Axis, Point};
use broker::Hub;
use consumer::{Consumer, frame};
use organisation::{Organisation, World};
use producer::Producer;
use stand::Stand;

/// Calls are made for so long before a sample.
const WARM: Duration = Duration::from_millis(200);

/// One look at one size.
struct Sample {
    calls: u64,
    failed: u64,
    seconds: f64,
    /// Microseconds of the threads that carry calls, for each of them.
    each: f64,
    /// Cores that all other threads of the broker kept busy.
    others: f64,
}

struct Options {
    axes: Vec<String>,
    rounds: usize,
    seconds: f64,
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if arguments.get(1).is_some_and(|first| first == "backend") {
        return runtime.block_on(backend::run(&arguments[2..]));
    }
    let options = Options::read(&arguments[1..]);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let mut core = CpuSet::new();
    core.set(1);
    sched_setaffinity(None, &core).unwrap();
    runtime.block_on(async {
        let world = World::new();
        for axis in axis::all(files()) {
            let (name, _) = axis.name.split_once(':').unwrap_or((axis.name, ""));
            if options.axes.is_empty() || options.axes.iter().any(|wanted| wanted == name) {
                measure(&world, &axis, &options).await;
            }
        }
    });
}

/// How many files a process may have open.
fn files() -> usize {
    getrlimit(Resource::Nofile).maximum.map_or(usize::MAX, |most| most as usize)
}

impl Options {
    fn read(arguments: &[String]) -> Self {
        let mut options = Self { axes: Vec::new(), rounds: 5, seconds: 0.8 };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--rounds" => options.rounds = rest.next().unwrap().parse().unwrap(),
                "--seconds" => options.seconds = rest.next().unwrap().parse().unwrap(),
                // What cargo says.
                "--bench" => {}
                axis => options.axes.push(axis.to_owned()),
            }
        }
        options
    }
}

async fn measure(world: &World, axis: &Axis, options: &Options) {
    let mut stands = Vec::new();
    for size in &axis.sizes {
        let begin = Instant::now();
        stands.push(Stand::start(world, *size).await);
        eprintln!("{}: {size:?} stands after {:.1} s", axis.name, begin.elapsed().as_secs_f64());
    }
    for way in &axis.ways {
        let mut samples: Vec<Vec<Sample>> = way.points.iter().map(|_| Vec::new()).collect();
        for round in 0..options.rounds {
            for nth in 0..way.points.len() {
                // The one that begins moves on.
                let at = (nth + round) % way.points.len();
                let point = &way.points[at];
                samples[at].push(sample(&stands[point.stand], point, options.seconds).await);
            }
        }
        println!("\n### {}, {}\n", axis.name, way.name);
        tell(&way.points, &samples, &stands);
    }
}

async fn sample(stand: &Stand, point: &Point, seconds: f64) -> Sample {
    stand.fleet.begin(point.plan);
    sleep(WARM).await;
    let (begin, calls, used) = (Instant::now(), stand.fleet.counts(), stand.used());
    sleep(Duration::from_secs_f64(seconds)).await;
    let (seconds, calls_after, used_after) =
        (begin.elapsed().as_secs_f64(), stand.fleet.counts(), stand.used());
    stand.fleet.end().await;
    let calls_made = calls_after.0 - calls.0;
    Sample {
        calls: calls_made,
        failed: calls_after.1 - calls.1,
        seconds,
        each: (used_after.workers - used.workers) as f64 / 1e3 / calls_made.max(1) as f64,
        others: (used_after.others - used.others) as f64 / 1e9 / seconds,
    }
}

fn tell(points: &[Point], samples: &[Vec<Sample>], stands: &[Stand]) {
    println!(
        "| | µs/call | ± | to the first | to the one before | calls/s | other threads, cores | MiB | failed |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (at, (point, samples_here)) in points.iter().zip(samples).enumerate() {
        // Of each round alone: what disturbs a round disturbs all of it.
        let to = |other: usize| {
            let pairs = samples_here.iter().zip(&samples[other]);
            median(pairs.map(|(here, there)| here.each / there.each).collect())
        };
        let each: Vec<_> = samples_here.iter().map(|sample| sample.each).collect();
        let most = each.iter().copied().fold(f64::MIN, f64::max);
        let least = each.iter().copied().fold(f64::MAX, f64::min);
        let mid = median(each);
        println!(
            "| {} | {mid:.2} | {:.0} % | {:.2} | {:.2} | {:.0} | {:.2} | {:.0} | {} |",
            point.name,
            (most - least) / 2.0 / mid * 100.0,
            to(0),
            to(at.saturating_sub(1)),
            median(samples_here.iter().map(|sample| sample.calls as f64 / sample.seconds).collect()),
            median(samples_here.iter().map(|sample| sample.others).collect()),
            stands[point.stand].memory(),
            samples_here.iter().map(|sample| sample.failed).sum::<u64>(),
        );
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    let half = all.len() / 2;
    if all.len() % 2 == 1 { all[half] } else { (all[half - 1] + all[half]) / 2.0 }
}

/// A message of usual size with its prefix, as it goes over the wire.
fn message() -> Vec<u8> {
    frame(&[7; wire::MESSAGE - 5]).to_vec()
}

/// A process that was started for this one ends when its standard input does.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
        std::process::exit(0);
    });
}
