//! Every contract that was ever taken: a version never changes, also when nobody serves it any more.

use crate::model::{Contract, PlatformName, VersionName};
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};
use std::ops::Bound;
use std::sync::Arc;

/// Ordered by platform, capability and precedence. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct History {
    contracts: RedBlackTreeMapSync<VersionName, Arc<Contract>>,
    /// How many of each platform, and their bytes.
    totals: HashTrieMapSync<PlatformName, (usize, usize)>,
}

impl History {
    pub(super) fn get(&self, name: &VersionName) -> Option<&Arc<Contract>> {
        self.contracts.get(name)
    }

    /// The contracts of lower versions of the capability, the highest first.
    pub(super) fn below(&self, name: &VersionName) -> impl Iterator<Item = &Arc<Contract>> {
        let lower = self.contracts.range((Bound::Unbounded, Bound::Excluded(name))).rev();
        lower.map(|(_, contract)| contract).take_while(|contract| is_sibling(&contract.name, name))
    }

    /// The contracts of higher versions of the capability, the lowest first.
    pub(super) fn above(&self, name: &VersionName) -> impl Iterator<Item = &Arc<Contract>> {
        let higher = self.contracts.range((Bound::Excluded(name), Bound::Unbounded));
        higher.map(|(_, contract)| contract).take_while(|contract| is_sibling(&contract.name, name))
    }

    /// How many contracts of the platform, and the bytes of them.
    pub(super) fn total(&self, platform: &PlatformName) -> (usize, usize) {
        self.totals.get(platform).copied().unwrap_or_default()
    }

    /// Records a contract, unless its version has one.
    pub(super) fn record(&mut self, contract: Contract) {
        if self.contracts.contains_key(&contract.name) {
            return;
        }
        let platform = contract.name.platform.clone();
        let (count, bytes) = self.total(&platform);
        self.totals.insert_mut(platform, (count + 1, bytes + contract.bytes()));
        self.contracts.insert_mut(contract.name.clone(), Arc::new(contract));
    }
}

fn is_sibling(a: &VersionName, b: &VersionName) -> bool {
    (&a.platform, &a.capability) == (&b.platform, &b.capability)
}
