//! What is declared by manifests: an immutable set, so that a draft is free to fail.

use crate::model::service_config::Idempotent;
use crate::model::{
    CapabilityName, CapabilitySpec, Digest, Drift, GrantName, Identity, Platform, PlatformName, ProducerId,
    ProducerName, Resource, ServiceName, Spec, VersionName,
};
use jiff::Timestamp;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use tokio::time::Instant;

/// Which resource: ordered as they are applied, and the reverse as they are removed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::federation) enum Key {
    Platform(PlatformName),
    Grant(GrantName),
    Capability(CapabilityName),
    Version(VersionName),
    Producer(ProducerName),
    Override(ServiceName),
}

/// Which way a manifest came.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::federation) enum Via {
    /// By `ApplyManifests`, from this identity.
    Call(Identity),
    /// From a file of the watched directory.
    File(Arc<str>),
}

/// The contract of a declared version, as it was screened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::federation) struct Sealed {
    /// The descriptor set as it was sent.
    pub(in crate::federation) descriptors: Option<Digest>,
    /// Bytes of that.
    pub(in crate::federation) bytes: usize,
    /// Its sound files with their comments, however they were packed.
    pub(in crate::federation) files: Option<Digest>,
    /// What may never change.
    pub(in crate::federation) digest: Digest,
    /// Methods that its descriptors declare idempotent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::federation) idempotent: Vec<Idempotent>,
}

/// One declared resource.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::federation) struct Entry {
    /// Without the bytes of descriptor sets.
    pub(in crate::federation) resource: Resource,
    pub(in crate::federation) via: Via,
    /// Since when it is declared.
    pub(in crate::federation) since: Timestamp,
    /// Of a version that is not discovered.
    pub(in crate::federation) sealed: Option<Sealed>,
    /// Digest of all that it says.
    pub(in crate::federation) content: Digest,
    /// Whether it is in force; after a restart something may stand in its way.
    pub(in crate::federation) stands: bool,
    /// Why what runs is not what it says: a word for programs and a sentence for people.
    pub(in crate::federation) trouble: Option<(&'static str, String)>,
}

/// All that is declared. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(in crate::federation) struct Declared {
    entries: RedBlackTreeMapSync<Key, Arc<Entry>>,
    /// Platforms of the configuration file.
    configured: Arc<BTreeMap<PlatformName, Platform>>,
    /// Platforms that take part, with all that is granted to them.
    platforms: Arc<BTreeMap<PlatformName, Platform>>,
    /// When overrides end.
    ends: RedBlackTreeSetSync<(Instant, ServiceName)>,
    /// Bytes of the descriptor sets of declared versions, by platform.
    bytes: RedBlackTreeMapSync<PlatformName, usize>,
    /// Capabilities, versions and producers that are declared, by platform.
    counts: RedBlackTreeMapSync<PlatformName, usize>,
    /// All of these.
    of_owners: usize,
    /// What was wrong with the watched directory when it was read last.
    pub(in crate::federation) noted: Arc<[Drift]>,
}

impl Declared {
    /// Nothing but what the configuration says.
    pub(in crate::federation) fn new(configured: impl IntoIterator<Item = Platform>) -> Self {
        let configured: BTreeMap<_, _> = configured.into_iter().map(|p| (p.name.clone(), p)).collect();
        let configured = Arc::new(configured);
        Self { platforms: configured.clone(), configured, ..Self::default() }
    }

    pub(in crate::federation) fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        self.entries.get(key)
    }

    /// Capabilities, versions and producers of a platform.
    pub(in crate::federation) fn count_of(&self, platform: &PlatformName) -> usize {
        self.counts.get(platform).copied().unwrap_or_default()
    }

    /// Capabilities, versions and producers of all platforms.
    pub(in crate::federation) fn count_of_owners(&self) -> usize {
        self.of_owners
    }

    /// Platforms, grants and overrides.
    pub(in crate::federation) fn count_of_operators(&self) -> usize {
        self.entries.size() - self.of_owners
    }

    /// All of them, in the order in which they are applied.
    pub(in crate::federation) fn iter(&self) -> impl DoubleEndedIterator<Item = (&Key, &Arc<Entry>)> {
        self.entries.iter()
    }

    /// The platform as the configuration has it.
    pub(in crate::federation) fn configured(&self, name: &PlatformName) -> Option<&Platform> {
        self.configured.get(name)
    }

    /// The platforms that take part.
    pub(in crate::federation) fn platforms(&self) -> &Arc<BTreeMap<PlatformName, Platform>> {
        &self.platforms
    }

    /// What the versions of a capability have in common.
    pub(in crate::federation) fn defaults(&self, name: &CapabilityName) -> Option<&CapabilitySpec> {
        match &self.get(&Key::Capability(name.clone()))?.resource.spec {
            Spec::Capability(spec) => Some(spec),
            _ => None,
        }
    }

    /// The declared versions of a capability.
    pub(in crate::federation) fn versions_of<'a>(
        &'a self,
        name: &'a CapabilityName,
    ) -> impl Iterator<Item = (&'a VersionName, &'a Arc<Entry>)> {
        let first = Key::Version(VersionName {
            platform: name.platform.clone(),
            capability: name.capability.clone(),
            // Nothing is smaller (semver.org, item 11).
            version: semver::Version {
                pre: semver::Prerelease::new("0").unwrap_or_default(),
                ..semver::Version::new(0, 0, 0)
            },
        });
        let from = self.entries.range((Bound::Included(first), Bound::Unbounded));
        from.map_while(move |(key, entry)| match key {
            Key::Version(version) if version.capability_name() == *name => Some((version, entry)),
            _ => None,
        })
    }

    /// The declared producers of a platform.
    pub(in crate::federation) fn producers_of<'a>(
        &'a self,
        platform: &'a PlatformName,
    ) -> impl Iterator<Item = (&'a ProducerName, &'a Arc<Entry>)> {
        // No id is smaller.
        let first = ProducerId::parse("a")
            .ok()
            .map(|producer| Key::Producer(ProducerName { platform: platform.clone(), producer }));
        let from = first.map(|first| self.entries.range((Bound::Included(first), Bound::Unbounded)));
        from.into_iter().flatten().map_while(move |(key, entry)| match key {
            Key::Producer(name) if name.platform == *platform => Some((name, entry)),
            _ => None,
        })
    }

    /// Bytes of the descriptor sets that a platform has declared.
    pub(in crate::federation) fn descriptor_bytes(&self, platform: &PlatformName) -> usize {
        self.bytes.get(platform).copied().unwrap_or_default()
    }

    /// When the next override ends.
    pub(in crate::federation) fn next_end(&self) -> Option<Instant> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// An override that has ended.
    pub(in crate::federation) fn ended(&self, now: Instant) -> Option<ServiceName> {
        self.ends.first().filter(|(at, _)| *at <= now).map(|(_, service)| service.clone())
    }

    /// Notes when an override ends.
    pub(in crate::federation) fn end_at(&mut self, service: &ServiceName, at: Instant) {
        self.forget_end(service);
        self.ends.insert_mut((at, service.clone()));
    }

    /// Notes the bytes of a descriptor set that are more, or fewer.
    pub(in crate::federation) fn count_bytes(&mut self, platform: &PlatformName, more: usize, fewer: usize) {
        let bytes = (self.descriptor_bytes(platform) + more).saturating_sub(fewer);
        self.bytes.insert_mut(platform.clone(), bytes);
    }

    pub(in crate::federation) fn put(&mut self, key: Key, entry: Entry) {
        let is_of_platforms = matches!(key, Key::Platform(_) | Key::Grant(_));
        if key.is_owners() && !self.entries.contains_key(&key) {
            let platform = entry.resource.spec.platform().clone();
            let count = self.count_of(&platform) + 1;
            self.counts.insert_mut(platform, count);
            self.of_owners += 1;
        }
        self.entries.insert_mut(key, Arc::new(entry));
        if is_of_platforms {
            self.refresh();
        }
    }

    pub(in crate::federation) fn remove(&mut self, key: &Key) {
        let Some(entry) = self.entries.get(key).cloned() else { return };
        self.entries.remove_mut(key);
        if key.is_owners() {
            self.of_owners -= 1;
            let platform = entry.resource.spec.platform();
            match self.count_of(platform) {
                0 | 1 => self.counts.remove_mut(platform),
                count => {
                    self.counts.insert_mut(platform.clone(), count - 1);
                    true
                }
            };
        }
        match key {
            Key::Platform(_) | Key::Grant(_) => self.refresh(),
            Key::Override(service) => self.forget_end(service),
            _ => {}
        }
    }

    fn forget_end(&mut self, service: &ServiceName) {
        let at = self.ends.iter().find(|(_, name)| name == service).cloned();
        if let Some(end) = at {
            self.ends.remove_mut(&end);
        }
    }

    /// What the configuration says of platforms, and beside it what manifests add.
    fn refresh(&mut self) {
        let mut platforms = BTreeMap::clone(&self.configured);
        for entry in self.entries.values().filter(|entry| entry.stands) {
            match &entry.resource.spec {
                Spec::Platform(spec) => {
                    platforms.entry(spec.name.clone()).or_insert_with(|| Platform {
                        name: spec.name.clone(),
                        display_name: spec.display_name.clone(),
                        trust_domain: spec.trust_domain.clone(),
                        service_prefixes: Vec::new(),
                    });
                }
                Spec::Grant(spec) => {
                    let Some(platform) = platforms.get_mut(&spec.name.platform) else { continue };
                    let held = &mut platform.service_prefixes;
                    let new = spec.service_prefixes.iter().filter(|prefix| !held.contains(prefix));
                    let new: Vec<_> = new.cloned().collect();
                    held.extend(new);
                }
                // Platforms and grants come first.
                _ => break,
            }
        }
        self.platforms = Arc::new(platforms);
    }
}

impl Entry {
    /// One that is in force.
    pub(in crate::federation) fn new(
        resource: Resource,
        via: Via,
        content: Digest,
        since: Timestamp,
    ) -> Self {
        Self { resource, via, since, sealed: None, content, stands: true, trouble: None }
    }
}

impl Key {
    pub(in crate::federation) fn of(spec: &Spec) -> Self {
        match spec {
            Spec::Platform(spec) => Key::Platform(spec.name.clone()),
            Spec::Grant(spec) => Key::Grant(spec.name.clone()),
            Spec::Capability(spec) => Key::Capability(spec.name.clone()),
            Spec::Version(spec) => Key::Version(spec.name()),
            Spec::Producer(spec) => Key::Producer(spec.name.clone()),
            Spec::Override(spec) => Key::Override(spec.service.clone()),
        }
    }

    /// Whether those of the platform declare it; else operators do.
    pub(in crate::federation) fn is_owners(&self) -> bool {
        matches!(self, Key::Capability(_) | Key::Version(_) | Key::Producer(_))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Platform(name) => write!(f, "Platform platforms/{name}"),
            Key::Grant(name) => write!(f, "Grant {name}"),
            Key::Capability(name) => write!(f, "Capability {name}"),
            Key::Version(name) => write!(f, "Version {name}"),
            Key::Producer(name) => write!(f, "Producer {name}"),
            Key::Override(service) => write!(f, "Override overrides/{service}"),
        }
    }
}
