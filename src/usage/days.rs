//! Calls by UTC day, and their sum.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// For how many days calls are remembered, today included.
pub const WINDOW: i32 = 30;

/// Days that are kept whatever the clock says; beyond them the oldest go.
const MOST: usize = 2 * WINDOW as usize;

const DAY_MS: i64 = 86_400_000;

/// Calls by day, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Day>")]
pub struct Days(Vec<Day>);

/// One day: its number since 1970, the first and last call in milliseconds of it, calls, failed calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Day(i32, u32, u32, u64, u64);

/// The sum over days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many calls.
    pub calls: u64,
    /// How many of them ended with another status than OK.
    pub failed: u64,
    /// When the first of them ended, in milliseconds.
    pub first: Timestamp,
    /// When the last of them ended, in milliseconds.
    pub last: Timestamp,
}

/// The day of an instant.
pub(super) fn day(time: Timestamp) -> i32 {
    i32::try_from(time.as_millisecond().div_euclid(DAY_MS)).unwrap_or(i32::MAX)
}

impl Days {
    /// Counts one call.
    pub fn count(&mut self, time: Timestamp, is_ok: bool) {
        let at = u32::try_from(time.as_millisecond().rem_euclid(DAY_MS)).unwrap_or(0);
        self.put(Day(day(time), at, at, 1, u64::from(!is_ok)));
    }

    /// Counts all calls of `other`.
    pub fn add(&mut self, other: &Days) {
        other.0.iter().for_each(|day| self.put(*day));
    }

    /// Whether no call was counted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sum; `None` without a call.
    pub fn tally(&self) -> Option<Tally> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let sum = |of: fn(&Day) -> u64| self.0.iter().map(of).fold(0, u64::saturating_add);
        Some(Tally {
            calls: sum(|day| day.3),
            failed: sum(|day| day.4),
            first: instant(first.0, first.1),
            last: instant(last.0, last.2),
        })
    }

    /// Forgets what is older than the 30 days that end with `today`. True if something was. Days ahead of today stay:
    /// it may be today that is wrong.
    pub(super) fn forget(&mut self, today: i32) -> bool {
        let before = self.0.len();
        self.0.retain(|day| day.0 > today.saturating_sub(WINDOW));
        self.0.len() < before
    }

    /// Whether there were calls on that day.
    pub(super) fn has(&self, day: i32) -> bool {
        self.0.binary_search_by_key(&day, |day| day.0).is_ok()
    }

    fn put(&mut self, new: Day) {
        match self.0.binary_search_by_key(&new.0, |day| day.0) {
            Ok(place) => {
                let Day(_, first, last, calls, failed) = &mut self.0[place];
                (*first, *last) = ((*first).min(new.1), (*last).max(new.2));
                (*calls, *failed) = (calls.saturating_add(new.3), failed.saturating_add(new.4));
            }
            Err(place) => {
                self.0.insert(place, new);
                if self.0.len() > MOST {
                    self.0.remove(0);
                }
            }
        }
    }
}

impl From<Vec<Day>> for Days {
    /// In order and each day once, whatever was stored.
    fn from(stored: Vec<Day>) -> Self {
        let mut days = Self::default();
        stored.into_iter().for_each(|day| days.put(day));
        days
    }
}

impl Tally {
    /// The sum of two.
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            calls: self.calls.saturating_add(other.calls),
            failed: self.failed.saturating_add(other.failed),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

fn instant(day: i32, ms: u32) -> Timestamp {
    Timestamp::from_millisecond(i64::from(day) * DAY_MS + i64::from(ms)).unwrap_or_default()
}
