//! Who is far worse than the others that serve the same version: pure, over what one interval showed.
//!
//! Medians are compared, not means with deviations as Envoy and gRFC A50 do: of three endpoints none can ever be 1.9
//! deviations off (1.41 is the most), and two bad ones of five hide behind each other's deviation. Where most are bad,
//! nobody is worse than the others, and nobody is ejected.

use super::ejection::Cause;
use super::rules::Outliers;
use super::waits::Waits;
use std::time::Duration;

/// Differences of latency below this are noise.
const NOISE: Duration = Duration::from_millis(20);

/// What one interval showed of one endpoint, at all workers together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) waits: Waits,
}

/// Those who should be left out, the worst first.
pub(super) fn judge(samples: &[Sample], rules: &Outliers) -> Vec<(usize, Cause)> {
    let mut found: Vec<_> =
        by_success(samples, rules).into_iter().chain(by_latency(samples, rules)).collect();
    found.sort_by(|(_, _, a), (_, _, b)| b.total_cmp(a));
    let mut told: Vec<(usize, Cause)> = Vec::new();
    for (index, cause, _) in found {
        if !told.iter().any(|(other, _)| *other == index) {
            told.push((index, cause));
        }
    }
    told
}

/// Each with how bad it is: 1 is as bad as can be.
type Found = Vec<(usize, Cause, f64)>;

fn by_success(samples: &[Sample], rules: &Outliers) -> Found {
    let rate = |sample: &Sample| {
        let all = sample.succeeded + sample.failed;
        (all >= rules.minimum_requests.max(1)).then(|| sample.succeeded as f64 / all as f64)
    };
    let rates = compared(samples.iter().map(rate));
    if rules.success_gap == 0 || rates.len() < rules.minimum_hosts.max(2) {
        return Vec::new();
    }
    let usual = median(rates.iter().map(|(_, rate)| *rate));
    let gap = f64::from(rules.success_gap) / 100.0;
    let percent = |rate: f64| (rate * 100.0) as u8;
    let bad = rates.into_iter().filter(|(_, rate)| *rate <= usual - gap);
    bad.map(|(index, rate)| {
        (index, Cause::SuccessRate { percent: percent(rate), others: percent(usual) }, 1.0 - rate)
    })
    .collect()
}

fn by_latency(samples: &[Sample], rules: &Outliers) -> Found {
    let median_of = |sample: &Sample| {
        (sample.waits.count() >= rules.minimum_requests.max(1)).then(|| sample.waits.median().as_secs_f64())
    };
    let waits = compared(samples.iter().map(median_of));
    if rules.latency_factor == 0 || waits.len() < rules.minimum_hosts.max(2) {
        return Vec::new();
    }
    let usual = median(waits.iter().map(|(_, wait)| *wait));
    let most = (usual * f64::from(rules.latency_factor)).max(usual + NOISE.as_secs_f64());
    let bad = waits.into_iter().filter(|(_, wait)| *wait > most);
    bad.map(|(index, wait)| {
        let [median, others] = [wait, usual].map(Duration::from_secs_f64);
        // Slow is better than failing.
        (index, Cause::Latency { median, others }, 0.5 * (1.0 - usual / wait))
    })
    .collect()
}

fn compared(values: impl Iterator<Item = Option<f64>>) -> Vec<(usize, f64)> {
    values.enumerate().filter_map(|(index, value)| Some((index, value?))).collect()
}

/// The lower of the two in the middle, where there are two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len().saturating_sub(1) / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(succeeded: u64, failed: u64, wait: Duration) -> Sample {
        let waits = Waits::default();
        (0..succeeded).for_each(|_| waits.add(wait.as_nanos() as u64));
        Sample { succeeded, failed, waits }
    }

    fn words(samples: &[Sample]) -> Vec<(usize, &'static str)> {
        let judged = judge(samples, &Outliers::default());
        judged.into_iter().map(|(index, cause)| (index, cause.word())).collect()
    }

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn one_of_three_that_fails_is_found_and_two_of_three_are_not() {
        let [good, bad] = [sample(100, 0, MS), sample(60, 40, MS)];
        assert_eq!(words(&[good.clone(), bad.clone(), good.clone()]), [(1, "SUCCESS_RATE")]);
        assert_eq!(words(&[bad.clone(), bad, good]), []);
    }

    #[test]
    fn two_of_five_do_not_hide_each_other_and_the_worst_comes_first() {
        let good = sample(100, 0, MS);
        let samples = [good.clone(), sample(50, 50, MS), good.clone(), sample(0, 100, MS), good];
        assert_eq!(words(&samples), [(3, "SUCCESS_RATE"), (1, "SUCCESS_RATE")]);
    }

    #[test]
    fn fifty_times_slower_is_found_and_noise_is_not() {
        let slow = [sample(50, 0, MS), sample(50, 0, 50 * MS), sample(50, 0, MS)];
        assert_eq!(words(&slow), [(1, "LATENCY")]);
        let noise = [sample(50, 0, MS / 10), sample(50, 0, 3 * MS), sample(50, 0, MS / 10)];
        assert_eq!(words(&noise), []);
    }

    #[test]
    fn few_calls_or_few_hosts_tell_nothing() {
        let (good, bad) = (sample(100, 0, MS), sample(0, 100, MS));
        assert_eq!(words(&[good.clone(), bad.clone()]), []);
        assert_eq!(words(&[good.clone(), sample(0, 19, MS), good]), []);
    }

    proptest! {
        #[test]
        fn never_most_of_them_for_one_cause(
            hosts in proptest::collection::vec((0..200u64, 0..200u64, 1..5000u64), 0..12),
        ) {
            let samples: Vec<_> =
                hosts.iter().map(|(good, bad, ms)| sample(*good, *bad, *ms as u32 * MS)).collect();
            let judged = judge(&samples, &Outliers::default());
            for word in ["SUCCESS_RATE", "LATENCY"] {
                let hit = judged.iter().filter(|(_, cause)| cause.word() == word).count();
                prop_assert!(hit * 2 <= samples.len(), "{hit} of {} for {word}", samples.len());
            }
            let mut seen: Vec<_> = judged.iter().map(|(index, _)| *index).collect();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), judged.len());
        }
    }
}
