//! The folded status at one moment: every part with its condition, shared with the fold before where nothing changed.

use super::dependency;
use super::rule::{self, Part};
use crate::catalog;
use crate::model::{
    CapabilityId, CapabilityName, Condition, Drift, PlatformName, ProducerId, ProducerName, Requirement,
    Stage, State, Version, VersionName,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How everything is.
#[derive(Debug, Clone)]
pub struct Federation {
    /// Rises with each change of a state, a reason, a message or a freshness; a mere new look does not raise it.
    pub edition: u64,
    /// The catalogue that was folded.
    pub catalog: Arc<catalog::Snapshot>,
    /// How the whole is.
    pub condition: Condition,
    /// The platforms, by name.
    pub platforms: BTreeMap<PlatformName, Arc<PlatformStatus>>,
    /// What is declared and does not run so.
    pub drifts: Arc<[Drift]>,
    /// The same as they are by themselves, whatever they stand on.
    pub(super) own: Arc<BTreeMap<PlatformName, Arc<PlatformStatus>>>,
}

/// How a platform is, folded from its capabilities.
#[derive(Debug, Clone)]
pub struct PlatformStatus {
    /// The platform.
    pub name: PlatformName,
    /// How it is.
    pub condition: Condition,
    /// Its capabilities, by id.
    pub capabilities: BTreeMap<CapabilityId, Arc<CapabilityStatus>>,
    /// Its producers, by id.
    pub producers: BTreeMap<ProducerId, Arc<ProducerStatus>>,
    /// Whether any of its versions stands on another capability.
    pub(super) needs: bool,
}

/// How a capability is, folded from its versions.
#[derive(Debug, Clone)]
pub struct CapabilityStatus {
    /// The capability.
    pub name: CapabilityName,
    /// How it is.
    pub condition: Condition,
    /// Its versions, newest first.
    pub versions: Vec<Arc<VersionStatus>>,
}

/// How a version is, folded from the producers that serve it.
#[derive(Debug, Clone)]
pub struct VersionStatus {
    /// The contract.
    pub version: Arc<Version>,
    /// How it is.
    pub condition: Condition,
    /// Its producers, by name.
    pub producers: Vec<Arc<ProducerStatus>>,
}

/// How a producer is, folded from its endpoints and its lease.
#[derive(Debug, Clone)]
pub struct ProducerStatus {
    /// The producer.
    pub name: ProducerName,
    /// How it is.
    pub condition: Condition,
    /// Whether one of its endpoints answered lately (AIP-217 lists those where none did).
    pub reached: bool,
}

impl Federation {
    /// How a version is.
    pub fn version(&self, name: &VersionName) -> Option<&Arc<VersionStatus>> {
        let capability = self.platforms.get(&name.platform)?.capabilities.get(&name.capability)?;
        capability.versions.iter().find(|status| status.version.name.version == name.version)
    }

    /// How well the need of a platform's version for another capability is met: NOT_SERVING also where there is none, or
    /// none that the platform may see.
    pub fn need(&self, platform: &PlatformName, need: &Requirement) -> State {
        dependency::of_need(platform, need, &self.own)
    }

    /// How a service is for somebody who may see those versions that `may_see` lets through; `None` if that is none.
    ///
    /// Calls go to the owner of the name alone, so its versions alone count.
    pub fn service(&self, name: &str, may_see: impl Fn(&Version) -> bool) -> Option<State> {
        let owner = self.catalog.service(name)?.owner()?;
        let seen = owner.offerings.iter().filter(|offering| may_see(&offering.version));
        let seen: Vec<_> = seen.filter_map(|o| self.version(&o.version.name).cloned()).collect();
        (!seen.is_empty()).then(|| of_versions(&seen, Timestamp::UNIX_EPOCH).state)
    }

    /// How the whole of `platforms` is: the federation of somebody who may see only those, and of `drifts` only these.
    pub fn of(
        &self,
        platforms: BTreeMap<PlatformName, Arc<PlatformStatus>>,
        drifts: Arc<[Drift]>,
        now: Timestamp,
    ) -> Federation {
        let condition = of_platforms(&platforms, now);
        let (catalog, own) = (self.catalog.clone(), self.own.clone());
        Federation { edition: self.edition, catalog, condition, platforms, drifts, own }
    }
}

impl Federation {
    /// Whether a reader of `earlier` would learn nothing new here, but when it was last looked at.
    pub fn says_the_same(&self, earlier: &Federation) -> bool {
        let said = |a: &PlatformStatus, b: &PlatformStatus| a.says_the_same(b);
        rule::says_the_same(&self.condition, &earlier.condition)
            && self.drifts == earlier.drifts
            && same(self.platforms.values(), earlier.platforms.values(), said)
    }
}

impl PlatformStatus {
    fn says_the_same(&self, earlier: &Self) -> bool {
        let capability = |a: &CapabilityStatus, b: &CapabilityStatus| a.says_the_same(b);
        let producer = |a: &ProducerStatus, b: &ProducerStatus| a.says_the_same(b);
        self.name == earlier.name
            && rule::says_the_same(&self.condition, &earlier.condition)
            && same(self.capabilities.values(), earlier.capabilities.values(), capability)
            && same(self.producers.values(), earlier.producers.values(), producer)
    }

    /// The platform of somebody who may see those versions that `may_see` lets through.
    ///
    /// What is hidden leaves no trace: conditions, counts and messages are folded from the rest alone.
    pub fn seen_by(self: &Arc<Self>, may_see: impl Fn(&Version) -> bool, now: Timestamp) -> Arc<Self> {
        let mut whole = true;
        let mut capabilities = BTreeMap::new();
        for (id, capability) in &self.capabilities {
            let seen = capability.seen_by(&may_see, now);
            whole &= seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, capability));
            if let Some(seen) = seen {
                capabilities.insert(id.clone(), seen);
            }
        }
        if whole {
            return self.clone();
        }
        let seen = capabilities.values().flat_map(|c| &c.versions).flat_map(|v| &v.producers);
        let producers = seen.map(|p| (p.name.producer.clone(), p.clone())).collect();
        let condition = of_capabilities(&capabilities, now);
        Arc::new(Self { condition, capabilities, producers, ..Self::clone(self) })
    }

    /// How many capabilities are in `state`.
    pub fn count(&self, state: State) -> usize {
        self.capabilities.values().filter(|capability| capability.condition.state == state).count()
    }

    /// The producers of which no endpoint answered lately.
    pub fn unreachable(&self) -> impl Iterator<Item = &ProducerName> {
        self.producers.values().filter(|producer| !producer.reached).map(|producer| &producer.name)
    }
}

impl CapabilityStatus {
    fn says_the_same(&self, earlier: &Self) -> bool {
        self.name == earlier.name
            && rule::says_the_same(&self.condition, &earlier.condition)
            && same(self.versions.iter(), earlier.versions.iter(), |a, b| {
                a.version.name == b.version.name
                    && rule::says_the_same(&a.condition, &b.condition)
                    && same(a.producers.iter(), b.producers.iter(), |a, b| a.says_the_same(b))
            })
    }

    /// The capability of somebody who may see those versions that `may_see` lets through; `None` if that is none.
    pub fn seen_by(
        self: &Arc<Self>,
        may_see: impl Fn(&Version) -> bool,
        now: Timestamp,
    ) -> Option<Arc<Self>> {
        let versions: Vec<_> = self.versions.iter().filter(|v| may_see(&v.version)).cloned().collect();
        match versions.len() {
            0 => None,
            n if n == self.versions.len() => Some(self.clone()),
            _ => {
                let condition = of_versions(&versions, now);
                Some(Arc::new(Self { name: self.name.clone(), condition, versions }))
            }
        }
    }
}

impl ProducerStatus {
    fn says_the_same(&self, earlier: &Self) -> bool {
        (&self.name, self.reached) == (&earlier.name, earlier.reached)
            && rule::says_the_same(&self.condition, &earlier.condition)
    }
}

/// Compares two orders of shared parts, and looks only into those that are not shared.
fn same<'a, T: 'a>(
    a: impl ExactSizeIterator<Item = &'a Arc<T>>,
    b: impl ExactSizeIterator<Item = &'a Arc<T>>,
    said: impl Fn(&T, &T) -> bool,
) -> bool {
    a.len() == b.len() && a.zip(b).all(|(a, b)| Arc::ptr_eq(a, b) || said(a, b))
}

/// Folds versions. Those without a promise of their own do not drag it down; see [`counts`].
pub(super) fn of_versions(versions: &[Arc<VersionStatus>], now: Timestamp) -> Condition {
    let all_retired = versions.iter().all(|v| v.version.stage == Stage::Retired);
    let counted = versions.iter().filter(|v| all_retired || counts(v, versions));
    rule::fold(
        "versions serve",
        counted.map(|v| Part { name: &v.version.name, condition: &v.condition }),
        now,
    )
}

/// Folds capabilities.
pub(super) fn of_capabilities(
    capabilities: &BTreeMap<CapabilityId, Arc<CapabilityStatus>>,
    now: Timestamp,
) -> Condition {
    let parts = capabilities.values().map(|c| Part { name: &c.name, condition: &c.condition });
    rule::fold("capabilities serve", parts, now)
}

/// Folds platforms. One that offers nothing is no news about the others.
pub(super) fn of_platforms(
    platforms: &BTreeMap<PlatformName, Arc<PlatformStatus>>,
    now: Timestamp,
) -> Condition {
    let offering = platforms.values().filter(|p| !p.capabilities.is_empty());
    rule::fold("platforms serve", offering.map(|p| Part { name: &p.name, condition: &p.condition }), now)
}

/// Whether a version speaks for its capability: a retired one never; a deprecated one unless a newer stable version
/// serves; an alpha or beta unless any stable version serves.
fn counts(status: &VersionStatus, all: &[Arc<VersionStatus>]) -> bool {
    let number = &status.version.name.version;
    let mut serving_stable =
        all.iter().filter(|v| v.version.stage == Stage::Stable && v.condition.state == State::Serving);
    match status.version.stage {
        Stage::Stable => true,
        Stage::Deprecated => !serving_stable.any(|v| v.version.name.version > *number),
        Stage::Alpha | Stage::Beta => serving_stable.next().is_none(),
        Stage::Retired => false,
    }
}
