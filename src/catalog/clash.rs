//! Declarations that lost: few of them are kept for each platform, so that nobody can fill the catalogue with them.

use crate::model::{Clash, ClashKind, PlatformName, Source};
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;

/// Clashes that are kept for one platform; more are not.
pub(super) const PER_PLATFORM: usize = 100;

type Key = (PlatformName, String, ClashKind, Source, String);

/// Ordered by platform, then subject. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Clashes(RedBlackTreeMapSync<Key, Arc<Clash>>);

impl Clashes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Clash>> {
        self.0.values()
    }

    /// Keeps a clash; the same one again keeps its age. False if the platform has too many.
    pub(super) fn put(&mut self, mut clash: Clash) -> bool {
        let key = key(&clash);
        match self.0.get(&key) {
            Some(known) => clash.since = known.since,
            None if self.of(&clash.platform) >= PER_PLATFORM => return false,
            None => {}
        }
        self.0.insert_mut(key, Arc::new(clash));
        true
    }

    /// Forgets what `is_over` says of one platform. True if anything was forgotten.
    pub(super) fn settle(&mut self, platform: &PlatformName, is_over: impl Fn(&Clash) -> bool) -> bool {
        let over: Vec<Key> = self
            .0
            .iter()
            .filter(|(key, clash)| key.0 == *platform && is_over(clash))
            .map(|(key, _)| key.clone())
            .collect();
        over.iter().for_each(|key| {
            self.0.remove_mut(key);
        });
        !over.is_empty()
    }

    fn of(&self, platform: &PlatformName) -> usize {
        self.0.keys().filter(|key| key.0 == *platform).count()
    }
}

fn key(clash: &Clash) -> Key {
    (clash.platform.clone(), clash.subject.clone(), clash.kind, clash.source, clash.origin.clone())
}
