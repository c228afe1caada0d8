//! The edits that keep producers, versions and claims in agreement.

use super::log::Before;
use super::{CapabilityEntry, Claims, Offering, PlatformEntry, Snapshot};
use crate::model::{CapabilityName, Platform, Producer, ServiceName, VersionName};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Snapshot {
    pub(super) fn replace_producer(&mut self, producer: Producer) {
        let old = self.producer(&producer.name).cloned();
        self.touch(Before::Producer(producer.name.clone(), old));
        let producer = self.keep_producer(producer);
        for version in &producer.versions {
            self.edit_offering(version, |old| {
                old.map(|mut old| {
                    old.put_producer(&producer);
                    old
                })
            });
        }
    }

    pub(super) fn keep_producer(&mut self, producer: Producer) -> Arc<Producer> {
        let producer = Arc::new(producer);
        if let Some(entry) = self.platforms.get(&producer.name.platform) {
            let mut entry = PlatformEntry::clone(entry);
            entry.producers.insert_mut(producer.name.producer.clone(), producer.clone());
            self.platforms.insert_mut(producer.name.platform.clone(), Arc::new(entry));
        }
        producer
    }

    /// Edits one version; one that nobody declares is gone.
    pub(super) fn edit_offering(
        &mut self,
        name: &VersionName,
        edit: impl FnOnce(Option<Offering>) -> Option<Offering>,
    ) {
        let Some(entry) = self.platforms.get(&name.platform) else { return };
        let mut entry = PlatformEntry::clone(entry);
        let mut capability =
            entry.capabilities.get(&name.capability).map(|c| CapabilityEntry::clone(c)).unwrap_or_default();
        let place = capability.offerings.iter().position(|o| o.version.name.version == name.version);
        let old = place.map(|place| capability.offerings.remove(place));

        let new = edit(old.as_deref().cloned()).and_then(Offering::settled).map(Arc::new);
        let reads_alike = match (&old, &new) {
            (Some(old), Some(new)) => old.reads_like(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !reads_alike {
            self.touch(Before::Version(name.clone(), old.clone()));
        }
        if let Some(new) = &new {
            let at = capability.offerings.partition_point(|o| o.version.name.version > name.version);
            capability.offerings.insert(at, new.clone());
        }
        if capability.offerings.is_empty() {
            entry.capabilities.remove_mut(&name.capability);
        } else {
            entry.capabilities.insert_mut(name.capability.clone(), Arc::new(capability));
        }
        let platform = entry.platform.clone();
        self.platforms.insert_mut(name.platform.clone(), Arc::new(entry));
        self.index_needs(name, old.as_deref(), new.as_deref());
        self.index(&platform, name, old, new);
    }

    /// Keeps who needs what; versions that need nothing cost nothing.
    fn index_needs(&mut self, name: &VersionName, old: Option<&Offering>, new: Option<&Offering>) {
        let needed = |offering: Option<&Offering>| -> BTreeSet<CapabilityName> {
            let facts = offering.map(|offering| &offering.version.facts);
            let needs =
                facts.into_iter().flat_map(|facts| facts.depends_on.iter().chain(&facts.prerequisites));
            needs.map(|need| need.capability.clone()).collect()
        };
        let (before, after) = (needed(old), needed(new));
        for gone in before.difference(&after) {
            let Some(mut names) = self.needs.get(gone).cloned() else { continue };
            names.remove_mut(name);
            if names.is_empty() {
                self.needs.remove_mut(gone);
            } else {
                self.needs.insert_mut(gone.clone(), names);
            }
        }
        for new in after.difference(&before) {
            let mut names = self.needs.get(new).cloned().unwrap_or_default();
            names.insert_mut(name.clone());
            self.needs.insert_mut(new.clone(), names);
        }
    }

    fn index(
        &mut self,
        platform: &Platform,
        name: &VersionName,
        old: Option<Arc<Offering>>,
        new: Option<Arc<Offering>>,
    ) {
        let services: BTreeSet<_> =
            old.iter().chain(&new).flat_map(|o| o.version.services.iter().cloned()).collect();
        for service in services {
            let holds = new.as_ref().filter(|new| new.version.services.contains(&service)).cloned();
            self.edit_claims(&service, |claims| claims.replace(platform, &service, name, holds));
        }
    }

    pub(super) fn edit_claims(&mut self, service: &ServiceName, edit: impl FnOnce(&mut Claims)) {
        let known = self.services.get(service.as_str()).map(|claims| Claims::clone(claims));
        let mut claims = known.unwrap_or_else(|| {
            let mut claims = Claims::default();
            claims.decide(self.overrides.get(service).cloned());
            claims
        });
        edit(&mut claims);
        if claims.is_empty() {
            self.services.remove(service);
        } else {
            self.services.insert(service.clone(), Arc::new(claims));
        }
    }
}
