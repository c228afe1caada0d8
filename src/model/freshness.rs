//! How far a federated value may be believed: what makes it LIVE, and what ends that.

use super::Freshness;
use std::time::Duration;

/// When knowledge grows old. Ages are measured on the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// How often an origin of knowledge says how far it is.
    pub interval: Duration,
    /// How long knowledge may still be used after its source was last heard.
    pub tolerated: Duration,
}

/// What is known of the source of some knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Since the last progress mark that confirmed the knowledge; `None` if no mark of this session did.
    pub since_mark: Option<Duration>,
    /// Since anything last confirmed it, in this session or before; `None` if nothing ever did that is remembered.
    pub since_ever: Option<Duration>,
    /// Whether a session to the source is up. Nothing that a transport says counts as proof of life.
    pub is_connected: bool,
}

impl Default for Ageing {
    /// Marks each two seconds; ten minutes without any end the use.
    fn default() -> Self {
        Self { interval: Duration::from_secs(2), tolerated: Duration::from_secs(600) }
    }
}

impl Ageing {
    /// How many intervals a mark stays new.
    const NEW: u32 = 3;

    /// How old a mark may be for LIVE.
    pub fn live_within(&self) -> Duration {
        self.interval.saturating_mul(Self::NEW)
    }

    /// How far knowledge may be believed that one source gave.
    ///
    /// LIVE takes a mark newer than three intervals, and a session. A session that says nothing is STALE, no session is
    /// PARTITIONED, and beyond the tolerated time both are EXPIRED: routing stops, reading goes on.
    pub fn freshness(&self, heard: &Heard) -> Freshness {
        let within = |age: Option<Duration>, limit: Duration| age.is_some_and(|age| age < limit);
        if heard.is_connected && within(heard.since_mark, self.live_within()) {
            return Freshness::Live;
        }
        let last = [heard.since_mark, heard.since_ever].into_iter().flatten().min();
        match last {
            Some(age) if age >= self.tolerated => Freshness::Expired,
            _ if heard.is_connected => Freshness::Stale,
            // Known from the disk, and nobody said yet how old it is: the session will.
            None => Freshness::Stale,
            Some(_) => Freshness::Partitioned,
        }
    }
}

impl Freshness {
    /// The worst of a path: what one broker on it cannot confirm is not confirmed. Nothing at all is LIVE.
    pub fn worst(parts: impl IntoIterator<Item = Freshness>) -> Freshness {
        parts.into_iter().max().unwrap_or(Freshness::Live)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heard(mark: Option<u64>, ever: Option<u64>, is_connected: bool) -> Heard {
        let millis = |n: Option<u64>| n.map(Duration::from_millis);
        Heard { since_mark: millis(mark), since_ever: millis(ever), is_connected }
    }

    #[test]
    fn the_table() {
        use Freshness::{Expired, Live, Partitioned, Stale};
        let ageing = Ageing::default();
        for (mark, ever, connected, expected) in [
            (Some(5_999), None, true, Live),
            (Some(6_000), None, true, Stale),
            (Some(0), None, false, Partitioned),
            (Some(599_999), None, true, Stale),
            (Some(600_000), None, true, Expired),
            (Some(600_000), Some(1), true, Stale),
            (None, Some(600_000), false, Expired),
            (None, Some(1), true, Stale),
            (None, None, false, Stale),
            (None, None, true, Stale),
        ] {
            assert_eq!(
                ageing.freshness(&heard(mark, ever, connected)),
                expected,
                "{mark:?} {ever:?} {connected}"
            );
        }
    }

    #[test]
    fn a_path_is_as_fresh_as_its_worst_part() {
        use Freshness::{Expired, Live, Partitioned, Stale};
        assert_eq!(Freshness::worst([]), Live);
        assert_eq!(Freshness::worst([Live, Stale]), Stale);
        assert_eq!(Freshness::worst([Partitioned, Live, Stale]), Partitioned);
        assert_eq!(Freshness::worst([Partitioned, Expired]), Expired);
    }

    proptest! {
        /// Silence never makes knowledge better, and LIVE takes both a session and a new mark.
        #[test]
        fn silence_makes_nothing_fresher(
            mark in proptest::option::of(0..1_000_000u64), ever in proptest::option::of(0..1_000_000u64),
            more in 0..1_000_000u64, connected: bool,
        ) {
            let ageing = Ageing::default();
            let before = ageing.freshness(&heard(mark, ever, connected));
            let later = heard(mark.map(|n| n + more), ever.map(|n| n + more), connected);
            prop_assert!(ageing.freshness(&later) >= before);
            if before == Freshness::Live {
                prop_assert!(connected && mark.is_some_and(|mark| mark < 6_000));
                prop_assert!(ageing.freshness(&heard(mark, ever, false)) > Freshness::Live);
            }
        }
    }
}
