//! Folds what probes saw and what leases say into one honest answer for producers, versions, capabilities, platforms
//! and the federation.
//!
//! Owns: the rules of the fold, and the probes. Never: policy; who may see what is a question the caller of
//! [`PlatformStatus::seen_by`] answers.
//! Flow: probes write observations → [`fold`] → the newest [`Federation`] is what `api` shows.

mod federation;
mod fold;
mod rule;

pub use federation::{CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
pub use fold::{Sight, fold};

#[cfg(test)]
mod tests;
