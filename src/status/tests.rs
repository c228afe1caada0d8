//! The truth tables of the fold.

use super::rule::{self, Part};
use super::*;
use crate::model::*;
use jiff::Timestamp;
use std::sync::Arc;
use world::{World, condition, ledger};

use Freshness::{Expired, Live, Partitioned, Stale};
use State::{Degraded, NotServing, Serving, Unknown};

const STATES: [State; 4] = [Serving, Degraded, Unknown, NotServing];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn whole(parts: &[Condition]) -> Condition {
    rule::fold("parts serve", parts.iter().map(|condition| Part { name: &"a", condition }), at(100))
}

fn whole_of(states: &[State]) -> (State, &'static str) {
    let parts: Vec<_> = states.iter().map(|state| condition(*state, "WHY")).collect();
    let whole = whole(&parts);
    (whole.state, whole.reason)
}

/// The truth table of `rule`, for all combinations of up to three parts.
#[test]
fn the_truth_table_of_parts_and_whole() {
    let expected = [
        (vec![], (Unknown, "NOTHING_OFFERED")),
        (vec![Serving], (Serving, "ALL_SERVING")),
        (vec![Degraded], (Degraded, "WHY")),
        (vec![Unknown], (Unknown, "WHY")),
        (vec![NotServing], (NotServing, "WHY")),
        (vec![Serving, Serving], (Serving, "ALL_SERVING")),
        (vec![Serving, Degraded], (Degraded, "WHY")),
        (vec![Serving, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Serving, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Degraded, Degraded], (Degraded, "WHY")),
        (vec![Degraded, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Degraded, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Unknown, Unknown], (Unknown, "WHY")),
        (vec![Unknown, NotServing], (Unknown, "WHY")),
        (vec![NotServing, NotServing], (NotServing, "WHY")),
        (vec![Serving, Serving, Serving], (Serving, "ALL_SERVING")),
        (vec![Serving, Serving, Degraded], (Degraded, "WHY")),
        (vec![Serving, Serving, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Serving, Serving, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Serving, Degraded, Degraded], (Degraded, "WHY")),
        (vec![Serving, Degraded, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Serving, Degraded, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Serving, Unknown, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Serving, Unknown, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Serving, NotServing, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Degraded, Degraded, Degraded], (Degraded, "WHY")),
        (vec![Degraded, Degraded, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Degraded, Degraded, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Degraded, Unknown, Unknown], (Degraded, "SOME_UNKNOWN")),
        (vec![Degraded, Unknown, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Degraded, NotServing, NotServing], (Degraded, "SOME_NOT_SERVING")),
        (vec![Unknown, Unknown, Unknown], (Unknown, "WHY")),
        (vec![Unknown, Unknown, NotServing], (Unknown, "WHY")),
        (vec![Unknown, NotServing, NotServing], (Unknown, "WHY")),
        (vec![NotServing, NotServing, NotServing], (NotServing, "WHY")),
    ];
    // Multisets of four states: 1 + 4 + 10 + 20.
    assert_eq!(expected.len(), 35);
    for (mut parts, outcome) in expected {
        for _ in 0..parts.len().max(1) {
            assert_eq!(whole_of(&parts), outcome, "{parts:?}");
            parts.reverse();
            assert_eq!(whole_of(&parts), outcome, "{parts:?}");
            parts.reverse();
            let turn = 1.min(parts.len());
            parts.rotate_left(turn);
        }
    }
}

#[test]
fn parts_that_disagree_get_a_reason_of_their_own() {
    let of = |a, b| whole(&[condition(a, "A"), condition(b, "B")]).reason;
    assert_eq!(of(NotServing, NotServing), "NONE_SERVING");
    assert_eq!(of(Unknown, NotServing), "NOTHING_KNOWN");
    assert_eq!(of(Degraded, Degraded), "SOME_DEGRADED");
    assert_eq!(of(Serving, Degraded), "B");
}

#[test]
fn the_whole_is_as_old_as_its_oldest_part() {
    let mut old = condition(Serving, "X");
    (old.observed, old.freshness, old.since) = (at(1), Stale, at(0));
    let whole = whole(&[condition(Serving, "X"), old]);
    assert_eq!((whole.observed, whole.freshness, whole.since), (at(1), Stale, at(10)));
}

const STABLE: &[(&str, Stage)] = &[("1.0.0", Stage::Stable)];

/// The record, the looks at the endpoints, and what follows.
type OfProducer<'a> = (Freshness, &'a [Option<State>], State, &'a str, Freshness);

/// The truth table of producers in `fold`: record and endpoints.
#[test]
fn the_truth_table_of_a_producer() {
    let (up, down) = (Some(Serving), Some(NotServing));
    let table: &[OfProducer] = &[
        (Live, &[up], Serving, "ALL_SERVING", Live),
        (Live, &[up, up], Serving, "ALL_SERVING", Live),
        (Live, &[up, down], Degraded, "SOME_NOT_SERVING", Live),
        (Live, &[up, None], Degraded, "SOME_UNKNOWN", Stale),
        (Live, &[down], NotServing, "SEEN", Live),
        (Live, &[down, None], Unknown, "NOTHING_KNOWN", Stale),
        (Live, &[None], Unknown, "NOT_OBSERVED", Stale),
        (Stale, &[up], Degraded, "LEASE_STALE", Stale),
        (Stale, &[up, down], Degraded, "SOME_NOT_SERVING", Stale),
        (Stale, &[down], NotServing, "SEEN", Stale),
        (Stale, &[None], Unknown, "NOT_OBSERVED", Stale),
        (Partitioned, &[up], Unknown, "ORIGIN_PARTITIONED", Partitioned),
        (Partitioned, &[down], Unknown, "ORIGIN_PARTITIONED", Partitioned),
        (Expired, &[up], NotServing, "LEASE_EXPIRED", Expired),
        (Expired, &[down, None], NotServing, "LEASE_EXPIRED", Expired),
    ];
    for (record, looks, state, reason, freshness) in table {
        let federation =
            World::default().platform("a.example").producer("x", *record, looks, STABLE).fold(None, 100);
        let version = &ledger(&federation).versions[0];
        let got = &version.producers[0].condition;
        assert_eq!(
            (got.state, got.reason, got.freshness),
            (*state, *reason, *freshness),
            "{record:?} {looks:?}"
        );
        // With a single producer all that stands on it says the same.
        for above in [&version.condition, &ledger(&federation).condition, &federation.condition] {
            assert_eq!((above.state, above.freshness), (*state, *freshness), "{record:?} {looks:?}");
        }
    }
}

/// The versions, and what follows.
type OfCapability<'a> = (&'a [(&'a str, Stage, State)], State);

/// The truth table of versions in a capability: who counts, by stage.
#[test]
fn the_truth_table_of_a_capability() {
    use Stage::*;
    let table: &[OfCapability] = &[
        (&[("1.0.0", Stable, Serving), ("2.0.0", Stable, NotServing)], Degraded),
        (&[("1.0.0", Deprecated, NotServing), ("2.0.0", Stable, Serving)], Serving),
        (&[("1.0.0", Deprecated, NotServing), ("2.0.0", Stable, NotServing)], NotServing),
        (&[("1.0.0", Deprecated, Serving), ("2.0.0", Stable, NotServing)], Degraded),
        (&[("1.0.0", Deprecated, Serving)], Serving),
        // An older stable version does not excuse a deprecated one.
        (&[("1.0.0", Stable, Serving), ("2.0.0", Deprecated, NotServing)], Degraded),
        (&[("1.0.0", Stable, Serving), ("2.0.0", Alpha, NotServing)], Serving),
        (&[("1.0.0", Stable, Serving), ("2.0.0", Beta, Unknown)], Serving),
        (&[("1.0.0", Stable, NotServing), ("2.0.0", Beta, Serving)], Degraded),
        (&[("1.0.0", Alpha, NotServing)], NotServing),
        (&[("1.0.0", Retired, Serving), ("2.0.0", Stable, Serving)], Serving),
        (&[("1.0.0", Retired, Serving), ("2.0.0", Stable, NotServing)], NotServing),
        (&[("1.0.0", Retired, Serving)], NotServing),
    ];
    for (versions, expected) in table {
        let mut world = World::default().platform("a.example");
        for (i, (number, stage, state)) in versions.iter().enumerate() {
            world = world.producer(&format!("p{i}"), Live, &[Some(*state)], &[(number, *stage)]);
        }
        let federation = world.fold(None, 100);
        assert_eq!(ledger(&federation).condition.state, *expected, "{versions:?}");
        assert_eq!(federation.service("acme.Ledger", |_| true), Some(*expected), "{versions:?}");
    }
}

#[test]
fn who_offers_nothing_is_unknown_and_no_news_about_others() {
    let world = World::default().platform("a.example").platform("b.example");
    let federation = world.fold(None, 100);
    assert_eq!((federation.condition.state, federation.condition.reason), (Unknown, "NOTHING_OFFERED"));
    let federation = world.producer("x", Live, &[Some(Serving)], STABLE).fold(None, 100);
    let reasons: Vec<_> = federation.platforms.values().map(|p| p.condition.reason).collect();
    assert_eq!(reasons, ["ALL_SERVING", "NOTHING_OFFERED"]);
    assert_eq!(federation.condition.state, Serving);
}

#[test]
fn a_look_too_old_is_not_believed() {
    let world = World::default().platform("a.example").producer("x", Live, &[Some(Serving)], STABLE);
    let live = world.fold(None, 115).condition;
    assert_eq!((live.state, live.freshness, live.observed), (Serving, Live, at(95)));
    let stale = world.fold(None, 116).condition;
    assert_eq!((stale.state, stale.reason, stale.freshness), (Unknown, "OBSERVATION_STALE", Stale));
}

#[test]
fn since_is_kept_while_the_state_stays() {
    let mut world = World::default().platform("a.example").producer("x", Live, &[Some(Serving)], STABLE);
    let first = world.fold(None, 100);
    assert_eq!(first.condition.since, at(10));
    world.look("x:1", Serving, at(104));
    let second = world.fold(Some(&first), 105);
    assert_eq!((second.condition.since, second.condition.observed), (at(10), at(104)));
    assert_eq!(second.edition, first.edition, "a new look that sees the same is no change");
    world.look("x:1", NotServing, at(109));
    let third = world.fold(Some(&second), 110);
    assert_eq!((third.condition.since, third.edition), (at(110), first.edition + 1));
    assert!(
        third
            .condition
            .message
            .ends_with("platforms/a.example/producers/x: 0 of 1 endpoints work; x:1: said")
    );
}

#[test]
fn what_did_not_change_is_shared() {
    let world = World::default().platform("a.example").producer("x", Live, &[Some(Serving)], STABLE);
    let first = world.fold(None, 100);
    let second = world.platform("b.example").fold(Some(&first), 101);
    let name = PlatformName::parse("a.example").unwrap();
    assert!(Arc::ptr_eq(&first.platforms[&name], &second.platforms[&name]));
    assert_eq!(second.edition, first.edition + 1);
}

#[test]
fn what_a_caller_may_not_see_leaves_no_trace() {
    let world = World::default()
        .platform("a.example")
        .producer("x", Live, &[Some(Serving)], &[("1.0.0", Stage::Stable)])
        .producer("y", Live, &[Some(NotServing)], &[("2.0.0", Stage::Stable)]);
    let federation = world.fold(None, 100);
    let platform = federation.platforms.values().next().unwrap();
    assert_eq!(platform.condition.state, Degraded);
    assert_eq!(platform.unreachable().count(), 1);

    let seen = platform.seen_by(|version| version.name.version.major == 1, at(100));
    assert_eq!((seen.condition.state, seen.count(Serving), seen.unreachable().count()), (Serving, 1, 0));
    assert!(!format!("{seen:?}").contains("2.0.0") && !format!("{seen:?}").contains("producers/y"));
    assert_eq!(federation.service("acme.Ledger", |version| version.name.version.major == 1), Some(Serving));
    assert_eq!(federation.service("acme.Ledger", |_| false), None);
    assert!(Arc::ptr_eq(&platform.seen_by(|_| true, at(100)), platform));
}

#[test]
fn where_services_are_told_apart_only_those_of_the_version_count() {
    let mut world = World::default().platform("a.example").producer("x", Live, &[Some(Serving)], STABLE);
    let of = |world: &World| {
        let federation = world.fold(None, 100);
        let version = &ledger(&federation).versions[0];
        let producer = &federation.platforms.values().next().unwrap().producers.values().next().unwrap();
        ((version.condition.state, version.condition.reason), producer.condition.state)
    };
    world.look_into("x:1", Degraded, &[("acme.Ledger", Serving), ("acme.Other", NotServing)], at(95));
    assert_eq!(of(&world), ((Serving, "ALL_SERVING"), Degraded));
    world.look_into("x:1", Degraded, &[("acme.Ledger", NotServing), ("acme.Other", Serving)], at(96));
    assert_eq!(of(&world), ((NotServing, "SERVICE_NOT_SERVING"), Degraded));
}

mod dependencies;
mod laws;
mod world;
