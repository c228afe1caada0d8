//! How many retries a version may have: a share of its calls and a few a second, counted by each worker for itself.
//!
//! Retries make an outage worse: when every call fails, at most every fifth is sent twice.

use crate::model::Version;
use crate::model::service_config::Throttling;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// Calls older than this allow no retry any more.
const WINDOW: Duration = Duration::from_secs(10);
/// Versions whose budget one worker keeps.
const KEPT: usize = 4096;

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// Retries for each call.
    pub share: f64,
    /// Retries a second that are always allowed.
    pub at_least: f64,
}

impl Default for Rates {
    fn default() -> Self {
        Self { share: 0.2, at_least: 3.0 }
    }
}

/// The budget of one version on one worker. To count a call costs one addition; the clock is read by retries only.
#[derive(Debug)]
pub(super) struct Budget {
    rates: Rates,
    /// Calls since `at`.
    calls: u32,
    /// Retries that calls before `at` still allow.
    shares: f64,
    /// Retries that time allows.
    spare: f64,
    at: Instant,
    throttle: Option<(Throttling, f64)>,
}

impl Budget {
    pub(super) fn new(rates: Rates, throttling: Option<Throttling>, now: Instant) -> Self {
        let throttle = throttling.map(|throttling| (throttling, throttling.max_tokens));
        Self { rates, calls: 0, shares: 0.0, spare: rates.at_least, at: now, throttle }
    }

    /// A call came.
    pub(super) fn called(&mut self) {
        self.calls = self.calls.saturating_add(1);
    }

    /// An attempt ended: well, or with what may be retried.
    pub(super) fn ended(&mut self, well: bool) {
        if let Some((throttling, tokens)) = &mut self.throttle {
            let change = if well { throttling.token_ratio } else { -1.0 };
            *tokens = (*tokens + change).clamp(0.0, throttling.max_tokens);
        }
    }

    /// Takes one retry, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let past = now.saturating_duration_since(self.at).as_secs_f64();
        let window = WINDOW.as_secs_f64();
        // As if the calls had come evenly.
        let fresh = f64::from(self.calls) * self.rates.share * (window / past.max(window));
        self.shares = self.shares * (1.0 - past / window).max(0.0) + fresh;
        self.spare = (self.spare + past * self.rates.at_least).min(self.rates.at_least);
        (self.calls, self.at) = (0, now);
        if self.throttle.as_ref().is_some_and(|(throttling, tokens)| *tokens <= throttling.max_tokens / 2.0) {
            return false;
        }
        for kind in [&mut self.spare, &mut self.shares] {
            if *kind >= 1.0 {
                *kind -= 1.0;
                return true;
            }
        }
        false
    }
}

/// The budgets of one worker thread.
#[derive(Default)]
struct Ledger {
    /// By the address of the version, which is nobody else's as long as the entry is there.
    places: HashMap<usize, Entry, BuildHasherDefault<Spread>>,
}

struct Entry {
    version: Weak<Version>,
    budget: Budget,
    /// Since the last time that room was made.
    is_used: bool,
}

/// Spreads addresses; nobody from outside chooses them.
#[derive(Default)]
struct Spread(u64);

thread_local! {
    static LEDGER: RefCell<Ledger> = RefCell::default();
}

/// A call of the version came.
pub(super) fn called(version: &Arc<Version>, rates: Rates) {
    on(version, rates, Budget::called);
}

/// An attempt ended: well, or with what may be retried.
pub(super) fn ended(version: &Arc<Version>, rates: Rates, well: bool) {
    on(version, rates, |budget| budget.ended(well));
}

/// Takes one retry of the version, if there is one.
pub(super) fn take(version: &Arc<Version>, rates: Rates) -> bool {
    on(version, rates, |budget| budget.take(Instant::now())).unwrap_or(false)
}

/// `None` while the thread ends.
fn on<T>(version: &Arc<Version>, rates: Rates, act: impl FnOnce(&mut Budget) -> T) -> Option<T> {
    let act = |ledger: &RefCell<Ledger>| Some(act(ledger.try_borrow_mut().ok()?.budget(version, rates)));
    LEDGER.try_with(act).ok().flatten()
}

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize((*byte).into()));
    }

    fn write_usize(&mut self, address: usize) {
        // Fibonacci hashing (Knuth, volume 3, 6.4).
        self.0 = (self.0 ^ address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Ledger {
    fn budget(&mut self, version: &Arc<Version>, rates: Rates) -> &mut Budget {
        let place = Arc::as_ptr(version).addr();
        if self.places.len() >= KEPT && !self.places.contains_key(&place) {
            self.make_room();
        }
        let entry = self.places.entry(place).or_insert_with(|| {
            let throttling = version.facts.service_config.as_ref().and_then(|config| config.throttling());
            let budget = Budget::new(rates, throttling, Instant::now());
            Entry { version: Arc::downgrade(version), budget, is_used: true }
        });
        entry.is_used = true;
        &mut entry.budget
    }

    /// Lets go of what is gone, or was not used since room was made the last time; of any, if all was.
    fn make_room(&mut self) {
        let is_kept =
            |entry: &mut Entry| std::mem::take(&mut entry.is_used) && entry.version.strong_count() > 0;
        self.places.retain(|_, entry| is_kept(entry));
        let mut nth = 0;
        if self.places.len() >= KEPT {
            self.places.retain(|_, _| {
                nth += 1;
                nth % 4 != 0
            });
        }
    }
}

#[cfg(test)]
mod tests;
