//! The rule by which the conditions of parts become the condition of the whole: pure, with its truth table in a test.
//!
//! | parts                                        | whole       | reason                                        |
//! |----------------------------------------------|-------------|-----------------------------------------------|
//! | none                                         | UNKNOWN     | `NOTHING_OFFERED`                             |
//! | all SERVING                                  | SERVING     | `ALL_SERVING`                                 |
//! | some SERVING or DEGRADED, some NOT_SERVING   | DEGRADED    | `SOME_NOT_SERVING`                            |
//! | some SERVING or DEGRADED, some UNKNOWN       | DEGRADED    | `SOME_UNKNOWN`                                |
//! | only SERVING and DEGRADED, at least one such | DEGRADED    | the parts' own if all agree, `SOME_DEGRADED`  |
//! | only NOT_SERVING                             | NOT_SERVING | the parts' own if all agree, `NONE_SERVING`   |
//! | only NOT_SERVING and UNKNOWN                 | UNKNOWN     | the parts' own if all agree, `NOTHING_KNOWN`  |
//!
//! Freshness is the worst of the parts, the observed time the oldest. From best to worst the states are SERVING,
//! DEGRADED, UNKNOWN, NOT_SERVING: a part that gets worse never makes the whole better.

use crate::model::{Condition, Freshness, State};
use jiff::Timestamp;

/// The longest message of a part that is repeated in the whole, in characters.
const LONGEST_QUOTE: usize = 200;

/// A part of a whole: what it is called, and how it is.
pub(super) struct Part<'a> {
    pub(super) name: &'a dyn std::fmt::Display,
    pub(super) condition: &'a Condition,
}

/// Folds parts, in the order of their names. `serve` says what good parts do: "producers serve".
pub(super) fn fold<'a>(serve: &str, parts: impl Iterator<Item = Part<'a>>, now: Timestamp) -> Condition {
    let mut sum = Sum::default();
    for part in parts {
        sum.add(part);
    }
    sum.condition(serve, now)
}

/// The state with the same history as `previous`: it keeps its `since` while the state stays.
pub(super) fn continued(mut condition: Condition, previous: Option<&Condition>, now: Timestamp) -> Condition {
    if let Some(previous) = previous {
        condition.since = if previous.state == condition.state { previous.since } else { now };
    }
    condition
}

/// Whether a reader would care: everything but the time of the last look.
pub(super) fn says_the_same(a: &Condition, b: &Condition) -> bool {
    (a.state, a.reason, a.since, a.freshness) == (b.state, b.reason, b.since, b.freshness)
        && a.message == b.message
}

/// From best to worst: 0 to 3.
pub(super) fn badness(state: State) -> usize {
    match state {
        State::Serving => 0,
        State::Degraded => 1,
        State::Unknown => 2,
        State::NotServing => 3,
    }
}

#[derive(Default)]
struct Sum<'a> {
    count: [usize; 4],
    worst: Option<Part<'a>>,
    /// The reason that all parts in a worse state than SERVING share; `Some(None)` if they do not.
    reason: Option<Option<&'static str>>,
    since: Option<Timestamp>,
    observed: Option<Timestamp>,
    freshness: Option<Freshness>,
}

impl<'a> Sum<'a> {
    fn add(&mut self, part: Part<'a>) {
        let Condition { state, reason, since, observed, freshness, .. } = *part.condition;
        self.count[badness(state)] += 1;
        if state != State::Serving {
            self.reason = Some(match self.reason {
                None => Some(reason),
                Some(shared) => shared.filter(|shared| *shared == reason),
            });
        }
        self.since = self.since.max(Some(since));
        self.observed = Some(self.observed.map_or(observed, |oldest| oldest.min(observed)));
        self.freshness = self.freshness.max(Some(freshness));
        let worse = self.worst.as_ref().is_none_or(|worst| badness(worst.condition.state) < badness(state));
        if worse {
            self.worst = Some(part);
        }
    }

    fn condition(self, serve: &str, now: Timestamp) -> Condition {
        let [serving, degraded, unknown, not_serving] = self.count;
        let all: usize = self.count.iter().sum();
        let shared = |otherwise| self.reason.flatten().unwrap_or(otherwise);
        let (state, reason) = match (serving, degraded, unknown, not_serving) {
            _ if all == 0 => (State::Unknown, "NOTHING_OFFERED"),
            _ if serving == all => (State::Serving, "ALL_SERVING"),
            (0, 0, 0, _) => (State::NotServing, shared("NONE_SERVING")),
            (0, 0, _, _) => (State::Unknown, shared("NOTHING_KNOWN")),
            (_, _, 0, 0) => (State::Degraded, shared("SOME_DEGRADED")),
            (_, _, _, 0) => (State::Degraded, "SOME_UNKNOWN"),
            (_, _, _, _) => (State::Degraded, "SOME_NOT_SERVING"),
        };
        let message = match &self.worst {
            None => format!("no {serve}"),
            Some(_) if state == State::Serving => format!("{serving} of {all} {serve}"),
            Some(worst) => format!("{serving} of {all} {serve}; {}", worst.quote()),
        };
        Condition {
            state,
            reason,
            message,
            since: self.since.unwrap_or(now),
            observed: self.observed.unwrap_or(now),
            freshness: self.freshness.unwrap_or(Freshness::Live),
        }
    }
}

impl Part<'_> {
    /// What the worst producer said: folds of folds repeat their innermost cause, so that messages do not grow.
    fn quote(&self) -> String {
        let said = &self.condition.message;
        match said.split_once(" serve; ") {
            Some((_, cause)) => cause.to_owned(),
            None => {
                let said: String = said.chars().take(LONGEST_QUOTE).collect();
                format!("{}: {said}", self.name)
            }
        }
    }
}
