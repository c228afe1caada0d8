//! How failed dials are remembered, and how long the next one waits.

use crate::uplink::{Error, Settings};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// Dials have failed, and none has succeeded since.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) since: Timestamp,
    pub(super) attempts: u32,
    pub(super) retry: Instant,
    pub(super) last: Error,
}

impl Failure {
    pub(super) fn backing_off(&self, now: Instant) -> Error {
        Error::BackingOff { since: self.since, left: self.retry - now, last: Box::new(self.last.clone()) }
    }
}

/// Doubles with each failure up to the longest, and is then cut by up to a half, so that workers do not dial in step.
pub(super) fn pause(attempts: u32, settings: &Settings) -> Duration {
    let doubled = settings.min_backoff.saturating_mul(1 << attempts.saturating_sub(1).min(20));
    doubled.min(settings.max_backoff).mul_f64(0.5 + fastrand::f64() / 2.0)
}
