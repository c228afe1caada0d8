//! What contracts say: screened descriptor sets, content-addressed, and who answers for which name.
//!
//! Owns: which bytes from strangers are sound, and under which file name each reader finds them.
//! Never: builds a descriptor pool, decides who may see what, does I/O.
//! Flow: a registration's bytes → [`Set::screen`] → [`Writer::put`] → a [`Snapshot`] that reflection reads.

mod fault;
mod index;
mod outline;
mod raw;
mod reach;
mod screen;
mod set;
mod table;
mod well_known;

pub use fault::{Error, Fault, Limits, Warning};
pub use index::{Reader, Snapshot, Writer, index};
pub use set::{Method, Set, contract_digest};

#[cfg(test)]
mod tests;
