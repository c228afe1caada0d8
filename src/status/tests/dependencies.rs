//! What a version stands on: told where it is and one step above.

use super::*;
use proptest::prelude::*;

fn of(federation: &Federation, capability: &str) -> (State, &'static str) {
    let platform = federation.platforms.values().next().unwrap();
    let status = &platform.capabilities[&CapabilityId::parse(capability).unwrap()];
    assert_eq!(status.condition.state, status.versions[0].condition.state, "one version, one word");
    (status.versions[0].condition.state, status.versions[0].condition.reason)
}

fn world() -> World {
    World::default().platform("a.example")
}

/// By itself, the states of what it stands on, and what follows.
type Row<'a> = (Option<State>, &'a [Option<State>], State, &'a str);

#[test]
fn the_truth_table_of_what_is_stood_on() {
    let table: &[Row] = &[
        (Some(Serving), &[], Serving, "ALL_SERVING"),
        (Some(Serving), &[Some(Serving)], Serving, "ALL_SERVING"),
        (Some(Serving), &[Some(Degraded)], Serving, "ALL_SERVING"),
        (Some(Serving), &[Some(NotServing)], Degraded, "DEPENDENCY"),
        (Some(Serving), &[None], Degraded, "DEPENDENCY_UNKNOWN"),
        (Some(Serving), &[Some(Serving), Some(NotServing)], Degraded, "DEPENDENCY"),
        (Some(Serving), &[None, Some(NotServing)], Degraded, "DEPENDENCY"),
        (Some(Degraded), &[Some(NotServing)], Degraded, "SEEN"),
        (Some(NotServing), &[Some(NotServing)], NotServing, "SEEN"),
        (None, &[Some(NotServing)], Unknown, "NOT_OBSERVED"),
    ];
    for (own, below, state, reason) in table {
        let names: Vec<_> = (0..below.len()).map(|i| format!("d{i}")).collect();
        let needs: Vec<_> = names.iter().map(|name| (name.as_str(), "^1")).collect();
        let mut world = world().stands_on("top", *own, &needs);
        for (name, state) in names.iter().zip(*below) {
            world = world.stands_on(name, *state, &[]);
        }
        assert_eq!(of(&world.fold(None, 100), "top"), (*state, *reason), "{own:?} on {below:?}");
    }
}

#[test]
fn what_is_missing_or_out_of_range_is_not_there() {
    let world = world()
        .stands_on("a", Some(Serving), &[("nowhere", "*")])
        .stands_on("b", Some(Serving), &[("c", "^2")])
        .stands_on("c", Some(Serving), &[]);
    let federation = world.fold(None, 100);
    assert_eq!(of(&federation, "a"), (Degraded, "DEPENDENCY"));
    assert_eq!(of(&federation, "b"), (Degraded, "DEPENDENCY"));
    assert_eq!(of(&federation, "c"), (Serving, "ALL_SERVING"));
}

#[test]
fn a_fault_is_told_one_step_above_and_no_further_and_circles_end() {
    let chain = world()
        .stands_on("a", Some(Serving), &[("b", "^1")])
        .stands_on("b", Some(Serving), &[("c", "^1")])
        .stands_on("c", Some(NotServing), &[]);
    let federation = chain.fold(None, 100);
    assert_eq!(of(&federation, "b"), (Degraded, "DEPENDENCY"));
    assert_eq!(of(&federation, "a"), (Serving, "ALL_SERVING"));

    let circle = world()
        .stands_on("a", Some(Serving), &[("b", "^1")])
        .stands_on("b", Some(Serving), &[("a", "^1"), ("c", "^1")])
        .stands_on("c", Some(NotServing), &[("c", "^1")]);
    let federation = circle.fold(None, 100);
    assert_eq!(of(&federation, "a"), (Serving, "ALL_SERVING"));
    assert_eq!(of(&federation, "b"), (Degraded, "DEPENDENCY"));
    assert_eq!(of(&federation, "c").0, NotServing);
}

#[test]
fn what_the_platform_may_not_see_is_not_there_for_it() {
    let platform = PlatformName::parse("b.example").unwrap();
    let need = Requirement {
        capability: CapabilityName::parse("platforms/a.example/capabilities/c").unwrap(),
        range: semver::VersionReq::STAR,
    };
    let federation = world().stands_on("c", Some(Serving), &[]).fold(None, 100);
    assert_eq!(federation.need(&PlatformName::parse("a.example").unwrap(), &need), Serving);
    assert_eq!(federation.need(&platform, &need), NotServing, "as if it were not there");
}

#[test]
fn it_is_degraded_since_then_and_serves_again_at_once() {
    let mut world = world().stands_on("a", Some(Serving), &[("b", "^1")]).stands_on("b", Some(Serving), &[]);
    let first = world.fold(None, 100);
    world.look("b:1", NotServing, at(109));
    world.look("a:1", Serving, at(109));
    let second = world.fold(Some(&first), 110);
    let third = world.fold(Some(&second), 112);
    let condition = |federation: &Federation| {
        let platform = federation.platforms.values().next().unwrap();
        platform.capabilities.values().next().unwrap().versions[0].condition.clone()
    };
    assert_eq!((condition(&second).state, condition(&second).since), (Degraded, at(110)));
    assert_eq!(condition(&third).since, at(110));
    assert!(second.edition > first.edition && third.edition == second.edition);
    assert!(!condition(&second).message.contains("capabilities/b"), "names are for those who may see them");
    world.look("b:1", Serving, at(114));
    world.look("a:1", Serving, at(114));
    let fourth = world.fold(Some(&third), 115);
    assert_eq!((condition(&fourth).state, condition(&fourth).since), (Serving, at(115)));
}

proptest! {
    /// However things stand on each other: only who serves by itself is degraded by another, and only by what is not
    /// there by itself.
    #[test]
    fn there_is_no_cascade(
        states in proptest::collection::vec(proptest::sample::select(&STATES[..]), 1..6),
        edges in proptest::collection::vec((0..6usize, 0..6usize), 0..12),
    ) {
        let name = |i: usize| format!("c{i}");
        let mut world = world();
        let targets = |i: usize| edges.iter().filter(|(from, _)| from % states.len() == i).map(|(_, to)| to % states.len()).collect::<Vec<_>>();
        for (i, state) in states.iter().enumerate() {
            let names: Vec<_> = targets(i).into_iter().map(name).collect();
            let needs: Vec<_> = names.iter().map(|name| (name.as_str(), "*")).collect();
            world = world.stands_on(&name(i), Some(*state), &needs);
        }
        let federation = world.fold(None, 100);
        for (i, state) in states.iter().enumerate() {
            let bad = |i: &usize| matches!(states[*i], NotServing | Unknown);
            let expected = if *state == Serving && targets(i).iter().any(bad) { Degraded } else { *state };
            prop_assert_eq!(of(&federation, &name(i)).0, expected);
        }
    }
}
