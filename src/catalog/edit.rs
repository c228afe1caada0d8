//! The edits that keep producers, versions and claims in agreement.

use super::log::Before;
use super::{Claims, Offering, PlatformEntry, Snapshot};
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
        let capability = entry.capabilities.get(&name.capability);
        let place = capability.map_or(Err(0), |capability| capability.place(name));
        let old = capability.zip(place.ok()).map(|(capability, place)| capability.offerings[place].clone());

        let new = edit(old.as_deref().cloned()).and_then(Offering::settled).map(Arc::new);
        let reads_alike = match (&old, &new) {
            (Some(old), Some(new)) => old.reads_like(new),
            (old, new) => old.is_none() && new.is_none(),
        };
        if !reads_alike {
            self.touch(Before::Version(name.clone(), old.clone()));
        }
        let Some(platform) = self.put_offering(name, place, new.as_ref()) else { return };
        self.index_needs(name, old.as_deref(), new.as_deref());
        self.index(&platform, old, new);
    }

    /// Puts an offering where it stands, or takes it out. What no other snapshot holds is changed where it is, so that the
    /// second version of one change does not copy its capability once more.
    fn put_offering(
        &mut self,
        name: &VersionName,
        place: Result<usize, usize>,
        new: Option<&Arc<Offering>>,
    ) -> Option<Arc<Platform>> {
        let entry = Arc::make_mut(self.platforms.get_mut(&name.platform)?);
        if !entry.capabilities.contains_key(&name.capability) {
            entry.capabilities.insert_mut(name.capability.clone(), Arc::default());
        }
        let offerings = &mut Arc::make_mut(entry.capabilities.get_mut(&name.capability)?).offerings;
        match (place, new) {
            (Ok(place), Some(new)) => offerings[place] = new.clone(),
            (Err(place), Some(new)) => offerings.insert(place, new.clone()),
            (Ok(place), None) => drop(offerings.remove(place)),
            (Err(_), None) => {}
        }
        if offerings.is_empty() {
            entry.capabilities.remove_mut(&name.capability);
        }
        Some(entry.platform.clone())
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

    fn index(&mut self, platform: &Platform, old: Option<Arc<Offering>>, new: Option<Arc<Offering>>) {
        let services: BTreeSet<_> =
            old.iter().chain(&new).flat_map(|o| o.version.services.iter().cloned()).collect();
        for service in services {
            let holds = new.as_ref().filter(|new| new.version.services.contains(&service)).cloned();
            self.edit_claims(&service, |claims| claims.replace(platform, &service, old.as_ref(), holds));
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
