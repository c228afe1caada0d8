//! Peak-EWMA: what a call to an endpoint costs in time, quick to believe what is slow and slow to believe what is quick.
//!
//! After Finagle's `PeakEwma` and tower's `load::PeakEwma`: a longer time is taken as it is, a shorter one is mixed in by
//! the time since the last, and without samples the estimate fades, so that whoever was slow is tried again.
//! Differs in one thing: a sample raises the estimate at most [`STEEPEST`]-fold, because the calls of one version are not
//! all alike, and one answer that had nothing to say for a minute must not keep calls away for as long.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// One sample raises the estimate at most so many times.
const STEEPEST: f64 = 4.0;
/// Nobody is believed to be quicker, in nanoseconds: below this differences are noise.
const QUICKEST: f64 = 100_000.0;
/// The first sample may be as high as this, in nanoseconds.
const PLAUSIBLE: f64 = 10_000_000.0;
/// Later ones may always be as high as this, in nanoseconds.
const ALWAYS: f64 = 1_000_000.0;
/// A failure costs at least so much, in nanoseconds.
const PENALTY: f64 = 5_000_000.0;
/// No failure raises the estimate above this, in nanoseconds: it has to fade before the endpoint is tried again.
const LONGEST: f64 = 1_000_000_000.0;

/// The estimate of one endpoint at one worker. Written by that worker alone, read by all.
#[derive(Debug, Default)]
pub(super) struct Ewma {
    /// An `f64`, in nanoseconds; zero before the first sample.
    nanos: AtomicU64,
    /// When it was written, in nanoseconds of the worker's clock.
    written: AtomicU64,
}

impl Ewma {
    /// The estimate in nanoseconds as it has faded until `now`; `None` before the first sample.
    pub(super) fn at(&self, now: u64, decay: Duration) -> Option<f64> {
        let nanos = f64::from_bits(self.nanos.load(Relaxed));
        let rest = now.saturating_sub(self.written.load(Relaxed));
        (nanos > 0.0).then(|| (nanos * faded(rest, decay)).max(QUICKEST))
    }

    /// Takes in one sample.
    pub(super) fn observe(&self, sample: u64, now: u64, decay: Duration) {
        let before = f64::from_bits(self.nanos.load(Relaxed));
        let kept = faded(now.saturating_sub(self.written.load(Relaxed)), decay);
        let faded = before * kept;
        let most = if before > 0.0 { (faded * STEEPEST).max(ALWAYS) } else { PLAUSIBLE };
        let sample = (sample as f64).clamp(QUICKEST, most);
        let after = if sample >= faded { sample } else { sample * (1.0 - kept) + before * kept };
        self.put(after, now);
    }

    /// An attempt failed: it cost as much as a long wait, however quickly it failed. Without this whoever refuses at once
    /// would look like the quickest and draw all calls.
    pub(super) fn punish(&self, now: u64, decay: Duration) {
        let before = self.at(now, decay).unwrap_or_default();
        self.put((before * STEEPEST).clamp(PENALTY, LONGEST.max(before)), now);
    }

    fn put(&self, nanos: f64, now: u64) {
        self.nanos.store(nanos.to_bits(), Relaxed);
        self.written.store(now, Relaxed);
    }
}

/// What is left of an estimate after a rest: e^(-rest/decay), within a few per cent and without `exp`, which would be the
/// dearest part of a choice.
fn faded(rest: u64, decay: Duration) -> f64 {
    let x = rest as f64 / (decay.as_nanos() as f64).max(1.0);
    1.0 / (1.0 + x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x / 24.0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DECAY: Duration = Duration::from_secs(10);
    const MS: u64 = 1_000_000;

    #[test]
    fn a_slow_answer_counts_at_once_and_a_quick_one_by_and_by() {
        let ewma = Ewma::default();
        assert_eq!(ewma.at(0, DECAY), None);
        ewma.observe(MS, 0, DECAY);
        ewma.observe(4 * MS, 0, DECAY);
        assert_eq!(ewma.at(0, DECAY), Some(4.0 * MS as f64));
        ewma.observe(MS, MS, DECAY);
        assert!(ewma.at(MS, DECAY).unwrap() > 3.9 * MS as f64);
        ewma.observe(MS, 100 * DECAY.as_nanos() as u64, DECAY);
        assert!(ewma.at(100 * DECAY.as_nanos() as u64, DECAY).unwrap() < 1.1 * MS as f64);
    }

    #[test]
    fn one_long_silence_is_not_believed_whole_and_several_are() {
        let ewma = Ewma::default();
        ewma.observe(2 * MS, 0, DECAY);
        ewma.observe(60_000 * MS, 0, DECAY);
        assert_eq!(ewma.at(0, DECAY), Some(8.0 * MS as f64));
        (0..8).for_each(|_| ewma.observe(60_000 * MS, 0, DECAY));
        assert_eq!(ewma.at(0, DECAY), Some(60_000.0 * MS as f64));
    }

    #[test]
    fn who_fails_at_once_does_not_look_quick() {
        let ewma = Ewma::default();
        ewma.observe(2 * MS, 0, DECAY);
        ewma.punish(0, DECAY);
        assert_eq!(ewma.at(0, DECAY), Some(8.0 * MS as f64));
        (0..20).for_each(|_| ewma.punish(0, DECAY));
        assert_eq!(ewma.at(0, DECAY), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn it_stays_between_its_samples_and_fades(
            samples in proptest::collection::vec((1..200u64, 0..30u64), 1..50), rest in 0..100u64,
        ) {
            let (ewma, mut now) = (Ewma::default(), 0);
            for (sample, pause) in &samples {
                now += pause * 1000 * MS;
                ewma.observe(sample * MS, now, DECAY);
            }
            let most = samples.iter().map(|(sample, _)| sample * MS).max().unwrap() as f64;
            let at = ewma.at(now, DECAY).unwrap();
            prop_assert!((QUICKEST..=most.max(PLAUSIBLE)).contains(&at), "{at} of at most {most}");
            prop_assert!(ewma.at(now + rest * 1000 * MS, DECAY).unwrap() <= at);
        }

        #[test]
        fn fading_is_near_the_exponential(x in 0..4000u64) {
            let near = faded(x * MS * 10, DECAY);
            let exact = (-(x as f64) / 1000.0).exp();
            prop_assert!((near - exact).abs() < 0.02, "{near} {exact}");
        }
    }
}
