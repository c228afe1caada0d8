//! What runs, from whatever source, as manifests.

use super::Published;
use super::set::{Declared, Key, Sealed};
use crate::catalog::{self, PlatformEntry, Snapshot};
use crate::descriptors;
use crate::federation::calls;
use crate::model::{
    GrantId, GrantName, GrantSpec, Offer, PlatformName, PlatformSpec, Producer, ProducerSpec, Resource,
    Source, Spec, Version, VersionSpec,
};
use std::sync::Arc;

/// Reads what is declared and what runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) declared: Published,
    pub(super) catalog: catalog::Reader,
}

impl Reader {
    /// What runs of the platforms that `is_meant` names, as manifests, and the revision that was read. Ordered by
    /// platform, kind and name. `None` as soon as `has_room` refuses one: no more of them are made.
    pub fn export(
        &self,
        described: &descriptors::Snapshot,
        is_meant: impl Fn(&PlatformName) -> bool,
        mut has_room: impl FnMut(&Resource) -> bool,
    ) -> Option<(Vec<Resource>, u64)> {
        let (declared, catalog) = (self.declared.load(), self.catalog.snapshot());
        let standing = declared
            .iter()
            .filter(|(_, entry)| entry.stands && is_meant(entry.resource.spec.platform()))
            .map(|(_, entry)| entry.resource.clone());
        let others = undeclared(&catalog, &declared, &is_meant).map(|(resource, _)| resource);
        let mut resources = Vec::new();
        for mut resource in standing.chain(others) {
            if let Spec::Version(spec) = &mut resource.spec
                && !spec.offer.discover
            {
                spec.offer.descriptor_set = described.bytes(&spec.name()).unwrap_or_default();
            }
            if !has_room(&resource) {
                return None;
            }
            resources.push(resource);
        }
        resources.sort_by_cached_key(|r| (r.spec.platform().clone(), Key::of(&r.spec)));
        Some((resources, catalog.revision()))
    }
}

/// What runs and no manifest declares, with its source.
pub(super) fn undeclared<'a>(
    catalog: &'a Snapshot,
    declared: &'a Declared,
    is_meant: impl Fn(&PlatformName) -> bool + 'a,
) -> impl Iterator<Item = (Resource, Source)> + 'a {
    let platforms = catalog.platforms().filter(move |entry| is_meant(&entry.platform.name));
    platforms
        .flat_map(move |entry| of_platform(entry, declared))
        .filter(move |(resource, _)| declared.get(&Key::of(&resource.spec)).is_none_or(|entry| !entry.stands))
}

fn of_platform<'a>(
    entry: &'a Arc<PlatformEntry>,
    declared: &'a Declared,
) -> impl Iterator<Item = (Resource, Source)> + 'a {
    let made = |spec: Spec, source: Source| (Resource { origin: String::new(), spec }, source);
    let platform = made(Spec::Platform(platform_spec(entry)), Source::Configuration);
    let grant = rest(entry, declared).map(move |spec| made(Spec::Grant(spec), Source::Configuration));
    let offerings = entry.capabilities.values().flat_map(|capability| &capability.offerings);
    let versions = offerings.map(move |o| made(Spec::Version(version_spec(&o.version)), o.source));
    let producers = entry.producers.values().map(move |p| made(Spec::Producer(producer_spec(p)), p.source));
    [platform].into_iter().chain(grant).chain(versions).chain(producers)
}

/// What the configuration alone grants, as a grant.
fn rest(entry: &PlatformEntry, declared: &Declared) -> Option<GrantSpec> {
    let platform = &entry.platform.name;
    let is_declared = |prefix: &_| {
        declared.iter().any(|(_, entry)| match &entry.resource.spec {
            Spec::Grant(spec) => spec.name.platform == *platform && spec.service_prefixes.contains(prefix),
            _ => false,
        })
    };
    let prefixes = declared.configured(platform).map(|p| p.service_prefixes.as_slice()).unwrap_or_default();
    let prefixes: Vec<_> = prefixes.iter().filter(|prefix| !is_declared(prefix)).cloned().collect();
    if prefixes.is_empty() {
        return None;
    }
    let mut names = (1..).filter_map(|n: u32| {
        let id = if n == 1 { "configured".to_owned() } else { format!("configured-{n}") };
        Some(GrantName { platform: platform.clone(), grant: GrantId::parse(&id).ok()? })
    });
    let name = names.find(|name| declared.get(&Key::Grant(name.clone())).is_none())?;
    Some(GrantSpec { name, service_prefixes: prefixes })
}

/// What stands under a name, whoever says so, as a manifest; with what its contract is.
pub(super) fn standing(catalog: &Snapshot, wanted: &Spec) -> Option<(Spec, Option<Sealed>)> {
    match wanted {
        Spec::Platform(spec) => {
            Some((Spec::Platform(platform_spec(catalog.platform(spec.name.as_str())?)), None))
        }
        Spec::Grant(spec) => {
            let held = &catalog.platform(spec.name.platform.as_str())?.platform.service_prefixes;
            let all = spec.service_prefixes.iter().all(|prefix| held.contains(prefix));
            all.then(|| (wanted.clone(), None))
        }
        Spec::Capability(_) => None,
        Spec::Version(spec) => {
            let version = &catalog.offering(&spec.name())?.version;
            let (descriptors, digest) = (version.descriptors, version.digest);
            let sealed = Sealed { descriptors, bytes: 0, files: None, digest, idempotent: Vec::new() };
            Some((Spec::Version(version_spec(version)), Some(sealed)))
        }
        Spec::Producer(spec) => Some((Spec::Producer(producer_spec(catalog.producer(&spec.name)?)), None)),
        Spec::Override(spec) => {
            let decided = catalog.overrides().find(|decided| decided.service == spec.service)?;
            Some((Spec::Override(decided.as_ref().clone()), None))
        }
    }
}

/// Through which source something runs.
pub(super) fn source(catalog: &Snapshot, key: &Key) -> Option<Source> {
    match key {
        Key::Platform(name) => catalog.platform(name.as_str()).map(|_| Source::Configuration),
        Key::Version(name) => catalog.offering(name).map(|offering| offering.source),
        Key::Producer(name) => catalog.producer(name).map(|producer| producer.source),
        Key::Grant(_) | Key::Capability(_) | Key::Override(_) => None,
    }
}

/// A version as a manifest without its descriptors.
pub(super) fn version_spec(version: &Version) -> VersionSpec {
    let version = version.clone();
    let offer = Offer {
        capability: version.name.capability,
        version: version.name.version,
        services: version.services,
        descriptor_set: Vec::new(),
        parameter_schema: version.parameter_schema.map(|schema| schema.as_ref().to_owned()),
        discover: false,
        description: version.description,
        owner: version.owner,
        contact: version.contact,
        stage: version.stage,
        deprecation_time: version.deprecation_time,
        sunset_time: version.sunset_time,
        visibility: version.visibility,
        slo: version.slo,
        traffic_weight: version.traffic_weight,
        // What its descriptors say is not said again.
        facts: calls::with_idempotent(version.facts, &[]),
    };
    VersionSpec { platform: version.name.platform, offer }
}

fn platform_spec(entry: &PlatformEntry) -> PlatformSpec {
    let platform = &entry.platform;
    PlatformSpec {
        name: platform.name.clone(),
        display_name: platform.display_name.clone(),
        trust_domain: platform.trust_domain.clone(),
    }
}

fn producer_spec(producer: &Producer) -> ProducerSpec {
    let version = |name: &crate::model::VersionName| (name.capability.clone(), name.version.clone());
    ProducerSpec {
        name: producer.name.clone(),
        identity: producer.identity.to_string(),
        endpoints: producer.endpoints.clone(),
        versions: producer.versions.iter().map(version).collect(),
        discovery_interval: None,
    }
}
