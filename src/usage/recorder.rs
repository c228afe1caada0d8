//! The write side, on the data path: one call in, one count, no waiting.

use super::Shared;
use crate::model::{Identity, VersionName};
use std::fmt;
use std::sync::Arc;

/// Counts calls. Clones count into the same book.
#[derive(Clone)]
pub struct Recorder {
    pub(super) shared: Arc<Shared>,
}

/// A call under way. However it ends, it is counted: as failed, unless it was said to have ended well.
#[derive(Debug)]
pub struct Call<'a> {
    recorder: &'a Recorder,
    version: &'a VersionName,
    consumer: &'a Identity,
    is_ok: bool,
}

impl Recorder {
    /// A call of `version` by `consumer` begins.
    pub fn begin<'a>(&'a self, version: &'a VersionName, consumer: &'a Identity) -> Call<'a> {
        Call { recorder: self, version, consumer, is_ok: false }
    }

    /// Counts a call that has ended now.
    pub fn record(&self, version: &VersionName, consumer: &Identity, is_ok: bool) {
        self.shared.pending.count(version, consumer, (self.shared.clock)(), is_ok);
    }
}

impl<'a> Call<'a> {
    /// It goes to this version, not to the one that was meant at first.
    pub fn goes_to(&mut self, version: &'a VersionName) {
        self.version = version;
    }

    /// It ended with status OK, or not.
    pub fn end(mut self, is_ok: bool) {
        self.is_ok = is_ok;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.recorder.record(self.version, self.consumer, self.is_ok);
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").finish_non_exhaustive()
    }
}
