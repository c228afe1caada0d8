//! One write handle, and any number of readers that never wait.

use super::Federation;
use arc_swap::ArcSwap;
use std::sync::Arc;
use tokio::sync::watch;

/// Reads the folded status.
#[derive(Debug, Clone)]
pub struct Board {
    current: Arc<ArcSwap<Federation>>,
    edition: watch::Receiver<u64>,
}

/// The only handle that publishes a fold.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<ArcSwap<Federation>>,
    edition: watch::Sender<u64>,
}

/// A board that shows `first`.
pub fn board(first: Federation) -> (Publisher, Board) {
    let (sender, receiver) = watch::channel(first.edition);
    let current = Arc::new(ArcSwap::from_pointee(first));
    (Publisher { current: current.clone(), edition: sender }, Board { current, edition: receiver })
}

impl Board {
    /// The status now.
    pub fn federation(&self) -> Arc<Federation> {
        self.current.load_full()
    }

    /// Tells when the edition rises.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.edition.clone()
    }
}

impl Publisher {
    /// What is shown now.
    pub fn latest(&self) -> Arc<Federation> {
        self.current.load_full()
    }

    /// Shows a fold; readers are woken if its edition differs.
    pub fn publish(&mut self, federation: Federation) {
        let edition = federation.edition;
        self.current.store(Arc::new(federation));
        self.edition.send_if_modified(|current| std::mem::replace(current, edition) != edition);
    }
}
