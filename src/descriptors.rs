//! What contracts say: screened descriptor sets, content-addressed, and who answers for which name.
//!
//! Owns: which bytes from strangers are sound, and under which file name each reader finds them.
//! Never: builds a descriptor pool, decides who may see what, does I/O.
//! Flow: a registration's bytes → [`Set::screen`] → [`Writer::put`] → a [`Snapshot`] that reflection reads.

mod compat;
mod fault;
mod ground;
mod header;
mod index;
mod json;
mod naming;
mod outline;
mod rank;
mod raw;
mod reach;
mod screen;
mod set;
mod table;
mod view;
mod well_known;

pub use crate::model::ServiceName;
pub use compat::{Break, Contract, breaks, check_schema, difference, is_beside};
pub use fault::{Error, Fault, Limits, SchemaError, Warning};
pub use index::{Reader, Snapshot, Writer, index};
pub use rank::{Seen, Sight};
pub use set::{Method, Set, contract_digest};
pub use view::View;

#[cfg(test)]
pub(crate) mod tests;
