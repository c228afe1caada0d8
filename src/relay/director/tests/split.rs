//! Traffic that its owner splits between versions.

use super::world::{World, addresses, plain, unreachable};
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use std::collections::BTreeMap;

fn weigh(weight: u16) -> impl FnOnce(&mut Producer, &mut Version) {
    move |_, version| version.traffic_weight = Some(weight)
}

/// A stable version with most of the traffic, a canary with some, and an unweighted one that is better than the canary.
fn canary() -> World {
    World::new()
        .with("main", "1.1.0", Stage::Stable, "10.0.0.1:1", weigh(95))
        .with("canary", "1.2.0", Stage::Beta, "10.0.0.2:1", weigh(5))
        .with("old", "1.0.0", Stage::Stable, "10.0.0.3:1", plain)
}

/// How many of 10,000 draws go where.
fn shares(world: &World, intent: &Intent) -> BTreeMap<String, usize> {
    let mut draws = fastrand::Rng::with_seed(11);
    let mut counts = BTreeMap::new();
    for _ in 0..10_000 {
        let route = world.explain(intent, draws.u64(..)).0.unwrap();
        *counts.entry(addresses(&route).remove(0)).or_default() += 1;
    }
    counts
}

#[test]
fn weights_share_the_calls_whatever_the_stage() {
    let counts = shares(&canary(), &Intent::default());
    // 500 expected, with a standard deviation of 22.
    assert!((390..610).contains(&counts["10.0.0.2:1"]), "{counts:?}");
    assert_eq!(counts.len(), 2, "who has no weight takes no part: {counts:?}");
}

#[test]
fn the_others_of_the_split_are_the_way_out() {
    let world = canary();
    for draw in 0..50 {
        let (route, told) = world.explain(&Intent::default(), draw);
        let route = route.unwrap();
        let mut order = addresses(&route);
        assert_eq!(
            route.permit.version().name.version,
            route.permit_at(&route.targets[0]).version().name.version
        );
        assert_ne!(route.permit_at(&route.targets[1]).version().name, route.permit.version().name);
        order.sort();
        assert_eq!(order, ["10.0.0.1:1", "10.0.0.2:1"]);
        assert_eq!(told.version_rule, Some(VersionRule::Split));
        let split: Vec<_> =
            told.split.iter().map(|share| (share.version.to_string(), share.weight)).collect();
        assert_eq!(split, [("1.1.0".to_owned(), 95), ("1.2.0".to_owned(), 5)]);
        let left: Vec<_> = told.candidates.iter().skip(2).map(|c| c.outcome).collect();
        assert_eq!(left, [Outcome::OtherVersion]);
    }
}

#[test]
fn a_share_that_does_not_serve_leaves_its_calls_to_the_others() {
    let world = canary().and("10.0.0.1:1", unreachable());
    assert_eq!(shares(&world, &Intent::default()), BTreeMap::from([("10.0.0.2:1".to_owned(), 10_000)]));
    let world = world.and("10.0.0.2:1", unreachable());
    assert_eq!(shares(&world, &Intent::default()), BTreeMap::from([("10.0.0.3:1".to_owned(), 10_000)]));
    assert_eq!(world.explain(&Intent::default(), 1).1.version_rule, Some(VersionRule::OnlyRoutable));
    let world = world.and("10.0.0.3:1", unreachable());
    assert_eq!(world.explain(&Intent::default(), 1).1.version_rule, Some(VersionRule::LastResort));
}

#[test]
fn there_is_no_split_where_one_version_is_asked_for_or_one_alone_has_a_weight() {
    let counts = shares(&canary(), &Intent::of("", "=1.2.0", None).unwrap());
    assert_eq!(counts, BTreeMap::from([("10.0.0.2:1".to_owned(), 10_000)]));
    let counts = shares(&canary(), &Intent::of("", "<1.2", None).unwrap());
    assert_eq!(counts, BTreeMap::from([("10.0.0.1:1".to_owned(), 10_000)]), "the range leaves one weight");
    let alone = World::new().with("main", "1.1.0", Stage::Stable, "10.0.0.1:1", plain).with(
        "canary",
        "1.2.0",
        Stage::Beta,
        "10.0.0.2:1",
        weigh(1000),
    );
    assert_eq!(alone.first(), "10.0.0.1:1");
}

#[test]
fn a_share_that_the_caller_may_not_see_is_no_share() {
    let world = World::new().with("main", "1.1.0", Stage::Stable, "10.0.0.1:1", weigh(1)).with(
        "canary",
        "1.2.0",
        Stage::Beta,
        "10.0.0.2:1",
        |_, v| {
            (v.traffic_weight, v.visibility) = (Some(999), Visibility::default());
        },
    );
    assert_eq!(shares(&world, &Intent::default()), BTreeMap::from([("10.0.0.1:1".to_owned(), 10_000)]));
    let told = world.explain(&Intent::default(), 1).1;
    assert!(told.split.is_empty() && told.candidates.len() == 1, "{told:?}");
}
