//! How much memory 100,000 versions take: the catalogue, its descriptors, and the status above it.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]

use jiff::{SignedDuration, Timestamp};
use portolan::descriptors::{Limits, Set, index};
use portolan::model::State;
use portolan::status::fold;
use portolan::uplink::{Look, Observer};
use portolan::wire;
use prost::Message;
use std::fs;

mod contract;
mod world;

fn main() {
    let begin = resident();
    println!("at the start:             {begin:4} MiB");

    let (_writer, reader) = world::build();
    let snapshot = reader.snapshot();
    println!("with the catalogue:       {:4} MiB", resident());

    let own = Set::screen(wire::DESCRIPTORS, &Limits::default()).unwrap();
    let (mut descriptors, _reader) = index(&own);
    let mut bytes = 0;
    for platform in snapshot.platforms() {
        let mut sets = Vec::new();
        for offering in platform.capabilities.values().flat_map(|capability| &capability.offerings) {
            let set = contract::descriptors(&offering.version.services[0]).encode_to_vec();
            bytes += set.len();
            sets.push((offering.version.name.clone(), Set::screen(&set, &Limits::default()).unwrap()));
        }
        descriptors.put_all(sets.iter().map(|(name, set)| (name.clone(), set)));
    }
    println!("with the descriptors:     {:4} MiB ({} MiB were registered)", resident(), bytes >> 20);

    let mut observer = Observer::new();
    let now = Timestamp::now();
    for producer in snapshot.platforms().flat_map(|platform| platform.producers.values()) {
        for endpoint in &producer.endpoints {
            let look = Look {
                state: State::Serving,
                is_reachable: true,
                reason: "SERVING",
                message: "it says so".to_owned(),
                services: Default::default(),
            };
            observer.record(&producer.name, &endpoint.address, look, now);
        }
    }
    println!("with what probes saw:     {:4} MiB", resident());

    let seen = observer.reader().load().clone();
    let begin = std::time::Instant::now();
    let first = fold(&snapshot, &seen, SignedDuration::MAX, None, now);
    println!("with the folded status:   {:4} MiB (folded in {:?})", resident(), begin.elapsed());
    let begin = std::time::Instant::now();
    let second = fold(&snapshot, &seen, SignedDuration::MAX, Some(&first), now);
    println!("with the fold after that: {:4} MiB (folded in {:?})", resident(), begin.elapsed());
    assert!(second.says_the_same(&first));
}

/// VmRSS, in MiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}
