//! Every open connection, under the identity that it was opened with, so that it can be counted and cut.

use crate::model::Identity;
use dashmap::DashMap;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The open connections of all workers. Clones are the same registry.
#[derive(Debug, Clone)]
pub struct Connections {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    open: DashMap<u64, Open>,
    next: AtomicU64,
    taken: AtomicUsize,
    emptied: Notify,
    limit: usize,
    refused: Mutex<BTreeMap<&'static str, u64>>,
}

#[derive(Debug)]
struct Open {
    identity: Identity,
    address: SocketAddr,
    cut: CancellationToken,
}

/// A place among the connections; free again when it falls.
#[derive(Debug)]
pub struct Place {
    shared: Arc<Shared>,
    id: u64,
    cut: CancellationToken,
}

impl Connections {
    /// A registry for at most `limit` connections.
    pub fn new(limit: usize) -> Self {
        let (next, taken, emptied) = (AtomicU64::new(0), AtomicUsize::new(0), Notify::new());
        let (open, refused) = (DashMap::new(), Mutex::default());
        Self { shared: Arc::new(Shared { open, next, taken, emptied, limit, refused }) }
    }

    /// Counts a connection that was not let in, and why: a word of this build.
    pub fn refuse(&self, reason: &'static str) {
        *self.refused().entry(reason).or_default() += 1;
    }

    /// How many were not let in, by reason.
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        self.refused().iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    /// How many places are taken, and how many there are.
    pub fn fill(&self) -> (usize, usize) {
        (self.shared.taken.load(Ordering::Relaxed), self.shared.limit)
    }

    fn refused(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.shared.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place for a connection that was accepted and not yet named; `None` when all are taken.
    pub fn admit(&self) -> Option<Place> {
        let shared = self.shared.clone();
        let room = |taken: usize| (taken < shared.limit).then_some(taken + 1);
        shared.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let id = shared.next.fetch_add(1, Ordering::Relaxed);
        Some(Place { shared, id, cut: CancellationToken::new() })
    }

    /// Cuts the connections of these identities and says how many.
    pub fn cut(&self, whose: impl Fn(&Identity) -> bool) -> usize {
        let mut cut = 0;
        for open in self.shared.open.iter().filter(|open| whose(&open.identity)) {
            open.cut.cancel();
            cut += 1;
        }
        cut
    }

    /// Waits until no connection is left, at most for `most`.
    pub async fn emptied(&self, most: Duration) {
        let empty = async {
            loop {
                let told = self.shared.emptied.notified();
                if self.shared.taken.load(Ordering::Acquire) == 0 {
                    return;
                }
                told.await;
            }
        };
        // What is left after that is cut with its worker.
        let _ = tokio::time::timeout(most, empty).await;
    }

    /// Who is connected, and from where.
    pub fn list(&self) -> Vec<(Identity, SocketAddr)> {
        self.shared.open.iter().map(|open| (open.identity.clone(), open.address)).collect()
    }
}

impl Place {
    /// Registers the connection under the identity that was verified.
    pub fn name(&self, identity: Identity, address: SocketAddr) {
        self.shared.open.insert(self.id, Open { identity, address, cut: self.cut.clone() });
    }

    /// Cancelled when the connection has to end now.
    pub fn token(&self) -> &CancellationToken {
        &self.cut
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.open.remove(&self.id);
        if self.shared.taken.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_found_by_identity_and_given_back() {
        let connections = Connections::new(2);
        let first = connections.admit().unwrap();
        let second = connections.admit().unwrap();
        assert!(connections.admit().is_none());
        let identity = Identity::parse_spiffe("spiffe://a.example/x").unwrap();
        first.name(identity.clone(), ([127, 0, 0, 1], 1).into());
        assert_eq!(connections.cut(|id| *id == identity), 1);
        assert!(first.token().is_cancelled() && !second.token().is_cancelled());
        drop(first);
        assert!(connections.list().is_empty());
        assert!(connections.admit().is_some());
    }
}
