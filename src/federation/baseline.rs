//! Contracts whose descriptors are kept though nobody may serve them: the newest release of each major, because the
//! next one is compared with it.

use super::compare::is_beside;
use crate::model::{Digest, PlatformName, VersionName};
use jiff::Timestamp;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ops::Bound;

/// Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Baselines {
    held: RedBlackTreeMapSync<VersionName, Held>,
    /// Each set once for a platform, with how many baselines need it.
    sets: HashTrieMapSync<(PlatformName, Digest), usize>,
    bytes: HashTrieMapSync<PlatformName, usize>,
}

/// A contract's descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) set: Digest,
    /// Bytes of the set.
    pub(super) bytes: usize,
    /// When the contract was first taken.
    pub(super) created: Timestamp,
}

impl Baselines {
    pub(super) fn has(&self, name: &VersionName) -> bool {
        self.held.contains_key(name)
    }

    /// Whether it would be the newest release of its major.
    pub(super) fn wants(&self, name: &VersionName) -> bool {
        let mut above = self.held.range((Bound::Excluded(name), Bound::Unbounded)).map(|(name, _)| name);
        name.version.pre.is_empty() && !above.next().is_some_and(|above| is_beside(above, name))
    }

    /// Holds the newest release of a major, and lets go of the one before, and of the oldest beyond `limit` bytes of the
    /// platform. Gives what was let go of.
    pub(super) fn put(&mut self, name: &VersionName, new: Held, limit: usize) -> Vec<(VersionName, Held)> {
        let mut gone = Vec::new();
        let mut below =
            self.held.range((Bound::Unbounded, Bound::Excluded(name))).rev().map(|(name, _)| name);
        let before = below.next().filter(|below| is_beside(below, name)).cloned();
        let known = self.held.contains_key(name).then(|| name.clone());
        for old in before.into_iter().chain(known) {
            gone.extend(self.remove(&old));
        }
        self.add(name, new);
        while self.bytes(&name.platform) > limit {
            let Some(oldest) = self.oldest(&name.platform) else { break };
            gone.extend(self.remove(&oldest));
        }
        gone
    }

    fn add(&mut self, name: &VersionName, new: Held) {
        let key = (name.platform.clone(), new.set);
        let count = self.sets.get(&key).copied().unwrap_or_default();
        if count == 0 {
            let bytes = self.bytes(&name.platform) + new.bytes;
            self.bytes.insert_mut(name.platform.clone(), bytes);
        }
        self.sets.insert_mut(key, count + 1);
        self.held.insert_mut(name.clone(), new);
    }

    fn remove(&mut self, name: &VersionName) -> Option<(VersionName, Held)> {
        let old = *self.held.get(name)?;
        self.held.remove_mut(name);
        let key = (name.platform.clone(), old.set);
        match self.sets.get(&key).copied() {
            Some(count) if count > 1 => self.sets.insert_mut(key, count - 1),
            _ => {
                self.sets.remove_mut(&key);
                let bytes = self.bytes(&name.platform).saturating_sub(old.bytes);
                self.bytes.insert_mut(name.platform.clone(), bytes);
            }
        }
        Some((name.clone(), old))
    }

    fn bytes(&self, platform: &PlatformName) -> usize {
        self.bytes.get(platform).copied().unwrap_or_default()
    }

    fn oldest(&self, platform: &PlatformName) -> Option<VersionName> {
        let held = self.held.iter().filter(|(name, _)| name.platform == *platform);
        held.min_by_key(|(_, held)| held.created).map(|(name, _)| name.clone())
    }
}
