//! The way that a record came, beside its signed bytes: every broker adds itself.

use super::BrokerId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest path that is read at all; peerings set lower limits.
pub const LONGEST_PATH: usize = 16;

/// The brokers that a record passed: its origin first, the one that handed it over last.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(Vec<BrokerId>);

/// How a record came to us. Not signed: each broker on the way wrote its part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Travel {
    /// The brokers that it passed; empty for our own.
    pub path: Path,
    /// The broker that first sent it down to a customer, or across to a peer: from there on it goes only to customers
    /// (Only to Customer, RFC 9234 §5).
    pub only_to_customers: Option<BrokerId>,
}

impl Path {
    /// The path over these brokers, the origin first.
    pub fn new(brokers: impl IntoIterator<Item = BrokerId>) -> Self {
        Self(brokers.into_iter().collect())
    }

    /// The path with one more broker at its end.
    pub fn then(&self, broker: &BrokerId) -> Self {
        Self(self.0.iter().chain([broker]).cloned().collect())
    }

    /// The brokers, the origin first.
    pub fn brokers(&self) -> &[BrokerId] {
        &self.0
    }

    /// How many sessions it crossed to be here.
    pub fn hops(&self) -> usize {
        self.0.len()
    }

    /// Whether it passed this broker.
    pub fn passed(&self, broker: &BrokerId) -> bool {
        self.0.contains(broker)
    }

    /// Whether it passed a broker twice.
    pub fn repeats(&self) -> bool {
        self.0.iter().enumerate().any(|(n, broker)| self.0[..n].contains(broker))
    }
}

impl Travel {
    /// The way of what we wrote ourselves.
    pub fn own() -> Self {
        Self::default()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arrow = "";
        for broker in &self.0 {
            write!(f, "{arrow}{broker}")?;
            arrow = " > ";
        }
        Ok(())
    }
}
