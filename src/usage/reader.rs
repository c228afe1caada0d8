//! The read side: who used what, as of now. Who may know is the caller's to decide.

use super::days::Tally;
use super::{Book, Shared};
use crate::model::{Identity, VersionName};
use std::fmt;
use std::sync::Arc;

/// Reads the book. Clones read the same.
#[derive(Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

/// What one consumer called of one version in the last 30 days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// What was called.
    pub version: VersionName,
    /// Who called.
    pub consumer: Identity,
    /// How often and when.
    pub tally: Tally,
}

/// Who called one version in the last 30 days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Used {
    /// Ordered by identity.
    pub consumers: Vec<Consumption>,
    /// Those who were too many to be told apart.
    pub other: Option<Tally>,
}

impl Reader {
    /// Who called a version.
    pub fn used(&self, version: &VersionName) -> Used {
        self.read(|book| book.used(version))
    }

    /// What one consumer called of a version; `None` if it did not.
    pub fn by(&self, version: &VersionName, consumer: &Identity) -> Option<Tally> {
        self.read(|book| book.days(version, consumer).and_then(|days| days.tally()))
    }

    /// At most `most` pairs behind `after`, of those versions that `admits` lets through; by version, then consumer.
    pub fn page(
        &self,
        admits: impl Fn(&VersionName) -> bool,
        after: Option<&(VersionName, Identity)>,
        most: usize,
    ) -> Vec<Consumption> {
        self.read(|book| book.page(admits, after, most))
    }

    /// Calls, by those who were too many to be told apart, of those versions that `admits` lets through.
    pub fn other_calls(&self, admits: impl Fn(&VersionName) -> bool) -> u64 {
        self.read(|book| book.other_calls(admits))
    }

    /// Calls of versions that were too many to be told apart.
    pub fn beyond(&self) -> u64 {
        self.read(Book::beyond)
    }

    /// Whether a version that `admits` lets through was called at all.
    pub fn knows(&self, admits: impl Fn(&VersionName) -> bool) -> bool {
        self.read(|book| book.knows(admits))
    }

    fn read<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.shared.folded())
    }
}

impl Used {
    /// The sum over all consumers; `None` without a call.
    pub fn total(&self) -> Option<Tally> {
        self.consumers.iter().map(|one| one.tally).chain(self.other).reduce(Tally::and)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
