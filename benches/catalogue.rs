//! How fast the broker finds the owner of a call, and takes one more registration, at 100,000 versions.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]

use criterion::{BatchSize, Criterion};
use portolan::access::{Caller, Policy};
use portolan::catalog::{Change, Snapshot};
use portolan::model::Identity;
use portolan::relay::Intent;
use portolan::relay::director::{Ask, Look, Rosters, choose};
use portolan::uplink::{Balance, Peers};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use times::percentiles;

mod times;
mod world;

fn main() {
    let (writer, reader) = world::build();
    let snapshot = writer.snapshot();
    let policy = Policy::new(world::platforms());
    let calls = calls(&policy);

    let mut rosters = Rosters::new(Peers::default().desk());

    let mut criterion = Criterion::default().configure_from_args().measurement_time(Duration::from_secs(5));
    let mut turn = calls.iter().cycle();
    criterion.bench_function("route lookup", |b| {
        b.iter(|| turn.next().map(|call| look_up(&reader.load(), &policy, &mut rosters, call)));
    });
    criterion.bench_function("register one more producer", |b| {
        b.iter_batched(one_more, |change| black_box(snapshot.apply(change)), BatchSize::SmallInput);
    });
    criterion.final_summary();

    percentiles("route lookup", calls.iter().cycle().take(1_000_000), |call| {
        look_up(&reader.load(), &policy, &mut rosters, call);
    });
    let mut writer = writer;
    percentiles("register and publish", (0..2_000).map(|_| one_more()), |change| {
        black_box(writer.apply(change)).unwrap();
    });
}

/// What most calls ask of the route.
static ANYWHERE: Intent = Intent { platform: None, range: None, max_staleness: None, explain: false };

/// The rules of a broker that is told nothing of it.
static BALANCE: Balance =
    Balance { decay: Duration::from_secs(10), slow_start: Duration::from_secs(10), overprovisioning: 140 };

struct Call {
    caller: Arc<Caller>,
    service: String,
}

/// Calls from and to everywhere, in an order that no cache likes.
fn calls(policy: &Policy) -> Vec<Call> {
    let mut random = fastrand::Rng::with_seed(1);
    let call = |_| {
        let (p, c) = (random.usize(..world::PLATFORMS), random.usize(..world::CAPABILITIES));
        let from = (p + random.usize(..3)) % world::PLATFORMS;
        let identity = format!("spiffe://{}/ns/prod/sa/consumer", world::domain(from));
        let caller = Arc::new(policy.caller(Identity::parse_spiffe(&identity).unwrap()));
        Call { caller, service: world::service(p, c, random.u64(1..=2)) }
    };
    (0..100_000).map(call).collect()
}

fn look_up(snapshot: &Snapshot, policy: &Policy, rosters: &mut Rosters, call: &Call) {
    let ask = Ask {
        snapshot,
        policy,
        caller: &call.caller,
        service: &call.service,
        intent: &ANYWHERE,
        locality: "eu-central/a",
        now: jiff::Timestamp::UNIX_EPOCH,
        draw: fastrand::u64(..),
        metadata: None,
        rules: &BALANCE,
        tick: 1,
        seen: 1,
    };
    let route = choose(&ask, |_, _| Look::UNSEEN, Some(rosters));
    assert!(black_box(route).is_ok());
}

/// A producer of a capability that nobody offered yet.
fn one_more() -> Change {
    world::declaration(fastrand::usize(..world::PLATFORMS), world::CAPABILITIES + fastrand::usize(..70))
}
