//! The catalogue at one revision.

use super::clash::Clashes;
use super::history::History;
use super::log::Log;
use super::table::Table;
use super::{Claims, Offering};
use crate::model::{
    CapabilityId, CapabilityName, Clash, Contract, Drift, OverrideSpec, Platform, PlatformName, Producer,
    ProducerId, ProducerName, ServiceName, VersionName,
};
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::ops::Bound;
use std::sync::Arc;

/// All that is known at one revision. Cloning is cheap: parts are shared with other revisions.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(super) revision: u64,
    pub(super) platforms: RedBlackTreeMapSync<PlatformName, Arc<PlatformEntry>>,
    pub(super) services: Table,
    pub(super) overrides: RedBlackTreeMapSync<ServiceName, Arc<OverrideSpec>>,
    pub(super) clashes: Clashes,
    pub(super) history: History,
    pub(super) drifts: Arc<[Drift]>,
    pub(super) log: Log,
    /// Who names a capability as a requirement.
    pub(super) needs: RedBlackTreeMapSync<CapabilityName, RedBlackTreeSetSync<VersionName>>,
}

/// A platform with all that it offers.
#[derive(Debug, Clone)]
pub struct PlatformEntry {
    /// The platform.
    pub platform: Arc<Platform>,
    /// Its capabilities, by id.
    pub capabilities: RedBlackTreeMapSync<CapabilityId, Arc<CapabilityEntry>>,
    /// Its producers, by id.
    pub producers: RedBlackTreeMapSync<ProducerId, Arc<Producer>>,
}

/// A capability with its versions.
#[derive(Debug, Clone, Default)]
pub struct CapabilityEntry {
    /// Newest first (semver precedence).
    pub offerings: Vec<Arc<Offering>>,
}

impl CapabilityEntry {
    /// Where the version stands, or would stand.
    pub(super) fn place(&self, name: &VersionName) -> Result<usize, usize> {
        self.offerings.binary_search_by(|offering| name.version.cmp(&offering.version.name.version))
    }
}

impl Snapshot {
    /// Rises with each change that a reader could care about; a renewed lease alone does not raise it.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// All platforms, ordered by name.
    pub fn platforms(&self) -> impl Iterator<Item = &Arc<PlatformEntry>> {
        self.platforms.values()
    }

    /// The platforms whose names come after `name`, in order.
    pub fn platforms_after(&self, name: &PlatformName) -> impl Iterator<Item = &Arc<PlatformEntry>> {
        self.platforms
            .range::<PlatformName, _>((Bound::Excluded(name), Bound::Unbounded))
            .map(|(_, entry)| entry)
    }

    /// The platform of that name.
    pub fn platform(&self, name: &str) -> Option<&Arc<PlatformEntry>> {
        self.platforms.get(name)
    }

    /// The capability of that name.
    pub fn capability(&self, name: &CapabilityName) -> Option<&Arc<CapabilityEntry>> {
        self.platforms.get(&name.platform)?.capabilities.get(&name.capability)
    }

    /// The version of that name, with its producers.
    pub fn offering(&self, name: &VersionName) -> Option<&Arc<Offering>> {
        let capability = self.platforms.get(&name.platform)?.capabilities.get(&name.capability)?;
        capability.place(name).ok().map(|place| &capability.offerings[place])
    }

    /// The producer of that name.
    pub fn producer(&self, name: &ProducerName) -> Option<&Arc<Producer>> {
        self.platforms.get(&name.platform)?.producers.get(&name.producer)
    }

    /// The contract that was first taken under that name, whether or not anybody serves it now.
    pub fn contract(&self, name: &VersionName) -> Option<&Arc<Contract>> {
        self.history.get(name)
    }

    /// The contracts that were ever taken for lower versions of the capability, the highest first.
    pub fn contracts_below(&self, name: &VersionName) -> impl Iterator<Item = &Arc<Contract>> {
        self.history.below(name)
    }

    /// The contracts that were ever taken for higher versions of the capability, the lowest first.
    pub fn contracts_above(&self, name: &VersionName) -> impl Iterator<Item = &Arc<Contract>> {
        self.history.above(name)
    }

    /// How many contracts of the platform are remembered.
    pub fn contract_count(&self, platform: &PlatformName) -> usize {
        self.history.total(platform).0
    }

    /// Bytes of the contracts of the platform that are remembered.
    pub fn contract_bytes(&self, platform: &PlatformName) -> usize {
        self.history.total(platform).1
    }

    /// Who claims a service name, the owner first.
    pub fn service(&self, name: &str) -> Option<&Arc<Claims>> {
        self.services.get(name)
    }

    /// The operator's decisions about service names, ordered by name.
    pub fn overrides(&self) -> impl Iterator<Item = &Arc<OverrideSpec>> {
        self.overrides.values()
    }

    /// Declarations that lost against what stands, ordered by subject.
    pub fn clashes(&self) -> impl Iterator<Item = &Arc<Clash>> {
        self.clashes.iter()
    }

    /// Declarations that are not what runs.
    pub fn drifts(&self) -> &Arc<[Drift]> {
        &self.drifts
    }

    /// All service names with their claims, in no order.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, &Arc<Claims>)> {
        self.services.iter()
    }
}
