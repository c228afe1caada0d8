//! What does not fit together: claims that were refused, manifests that are not what runs.

use super::{PlatformName, ProducerName, Source};
use jiff::Timestamp;

/// A declaration that clashes with what stands, and lost. It harms nothing, and people can read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// What is claimed: a version, or a producer, by resource name.
    pub subject: String,
    /// What kind of clash it is.
    pub kind: ClashKind,
    /// Whose it is.
    pub platform: PlatformName,
    /// Through which source the loser came.
    pub source: Source,
    /// For which producer it was claimed; `None` if for none. It declares its whole set each time, so that its next
    /// fitting word ends all of its clashes.
    pub producer: Option<ProducerName>,
    /// Who says so: an identity, or the file and line of a manifest.
    pub origin: String,
    /// What it claims: a contract's digest.
    pub claim: String,
    /// What stands instead, and what to do; for people.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

/// What kind of clash it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClashKind {
    /// Another contract under a version that has one.
    Contract,
    /// A producer that another source declares already.
    Producer,
}

/// A declaration that is not what runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Whose; `None` if the file does not even say.
    pub platform: Option<PlatformName>,
    /// Through which source it was declared.
    pub source: Source,
    /// The resource or file it is about.
    pub subject: String,
    /// Where it stands: `payments/ledger.yaml:12`.
    pub origin: String,
    /// Why, for programs: `UPPER_SNAKE_CASE`.
    pub reason: &'static str,
    /// Why, for people, and what to do.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}
