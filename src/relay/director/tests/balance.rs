//! How calls are shared by what endpoints cost: the slow, the hung, the failing and the new.

use super::sea::{MS, Sea, share};
use super::world::{World, addresses, endpoint, plain};
use crate::model::*;
use crate::relay::director::*;
use crate::uplink::Verdict;
use proptest::prelude::*;
use std::time::Duration;
use tokio::time::advance;

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
async fn choosing_among_thousands_costs_what_choosing_among_three_does() {
    let mut seas = [Sea::new(6, |_, _| {}), Sea::new(10_000, |_, _| {})];
    seas.iter_mut().for_each(|sea| drop(sea.address()));
    // The least of many short rounds, in turn: others build on this machine, and a short one is not interrupted.
    let mut least = [Duration::MAX; 2];
    for _ in 0..50 {
        for (sea, least) in seas.iter_mut().zip(&mut least) {
            let begun = std::time::Instant::now();
            (0..50).for_each(|_| drop(sea.address()));
            *least = begun.elapsed().min(*least);
        }
    }
    let [few, many] = least;
    println!("50 choices among 6: {few:?}, among 10,000: {many:?}");
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
