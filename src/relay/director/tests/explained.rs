//! What an explanation tells, and to whom.

use super::world::{World, at, plain, platform, unreachable};
use crate::access;
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;

fn outcomes(told: &Explanation) -> Vec<(String, Outcome)> {
    let name = |c: &Candidate| {
        let version = &c.version.name;
        let endpoint = c.endpoint().map(|e| e.address.to_string()).unwrap_or_default();
        let producer = c.producer.as_ref().map(|p| p.name.producer.to_string()).unwrap_or_default();
        format!("{} {} {producer} {endpoint}", version.platform, version.version).trim_end().to_owned()
    };
    told.candidates.iter().map(|c| (name(c), c.outcome)).collect()
}

fn hide(_: &mut Producer, version: &mut Version) {
    version.visibility = Visibility::default();
}

fn world() -> World {
    World::new()
        .with("new", "2.0.0", Stage::Stable, "10.0.0.1:1", plain)
        .with("new-b", "2.0.0", Stage::Stable, "10.0.0.2:1", plain)
        .with("ill", "2.0.0", Stage::Stable, "10.0.0.3:1", plain)
        .with("gone", "2.0.0", Stage::Stable, "10.0.0.4:1", |p, _| p.freshness = Freshness::Expired)
        .with("lost", "2.0.0", Stage::Stable, "10.0.0.5:1", plain)
        .with("old", "1.0.0", Stage::Stable, "10.0.0.6:1", plain)
        .with("dead", "0.1.0", Stage::Retired, "10.0.0.7:1", plain)
        .with("mine", "3.0.0", Stage::Stable, "10.0.0.8:1", hide)
        .with_of("b.example", "y", "9.0.0", Stage::Stable, "10.0.0.9:1", |p, _| p.created = at(9))
        .and("10.0.0.3:1", Standing::NotServing { since: Timestamp::UNIX_EPOCH })
        .and("10.0.0.5:1", unreachable())
}

#[test]
fn every_candidate_is_told_with_what_became_of_it() {
    let (route, told) = world().explain(&Intent::of("", ">=0.1, <9", None).unwrap(), 4);
    let first = route.unwrap().targets.remove(0).producer.name.producer.to_string();
    let second = if first == "new" { "new-b" } else { "new" };
    let address = |id: &str| if id == "new" { "10.0.0.1:1" } else { "10.0.0.2:1" };
    let expected = [
        (format!("a.example 2.0.0 {first} {}", address(&first)), Outcome::Chosen),
        (format!("a.example 2.0.0 {second} {}", address(second)), Outcome::Fallback),
        ("a.example 2.0.0 gone".into(), Outcome::Stale),
        ("a.example 2.0.0 ill 10.0.0.3:1".into(), Outcome::Unhealthy),
        ("a.example 2.0.0 lost 10.0.0.5:1".into(), Outcome::Unreachable),
        ("a.example 1.0.0 old 10.0.0.6:1".into(), Outcome::OtherVersion),
        ("a.example 0.1.0".into(), Outcome::Retired),
        ("b.example 9.0.0".into(), Outcome::OtherPlatform),
    ];
    assert_eq!(outcomes(&told), expected);
    assert_eq!(told.version_rule, Some(VersionRule::NewestStable));
    assert_eq!(told.owner_rule.unwrap().word(), "FIRST_CLAIM");
    assert_eq!(told.policy, "the visibility of a.example names every platform");
    assert!(told.candidates[4].reason.contains("connection refused"));
}

#[test]
fn an_operator_sees_what_it_may_not_call() {
    let mut world = World::of([platform("a.example", "acme"), platform("b.example", "acme")]).with(
        "x",
        "1.0.0",
        Stage::Stable,
        "10.0.0.1:1",
        hide,
    );
    let caller = "spiffe://b.example/operator";
    let (refused, told) = world.explain_to(caller, &Intent::default(), 1);
    assert!(matches!(refused, Err(Refusal::Denied(_))) && told.candidates.is_empty());
    assert_eq!(told.owner_rule, None);

    let operator = Identity::parse_spiffe(caller).unwrap();
    world.policy =
        access::policy([platform("a.example", "acme"), platform("b.example", "acme")], [operator]).1;
    let (refused, told) = world.explain_to(caller, &Intent::default(), 1);
    assert!(matches!(refused, Err(Refusal::Denied(_))), "it may look, not call");
    assert_eq!(outcomes(&told), [("a.example 1.0.0".into(), Outcome::NotVisible)]);
}

#[test]
fn the_rule_does_not_tell_of_a_claimant_that_the_caller_may_not_see() {
    let world = World::of([
        platform("a.example", "acme.Ledger"),
        platform("b.example", "acme"),
        platform("c.example", "acme"),
    ])
    .with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain)
    .with_of("b.example", "y", "1.0.0", Stage::Stable, "10.0.0.2:1", hide);
    let rule = |caller: &str| world.explain_to(caller, &Intent::default(), 1).1.owner_rule.unwrap().word();
    assert_eq!(rule("spiffe://c.example/app"), "ONLY_CLAIM");
    assert_eq!(rule("spiffe://b.example/app"), "LONGEST_PREFIX");
}

#[test]
fn candidates_over_the_limit_are_counted() {
    let world = (0..50).fold(World::new(), |world, n| {
        world.with(&format!("p{n}"), "1.0.0", Stage::Stable, &format!("10.0.0.{}:1", n + 1), plain)
    });
    let (caller, intent) = (world.caller("spiffe://b.example/app"), Intent::default());
    let (route, told) = explain(&world.ask(&caller, &intent, 3), |_, _| Look::UNSEEN, 10);
    assert_eq!((route.unwrap().targets.len(), told.candidates.len(), told.omitted), (MOST_TARGETS, 10, 40));
    assert_eq!(told.candidates[0].outcome, Outcome::Chosen);
}
