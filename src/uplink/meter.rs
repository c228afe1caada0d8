//! What one worker counts of one endpoint. Written by that worker alone, so that counting costs no core another's cache.

use super::ewma::Ewma;
use super::peer::Peer;
use super::turn::{Load, Verdict};
use super::waits::Waits;
use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use tokio::time::Instant;

/// A load report is believed for as long, in nanoseconds.
const LOAD_BELIEVED: u64 = 30_000_000_000;

/// The silence after which even an endpoint that never answered counts as slow, in nanoseconds.
const UNSURE: u64 = 100_000_000;
/// A deadline that passed sooner, in nanoseconds, says more of the caller than of the endpoint: whoever is in a hurry must
/// not be able to have producers ejected for others.
const PATIENCE: u64 = 1_000_000_000;

/// What one worker counts of one endpoint.
#[derive(Debug)]
pub struct Meter {
    peer: Arc<Peer>,
    in_flight: AtomicU32,
    retries: AtomicU32,
    unanswered: AtomicU32,
    /// When something was last heard of those that are unanswered, or when the first of them began.
    progress: AtomicU64,
    time: Ewma,
    /// Failures in a row.
    streak: AtomicU32,
    /// How loaded it says it is, an `f32`, and since when.
    load: AtomicU32,
    loaded: AtomicU64,
    counts: Counts,
    waits: Waits,
}

/// What has happened since the worker knows the endpoint; only ever grows.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU64,
    answered: AtomicU64,
    succeeded: AtomicU64,
    failed: AtomicU64,
    nanos: AtomicU64,
}

/// What has happened at an endpoint, as numbers to be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Attempts that began.
    pub begun: u64,
    /// Attempts whose answer began.
    pub answered: u64,
    /// Attempts that the application answered to the end.
    pub succeeded: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Time until the answers began, all together, in nanoseconds.
    pub nanos: u64,
}

impl Meter {
    pub(super) fn new(peer: Arc<Peer>) -> Self {
        Self {
            peer,
            in_flight: AtomicU32::new(0),
            retries: AtomicU32::new(0),
            unanswered: AtomicU32::new(0),
            progress: AtomicU64::new(0),
            time: Ewma::default(),
            streak: AtomicU32::new(0),
            load: AtomicU32::new(0),
            loaded: AtomicU64::new(0),
            counts: Counts::default(),
            waits: Waits::default(),
        }
    }

    /// What all workers know together of the endpoint.
    pub fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Attempts under way there, from this worker.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed) as usize
    }

    /// Attempts under way there from this worker that repeat another.
    pub fn retries(&self) -> usize {
        self.retries.load(Relaxed) as usize
    }

    /// How long a call there waits for its answer, in nanoseconds, as far as is known; `None` before the first.
    ///
    /// One that holds calls and says nothing takes at least as long as it has been silent: a hung endpoint is left alone
    /// long before its first call has failed.
    pub fn time(&self, now: u64) -> Option<f64> {
        let time = self.time.at(now, self.peer.rules().balance.decay);
        let silent = match self.unanswered.load(Relaxed) {
            0 => 0,
            _ => now.saturating_sub(self.progress.load(Relaxed)),
        };
        match time {
            Some(time) => Some(time.max(silent as f64)),
            None => (silent > UNSURE).then_some(silent as f64),
        }
    }

    /// How crowded the endpoint is: calls under way from this worker, more if it says that it is loaded.
    pub fn crowd(&self, now: u64) -> f64 {
        let calls = f64::from(self.in_flight.load(Relaxed));
        let load = f32::from_bits(self.load.load(Relaxed));
        if load > 0.0 && now.saturating_sub(self.loaded.load(Relaxed)) < LOAD_BELIEVED {
            // As the wait in a queue grows with the use of its server (M/M/1), up to twenty-fold.
            return (calls + 1.0) / f64::from(1.0 - load.min(0.95)) - 1.0;
        }
        calls
    }

    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        let Counts { begun, answered, succeeded, failed, nanos } = &self.counts;
        Tally {
            begun: begun.load(Relaxed),
            answered: answered.load(Relaxed),
            succeeded: succeeded.load(Relaxed),
            failed: failed.load(Relaxed),
            nanos: nanos.load(Relaxed),
        }
    }

    /// Whether it carries as much as it may, as far as this worker knows without asking the others.
    pub fn is_full(&self) -> bool {
        let gate = &self.peer.gate;
        gate.waiting() > 0 || !gate.has_place(self)
    }

    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Nanoseconds of the clock that all estimates are kept in.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    pub(super) fn at(&self, moment: Instant) -> u64 {
        self.peer.nanos(moment)
    }

    pub(super) fn begin(&self, now: u64, is_retry: bool) {
        self.in_flight.fetch_add(1, Relaxed);
        if is_retry {
            self.retries.fetch_add(1, Relaxed);
        }
        if self.unanswered.fetch_add(1, Relaxed) == 0 {
            self.progress.store(now, Relaxed);
        }
        add(&self.counts.begun, 1);
    }

    /// The answer began, or nobody waits for it any more.
    pub(super) fn heard(&self) {
        self.unanswered.fetch_sub(1, Relaxed);
    }

    pub(super) fn answered(&self, began: u64, now: u64) {
        self.heard();
        let waited = now.saturating_sub(began);
        self.progress.store(now, Relaxed);
        self.time.observe(waited, now, self.peer.rules().balance.decay);
        self.waits.add(waited);
        add(&self.counts.answered, 1);
        add(&self.counts.nanos, waited);
    }

    pub(super) fn reports(&self, load: &Load, now: u64) {
        self.load.store(load.share().to_bits(), Relaxed);
        self.loaded.store(now, Relaxed);
    }

    /// An attempt that began at `began` is over; `is_answered` says whether its answer had begun.
    pub(super) fn judge(&self, verdict: Verdict, began: u64, is_answered: bool, now: u64) {
        if verdict == Verdict::Answered {
            self.streak.store(0, Relaxed);
            add(&self.counts.succeeded, 1);
            return self.peer.well();
        }
        let waited = now.saturating_sub(began);
        if verdict == Verdict::TimedOut {
            // A long answer that was cut tells nothing, and neither does a slow call where others were answered meanwhile.
            if waited < PATIENCE || is_answered || self.progress.load(Relaxed) > began {
                return;
            }
            self.waits.add(waited);
        }
        self.time.punish(now, self.peer.rules().balance.decay);
        add(&self.counts.failed, 1);
        let streak = self.streak.load(Relaxed).saturating_add(1);
        self.streak.store(streak, Relaxed);
        self.peer.failed(streak, began, now);
    }

    pub(super) fn over(&self, is_retry: bool) {
        // Before the look at who waits, in this order for all threads: whoever waits looks the other way round.
        self.in_flight.fetch_sub(1, SeqCst);
        if is_retry {
            self.retries.fetch_sub(1, Relaxed);
        }
        self.peer.gate.free();
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            begun: self.begun + other.begun,
            answered: self.answered + other.answered,
            succeeded: self.succeeded + other.succeeded,
            failed: self.failed + other.failed,
            nanos: self.nanos + other.nanos,
        }
    }
}

/// Without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, more: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
}
