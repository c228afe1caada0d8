//! What one caller may see of the federation, and which platform has a right to which package.

use super::answer::is_routable;
use crate::access::{Caller, Policy};
use crate::catalog::Snapshot;
use crate::descriptors::{Seen, Sight};
use crate::model::{PlatformName, ServicePrefix, Stage, Version, VersionName};
use std::sync::Arc;

/// A caller before the catalogue at one moment.
pub(super) struct Eyes<'a> {
    pub(super) catalog: Arc<Snapshot>,
    pub(super) policy: &'a Policy,
    pub(super) caller: &'a Caller,
}

impl Eyes<'_> {
    /// Whether a version exists for the caller. A retired one is no longer described.
    pub(super) fn exists(&self, version: &Version) -> bool {
        version.stage != Stage::Retired && self.policy.may_see(self.caller, version)
    }
}

impl Sight for Eyes<'_> {
    fn sees(&self, version: &VersionName) -> Option<Seen> {
        let offering = self.catalog.offering(version)?;
        let seen = || Seen { version: offering.version.clone(), is_routable: is_routable(offering) };
        self.exists(&offering.version).then(seen)
    }

    fn sees_platform(&self, platform: &str) -> bool {
        let Some(entry) = self.catalog.platform(platform) else { return false };
        let mut offerings = entry.capabilities.values().flat_map(|capability| &capability.offerings);
        self.policy.speaks_for(self.caller, &entry.platform.name)
            || offerings.any(|o| self.exists(&o.version))
    }

    /// A prefix above the package beats one inside it, and a longer prefix a shorter: as with service names.
    fn right(&self, platform: &PlatformName, package: &str) -> usize {
        let Some(entry) = self.catalog.platform(platform.as_str()) else { return 0 };
        let Ok(package) = ServicePrefix::parse(package) else { return 0 };
        let right = |prefix: &ServicePrefix| match prefix {
            prefix if prefix.contains(&package) => 1_000 + prefix.as_str().len(),
            prefix if package.contains(prefix) => prefix.as_str().len(),
            _ => 0,
        };
        entry.platform.service_prefixes.iter().map(right).max().unwrap_or(0)
    }
}
