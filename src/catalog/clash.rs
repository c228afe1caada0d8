//! Declarations that lost: few of them are kept for each platform, so that nobody can fill the catalogue with them.

use crate::model::{Clash, ClashKind, PlatformName, ProducerName, Source};
use rpds::RedBlackTreeMapSync;
use std::sync::Arc;

/// Clashes that are kept for one platform.
const PER_PLATFORM: usize = 100;

type Key = (PlatformName, String, ClashKind, Source, String, Option<ProducerName>);

/// Ordered by platform, then subject. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Clashes(RedBlackTreeMapSync<Key, Arc<Clash>>);

impl Clashes {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Clash>> {
        self.0.values()
    }

    /// Keeps a clash; the same one again keeps its age, and the oldest of too many gives way. False if nothing changed.
    pub(super) fn put(&mut self, mut clash: Clash) -> bool {
        let key = key(&clash);
        match self.0.get(&key) {
            Some(known) => {
                clash.since = known.since;
                if **known == clash {
                    return false;
                }
            }
            None => self.make_room(&clash.platform),
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

    fn make_room(&mut self, platform: &PlatformName) {
        let known = || self.0.iter().filter(|(key, _)| key.0 == *platform);
        if known().count() >= PER_PLATFORM
            && let Some(oldest) = known().min_by_key(|(_, clash)| clash.since).map(|(key, _)| key.clone())
        {
            self.0.remove_mut(&oldest);
        }
    }
}

fn key(clash: &Clash) -> Key {
    let (subject, origin) = (clash.subject.clone(), clash.origin.clone());
    (clash.platform.clone(), subject, clash.kind, clash.source, origin, clash.producer.clone())
}
