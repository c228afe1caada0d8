//! What the budget of one version allows, and whose budgets are kept.

use super::*;
use proptest::prelude::*;

fn after(begin: Instant, millis: u64) -> Instant {
    begin + Duration::from_millis(millis)
}

#[test]
fn without_traffic_a_few_a_second_are_allowed() {
    let begin = Instant::now();
    let mut budget = Budget::new(Rates::default(), None, begin);
    let mut allowed = 0;
    for millis in (0..60_000).step_by(10) {
        allowed += u32::from(budget.take(after(begin, millis)));
    }
    assert!((177..=183).contains(&allowed), "{allowed}");
}

#[test]
fn a_throttle_stops_retries_until_enough_went_well() {
    let begin = Instant::now();
    let throttling = Throttling { max_tokens: 4.0, token_ratio: 0.5 };
    let mut budget = Budget::new(Rates { share: 1.0, at_least: 100.0 }, Some(throttling), begin);
    assert!(budget.take(begin));
    budget.ended(false);
    assert!(budget.take(begin), "three of four are left");
    budget.ended(false);
    assert!(!budget.take(begin), "two of four are not more than half");
    budget.ended(true);
    assert!(budget.take(begin));
}

#[test]
fn calls_of_long_ago_allow_nothing_now() {
    let begin = Instant::now();
    let mut budget = Budget::new(Rates { share: 0.2, at_least: 0.0 }, None, begin);
    (0..1_000_000).for_each(|_| budget.called());
    assert!(budget.take(after(begin, 1000)));
    assert!(!budget.take(after(begin, 1000 + WINDOW.as_millis() as u64)));
}

fn version(number: u64) -> Arc<Version> {
    Arc::new(Version::plain(&format!("platforms/a.example/capabilities/ledger/versions/{number}.0.0")))
}

/// What stands in a budget that was used up: no retry is left, and it is known again by that.
const NONE: Rates = Rates { share: 0.0, at_least: 1.0 };

#[test]
fn there_are_so_many_budgets_and_those_in_use_stay() {
    let versions: Vec<_> = (0..4 * KEPT as u64).map(version).collect();
    let (before, after) = versions.split_at(KEPT + 1);
    let (busy, crowd) = after.split_at(16);
    let mut ledger = Ledger::default();
    let now = Instant::now();
    for version in before {
        ledger.budget(version, NONE).called();
    }
    for version in busy {
        assert!(ledger.budget(version, NONE).take(now));
    }
    for (nth, version) in crowd.iter().enumerate() {
        ledger.budget(version, NONE).called();
        // Each of them is called now and then, while the crowd comes and goes.
        ledger.budget(&busy[nth % busy.len()], NONE).called();
        assert!(ledger.places.len() <= KEPT, "{} budgets", ledger.places.len());
    }
    for version in busy {
        assert!(!ledger.budget(version, NONE).take(now), "its budget was not begun anew");
    }
}

#[test]
fn versions_that_are_gone_leave_their_room_to_others() {
    let mut ledger = Ledger::default();
    let gone: Vec<_> = (0..KEPT as u64).map(version).collect();
    for version in &gone {
        ledger.budget(version, NONE).called();
    }
    drop(gone);
    let fresh = version(0);
    assert!(ledger.budget(&fresh, NONE).take(Instant::now()), "an address is nobody else's while it is kept");
    assert!(ledger.places.len() <= 2, "{}", ledger.places.len());
}

proptest! {
    #[test]
    fn retries_are_a_share_of_the_calls_and_a_few_a_second_and_never_more(
        events in proptest::collection::vec((any::<bool>(), 0u64..300), 1..400),
        percent in 0u32..=100, at_least in 0u32..10,
    ) {
        let begin = Instant::now();
        let rates = Rates { share: f64::from(percent) / 100.0, at_least: f64::from(at_least) };
        let mut budget = Budget::new(rates, None, begin);
        let (mut calls, mut taken, mut millis) = (0.0, 0.0, 0);
        for (is_call, pause) in events {
            millis += pause;
            if is_call {
                budget.called();
                calls += 1.0;
            } else if budget.take(after(begin, millis)) {
                taken += 1.0;
            }
            let most = calls * rates.share + (1.0 + millis as f64 / 1000.0) * rates.at_least;
            prop_assert!(taken <= most + 1e-6, "{taken} of {calls} calls in {millis} ms");
        }
    }

    #[test]
    fn when_every_call_fails_every_fifth_is_sent_again(rate in 20u64..2000) {
        let begin = Instant::now();
        let mut budget = Budget::new(Rates::default(), None, begin);
        let (mut calls, mut again) = (0u64, 0u64);
        for nth in 0..rate * 30 {
            budget.called();
            calls += 1;
            again += u64::from(budget.take(begin + Duration::from_micros(nth * 1_000_000 / rate)));
        }
        let (low, high) = (calls / 5, calls / 5 + 3 * 31 + 1);
        prop_assert!((low - low / 10..=high).contains(&again), "{again} of {calls}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_called_the_room_is_bounded(
        calls in proptest::collection::vec((0..6000usize, 1..4000usize), 1..12),
    ) {
        let versions: Vec<_> = (0..10_000).map(version).collect();
        let mut ledger = Ledger::default();
        for (from, count) in calls {
            for version in &versions[from..from + count] {
                ledger.budget(version, NONE).called();
                prop_assert!(ledger.places.len() <= KEPT);
            }
            let last = Arc::as_ptr(&versions[from + count - 1]).addr();
            prop_assert!(ledger.places.contains_key(&last), "whoever was called last is there");
        }
    }
}
