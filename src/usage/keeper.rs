//! Folds what was counted, and keeps the store equal to the book.

use super::record::{self, Key};
use super::{Shared, lock};
use crate::lifecycle;
use crate::store::Store;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// From one fold to the next.
const FOLD: Duration = Duration::from_secs(1);
/// From one write to the next: what a `kill -9` may cost.
const WRITE: Duration = Duration::from_secs(30);
/// Counts in one commit: other writers wait for no more than this.
const COMMIT: usize = 256;

/// Folds and writes, once it is started.
pub struct Keeper {
    pub(super) shared: Arc<Shared>,
}

/// A keeper at work.
#[derive(Debug)]
pub struct Keeping {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Begins to fold and to write, on the current runtime.
    pub fn start(self, store: Store) -> Keeping {
        let (stop, stopped) = oneshot::channel();
        Keeping { stop, task: lifecycle::spawn("usage keeper", self.run(store, stopped)) }
    }

    async fn run(self, store: Store, mut stopped: oneshot::Receiver<()>) {
        let mut written = Instant::now();
        loop {
            let is_over = tokio::select! {
                _ = &mut stopped => true,
                () = sleep(FOLD) => false,
            };
            drop(self.shared.folded());
            if is_over || written.elapsed() >= WRITE {
                self.write(&store).await;
                written = Instant::now();
            }
            if is_over {
                return;
            }
        }
    }

    /// Writes what differs. What the store does not take is tried again with the next write.
    async fn write(&self, store: &Store) {
        let lumped = lock(&self.shared.book).take_lumped();
        if lumped > 0 {
            tracing::warn!(
                counts = lumped,
                "more consumers than are told apart; the rest is counted together"
            );
        }
        loop {
            let taken = lock(&self.shared.book).take_unwritten(COMMIT);
            if taken.is_empty() {
                return;
            }
            let (keys, changes): (Vec<Key>, Vec<_>) = taken
                .into_iter()
                .map(|(key, days)| {
                    let change = record::change(&key, days);
                    (key, change)
                })
                .unzip();
            if let Err(error) = store.commit(changes).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "counts of calls were not written");
                lock(&self.shared.book).put_back(keys);
                return;
            }
        }
    }
}

impl Keeping {
    /// Folds and writes what is left, and ends. Calls counted later are not written.
    pub async fn finish(self) {
        // A keeper that panicked has said so itself.
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}
