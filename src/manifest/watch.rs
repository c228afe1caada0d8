//! Keeps what a directory declares equal to its files, and tells of each change once it is over.

use super::directory::{Directory, LoadError, Loaded, Stamp};
use crate::lifecycle::Shutdown;
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Files are looked at this often even when nobody tells of a change: network file systems do not.
const RECHECK: Duration = Duration::from_secs(30);
/// A change is over when nothing more happened for this long.
const QUIET: Duration = Duration::from_millis(100);
/// A directory that never rests is looked at after this long all the same.
const RESTLESS: Duration = Duration::from_secs(1);

/// What the directory declared at the last look, or why that cannot be said.
pub type Look = Arc<Result<Loaded, LoadError>>;

/// The sole reader of one directory.
pub struct Watcher {
    directory: Directory,
    stamps: Option<BTreeMap<PathBuf, Stamp>>,
    looks: watch::Sender<Look>,
}

impl Directory {
    /// Reads all of it, and makes the watcher that keeps the answer current once it runs. Blocks.
    pub fn watch(self) -> (watch::Receiver<Look>, Watcher) {
        // Stamped before it is read: what changes in between is seen as a change.
        let stamps = self.stamps().ok();
        let (looks, receiver) = watch::channel(Arc::new(self.load()));
        (receiver, Watcher { directory: self, stamps, looks })
    }
}

impl Watcher {
    /// Reads again whenever something changed, until stopping is asked for or nobody listens.
    pub async fn run(mut self, shutdown: Shutdown) {
        let woken = Arc::new(Notify::new());
        let mut eyes = eyes(&woken);
        let mut told = false;
        loop {
            let looked = tokio::task::spawn_blocking(move || {
                // First the eyes, then the look: a change in between is seen by one of them.
                eyes.iter_mut().for_each(|eyes| self.open(eyes));
                self.look(told);
                (self, eyes)
            });
            (self, eyes) = match looked.await {
                Ok(back) => back,
                Err(e) => match e.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_) => return,
                },
            };
            told = tokio::select! {
                () = shutdown.requested() => return,
                () = self.looks.closed() => return,
                () = settled(&woken) => true,
                () = tokio::time::sleep(RECHECK) => false,
            };
        }
    }

    /// Asks to be told of changes. What cannot be watched is re-checked.
    fn open(&self, eyes: &mut RecommendedWatcher) {
        let root = self.directory.root();
        if let Err(e) = eyes.watch(root, RecursiveMode::Recursive) {
            tracing::debug!(directory = %root.display(), error = %e, "cannot be watched; re-checked instead");
        }
    }

    /// Reads again if a change was told, or shows.
    fn look(&mut self, told: bool) {
        let stamps = self.directory.stamps().ok();
        if !told && stamps.is_some() && stamps == self.stamps {
            return;
        }
        self.stamps = stamps;
        let loaded = self.directory.load();
        self.looks.send_if_modified(|last| {
            let same = match (last.as_ref(), &loaded) {
                (Ok(last), Ok(loaded)) => last == loaded,
                (Err(last), Err(error)) => last.to_string() == error.to_string(),
                _ => false,
            };
            *last = Arc::new(loaded);
            !same
        });
    }
}

/// What tells us of changes, if this machine has such a thing to spare.
fn eyes(woken: &Arc<Notify>) -> Option<RecommendedWatcher> {
    let woken = woken.clone();
    let told = move |event: notify::Result<Event>| {
        // Our own reading is an event as well.
        let of_reading = |kind: &EventKind| {
            kind.is_access() && *kind != EventKind::Access(AccessKind::Close(AccessMode::Write))
        };
        if !event.is_ok_and(|event| of_reading(&event.kind)) {
            woken.notify_one();
        }
    };
    notify::recommended_watcher(told)
        .inspect_err(|e| {
            let every = RECHECK.as_secs();
            tracing::warn!(error = %e, "file changes are not told here; manifests are re-checked every {every} s");
        })
        .ok()
}

/// Waits for a change, and then until it is over.
async fn settled(woken: &Notify) {
    woken.notified().await;
    let quiet = async { while tokio::time::timeout(QUIET, woken.notified()).await.is_ok() {} };
    // An elapsed limit and a quiet directory mean the same: look now.
    let _ = tokio::time::timeout(RESTLESS, quiet).await;
}
