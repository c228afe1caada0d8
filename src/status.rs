//! Folds what probes saw and what leases say into one honest answer for producers, versions, capabilities, platforms
//! and the federation.
//!
//! Owns: the rules of the fold, and the probes. Never: policy; who may see what is a question the caller of
//! [`PlatformStatus::seen_by`] answers.
//! Flow: the [`Prober`] notes what it sees → [`fold`] → the [`Board`] shows the newest [`Federation`] to `api`.

mod board;
mod clock;
mod dependency;
mod federation;
mod fold;
mod folding;
mod prober;
mod rule;

pub use board::{Board, Publisher, board};
pub use federation::{CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
pub use fold::fold;
pub use prober::{Prober, Settings};

#[cfg(test)]
mod tests;
