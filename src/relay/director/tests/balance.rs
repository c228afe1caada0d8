//! How calls are shared: simulated endpoints on a paused clock, and the same decision as in production.

use super::world::{World, addresses, endpoint, plain};
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use crate::uplink::{Desk, Peers, Rules, Turn, Verdict};
use http::HeaderMap;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::time::{Instant, advance};

const MS: Duration = Duration::from_millis(1);
const CALLER: &str = "spiffe://b.example/app";

/// Endpoints of one version, and what it takes them to answer.
struct Sea {
    world: World,
    desk: Desk,
    rosters: Rosters,
    times: HashMap<String, Duration>,
    under_way: Vec<(Instant, Turn)>,
    seen: u64,
}

impl Sea {
    fn new(count: usize, edit: impl Fn(usize, &mut Endpoint)) -> Self {
        let mut sea = Self::empty(World::new());
        sea.world = std::mem::replace(&mut sea.world, World::new()).with(
            "x",
            "1.0.0",
            Stage::Stable,
            "10.0.0.1:1",
            |producer, _| {
                producer.endpoints =
                    (0..count).map(|n| endpoint(&format!("10.0.{}.{}:1", n / 250, n % 250))).collect();
                producer.endpoints.iter_mut().enumerate().for_each(|(n, at)| edit(n, at));
            },
        );
        sea
    }

    fn empty(world: World) -> Self {
        let desk = Peers::new(Rules::default()).desk();
        let rosters = Rosters::new(desk.clone());
        Self { world, desk, rosters, times: HashMap::new(), under_way: Vec::new(), seen: 0 }
    }

    fn route(&mut self, metadata: Option<&HeaderMap>, locality: &str) -> Route {
        let (caller, intent) = (self.world.caller(CALLER), Intent::default());
        let ask = self.world.ask(&caller, &intent, fastrand::u64(..));
        let ask = Ask { tick: self.desk.now(), seen: self.seen, metadata, locality, ..ask };
        let (world, desk) = (&self.world, &self.desk);
        let look = |producer: &Producer, at: &Endpoint| {
            let meter = desk.meter(producer, at);
            Look { ejected: meter.peer().ejection(), meter: Some(meter), ..world.look(at) }
        };
        choose(&ask, look, Some(&mut self.rosters)).unwrap()
    }

    fn address(&mut self) -> String {
        addresses(&self.route(None, "")).remove(0)
    }

    /// Sends a call to where it is drawn; it is under way until its time is over.
    fn call(&mut self) -> String {
        let route = self.route(None, "");
        let target = &route.targets[0];
        let (turn, at) =
            (self.desk.begin(&target.producer, target.endpoint()), target.endpoint().address.to_string());
        let time = self.times.get(&at).copied().unwrap_or(MS);
        self.under_way.push((Instant::now() + time, turn));
        at
    }

    async fn pass(&mut self, time: Duration) {
        advance(time).await;
        let now = Instant::now();
        for (_, mut turn) in self.under_way.extract_if(.., |(end, _)| *end <= now) {
            turn.answered();
            turn.end(Verdict::Answered);
        }
    }

    /// So many calls, one each millisecond, and where they went.
    async fn run(&mut self, calls: usize) -> BTreeMap<String, usize> {
        let mut went = BTreeMap::new();
        for _ in 0..calls {
            *went.entry(self.call()).or_default() += 1;
            self.pass(MS).await;
        }
        went
    }
}

fn share(went: &BTreeMap<String, usize>, at: &str) -> usize {
    went.get(at).copied().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_away_from_a_slow_endpoint_and_comes_back() {
    fastrand::seed(1);
    let mut sea = Sea::new(3, |_, _| {});
    advance(Duration::from_secs(20)).await;
    let even = sea.run(1500).await;
    assert!(even.values().all(|calls| (400..600).contains(calls)), "{even:?}");
    sea.times.insert("10.0.0.1:1".into(), 50 * MS);
    sea.run(100).await;
    let slow = sea.run(2000).await;
    assert!(share(&slow, "10.0.0.1:1") < 40, "{slow:?}");
    sea.times.clear();
    sea.run(60_000).await;
    let back = sea.run(3000).await;
    assert!(share(&back, "10.0.0.1:1") > 700, "{back:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hung_endpoint_is_left_alone_before_its_first_call_has_failed() {
    fastrand::seed(2);
    let mut sea = Sea::new(3, |_, _| {});
    advance(Duration::from_secs(20)).await;
    sea.run(300).await;
    sea.times.insert("10.0.0.2:1".into(), Duration::from_secs(3600));
    let went = sea.run(3000).await;
    assert!(share(&went, "10.0.0.2:1") < 12, "{went:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_fails_at_once_draws_no_calls() {
    fastrand::seed(3);
    let mut sea = Sea::new(3, |_, _| {});
    advance(Duration::from_secs(20)).await;
    sea.run(300).await;
    let mut failed = 0;
    for _ in 0..3000 {
        let route = sea.route(None, "");
        let target = &route.targets[0];
        let turn = sea.desk.begin(&target.producer, target.endpoint());
        if target.endpoint().address.to_string() == "10.0.0.0:1" {
            failed += 1;
            turn.end(Verdict::Unavailable);
        } else {
            let mut turn = turn;
            sea.pass(MS).await;
            turn.answered();
            turn.end(Verdict::Answered);
        }
    }
    // It is ejected after five in a row; until then its cost keeps calls away.
    assert!(failed < 10, "{failed} of 3000");
}

#[tokio::test(start_paused = true)]
async fn a_new_endpoint_starts_slowly() {
    fastrand::seed(4);
    let mut sea = Sea::new(2, |_, _| {});
    sea.run(20_000).await;
    let producer =
        sea.world.snapshot.producer(&ProducerName::parse("platforms/a.example/producers/x").unwrap());
    let old = producer.unwrap().clone();
    sea.world = std::mem::replace(&mut sea.world, World::new()).with(
        "x",
        "1.0.0",
        Stage::Stable,
        "10.0.0.1:1",
        |p, _| {
            p.endpoints = old.endpoints.clone();
            p.endpoints.push(endpoint("10.0.9.9:1"));
        },
    );
    let young = sea.run(1000).await;
    assert!(share(&young, "10.0.9.9:1") < 150, "{young:?}");
    sea.run(10_000).await;
    let grown = sea.run(3000).await;
    assert!(share(&grown, "10.0.9.9:1") > 700, "{grown:?}");
}

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

#[tokio::test(start_paused = true)]
async fn choosing_among_thousands_costs_what_choosing_among_three_does() {
    let cost = |count: usize| {
        let mut sea = Sea::new(count, |_, _| {});
        sea.address();
        // The least of several rounds: others build on this machine.
        let round = |sea: &mut Sea| {
            let begun = std::time::Instant::now();
            (0..500).for_each(|_| drop(sea.address()));
            begun.elapsed()
        };
        (0..7).map(|_| round(&mut sea)).min().unwrap()
    };
    let (few, many) = (cost(6), cost(10_000));
    println!("500 choices among 6: {few:?}, among 10,000: {many:?}");
    assert!(many < few * 4, "{few:?} {many:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn weights_decide_while_endpoints_are_alike(weights in proptest::collection::vec(1..40u16, 2..7)) {
        fastrand::seed(6);
        let mut sea = Sea::new(weights.len(), |n, at| at.weight = weights[n]);
        let all: u32 = weights.iter().map(|weight| u32::from(*weight)).sum();
        let mut went = vec![0u32; weights.len()];
        const CALLS: u32 = 4000;
        for _ in 0..CALLS {
            let route = sea.route(None, "");
            went[route.targets[0].endpoint] += 1;
            let mut tried = addresses(&route);
            tried.sort();
            tried.dedup();
            prop_assert_eq!(tried.len(), weights.len().min(MOST_TARGETS), "all different");
        }
        for (weight, went) in weights.iter().zip(went) {
            let wanted = f64::from(*weight) / f64::from(all);
            let got = f64::from(went) / f64::from(CALLS);
            prop_assert!((wanted - got).abs() < 0.04, "{got} instead of {wanted}");
        }
    }

    #[test]
    fn the_slow_take_little_and_nobody_is_asked_more_than_it_can_bear(
        slow in 0..4usize, factor in 20..200u32, seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            fastrand::seed(seed);
            let mut sea = Sea::new(4, |_, _| {});
            advance(Duration::from_secs(20)).await;
            let name = format!("10.0.0.{slow}:1");
            sea.times.insert(name.clone(), factor * MS);
            sea.run(400).await;
            let went = sea.run(1500).await;
            assert!(share(&went, &name) < 45, "{went:?}");
            for (at, calls) in went.iter().filter(|(at, _)| **at != name) {
                assert!((300..700).contains(calls), "{at}: {went:?}");
            }
        });
    }
}

#[test]
fn a_version_of_one_endpoint_is_as_before() {
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    assert_eq!(world.first(), "10.0.0.1:1");
}
