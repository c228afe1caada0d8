//! The catalogue as one caller sees it: what it may not see is not there.

use super::super::fault::Fault;
use super::invalid;
use crate::access::{Caller, Policy};
use crate::catalog::{CapabilityEntry, Offering, PlatformEntry, Snapshot};
use crate::model::{
    CapabilityId, CapabilityName, PlatformName, Producer, ProducerName, Version, VersionName,
};
use crate::wire::catalog as wire;
use crate::wire::pb::portolan::catalog::v1 as pb;
use std::cmp::Ordering;
use std::hint::black_box;
use std::ops::Bound;
use std::sync::Arc;

/// One snapshot through the eyes of one caller.
#[derive(Clone, Copy)]
pub(in crate::api) struct View<'a> {
    pub(in crate::api) policy: &'a Policy,
    pub(in crate::api) caller: &'a Caller,
    pub(in crate::api) snapshot: &'a Snapshot,
}

impl View<'_> {
    /// A version as it is shown. To whom else it is visible, and what it stands on, is the owner's to know: others learn
    /// of themselves alone, and of no replacement that they may not see.
    pub(in crate::api) fn show_version(&self, offering: &Offering) -> pb::Version {
        let version = &offering.version;
        let producers = offering.producers.iter().map(|producer| &producer.name);
        let mut shown = wire::version(version, producers, offering.sources());
        if !self.policy.may_inspect(self.caller, &version.name.platform) {
            shown.depends_on.clear();
            let hidden = |name: &VersionName| {
                self.snapshot.offering(name).is_some_and(|to| !self.policy.may_see(self.caller, &to.version))
            };
            if version.facts.replacement.as_ref().is_some_and(hidden) {
                shown.replacement.clear();
            }
            let own =
                |name: &String| name == "*" || self.caller.platforms.iter().any(|own| own.as_str() == name);
            shown.visibility.retain(own);
        }
        shown
    }
}

/// A level of a parent: one name, or the wildcard `-` (AIP-159).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level<T> {
    /// `-`.
    Any,
    /// This one.
    One(T),
}

/// A capability with those of its versions that the caller sees; never none.
pub(super) struct Seen<'a> {
    pub(super) name: CapabilityName,
    /// Newest first.
    offerings: Vec<&'a Arc<Offering>>,
}

impl<'a> View<'a> {
    /// The platform, if it exists for the caller.
    pub(super) fn platform(self, name: &PlatformName) -> Option<&'a PlatformEntry> {
        self.snapshot.platform(name.as_str()).map(Arc::as_ref).filter(|entry| self.sees_platform(entry))
    }

    /// The platforms behind `after`, ordered by name.
    pub(super) fn platforms(self, after: Option<&PlatformName>) -> impl Iterator<Item = &'a PlatformEntry> {
        let behind = after.map(|after| self.snapshot.platforms_after(after));
        let all = after.is_none().then(|| self.snapshot.platforms());
        let found = behind.into_iter().flatten().chain(all.into_iter().flatten());
        found.map(Arc::as_ref).filter(move |entry| self.sees_platform(entry))
    }

    /// The capability, if the caller sees a version of it.
    pub(super) fn capability(self, name: &CapabilityName) -> Option<Seen<'a>> {
        self.seen(name.clone(), self.snapshot.capability(name)?)
    }

    /// The capabilities behind `after`, ordered by name.
    pub(super) fn capabilities(
        self,
        platform: &Level<PlatformName>,
        capability: &Level<CapabilityId>,
        after: Option<CapabilityName>,
    ) -> impl Iterator<Item = Seen<'a>> {
        let capability = capability.clone();
        let first = after.as_ref().map(|after| after.platform.clone());
        self.entries(platform, first).flat_map(move |entry| {
            let platform = &entry.platform.name;
            let after = after.as_ref().filter(|after| after.platform == *platform);
            let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.capability.clone()));
            let behind = entry.capabilities.range((from, Bound::Unbounded));
            let wanted = capability.clone();
            behind.filter(move |(id, _)| wanted.admits(id)).filter_map(move |(id, found)| {
                let name = CapabilityName { platform: platform.clone(), capability: id.clone() };
                self.seen(name, found)
            })
        })
    }

    /// The version, if the caller sees it.
    pub(super) fn version(self, name: &VersionName) -> Option<&'a Offering> {
        self.snapshot.offering(name).map(Arc::as_ref).filter(|offering| self.sees(&offering.version))
    }

    /// The versions behind `after`, ordered by platform, capability, then newest first.
    pub(super) fn versions(
        self,
        platform: &Level<PlatformName>,
        capability: &Level<CapabilityId>,
        after: Option<VersionName>,
    ) -> impl Iterator<Item = &'a Arc<Offering>> {
        // The rest of the capability where the page before ended, then all behind it.
        let begun = after.as_ref().map(VersionName::capability_name);
        let rest = begun.as_ref().and_then(|name| self.capability(name));
        let rest = rest.into_iter().flat_map(|seen| seen.offerings).filter(move |offering| {
            let last = after.as_ref().map(|after| &after.version);
            last.is_some_and(|last| offering.version.name.version.cmp(last) == Ordering::Less)
        });
        let behind = self.capabilities(platform, capability, begun).flat_map(|seen| seen.offerings);
        rest.chain(behind)
    }

    /// The producer with those of its versions that the caller sees, if it sees one.
    pub(super) fn producer(self, name: &ProducerName) -> Option<(&'a Producer, Vec<&'a VersionName>)> {
        self.serving(self.snapshot.producer(name)?)
    }

    /// The producers behind `after` that serve a version the caller sees, with those versions; ordered by name.
    pub(super) fn producers(
        self,
        platform: &Level<PlatformName>,
        after: Option<ProducerName>,
    ) -> impl Iterator<Item = (&'a Producer, Vec<&'a VersionName>)> {
        let first = after.as_ref().map(|after| after.platform.clone());
        self.entries(platform, first).flat_map(move |entry| {
            let after = after.as_ref().filter(|after| after.platform == entry.platform.name);
            let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.producer.clone()));
            let behind = entry.producers.range((from, Bound::Unbounded));
            behind.filter_map(move |(_, producer)| self.serving(producer))
        })
    }

    /// Reads `platforms/{platform}` or `platforms/-`; one that the caller does not see was not found.
    pub(super) fn parent_platform(self, parent: &str) -> Result<Level<PlatformName>, Fault> {
        if parent == "platforms/-" {
            return Ok(Level::Any);
        }
        let name = platform_name(parent)?;
        self.platform(&name).ok_or_else(|| Fault::not_found(parent))?;
        Ok(Level::One(name))
    }

    /// Reads `platforms/{platform}/capabilities/{capability}`, with `-` at either level.
    pub(super) fn parent_capability(
        self,
        parent: &str,
    ) -> Result<(Level<PlatformName>, Level<CapabilityId>), Fault> {
        let wrong =
            || invalid(format!("{:.80?} is not platforms/{{platform}}/capabilities/{{capability}}", parent));
        let (platform, capability) = parent.split_once("/capabilities/").ok_or_else(wrong)?;
        let capability = match capability {
            "-" => Level::Any,
            id => Level::One(CapabilityId::parse(id).map_err(invalid)?),
        };
        let platform = self.parent_platform(platform)?;
        if let (Level::One(platform), Level::One(capability)) = (&platform, &capability) {
            let name = CapabilityName { platform: platform.clone(), capability: capability.clone() };
            self.capability(&name).ok_or_else(|| Fault::not_found(parent))?;
        }
        Ok((platform, capability))
    }

    /// A platform as it is shown.
    pub(super) fn show_platform(self, entry: &PlatformEntry) -> pb::Platform {
        wire::platform(&entry.platform, self.capability_count(entry))
    }

    /// How many capabilities of a platform the caller sees.
    pub(super) fn capability_count(self, entry: &PlatformEntry) -> usize {
        entry.capabilities.values().filter(|capability| self.sees_any(capability)).count()
    }

    /// The platforms at this level, from `first` on.
    fn entries(
        self,
        platform: &Level<PlatformName>,
        first: Option<PlatformName>,
    ) -> impl Iterator<Item = &'a PlatformEntry> {
        let wanted = platform.clone();
        let is_before =
            move |entry: &&Arc<PlatformEntry>| first.as_ref().is_some_and(|f| entry.platform.name < *f);
        let found = self.snapshot.platforms().skip_while(is_before).map(Arc::as_ref);
        found.filter(move |entry| wanted.admits(&entry.platform.name) && self.sees_platform(entry))
    }

    fn seen(self, name: CapabilityName, entry: &'a CapabilityEntry) -> Option<Seen<'a>> {
        let offerings: Vec<_> =
            entry.offerings.iter().filter(|offering| self.sees(&offering.version)).collect();
        (!offerings.is_empty()).then_some(Seen { name, offerings })
    }

    fn serving(self, producer: &'a Producer) -> Option<(&'a Producer, Vec<&'a VersionName>)> {
        let seen: Vec<_> = producer.versions.iter().filter(|name| self.version(name).is_some()).collect();
        (!seen.is_empty()).then_some((producer, seen))
    }

    fn sees_platform(self, entry: &PlatformEntry) -> bool {
        if self.policy.speaks_for(self.caller, &entry.platform.name) {
            return true;
        }
        if !self.caller.is_operator {
            touch(entry);
        }
        entry.capabilities.values().any(|capability| self.sees_any(capability))
    }

    fn sees_any(self, capability: &CapabilityEntry) -> bool {
        capability.offerings.iter().any(|offering| self.sees(&offering.version))
    }

    /// Whether the version exists for the caller.
    pub(super) fn sees(self, version: &Version) -> bool {
        self.policy.may_see(self.caller, version)
    }
}

impl<T: PartialEq> Level<T> {
    /// Whether it is asked for.
    pub(super) fn admits(&self, name: &T) -> bool {
        match self {
            Level::Any => true,
            Level::One(one) => one == name,
        }
    }
}

impl Seen<'_> {
    /// The newest version that the caller sees.
    pub(super) fn newest(&self) -> Option<&Version> {
        self.offerings.first().map(|offering| offering.version.as_ref())
    }

    /// The capability as it is shown.
    pub(super) fn show(&self) -> pb::Capability {
        wire::capability(&self.name, self.offerings.iter().map(|offering| offering.version.as_ref()))
    }
}

/// Reads a little of all that tells who sees a platform's versions: memory answers many such questions at once in the
/// time of one, and the rules ask them one by one.
fn touch(entry: &PlatformEntry) {
    let offerings = entry.capabilities.values().flat_map(|capability| &capability.offerings);
    let seen_by = offerings.filter_map(|offering| offering.version.visibility.platforms.first());
    let byte = |name: &PlatformName| name.as_str().as_bytes().first().map_or(0, |byte| usize::from(*byte));
    black_box(seen_by.map(byte).sum::<usize>());
}

/// A producer as it is shown.
pub(super) fn show_producer(producer: &Producer, versions: Vec<&VersionName>) -> pb::Producer {
    wire::producer(producer, versions)
}

/// Reads `platforms/{platform}`.
pub(super) fn platform_name(name: &str) -> Result<PlatformName, Fault> {
    let id = name.strip_prefix("platforms/").unwrap_or_default();
    PlatformName::parse(id).map_err(|_| invalid(format!("{name:.80?} is not written platforms/{{platform}}")))
}
