//! What callers ask of the route: a platform, a range, an age.

use super::world::{NOW, SERVICE, World, addresses, at, plain, unreachable};
use crate::catalog::Change;
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use std::sync::Arc;
use std::time::Duration;

fn asked(platform: &str, range: &str) -> Intent {
    Intent::of(platform, range, None).unwrap()
}

fn aged(seconds: u64) -> Intent {
    Intent::of("", "", Some(Duration::from_secs(seconds))).unwrap()
}

fn where_to(world: &World, intent: &Intent) -> Result<String, Refusal> {
    world.explain(intent, 1).0.map(|route| addresses(&route).remove(0))
}

fn two_platforms() -> World {
    World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain).with_of(
        "b.example",
        "y",
        "1.0.0",
        Stage::Stable,
        "10.0.0.2:1",
        |p, _| p.created = at(9),
    )
}

#[test]
fn the_platform_that_lost_the_name_is_reached_by_asking_for_it() {
    let world = two_platforms();
    assert_eq!(where_to(&world, &Intent::default()).unwrap(), "10.0.0.1:1");
    assert_eq!(where_to(&world, &asked("b.example", "")).unwrap(), "10.0.0.2:1");
    let told = world.explain(&asked("b.example", ""), 1).1;
    assert_eq!(told.owner_rule, Some(OwnerRule::AskedFor));
    assert_eq!(world.explain(&Intent::default(), 1).1.owner_rule.unwrap().word(), "FIRST_CLAIM");
}

#[test]
fn an_operators_override_is_the_rule_while_it_holds() {
    let mut world = two_platforms();
    let decision = OverrideSpec {
        service: SERVICE.parse().unwrap(),
        platform: "b.example".parse().unwrap(),
        expires: Timestamp::MAX,
        reason: "migration".into(),
    };
    world.snapshot = world.snapshot.apply(Change::PutOverride(decision.clone())).unwrap();
    assert_eq!(where_to(&world, &Intent::default()).unwrap(), "10.0.0.2:1");
    assert_eq!(world.explain(&Intent::default(), 1).1.owner_rule.unwrap().word(), "OVERRIDE");
    assert_eq!(where_to(&world, &asked("a.example", "")).unwrap(), "10.0.0.1:1");
    world.snapshot = world.snapshot.apply(Change::RemoveOverride(decision.service)).unwrap();
    assert_eq!(where_to(&world, &Intent::default()).unwrap(), "10.0.0.1:1");
}

#[test]
fn a_platform_that_hides_the_service_reads_as_one_that_does_not_have_it() {
    let hide = |_: &mut Producer, v: &mut Version| v.visibility = Visibility::default();
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", hide);
    let nowhere = World::new();
    for platform in ["a.example", "b.example", "z.example"] {
        let (hidden, absent) =
            (world.explain(&asked(platform, ""), 1), nowhere.explain(&asked(platform, ""), 1));
        assert_eq!(hidden.0.as_ref().unwrap_err(), absent.0.as_ref().unwrap_err(), "{platform}");
        assert!(matches!(hidden.0, Err(Refusal::NotOffered { .. })));
        assert!(hidden.1.candidates.is_empty() && hidden.1.omitted == 0 && hidden.1.owner_rule.is_none());
    }
}

#[test]
fn a_range_narrows_the_versions_and_what_is_there_instead_is_told() {
    let world = World::new()
        .with("x", "1.2.0", Stage::Stable, "10.0.0.1:1", plain)
        .with("y", "2.0.0", Stage::Stable, "10.0.0.2:1", plain)
        .with("z", "3.0.0-rc.1", Stage::Beta, "10.0.0.3:1", plain)
        .with("h", "4.0.0", Stage::Stable, "10.0.0.4:1", |_, v| v.visibility = Visibility::default());
    let goes = |range: &str| where_to(&world, &asked("", range));
    assert_eq!(goes("^1").unwrap(), "10.0.0.1:1");
    assert_eq!(goes(">=1, <3").unwrap(), "10.0.0.2:1");
    assert_eq!(goes("^3.0.0-rc.0").unwrap(), "10.0.0.3:1");
    let Err(Refusal::NoVersion { versions, .. }) = goes("^3") else { panic!() };
    assert_eq!(versions, ["2.0.0", "1.2.0", "3.0.0-rc.1"], "what is hidden is not told");
    assert!(matches!(goes("=4.0.0"), Err(Refusal::NoVersion { .. })), "hidden reads as absent");
    assert_eq!(world.explain(&asked("", "=1.2.0"), 1).1.version_rule, Some(VersionRule::AskedFor));
}

#[test]
fn a_retired_version_names_its_replacement_to_those_who_may_see_it() {
    let retired = |shown: bool| {
        World::new()
            .with("x", "1.0.0", Stage::Retired, "10.0.0.1:1", |_, v| {
                let replacement =
                    Some(VersionName { version: semver::Version::new(2, 0, 0), ..v.name.clone() });
                v.facts = Arc::new(Facts { replacement, ..Facts::default() });
            })
            .with("y", "2.0.0", Stage::Stable, "10.0.0.2:1", |_, v| v.visibility.everyone = shown)
    };
    let refusal = |world: World| where_to(&world, &asked("", "^1")).unwrap_err();
    let told = refusal(retired(true));
    assert!(
        told.to_string().ends_with("use platforms/a.example/capabilities/ledger/versions/2.0.0"),
        "{told}"
    );
    let Refusal::Retired { replacement: None, .. } = refusal(retired(false)) else { panic!() };
}

#[test]
fn what_is_retired_and_hidden_is_denied_like_all_that_is_hidden() {
    let world = World::new()
        .with("x", "1.0.0", Stage::Retired, "10.0.0.1:1", |_, v| v.visibility = Visibility::default());
    assert!(matches!(where_to(&world, &Intent::default()), Err(Refusal::Denied(_))));
}

#[test]
fn an_ended_lease_is_as_old_as_its_last_renewal() {
    let lease = |freshness, updated| {
        World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |p, _| {
            (p.freshness, p.updated, p.lease_expires) = (freshness, at(updated), Some(at(updated + 30)));
        })
    };
    let live = lease(Freshness::Live, NOW - 20);
    assert!(where_to(&live, &aged(0)).is_ok() && where_to(&live, &aged(10)).is_ok());
    let stale = lease(Freshness::Stale, NOW - 60);
    assert!(where_to(&stale, &Intent::default()).is_ok());
    assert!(where_to(&stale, &aged(60)).is_ok());
    for too_young in [0, 59] {
        let refused = where_to(&stale, &aged(too_young)).unwrap_err();
        let Refusal::TooStale { why, .. } = refused else { panic!("{refused}") };
        assert!(why.contains("platforms/a.example/producers/x: not renewed since"), "{why}");
    }
    let now = lease(Freshness::Stale, NOW);
    assert!(where_to(&now, &aged(0)).is_err(), "0 takes LIVE only, whatever the clock says");
}

#[test]
fn who_holds_no_lease_is_known_by_its_last_answer() {
    let world = |look| {
        World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain).and_look("10.0.0.1:1", look)
    };
    let answered = Some(at(NOW - 100));
    let up = world(Look { standing: Standing::Up, answered, ..Look::UNSEEN });
    assert!(where_to(&up, &aged(0)).is_ok(), "probes are answered");
    let silent = world(Look { standing: unreachable(), answered, ..Look::UNSEEN });
    assert!(where_to(&silent, &aged(100)).is_ok(), "as a last resort");
    assert!(matches!(where_to(&silent, &aged(99)), Err(Refusal::TooStale { .. })));
    assert!(matches!(where_to(&world(Look::UNSEEN), &aged(99)), Err(Refusal::TooStale { .. })));
    let long_ago = Look { standing: Standing::Up, answered: Some(at(NOW - 500)), ..Look::UNSEEN };
    assert!(where_to(&world(long_ago), &aged(499)).is_err());
}

#[test]
fn a_version_that_only_a_manifest_declares_is_unreachable_and_says_so() {
    let mut world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    let version =
        Version::clone(&world.snapshot.service(SERVICE).unwrap().owner().unwrap().offerings[0].version);
    let producer = ProducerName::parse("platforms/a.example/producers/x").unwrap();
    for change in
        [Change::DeclareVersion { version, since: Timestamp::UNIX_EPOCH }, Change::RemoveProducer(producer)]
    {
        world.snapshot = world.snapshot.apply(change).unwrap();
    }
    let (refused, told) = world.explain(&Intent::default(), 1);
    let Err(Refusal::Unreachable { why, since: None, .. }) = refused else { panic!("{refused:?}") };
    assert!(why.contains("no producer serves"), "{why}");
    assert_eq!(told.candidates[0].outcome, Outcome::Unreachable);
}
