//! How often endpoints were left out, and attempts found no place at one, since the start.

use super::ejection::Cause;
use super::error::Busy;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const CAUSES: [&str; 4] = ["CONSECUTIVE_FAILURES", "RELAPSE", "SUCCESS_RATE", "LATENCY"];
const LIMITS: [&str; 4] = ["PENDING_TIMEOUT", "PENDING", "RETRIES", "CONNECTIONS"];

/// Counts for those who watch.
#[derive(Debug, Default)]
pub(super) struct Counts {
    ejected: [AtomicU64; CAUSES.len()],
    busy: [AtomicU64; LIMITS.len()],
}

impl Counts {
    /// An endpoint was left out.
    pub(super) fn eject(&self, cause: Cause) {
        if let Some(place) = CAUSES.iter().position(|word| *word == cause.word()) {
            self.ejected[place].fetch_add(1, Relaxed);
        }
    }

    /// An attempt, or a connection, found no place.
    pub(super) fn refuse(&self, busy: &Busy) {
        let place = match busy {
            Busy::Late(_) => 0,
            Busy::Queue(_) => 1,
            Busy::Retries(_) => 2,
            Busy::Connections(_) => 3,
        };
        self.busy[place].fetch_add(1, Relaxed);
    }

    /// How many were left out, by cause.
    pub(super) fn ejected(&self) -> [(&'static str, u64); CAUSES.len()] {
        std::array::from_fn(|place| (CAUSES[place], self.ejected[place].load(Relaxed)))
    }

    /// How many found no place, by limit.
    pub(super) fn busy(&self) -> [(&'static str, u64); LIMITS.len()] {
        std::array::from_fn(|place| (LIMITS[place], self.busy[place].load(Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_cause_and_every_limit_has_its_place() {
        let counts = Counts::default();
        let (median, others) = (Duration::ZERO, Duration::ZERO);
        let causes = [
            Cause::Failures(5),
            Cause::Relapse,
            Cause::SuccessRate { percent: 1, others: 2 },
            Cause::Latency { median, others },
        ];
        causes.into_iter().for_each(|cause| counts.eject(cause));
        let limits = [Busy::Late(Duration::ZERO), Busy::Queue(1), Busy::Retries(1), Busy::Connections(1)];
        limits.iter().for_each(|busy| counts.refuse(busy));
        assert_eq!(counts.ejected().map(|(_, count)| count), [1; 4]);
        assert_eq!(counts.busy().map(|(_, count)| count), [1; 4]);
    }
}
