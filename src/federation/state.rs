//! Who is registered, for how long, and which descriptor sets that keeps: immutable, so that a draft is free to fail.

use super::Granted;
use crate::model::{Digest, Freshness, Lease, PlatformName, ProducerName};
use jiff::Timestamp;
use rpds::{HashTrieMapSync, RedBlackTreeSetSync};
use std::sync::Arc;
use tokio::time::Instant;

/// All registrations. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    entries: HashTrieMapSync<ProducerName, Arc<Entry>>,
    leases: HashTrieMapSync<String, ProducerName>,
    /// What happens next to whom.
    due: RedBlackTreeSetSync<(Instant, ProducerName)>,
    /// How many registrations, also unpublished ones, keep a descriptor set in the store.
    kept: HashTrieMapSync<Digest, usize>,
    usage: HashTrieMapSync<PlatformName, Usage>,
}

/// One registration. What it says stands in the catalogue and in the store; here is only what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) lease: Lease,
    /// Digest of all that it says.
    pub(super) content: Digest,
    /// Its descriptor sets, each once.
    pub(super) sets: Arc<[Digest]>,
    /// Bytes of these.
    pub(super) descriptor_bytes: usize,
    pub(super) freshness: Freshness,
    /// When it was last registered or renewed, and when its lease ends unless renewed: as shown.
    pub(super) updated: Timestamp,
    pub(super) expires: Timestamp,
    /// When the catalogue was last told of a renewal.
    pub(super) shown: Instant,
    /// When the lease ends unless renewed; in the past if it ended.
    pub(super) ends: Instant,
    /// When it becomes STALE or EXPIRED; `None` once it is expired.
    pub(super) due: Option<Instant>,
}

/// What a platform takes up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) producers: usize,
    pub(super) descriptor_bytes: usize,
}

impl State {
    /// The registration of that name.
    pub(super) fn entry(&self, name: &ProducerName) -> Option<&Arc<Entry>> {
        self.entries.get(name)
    }

    /// The registration of that lease.
    pub(super) fn leased(&self, lease: &str) -> Option<&Arc<Entry>> {
        self.entries.get(self.leases.get(lease)?)
    }

    /// When something happens next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Who is due at `now`, the longest first.
    pub(super) fn due(&self, now: Instant) -> Option<ProducerName> {
        self.due.first().filter(|(at, _)| *at <= now).map(|(_, name)| name.clone())
    }

    /// What the platform takes up.
    pub(super) fn usage(&self, platform: &PlatformName) -> Usage {
        self.usage.get(platform).copied().unwrap_or_default()
    }

    /// Whether any registration keeps the set.
    pub(super) fn keeps(&self, set: &Digest) -> bool {
        self.kept.contains_key(set)
    }

    /// Puts a registration in the place of an earlier one of its name.
    pub(super) fn put(&mut self, entry: Entry) {
        let name = entry.lease.producer.clone();
        self.remove(&name);
        self.leases.insert_mut(entry.lease.id.clone(), name.clone());
        if let Some(due) = entry.due {
            self.due.insert_mut((due, name.clone()));
        }
        for set in entry.sets.iter() {
            self.keep(*set);
        }
        self.count(&name.platform, |usage| {
            usage.producers += 1;
            usage.descriptor_bytes += entry.descriptor_bytes;
        });
        self.entries.insert_mut(name, Arc::new(entry));
    }

    /// Takes a registration out.
    pub(super) fn remove(&mut self, name: &ProducerName) -> Option<Arc<Entry>> {
        let entry = self.entries.get(name)?.clone();
        self.entries.remove_mut(name);
        self.leases.remove_mut(&entry.lease.id);
        if let Some(due) = entry.due {
            self.due.remove_mut(&(due, name.clone()));
        }
        for set in entry.sets.iter() {
            match self.kept.get(set) {
                Some(count) if *count > 1 => {
                    let count = count - 1;
                    self.kept.insert_mut(*set, count);
                }
                _ => {
                    self.kept.remove_mut(set);
                }
            }
        }
        self.count(&name.platform, |usage| {
            usage.producers -= 1;
            usage.descriptor_bytes -= entry.descriptor_bytes;
        });
        Some(entry)
    }

    /// Notes that a stored registration keeps a set, though it is not published.
    pub(super) fn keep(&mut self, set: Digest) {
        let count = self.kept.get(&set).copied().unwrap_or_default();
        self.kept.insert_mut(set, count + 1);
    }

    fn count(&mut self, platform: &PlatformName, change: impl FnOnce(&mut Usage)) {
        let mut usage = self.usage(platform);
        change(&mut usage);
        if usage == Usage::default() {
            self.usage.remove_mut(platform);
        } else {
            self.usage.insert_mut(platform.clone(), usage);
        }
    }
}

impl Entry {
    /// The lease as its holder sees it.
    pub(super) fn granted(&self) -> Granted {
        Granted { id: self.lease.id.clone(), term: self.lease.term, expires: self.expires }
    }
}
