//! Who is registered, for how long, and which descriptor sets that keeps: immutable, so that a draft is free to fail.

use super::Granted;
use super::baseline::{Baselines, Held};
use super::declared::Declared;
use crate::model::{Digest, Freshness, Lease, PlatformName, ProducerName, VersionName};
use jiff::{SignedDuration, Timestamp};
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
    /// How many registrations, also unpublished ones, and baselines keep a descriptor set in the store.
    kept: HashTrieMapSync<Digest, usize>,
    usage: HashTrieMapSync<PlatformName, Usage>,
    baselines: Baselines,
    /// When the youngest claim began, as it was recorded.
    last_claim: Timestamp,
    /// What manifests declare.
    pub(super) declared: Declared,
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
    /// When it was last registered or renewed, and when its lease ends unless renewed: as shown. Without a lease it does
    /// not end.
    pub(super) updated: Timestamp,
    pub(super) expires: Option<Timestamp>,
    /// When the catalogue was last told of a renewal.
    pub(super) shown: Instant,
    /// When the lease ends unless renewed; in the past if it ended.
    pub(super) ends: Instant,
    /// When it becomes STALE or EXPIRED; `None` once it is expired, and without a lease.
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
        if entry.lease.term.is_some() {
            self.leases.insert_mut(entry.lease.id.clone(), name.clone());
        }
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
        entry.sets.iter().for_each(|set| self.release(set));
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

    /// Whether the contract is the newest release of its major, so that its descriptors are to be held.
    pub(super) fn wants(&self, name: &VersionName) -> bool {
        self.baselines.wants(name)
    }

    /// Whether the contract's descriptors are held, whoever serves it.
    pub(super) fn holds(&self, name: &VersionName) -> bool {
        self.baselines.has(name)
    }

    /// Holds a contract's descriptors; gives what is held no longer.
    pub(super) fn hold(&mut self, name: &VersionName, held: Held, limit: usize) -> Vec<(VersionName, Held)> {
        self.keep(held.set);
        let gone = self.baselines.put(name, held, limit);
        gone.iter().for_each(|(_, old)| self.release(&old.set));
        gone
    }

    /// When a claim that begins now began, by the wall clock, but after every other.
    pub(super) fn next_claim(&mut self, time: Timestamp) -> Timestamp {
        let next = self.last_claim.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(time);
        self.note_claim(time.max(next));
        self.last_claim
    }

    /// Notes a claim that was recorded before.
    pub(super) fn note_claim(&mut self, since: Timestamp) {
        self.last_claim = self.last_claim.max(since);
    }

    /// Notes that one keeps a set less.
    pub(super) fn release(&mut self, set: &Digest) {
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
    /// The lease as its holder sees it; `None` if it holds without one.
    pub(super) fn granted(&self) -> Option<Granted> {
        let (term, expires) = self.lease.term.zip(self.expires)?;
        Some(Granted { id: self.lease.id.clone(), term, expires })
    }
}
