//! How long answers were waited for: counts in steps of about 1.5, few enough to keep for each endpoint and worker.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

/// Two steps for each doubling, from 65 µs to about 70 s.
const STEPS: usize = 41;
const LOWEST: u32 = 16;

/// How long answers were waited for. Written by one worker, read by all.
#[derive(Debug)]
pub(super) struct Waits([AtomicU32; STEPS]);

impl Waits {
    pub(super) fn add(&self, nanos: u64) {
        let step = &self.0[step(nanos)];
        step.store(step.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Adds what another counted.
    pub(super) fn merge(&self, other: &Self) {
        for (mine, theirs) in self.0.iter().zip(&other.0) {
            mine.store(mine.load(Relaxed).wrapping_add(theirs.load(Relaxed)), Relaxed);
        }
    }

    /// What came since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let later = Self::default();
        for ((later, now), before) in later.0.iter().zip(&self.0).zip(&before.0) {
            later.store(now.load(Relaxed).wrapping_sub(before.load(Relaxed)), Relaxed);
        }
        later
    }

    pub(super) fn count(&self) -> u64 {
        self.0.iter().map(|step| u64::from(step.load(Relaxed))).sum()
    }

    /// What half of them waited at least, rounded down to a step.
    pub(super) fn median(&self) -> Duration {
        let middle = self.count().div_ceil(2).max(1);
        let mut sum = 0;
        for (nth, step) in self.0.iter().enumerate() {
            sum += u64::from(step.load(Relaxed));
            if sum >= middle {
                return Duration::from_nanos(floor(nth));
            }
        }
        Duration::ZERO
    }
}

fn step(nanos: u64) -> usize {
    let octave = nanos.max(1).ilog2();
    if octave < LOWEST {
        return 0;
    }
    let half = (nanos >> (octave - 1)) & 1;
    (2 * (octave - LOWEST) as usize + half as usize).min(STEPS - 1)
}

/// The shortest wait of a step, in nanoseconds.
fn floor(step: usize) -> u64 {
    let octave = 1u64 << (LOWEST as usize + step / 2);
    octave + if step % 2 == 1 { octave / 2 } else { 0 }
}

impl Default for Waits {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU32::new(0)))
    }
}

impl Clone for Waits {
    fn clone(&self) -> Self {
        let copy = Self::default();
        copy.merge(self);
        copy
    }
}

impl PartialEq for Waits {
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a.load(Relaxed) == b.load(Relaxed))
    }
}

impl Eq for Waits {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_within_its_step() {
        for millis in [1, 3, 10, 50, 1000, 60_000] {
            let (waits, wait) = (Waits::default(), Duration::from_millis(millis));
            (0..9).for_each(|_| waits.add(wait.as_nanos() as u64));
            waits.add(0);
            waits.add(u64::MAX);
            let median = waits.median();
            assert!(median <= wait && wait < median.mul_f64(1.51), "{wait:?} {median:?}");
        }
        assert_eq!(Waits::default().median(), Duration::ZERO);
    }

    #[test]
    fn what_came_later_is_told_apart() {
        let waits = Waits::default();
        waits.add(1_000_000);
        let before = waits.clone();
        waits.add(50_000_000);
        waits.add(50_000_000);
        let later = waits.since(&before);
        assert_eq!(later.count(), 2);
        assert!(later.median() > Duration::from_millis(30));
    }
}
