//! How something is, why, since when, and how old the knowledge is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Does its work.
    Serving,
    /// Does its work, with less than it should have.
    Degraded,
    /// Does not do its work.
    NotServing,
    /// Nobody knows.
    Unknown,
}

/// How far a federated value may be believed now. Ordered: the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// Confirmed in time.
    Live,
    /// Not confirmed in time; still routable.
    Stale,
    /// Its source cannot be reached.
    Partitioned,
    /// Too old: readable, not routable.
    Expired,
}

/// A state with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The state.
    pub state: State,
    /// Why, for programs: `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When it was last observed.
    pub observed: Timestamp,
    /// How far it may be believed now.
    pub freshness: Freshness,
}

impl Freshness {
    /// Whether calls may still go there.
    pub fn is_routable(self) -> bool {
        matches!(self, Freshness::Live | Freshness::Stale)
    }
}
