//! How long a certificate holds.

use jiff::{SignedDuration, Timestamp};

/// Certificates that live longer than five times this are renewed this long before their end.
const NOTICE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// All others: at this share of their life.
const SHARE: i32 = 5;

/// The first and the last instant at which a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
}

impl Validity {
    /// Whether it should have been renewed by now: less than a fifth of its life is left, and less than 30 days. One
    /// that lives for an hour is well until its last twelve minutes.
    pub fn is_ending(&self, now: Timestamp) -> bool {
        let life = self.not_after.duration_since(self.not_before);
        let left = self.not_after.duration_since(now);
        left < (life / SHARE).min(NOTICE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_life_ends_late_and_a_long_one_early() {
        let at = |hours: i64| Timestamp::from_second(hours * 3600).unwrap();
        let of = |hours| Validity { not_before: at(0), not_after: at(hours) };
        for (life, well, ending) in
            [(10, 8, 9), (24 * 50, 24 * 40, 24 * 40 + 1), (24 * 3650, 24 * 3620, 24 * 3620 + 1)]
        {
            assert!(!of(life).is_ending(at(well)), "{life} {well}");
            assert!(of(life).is_ending(at(ending)), "{life} {ending}");
        }
        assert!(of(1).is_ending(at(2)));
    }
}
