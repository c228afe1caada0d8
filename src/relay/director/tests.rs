//! Where calls go, and what the refusals say.

mod balance;
mod explained;
mod intent;
mod places;
mod same;
mod sea;
mod split;
mod world;

use super::*;
use crate::model::*;
use world::{SERVICE, World, plain, unreachable};

#[test]
fn a_service_nobody_offers_has_no_owner() {
    assert_eq!(
        World::new().choose("spiffe://b.example/app", "").unwrap_err(),
        Refusal::NoOwner(SERVICE.into())
    );
}

#[test]
fn the_newest_stable_healthy_version_is_chosen() {
    let world = World::new()
        .with("old", "1.0.0", Stage::Stable, "10.0.0.1:1", plain)
        .with("new", "1.1.0", Stage::Stable, "10.0.0.2:1", plain)
        .with("beta", "2.0.0", Stage::Beta, "10.0.0.3:1", plain);
    assert_eq!(world.first(), "10.0.0.2:1");
    assert_eq!(world.and("10.0.0.2:1", unreachable()).first(), "10.0.0.1:1");
}

#[test]
fn what_the_caller_may_not_see_is_denied() {
    let world = World::new()
        .with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |_, v| v.visibility = Visibility::default());
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Denied(_))));
    assert!(world.choose("spiffe://a.example/app", "").is_ok());
}

#[test]
fn an_older_version_that_the_caller_may_see_is_chosen_over_a_newer_one_that_it_may_not() {
    let world = World::new()
        .with("new", "2.0.0", Stage::Stable, "10.0.0.2:1", |_, v| v.visibility = Visibility::default())
        .with("old", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    assert_eq!(world.first(), "10.0.0.1:1");
}

#[test]
fn a_producer_whose_lease_expired_gets_no_calls_and_the_refusal_says_which_and_since_when() {
    let since = Timestamp::from_second(1_700_000_000).unwrap();
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |p, _| {
        p.freshness = Freshness::Expired;
        p.lease_expires = Some(since);
    });
    let Err(Refusal::Unreachable { why, since: told, .. }) = world.choose("spiffe://b.example/app", "")
    else {
        panic!()
    };
    assert!(why.contains("platforms/a.example/producers/x"), "{why}");
    assert_eq!(told, Some(since));
}

#[test]
fn what_says_not_serving_gets_no_calls() {
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    let world = world.and("10.0.0.1:1", Standing::NotServing { since: Timestamp::UNIX_EPOCH });
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Unreachable { .. })));
}

#[test]
fn what_could_not_be_reached_is_tried_when_nothing_else_is_left() {
    let world =
        World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain).and("10.0.0.1:1", unreachable());
    assert_eq!(world.first(), "10.0.0.1:1");
}

#[test]
fn a_retired_version_is_never_chosen() {
    let world = World::new().with("x", "1.0.0", Stage::Retired, "10.0.0.1:1", plain);
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Retired { .. })));
}

#[test]
fn the_nearest_locality_comes_first_and_the_others_stay_as_a_way_out() {
    let at =
        |place: &'static str| move |p: &mut Producer, _: &mut Version| p.endpoints[0].locality = place.into();
    let world = World::new()
        .with("far", "1.0.0", Stage::Stable, "10.0.0.1:1", at("us/a"))
        .with("near", "1.0.0", Stage::Stable, "10.0.0.2:1", at("eu/b"))
        .with("here", "1.0.0", Stage::Stable, "10.0.0.3:1", at("eu/a"));
    let route = world.choose("spiffe://b.example/app", "eu/a").unwrap();
    let order: Vec<_> = route.targets.iter().map(|t| t.endpoint().address.to_string()).collect();
    assert_eq!(order, ["10.0.0.3:1", "10.0.0.2:1", "10.0.0.1:1"]);
}

#[test]
fn weights_share_the_traffic_of_one_locality() {
    let weigh = |weight| move |p: &mut Producer, _: &mut Version| p.endpoints[0].weight = weight;
    let world = World::new().with("light", "1.0.0", Stage::Stable, "10.0.0.1:1", weigh(1)).with(
        "heavy",
        "1.0.0",
        Stage::Stable,
        "10.0.0.2:1",
        weigh(9),
    );
    fastrand::seed(7);
    let heavy = (0..2000).filter(|_| world.first() == "10.0.0.2:1").count();
    assert!((1700..1900).contains(&heavy), "{heavy} of 2000");
}
