//! One write handle that cannot be cloned, and any number of cheap readers.

use super::{Change, Error, Snapshot};
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;
use uuid::Uuid;

/// The only handle that changes the catalogue.
#[derive(Debug)]
pub struct Writer {
    current: Arc<ArcSwap<Snapshot>>,
    revision: watch::Sender<u64>,
}

/// Reads the catalogue without waiting.
#[derive(Debug, Clone)]
pub struct Reader {
    current: Arc<ArcSwap<Snapshot>>,
    revision: watch::Receiver<u64>,
    epoch: u64,
}

/// An empty catalogue.
pub fn catalog() -> (Writer, Reader) {
    let current = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (sender, receiver) = watch::channel(0);
    // Revisions begin anew with each catalogue. Chance tells catalogues apart where a clock or a disk could repeat itself.
    let epoch = Uuid::new_v4().as_u64_pair().0;
    (Writer { current: current.clone(), revision: sender }, Reader { current, revision: receiver, epoch })
}

impl Writer {
    /// Makes one change and publishes the outcome.
    pub fn apply(&mut self, change: Change) -> Result<Arc<Snapshot>, Error> {
        self.apply_all([change])
    }

    /// Makes several changes and publishes their outcome at once; at the first refusal nothing is published.
    pub fn apply_all(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<Arc<Snapshot>, Error> {
        let mut next = Snapshot::clone(&self.current.load());
        for change in changes {
            next = next.apply(change)?;
        }
        Ok(self.publish(next))
    }

    /// Publishes what was made from [`Writer::snapshot`] by changes.
    pub fn publish(&mut self, next: Snapshot) -> Arc<Snapshot> {
        let next = Arc::new(next);
        self.current.store(next.clone());
        self.revision
            .send_if_modified(|revision| std::mem::replace(revision, next.revision()) != next.revision());
        next
    }

    /// The catalogue now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }
}

impl Reader {
    /// The catalogue now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The catalogue now, borrowed for a moment: the cheapest read, not to be held across an await.
    pub fn load(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// The life of this catalogue: revisions of another one mean nothing here.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Tells when the revision rises.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.revision.clone()
    }
}
