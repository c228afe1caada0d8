//! One change makes the next snapshot from this one: pure, whole or not at all.

use super::{CapabilityEntry, Offering, PlatformEntry, Snapshot};
use crate::model::{Freshness, Platform, PlatformName, Producer, ProducerName, Version, VersionName};
use jiff::Timestamp;
use rpds::RedBlackTreeMapSync;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What can happen to the catalogue.
#[derive(Debug, Clone)]
pub enum Change {
    /// A platform appears, or says something else about itself.
    PutPlatform(Platform),
    /// A producer declares the whole of what it serves.
    PutProducer {
        /// The producer; its `versions` are the names of `versions`.
        producer: Producer,
        /// The contracts. One that stands already must have the same digest; what its owner says about it may differ.
        versions: Vec<Version>,
    },
    /// A producer's lease was renewed or ran out.
    SetFreshness {
        /// Whose.
        producer: ProducerName,
        /// How far it may be believed now.
        freshness: Freshness,
        /// When the lease ends unless renewed.
        lease_expires: Option<Timestamp>,
        /// When this became so.
        updated: Timestamp,
    },
    /// A producer is gone, and the versions that only it served.
    RemoveProducer(ProducerName),
}

/// Why a change is refused. The catalogue stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The platform was never put.
    #[error("platform {0} is not known")]
    UnknownPlatform(PlatformName),
    /// The producer is not there.
    #[error("{0} is not known")]
    UnknownProducer(ProducerName),
    /// A version stands there with another contract.
    #[error("{0} stands with another contract; a version never changes, register a higher one")]
    ContractMutated(VersionName),
    /// A version is of another platform than its producer.
    #[error("{0} is of another platform than its producer")]
    ForeignVersion(VersionName),
}

impl Snapshot {
    /// The next snapshot, with a higher revision if a reader could care.
    pub fn apply(&self, change: Change) -> Result<Snapshot, Error> {
        let mut next = self.clone();
        match change {
            Change::PutPlatform(platform) => next.put_platform(platform),
            Change::PutProducer { producer, versions } => next.put_producer(producer, versions)?,
            Change::RemoveProducer(name) => next.remove_producer(&name)?,
            Change::SetFreshness { producer, freshness, lease_expires, updated } => {
                let old = self.producer(&producer).ok_or(Error::UnknownProducer(producer))?;
                let quiet = old.freshness == freshness;
                let new = Producer { freshness, lease_expires, updated, ..Producer::clone(old) };
                if quiet {
                    // Its times are shown with the producer alone: a renewal must not cost as much as what is renewed.
                    next.keep_producer(new);
                    return Ok(next);
                }
                next.replace_producer(new);
            }
        }
        next.revision += 1;
        Ok(next)
    }

    fn put_platform(&mut self, platform: Platform) {
        let old = self.platforms.get(&platform.name);
        let (capabilities, producers) = old.map_or_else(
            || (RedBlackTreeMapSync::new_sync(), RedBlackTreeMapSync::new_sync()),
            |old| (old.capabilities.clone(), old.producers.clone()),
        );
        let name = platform.name.clone();
        let entry = PlatformEntry { platform: Arc::new(platform), capabilities, producers };
        self.platforms.insert_mut(name, Arc::new(entry));
    }

    fn put_producer(&mut self, mut producer: Producer, versions: Vec<Version>) -> Result<(), Error> {
        let platform = &producer.name.platform;
        let entry = self.platforms.get(platform).ok_or_else(|| Error::UnknownPlatform(platform.clone()))?;
        for version in &versions {
            if version.name.platform != *platform {
                return Err(Error::ForeignVersion(version.name.clone()));
            }
            if self.offering(&version.name).is_some_and(|old| old.version.digest != version.digest) {
                return Err(Error::ContractMutated(version.name.clone()));
            }
        }
        producer.versions = versions.iter().map(|version| version.name.clone()).collect();
        producer.versions.sort();
        let before =
            entry.producers.get(&producer.name.producer).map(|old| old.versions.clone()).unwrap_or_default();
        let dropped: Vec<_> = before.into_iter().filter(|name| !producer.versions.contains(name)).collect();

        let producer = self.keep_producer(producer);
        for name in dropped {
            self.edit_offering(&name, None, |producers| producers.retain(|p| p.name != producer.name));
        }
        for version in versions {
            let name = version.name.clone();
            self.edit_offering(&name, Some(version), |producers| put_sorted(producers, &producer));
        }
        Ok(())
    }

    fn remove_producer(&mut self, name: &ProducerName) -> Result<(), Error> {
        let old = self.producer(name).cloned().ok_or_else(|| Error::UnknownProducer(name.clone()))?;
        if let Some(entry) = self.platforms.get(&name.platform) {
            let mut entry = PlatformEntry::clone(entry);
            entry.producers.remove_mut(&name.producer);
            self.platforms.insert_mut(name.platform.clone(), Arc::new(entry));
        }
        for version in &old.versions {
            self.edit_offering(version, None, |producers| producers.retain(|p| p.name != *name));
        }
        Ok(())
    }

    fn replace_producer(&mut self, producer: Producer) {
        let producer = self.keep_producer(producer);
        for version in &producer.versions {
            self.edit_offering(version, None, |producers| put_sorted(producers, &producer));
        }
    }

    fn keep_producer(&mut self, producer: Producer) -> Arc<Producer> {
        let producer = Arc::new(producer);
        if let Some(entry) = self.platforms.get(&producer.name.platform) {
            let mut entry = PlatformEntry::clone(entry);
            entry.producers.insert_mut(producer.name.producer.clone(), producer.clone());
            self.platforms.insert_mut(producer.name.platform.clone(), Arc::new(entry));
        }
        producer
    }

    /// Edits the producers of one version, and what is said of it; a version without producers is gone.
    fn edit_offering(
        &mut self,
        name: &VersionName,
        said: Option<Version>,
        edit: impl FnOnce(&mut Vec<Arc<Producer>>),
    ) {
        let Some(entry) = self.platforms.get(&name.platform) else { return };
        let mut entry = PlatformEntry::clone(entry);
        let mut capability =
            entry.capabilities.get(&name.capability).map(|c| CapabilityEntry::clone(c)).unwrap_or_default();
        let place = capability.offerings.iter().position(|o| o.version.name.version == name.version);
        let old = place.map(|place| capability.offerings.remove(place));

        let mut producers = old.as_ref().map(|old| old.producers.clone()).unwrap_or_default();
        edit(&mut producers);
        let version = said.map(Arc::new).or_else(|| old.as_ref().map(|old| old.version.clone()));
        let new = version
            .filter(|_| !producers.is_empty())
            .map(|version| Arc::new(Offering { version, producers }));
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
        self.index(&platform, name, old, new);
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
            let holds = new.as_ref().filter(|new| new.version.services.contains(&service));
            let mut claims =
                self.services.get(service.as_str()).map(|c| super::Claims::clone(c)).unwrap_or_default();
            claims.replace(platform, &service, name, holds.cloned());
            if claims.is_empty() {
                self.services.remove(&service);
            } else {
                self.services.insert(service, Arc::new(claims));
            }
        }
    }
}

fn put_sorted(producers: &mut Vec<Arc<Producer>>, producer: &Arc<Producer>) {
    match producers.binary_search_by(|p| p.name.cmp(&producer.name)) {
        Ok(place) => producers[place] = producer.clone(),
        Err(place) => producers.insert(place, producer.clone()),
    }
}
