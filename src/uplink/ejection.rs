//! An endpoint that is left out for a time, and why.

use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// An endpoint that is left out for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub since: Timestamp,
    /// For how long.
    pub lasts: Duration,
}

/// Why an endpoint is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// It failed so many times in a row.
    Failures(u32),
    /// It came back from an ejection and failed among its first calls.
    Relapse,
    /// It fails more than the others.
    SuccessRate {
        /// What succeeds there, in per cent.
        percent: u8,
        /// What succeeds at the others: their median, in per cent.
        others: u8,
    },
    /// It is slower than the others.
    Latency {
        /// What half of its calls wait at least.
        median: Duration,
        /// The same of the others.
        others: Duration,
    },
}

impl Cause {
    /// The cause for programs: `UPPER_SNAKE_CASE`, as in a condition and in metrics.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Failures(_) => "CONSECUTIVE_FAILURES",
            Cause::Relapse => "RELAPSE",
            Cause::SuccessRate { .. } => "SUCCESS_RATE",
            Cause::Latency { .. } => "LATENCY",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Failures(failures) => write!(f, "{failures} calls in a row failed"),
            Cause::Relapse => f.write_str("it came back and failed again"),
            Cause::SuccessRate { percent, others } => {
                write!(f, "{percent} % of its calls succeed, {others} % at the others")
            }
            Cause::Latency { median, others } => {
                write!(f, "half of its calls wait {median:.0?}, {others:.0?} at the others")
            }
        }
    }
}

impl fmt::Display for Ejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; left out for {:.0?} since {:.0}", self.cause, self.lasts, self.since)
    }
}
