//! Every contract that was ever taken: a version never changes, also when nobody serves it any more.

use crate::model::{CapabilityName, Contract, PlatformName, VersionName};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use semver::{BuildMetadata, Prerelease, Version};
use std::ops::Bound;
use std::sync::Arc;

/// Ordered by platform, capability and precedence. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    contracts: RedBlackTreeMapSync<VersionName, Arc<Contract>>,
    counts: HashTrieMapSync<PlatformName, usize>,
}

impl History {
    pub(super) fn get(&self, name: &VersionName) -> Option<&Arc<Contract>> {
        self.contracts.get(name)
    }

    /// The contracts of a capability, the oldest version first.
    pub(super) fn of<'a>(
        &'a self,
        capability: &'a CapabilityName,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<Contract>> {
        let name = |version| VersionName {
            platform: capability.platform.clone(),
            capability: capability.capability.clone(),
            version,
        };
        // The least version of all, and the greatest but for build metadata, which no version has.
        let least = Prerelease::new("0").unwrap_or_default();
        let first = Version { pre: least, ..Version::new(0, 0, 0) };
        let last = Version { build: BuildMetadata::EMPTY, ..Version::new(u64::MAX, u64::MAX, u64::MAX) };
        let range = (Bound::Included(name(first)), Bound::Included(name(last)));
        self.contracts.range(range).map(|(_, contract)| contract)
    }

    pub(super) fn count(&self, platform: &PlatformName) -> usize {
        self.counts.get(platform).copied().unwrap_or_default()
    }

    /// Records a contract, unless its version has one.
    pub(super) fn record(&mut self, contract: Contract) {
        if self.contracts.contains_key(&contract.name) {
            return;
        }
        let platform = contract.name.platform.clone();
        let count = self.count(&platform) + 1;
        self.counts.insert_mut(platform, count);
        self.contracts.insert_mut(contract.name.clone(), Arc::new(contract));
    }
}
