//! Who offers what: one immutable snapshot at a time, one Writer, many Readers.
//!
//! Owns: the rule who owns a service name, and the order in which routing prefers versions.
//! Never: I/O, leases, policy. A version's contract never changes while it stands here.
//! Flow: `federation` applies a [`Change`] → a new [`Snapshot`] is published → `relay`, `status` and watchers see it.

mod apply;
mod claim;
mod clash;
mod edit;
mod graph;
mod history;
mod log;
mod offering;
mod publish;
mod snapshot;
mod table;

pub use apply::{Change, Error};
pub use claim::{Claim, Claims, Rule};
pub use graph::{Edge, Graph, Node, Sight, Ways};
pub use log::{Delta, RETAINED, Since};
pub use offering::{Offering, Statement};
pub use publish::{Reader, Writer, catalog};
pub use snapshot::{CapabilityEntry, PlatformEntry, Snapshot};

#[cfg(test)]
mod tests;
