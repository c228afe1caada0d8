//! What grows, and which calls are made meanwhile.

use super::load::{Plan, WIDE};
use super::stand::Size;

/// Something that grows.
pub struct Axis {
    /// Its name, and after a colon what it means.
    pub name: &'static str,
    /// The brokers that stand at once.
    pub sizes: Vec<Size>,
    pub ways: Vec<Way>,
}

/// A way to call them.
pub struct Way {
    pub name: &'static str,
    pub points: Vec<Point>,
}

/// A row of a table.
pub struct Point {
    pub name: String,
    /// Which of the brokers.
    pub stand: usize,
    pub plan: Plan,
}

/// Connections that carry calls, where it does not matter how many they are.
const FEW: usize = 8;
/// What a process opens besides the connections to producers.
const FILES: usize = 1_000;
const ONE: Size = Size { services: 1, producers: 1, connections: FEW, workers: 1 };

/// All of them; a process may have so many files open.
pub fn all(files: usize) -> [Axis; 4] {
    [services(), producers(files), connections(), workers()]
}

fn services() -> Axis {
    let counts = [1, 100, 1_000, 10_000, 100_000];
    let points = |called: &dyn Fn(usize) -> usize| {
        let plan = |count| Plan { active: FEW, stride: 0, services: called(count), is_in_order: false };
        points(&counts, "services", plan)
    };
    Axis {
        name: "services: of one broker's catalogue, all at one address",
        sizes: counts.map(|services| Size { services, ..ONE }).into(),
        ways: vec![
            Way { name: "one of them is called", points: points(&|_| 1) },
            Way { name: "all of them are called, at random", points: points(&|count| count) },
        ],
    }
}

fn producers(files: usize) -> Axis {
    // For each producer two connections, one for calls and one for probes.
    let most = 10_000.min(files.saturating_sub(FILES) / 2);
    let counts = [1, 10, 100, 1_000, most];
    let plan = |_| Plan { active: FEW, stride: 0, services: 1, is_in_order: false };
    Axis {
        name: "producers: of one version, each at an address of its own",
        sizes: counts.map(|producers| Size { producers, ..ONE }).into(),
        ways: vec![Way { name: "calls go to all of them", points: points(&counts, "producers", plan) }],
    }
}

fn connections() -> Axis {
    let counts = [FEW, WIDE, 1_000, 10_000];
    let few = |_| Plan { active: FEW, stride: 0, services: 1, is_in_order: false };
    let all = |count| Plan { active: count, stride: WIDE % count, services: 1, is_in_order: false };
    Axis {
        name: "connections: of consumers",
        sizes: counts.map(|connections| Size { connections, ..ONE }).into(),
        ways: vec![
            Way { name: "8 of them carry the calls", points: points(&counts, "connections", few) },
            Way { name: "each call goes over the next of them", points: points(&counts, "connections", all) },
        ],
    }
}

fn workers() -> Axis {
    let counts = [1, 2];
    let plan = |_| Plan { active: 32, stride: 0, services: 1, is_in_order: false };
    Axis {
        name: "workers: each with a core, the second of which it shares with load and producer",
        sizes: counts.map(|workers| Size { connections: 32, workers, ..ONE }).into(),
        ways: vec![Way { name: "32 connections carry the calls", points: points(&counts, "workers", plan) }],
    }
}

fn points(counts: &[usize], what: &str, plan: impl Fn(usize) -> Plan) -> Vec<Point> {
    let point = |(stand, count): (usize, &usize)| Point {
        name: format!("{count} {what}"),
        stand,
        plan: plan(*count),
    };
    counts.iter().enumerate().map(point).collect()
}
