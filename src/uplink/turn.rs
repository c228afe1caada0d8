//! One attempt under way at an endpoint: counted while it lasts, and judged at its end.

use super::meter::Meter;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A consumer's own clock may be ahead by so much when it gives up.
const EARLY: Duration = Duration::from_millis(20);

/// One attempt under way at an endpoint. Dropped without a verdict it was cancelled, and is judged neither way, or its
/// time was over.
#[derive(Debug)]
pub struct Turn {
    meter: Arc<Meter>,
    began: u64,
    is_answered: bool,
    is_retry: bool,
    /// Until when an answer is waited for.
    deadline: Option<Instant>,
    is_judged: bool,
}

/// How an attempt ended, as far as it tells of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The application answered, whatever it said but UNAVAILABLE.
    Answered,
    /// The application, or a proxy before it, said UNAVAILABLE.
    Unavailable,
    /// Reset, refused, or the connection was gone.
    Lost,
    /// The deadline passed. It counts only if the answer had not begun, no other call there was answered meanwhile, and it
    /// was at least a second.
    TimedOut,
}

/// How loaded an endpoint says it is (ORCA, `xds.data.orca.v3.OrcaLoadReport`; gRFC A51).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// `application_utilization`: what the application itself takes for its load; 0 if it does not say.
    pub application: f64,
    /// `cpu_utilization`: 0 to 1, above if it borrows; 0 if it does not say.
    pub cpu: f64,
    /// `mem_utilization`, 0 to 1; told, and not used for balance.
    pub memory: f64,
    /// `rps_fractional`: requests a second there.
    pub requests: f64,
    /// `eps`: errors a second there.
    pub errors: f64,
}

impl Turn {
    pub(super) fn begin(meter: Arc<Meter>, is_retry: bool, now: Instant) -> Self {
        let began = meter.at(now);
        meter.begin(began, is_retry);
        Self { meter, began, is_answered: false, is_retry, deadline: None, is_judged: false }
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// What was waited for until now was not the endpoint's answer.
    pub(super) fn begins_now(&mut self) {
        self.began = self.meter.now();
    }

    /// The head of the answer has come: how long it took is one sample of the endpoint's latency.
    pub fn answered(&mut self) {
        self.answered_at(Instant::now());
    }

    /// The same, a moment ago.
    pub fn answered_at(&mut self, moment: Instant) {
        if !std::mem::replace(&mut self.is_answered, true) {
            self.meter.answered(self.began, self.meter.at(moment));
        }
    }

    /// The endpoint told how loaded it is.
    pub fn load(&self, load: &Load) {
        self.meter.reports(load, self.meter.now());
    }

    /// Nobody waits longer than this for the whole answer.
    pub fn until(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The attempt is over.
    pub fn end(mut self, verdict: Verdict) {
        self.is_judged = true;
        self.meter.judge(verdict, self.began, self.is_answered, self.meter.now());
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let is_late = |deadline: Instant| Instant::now() + EARLY >= deadline;
        if !self.is_judged && self.deadline.is_some_and(is_late) {
            self.meter.judge(Verdict::TimedOut, self.began, self.is_answered, self.meter.now());
        }
        if !self.is_answered {
            self.meter.heard();
        }
        self.meter.over(self.is_retry);
    }
}

impl Load {
    /// The share of it that is used, as gRFC A58 reads a report: the application's own word before the processor's.
    pub(super) fn share(&self) -> f32 {
        let said = if self.application > 0.0 { self.application } else { self.cpu };
        if said.is_finite() { said.clamp(0.0, 1.0) as f32 } else { 0.0 }
    }
}
