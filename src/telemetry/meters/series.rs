//! What is counted of one method.

use super::super::histogram::{Durations, Sizes, Times};
use super::{Attempt, Outcome, Repeats};
use crate::model::service_config::Status;
use std::time::Duration;

/// The place of UNKNOWN, where whatever is no status is counted.
const UNKNOWN: usize = 2;

/// What is counted of one method. Statuses that nobody saw take no room.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) begun: u64,
    pub(super) calls: ByStatus,
    pub(super) attempts_begun: u64,
    pub(super) attempts: ByStatus,
    pub(super) messages_received: u64,
    pub(super) messages_sent: u64,
    pub(super) repeats: Option<Box<Repeated>>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct ByStatus([Option<Box<Ended>>; Status::COUNT]);

/// What is counted of those that ended with one status.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended {
    pub(super) durations: Durations,
    pub(super) sent: Sizes,
    pub(super) received: Sizes,
}

/// How often calls were sent again; those that were not are not in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeated {
    pub(super) retries: Times,
    pub(super) transparent: Times,
    pub(super) hedges: Times,
}

impl Series {
    pub(super) fn end(
        &mut self,
        outcome: &Outcome,
        attempts: impl IntoIterator<Item = Attempt>,
        repeats: Repeats,
    ) {
        let Outcome { status, duration, received, sent, messages_received, messages_sent } = *outcome;
        self.calls.take(status, duration, sent, received);
        self.messages_received += messages_received;
        self.messages_sent += messages_sent;
        for attempt in attempts {
            self.attempts_begun += 1;
            self.attempts.take(attempt.status, attempt.duration, attempt.sent, attempt.received);
        }
        if repeats != Repeats::default() {
            let repeated = self.repeats.get_or_insert_default();
            let places = [
                (&mut repeated.retries, repeats.retries),
                (&mut repeated.transparent, repeats.transparent),
                (&mut repeated.hedges, repeats.hedges),
            ];
            for (times, repeats) in places {
                if repeats > 0 {
                    times.take(repeats);
                }
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.begun += other.begun;
        self.calls.add(&other.calls);
        self.attempts_begun += other.attempts_begun;
        self.attempts.add(&other.attempts);
        self.messages_received += other.messages_received;
        self.messages_sent += other.messages_sent;
        if let Some(theirs) = &other.repeats {
            let mine = self.repeats.get_or_insert_default();
            mine.retries.add(&theirs.retries);
            mine.transparent.add(&theirs.transparent);
            mine.hedges.add(&theirs.hedges);
        }
    }
}

impl ByStatus {
    /// Every status that was seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = (u8, &Ended)> {
        (0..).zip(&self.0).filter_map(|(status, ended)| Some((status, ended.as_deref()?)))
    }

    fn take(&mut self, status: u8, duration: Duration, sent: u64, received: u64) {
        let place = Some(usize::from(status)).filter(|place| *place < Status::COUNT).unwrap_or(UNKNOWN);
        let ended = self.0[place].get_or_insert_default();
        ended.durations.take(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        ended.sent.take(sent);
        ended.received.take(received);
    }

    fn add(&mut self, other: &Self) {
        for (status, theirs) in other.seen() {
            let mine = self.0[usize::from(status)].get_or_insert_default();
            mine.durations.add(&theirs.durations);
            mine.sent.add(&theirs.sent);
            mine.received.add(&theirs.received);
        }
    }
}
