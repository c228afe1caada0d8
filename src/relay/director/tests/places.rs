//! Where calls are kept, and from where they are kept away: localities, keys, ejections.

use super::sea::{CALLER, Sea};
use super::world::{World, addresses, endpoint};
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use crate::uplink::Verdict;
use http::HeaderMap;
use std::time::Duration;
use tokio::time::advance;

#[tokio::test(start_paused = true)]
async fn a_healthy_locality_keeps_its_calls_and_a_sick_one_overflows_as_far_as_it_must() {
    fastrand::seed(5);
    let places = ["eu/a", "eu/b"];
    let mut sea = Sea::new(8, |n, at| at.locality = places[n / 4].into());
    let mut local = |sick: usize| {
        for n in 0..sick {
            sea.world
                .looks
                .insert(format!("10.0.0.{n}:1"), Look { standing: super::unreachable(), ..Look::UNSEEN });
        }
        sea.seen += 1;
        (0..2000)
            .filter(|_| sea.route(None, "eu/a").targets[0].endpoint().locality.as_ref() == "eu/a")
            .count()
    };
    // Three of four, 1.4 times over, is still the whole; two of four is 70 %, one is 35 %.
    assert_eq!(local(0), 2000);
    assert_eq!(local(1), 2000);
    let half = local(2);
    assert!((1300..1500).contains(&half), "{half}");
    let quarter = local(3);
    assert!((600..800).contains(&quarter), "{quarter}");
    assert_eq!(local(4), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_stays_with_its_endpoint_and_moves_only_with_it() {
    let mut sea = Sea::new(6, |_, _| {});
    let facts = |version: &mut Version| {
        version.facts = Facts { sticky_key: "session-id".into(), ..Facts::default() }.shared()
    };
    let endpoints = (0..6).map(|n| endpoint(&format!("10.0.0.{n}:1"))).collect::<Vec<_>>();
    sea.world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |producer, version| {
        producer.endpoints = endpoints;
        facts(version);
    });
    let key = |n: usize| {
        let mut metadata = HeaderMap::new();
        metadata.insert("session-id", n.to_string().parse().unwrap());
        metadata
    };
    let homes = |sea: &mut Sea| -> Vec<_> {
        (0..200).map(|n| addresses(&sea.route(Some(&key(n)), ""))[..2].to_vec()).collect()
    };
    let before = homes(&mut sea);
    assert_eq!(before, homes(&mut sea));
    sea.world.looks.insert("10.0.0.3:1".into(), Look { standing: super::unreachable(), ..Look::UNSEEN });
    sea.seen += 1;
    let after = homes(&mut sea);
    for (before, after) in before.iter().zip(&after) {
        let home = if before[0] == "10.0.0.3:1" { &before[1] } else { &before[0] };
        assert_eq!(home, &after[0], "the second of a key takes over");
    }
    sea.world.looks.clear();
    sea.seen += 1;
    assert_eq!(before, homes(&mut sea), "and gives back");
    // Without a key calls are shared freely.
    let free: std::collections::BTreeSet<_> = (0..200).map(|_| sea.address()).collect();
    assert_eq!(free.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_explanation_tells_what_keeps_a_call_with_its_endpoint() {
    let mut sea = Sea::new(6, |_, _| {});
    let endpoints = (0..6).map(|n| endpoint(&format!("10.0.0.{n}:1"))).collect::<Vec<_>>();
    sea.world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |producer, version| {
        producer.endpoints = endpoints;
        version.facts = Facts { sticky_key: "session-id".into(), ..Facts::default() }.shared();
    });
    let (caller, intent) = (sea.world.caller(CALLER), Intent::default());
    for n in 0..50 {
        let metadata =
            HeaderMap::from_iter([("session-id".parse().unwrap(), n.to_string().parse().unwrap())]);
        let home = addresses(&sea.route(Some(&metadata), "")).remove(0);
        let ask = Ask { metadata: Some(&metadata), ..sea.world.ask(&caller, &intent, n) };
        let told = explain(&ask, |_, _| Look::UNSEEN, 10).1.candidates.remove(0);
        assert_eq!(told.endpoint().unwrap().address.to_string(), home, "{n}");
        assert_eq!(told.reason, "its session-id keeps it there");
        // Without the key nothing keeps it, and nothing is told.
        let told = explain(&Ask { metadata: None, ..ask }, |_, _| Look::UNSEEN, 10).1;
        assert_eq!(told.candidates[0].reason, "");
    }
}

#[tokio::test(start_paused = true)]
async fn ejected_endpoints_get_nothing_and_are_explained() {
    let mut sea = Sea::new(3, |_, _| {});
    sea.address();
    let producer =
        sea.world.snapshot.producer(&"platforms/a.example/producers/x".parse_name()).unwrap().clone();
    for _ in 0..5 {
        sea.desk.begin(&producer, &producer.endpoints[1]).end(Verdict::Lost);
    }
    assert!((0..500).all(|_| sea.address() != "10.0.0.1:1"));
    let (caller, intent) = (sea.world.caller(CALLER), Intent::default());
    let ask = Ask { tick: sea.desk.now(), ..sea.world.ask(&caller, &intent, 1) };
    let look = |producer: &Producer, at: &Endpoint| Look {
        ejected: sea.desk.peers().ejection(producer, at),
        ..Look::UNSEEN
    };
    let (_, told) = explain(&ask, look, 10);
    let ejected: Vec<_> = told.candidates.iter().filter(|c| c.outcome == Outcome::Ejected).collect();
    assert_eq!(ejected.len(), 1);
    assert!(ejected[0].reason.contains("5 calls in a row failed"), "{}", ejected[0].reason);
    advance(Duration::from_secs(16)).await;
    assert!((0..500).any(|_| sea.address() == "10.0.0.1:1"), "it is back after its time");
}

trait ParseName {
    fn parse_name(&self) -> ProducerName;
}

impl ParseName for str {
    fn parse_name(&self) -> ProducerName {
        ProducerName::parse(self).unwrap()
    }
}
