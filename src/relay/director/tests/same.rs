//! An explanation is the route that is taken: held over random worlds.

use super::world::{NOW, World, addresses, at, endpoint, platform, unreachable};
use crate::access;
use crate::catalog::Change;
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;

const PLATFORMS: [&str; 3] = ["a.example", "b.example", "c.example"];

/// One producer of one version.
#[derive(Debug, Clone)]
struct Line {
    platform: usize,
    version: u64,
    pre: bool,
    stage: usize,
    visible_to: usize,
    weight: Option<u16>,
    freshness: usize,
    leased: bool,
    age: i64,
    endpoints: Vec<(usize, u16, usize)>,
}

#[derive(Debug, Clone)]
struct Plan {
    lines: Vec<Line>,
    overridden: Option<usize>,
    operator: bool,
    caller: usize,
    asked: Option<usize>,
    range: Option<&'static str>,
    max_staleness: Option<u64>,
    locality: usize,
    draw: u64,
}

fn line() -> impl Strategy<Value = Line> {
    let endpoints = proptest::collection::vec((0..3usize, 1..5u16, 0..5usize), 1..4);
    (
        (0..3usize, 0..4u64, any::<bool>(), 0..5usize, 0..4usize),
        proptest::option::of(1..1000u16),
        (0..4usize, any::<bool>(), 0..100i64),
        endpoints,
    )
        .prop_map(
            |((platform, version, pre, stage, visible_to), weight, (freshness, leased, age), endpoints)| {
                Line { platform, version, pre, stage, visible_to, weight, freshness, leased, age, endpoints }
            },
        )
}

fn plan() -> impl Strategy<Value = Plan> {
    let ranges =
        prop::sample::select(vec!["^1", "*", "=2.0.0", ">=1, <4", "=1.0.0-rc.1", "^9", "<3.0.0-rc.2"]);
    (
        proptest::collection::vec(line(), 0..9),
        (proptest::option::of(0..3usize), any::<bool>(), 0..4usize),
        (proptest::option::weighted(0.3, 0..4usize), proptest::option::weighted(0.5, ranges)),
        (proptest::option::weighted(0.3, 0..100u64), 0..3usize, any::<u64>()),
    )
        .prop_map(
            |(lines, (overridden, operator, caller), (asked, range), (max_staleness, locality, draw))| Plan {
                lines,
                overridden,
                operator,
                caller,
                asked,
                range,
                max_staleness,
                locality,
                draw,
            },
        )
}

const LOCALITIES: [&str; 3] = ["", "eu/a", "eu/b"];

fn build(plan: &Plan) -> World {
    let mut world = World::of(PLATFORMS.map(|name| platform(name, "acme")));
    let operators = plan.operator.then(|| Identity::parse_spiffe(&caller(plan)).unwrap());
    world.policy = access::policy(PLATFORMS.map(|name| platform(name, "acme")), operators).1;
    for (n, line) in plan.lines.iter().enumerate() {
        let stages = [Stage::Alpha, Stage::Beta, Stage::Stable, Stage::Deprecated, Stage::Retired];
        let freshness = [Freshness::Live, Freshness::Stale, Freshness::Partitioned, Freshness::Expired];
        let version = format!("{}.0.0{}", line.version, if line.pre { "-rc.1" } else { "" });
        let looks = line.endpoints.iter().enumerate().map(|(e, (_, _, look))| {
            let answered = Some(at(NOW - line.age));
            let look = match look {
                0 | 1 => Look { standing: Standing::Up, answered, ..Look::UNSEEN },
                2 => Look { standing: unreachable(), answered, ..Look::UNSEEN },
                3 => Look { standing: Standing::NotServing { since: at(NOW) }, answered, ..Look::UNSEEN },
                _ => Look::UNSEEN,
            };
            (format!("10.{n}.0.{e}:1"), look)
        });
        world.looks.extend(looks);
        world = world.with_of(
            PLATFORMS[line.platform],
            &format!("p{n}"),
            &version,
            stages[line.stage],
            "10.0.0.1:1",
            |producer, version| {
                producer.freshness = freshness[line.freshness];
                producer.updated = at(NOW - line.age);
                producer.lease_expires = line.leased.then(|| at(NOW));
                producer.endpoints = (0..line.endpoints.len())
                    .map(|e| {
                        let (place, weight, _) = line.endpoints[e];
                        Endpoint {
                            locality: LOCALITIES[place].into(),
                            weight,
                            ..endpoint(&format!("10.{n}.0.{e}:1"))
                        }
                    })
                    .collect();
                version.traffic_weight = line.weight;
                version.visibility = match line.visible_to {
                    3 => Visibility::everyone(),
                    p => Visibility { everyone: false, platforms: [PLATFORMS[p].parse().unwrap()].into() },
                };
            },
        );
    }
    if let Some(platform) = plan.overridden {
        let decision = OverrideSpec {
            service: super::SERVICE.parse().unwrap(),
            platform: PLATFORMS[platform].parse().unwrap(),
            expires: Timestamp::MAX,
            reason: "test".into(),
        };
        world.snapshot = world.snapshot.apply(Change::PutOverride(decision)).unwrap();
    }
    world
}

/// The last one speaks for no platform.
fn caller(plan: &Plan) -> String {
    format!("spiffe://{}/app", PLATFORMS.get(plan.caller).unwrap_or(&"z.example"))
}

/// All that a caller may see of a service: whole versions with their producers and endpoints.
fn visible(world: &World, caller: &crate::access::Caller) -> BTreeMap<String, BTreeMap<String, usize>> {
    let claims = world.snapshot.service(super::SERVICE);
    let offerings = claims.iter().flat_map(|claims| claims.iter()).flat_map(|claim| &claim.offerings);
    let seen = offerings.filter(|offering| world.policy.may_see(caller, &offering.version));
    seen.map(|offering| {
        let producers = offering.producers.iter().map(|p| (p.name.to_string(), p.endpoints.len()));
        (offering.version.name.to_string(), producers.collect())
    })
    .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn explain_is_the_route_and_accounts_for_every_candidate_once(plan in plan()) {
        let world = build(&plan);
        let caller = world.caller(&caller(&plan));
        let asked = plan.asked.map_or("", |p| PLATFORMS.get(p).unwrap_or(&"z.example"));
        let max = plan.max_staleness.map(Duration::from_secs);
        let intent = Intent::of(asked, plan.range.unwrap_or_default(), max).unwrap();
        let ask = Ask { locality: LOCALITIES[plan.locality], ..world.ask(&caller, &intent, plan.draw) };
        let look = |_: &Producer, endpoint: &Endpoint| world.look(endpoint);

        let taken = choose(&ask, look, None);
        let (explained, told) = explain(&ask, look, usize::MAX);
        match (&taken, &explained) {
            (Ok(taken), Ok(explained)) => {
                prop_assert_eq!(addresses(taken), addresses(explained));
                let names = |route: &Route| -> Vec<_> {
                    route.targets.iter().map(|target| route.permit_at(target).version().name.clone()).collect()
                };
                prop_assert_eq!(names(taken), names(explained));
                let shown = told.candidates.iter().take(taken.targets.len());
                let shown: Vec<_> = shown.map(|c| c.endpoint().unwrap().address.to_string()).collect();
                prop_assert_eq!(addresses(taken), shown);
                prop_assert!(told.version_rule.is_some() && told.owner_rule.is_some() && !told.policy.is_empty());
            }
            (Err(taken), Err(explained)) => {
                prop_assert_eq!(taken, explained);
                prop_assert_eq!(told.refusal.as_ref(), Some(taken));
                prop_assert!(told.version_rule.is_none());
            }
            _ => prop_assert!(false, "{taken:?} {explained:?}"),
        }
        let chosen = told.candidates.iter().filter(|c| c.outcome == Outcome::Chosen).count();
        prop_assert_eq!(chosen, usize::from(taken.is_ok()));

        // Each endpoint that the caller may see is accounted for once: by itself, or by its producer or version.
        let mut left = visible(&world, &caller);
        for candidate in &told.candidates {
            let version = candidate.version.name.to_string();
            let producers = left.get_mut(&version);
            prop_assert!(producers.is_some(), "{version} is told twice, or may not be seen");
            match (&candidate.producer, candidate.endpoint) {
                (None, _) => drop(left.remove(&version)),
                (Some(producer), endpoint) => {
                    let producers = left.get_mut(&version).unwrap();
                    let name = producer.name.to_string();
                    let count = producers.get_mut(&name);
                    prop_assert!(count.is_some(), "{name} is told twice");
                    let count = count.unwrap();
                    *count -= if endpoint.is_some() { 1 } else { *count };
                    if *count == 0 {
                        producers.remove(&name);
                    }
                    if producers.is_empty() {
                        left.remove(&version);
                    }
                }
            }
        }
        prop_assert!(left.is_empty(), "{left:?} is not told of");
        prop_assert_eq!(told.omitted, 0);
    }
}
