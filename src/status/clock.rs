//! Time for looks and folds: begins at the wall clock and then runs on the monotonic one, so that a jump of the wall
//! clock makes nothing stale.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// Begins now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    wall: Timestamp,
    begin: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { wall: Timestamp::now(), begin: Instant::now() }
    }

    pub(super) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.begin.elapsed()).unwrap_or(SignedDuration::MAX);
        self.wall.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}
