//! One change makes the next snapshot from this one: pure, whole or not at all.

use super::log::Before;
use super::{Offering, PlatformEntry, Snapshot};
use crate::model::{
    Clash, ClashKind, Contract, Drift, Freshness, OverrideSpec, Platform, PlatformName, Producer,
    ProducerName, ServiceName, Source, Version, VersionName,
};
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
    /// A manifest declares a version, whether or not anybody serves it.
    DeclareVersion {
        /// The version. If it stands already it must have the same digest.
        version: Version,
        /// Since when.
        since: Timestamp,
    },
    /// No manifest declares the version by itself any more.
    WithdrawVersion(VersionName),
    /// A platform is gone. It must offer nothing and serve nothing.
    RemovePlatform(PlatformName),
    /// A contract was taken for the first time; from now on nothing else stands under its version.
    RecordContract(Contract),
    /// Since when a platform claims a service name, as it was recorded; the times of its producers no longer move it.
    RecordClaim {
        /// The name.
        service: ServiceName,
        /// Who claims it.
        platform: PlatformName,
        /// Since when.
        since: Timestamp,
    },
    /// The operator decides who owns a service name.
    PutOverride(OverrideSpec),
    /// The operator's decision has ended.
    RemoveOverride(ServiceName),
    /// A declaration lost against what stands.
    PutClash(Clash),
    /// A producer said anew all that it offers, or left: what it claimed before through this source is over.
    SettleProducer {
        /// Which.
        producer: ProducerName,
        /// Through which source.
        source: Source,
    },
    /// Clashes of this subject, kind and source are over.
    SettleClash {
        /// Whose.
        platform: PlatformName,
        /// Of what.
        subject: String,
        /// What kind.
        kind: ClashKind,
        /// Through which source it came.
        source: Source,
    },
    /// Which declarations of one source are not what runs, all of them.
    SetDrifts {
        /// Which source.
        source: Source,
        /// What differs.
        drifts: Vec<Drift>,
    },
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
    /// The platform still offers or serves something.
    #[error("platform {0} still has versions or producers; remove them first")]
    PlatformInUse(PlatformName),
    /// The manifest declares no such version.
    #[error("{0} is declared by no manifest")]
    UndeclaredVersion(VersionName),
    /// A version is of another platform than its producer.
    #[error("{0} is of another platform than its producer")]
    ForeignVersion(VersionName),
}

impl Snapshot {
    /// The next snapshot, with a higher revision if a reader could care.
    pub fn apply(&self, change: Change) -> Result<Snapshot, Error> {
        let mut next = self.clone();
        let is_news = match change {
            Change::PutPlatform(platform) => next.put_platform(platform),
            Change::RemovePlatform(name) => next.remove_platform(name)?,
            Change::PutProducer { producer, versions } => next.put_producer(producer, versions)?,
            Change::RemoveProducer(name) => next.remove_producer(&name)?,
            Change::DeclareVersion { version, since } => next.declare(version, since)?,
            Change::WithdrawVersion(name) => next.withdraw(&name)?,
            Change::RecordContract(contract) => {
                next.history.record(contract);
                false
            }
            Change::RecordClaim { service, platform, since } => next.record_claim(&service, &platform, since),
            Change::PutOverride(spec) => next.decide(&spec.service.clone(), Some(Arc::new(spec))),
            Change::RemoveOverride(service) => next.decide(&service, None),
            Change::PutClash(clash) => next.clashes.put(clash),
            Change::SettleProducer { producer, source } => next.clashes.settle(&producer.platform, |clash| {
                clash.source == source && clash.producer.as_ref() == Some(&producer)
            }),
            Change::SettleClash { platform, subject, kind, source } => {
                next.clashes.settle(&platform, |clash| {
                    (&clash.subject, clash.kind, clash.source) == (&subject, kind, source)
                })
            }
            Change::SetDrifts { source, drifts } => {
                let others = next.drifts.iter().filter(|drift| drift.source != source).cloned();
                let all: Arc<[Drift]> = others.chain(drifts).collect();
                let differs = next.drifts != all;
                next.drifts = all;
                differs
            }
            Change::SetFreshness { producer, freshness, lease_expires, updated } => {
                let old = self.producer(&producer).ok_or(Error::UnknownProducer(producer))?;
                let quiet = old.freshness == freshness;
                let new = Producer { freshness, lease_expires, updated, ..Producer::clone(old) };
                if quiet {
                    // Its times are shown with the producer alone: a renewal must not cost as much as what is renewed.
                    next.keep_producer(new);
                } else {
                    next.replace_producer(new);
                }
                !quiet
            }
        };
        next.revision += u64::from(is_news);
        Ok(next)
    }

    fn put_platform(&mut self, platform: Platform) -> bool {
        let name = platform.name.clone();
        let old = self.platforms.get(&name).cloned();
        if old.as_ref().is_some_and(|old| *old.platform == platform) {
            return false;
        }
        self.touch(Before::Platform(name.clone(), old.as_ref().map(|old| old.platform.clone())));
        let platform = Arc::new(platform);
        let (capabilities, producers) = old.as_ref().map_or_else(
            || (RedBlackTreeMapSync::new_sync(), RedBlackTreeMapSync::new_sync()),
            |old| (old.capabilities.clone(), old.producers.clone()),
        );
        let offerings = capabilities.values().flat_map(|capability| &capability.offerings);
        let services: BTreeSet<_> = offerings.flat_map(|o| o.version.services.iter().cloned()).collect();
        self.platforms.insert_mut(
            name,
            Arc::new(PlatformEntry { platform: platform.clone(), capabilities, producers }),
        );
        for service in services {
            self.edit_claims(&service, |claims| claims.regrant(&platform, &service));
        }
        true
    }

    fn remove_platform(&mut self, name: PlatformName) -> Result<bool, Error> {
        let entry = self.platforms.get(&name).ok_or_else(|| Error::UnknownPlatform(name.clone()))?;
        if !entry.capabilities.is_empty() || !entry.producers.is_empty() {
            return Err(Error::PlatformInUse(name));
        }
        let before = Before::Platform(name.clone(), Some(entry.platform.clone()));
        self.touch(before);
        self.clashes.settle(&name, |_| true);
        Ok(self.platforms.remove_mut(&name))
    }

    fn put_producer(&mut self, mut producer: Producer, versions: Vec<Version>) -> Result<bool, Error> {
        let platform = producer.name.platform.clone();
        let entry = self.platforms.get(&platform).ok_or_else(|| Error::UnknownPlatform(platform.clone()))?;
        versions.iter().try_for_each(|version| self.fits(&platform, version))?;
        producer.versions = versions.iter().map(|version| version.name.clone()).collect();
        producer.versions.sort();
        let old = entry.producers.get(&producer.name.producer).cloned();
        let before = old.as_ref().map(|old| old.versions.clone()).unwrap_or_default();
        let dropped: Vec<_> =
            before.into_iter().filter(|name| producer.versions.binary_search(name).is_err()).collect();

        self.touch(Before::Producer(producer.name.clone(), old));
        let producer = self.keep_producer(producer);
        for version in versions {
            let (name, version) = (version.name.clone(), Arc::new(version));
            self.edit_offering(&name, |old| {
                let mut new = old.unwrap_or_else(|| Offering::of(producer.source, version.clone()));
                new.put_producer(&producer);
                new.state(producer.source, version);
                Some(new)
            });
        }
        // Last, so that a claim that moves from one version to another never ends in between.
        for name in dropped {
            self.edit_offering(&name, |old| old.map(|old| without(old, &producer.name)));
        }
        Ok(true)
    }

    /// Whether a version may stand under its name.
    fn fits(&self, platform: &PlatformName, version: &Version) -> Result<(), Error> {
        if version.name.platform != *platform {
            return Err(Error::ForeignVersion(version.name.clone()));
        }
        let standing = self.offering(&version.name).map(|old| old.version.digest);
        let first = self.contract(&version.name).map(|first| first.digest);
        if standing.or(first).is_some_and(|known| known != version.digest) {
            return Err(Error::ContractMutated(version.name.clone()));
        }
        Ok(())
    }

    fn remove_producer(&mut self, name: &ProducerName) -> Result<bool, Error> {
        let old = self.producer(name).cloned().ok_or_else(|| Error::UnknownProducer(name.clone()))?;
        if let Some(entry) = self.platforms.get(&name.platform) {
            let mut entry = PlatformEntry::clone(entry);
            entry.producers.remove_mut(&name.producer);
            self.platforms.insert_mut(name.platform.clone(), Arc::new(entry));
        }
        self.touch(Before::Producer(name.clone(), Some(old.clone())));
        for version in &old.versions {
            self.edit_offering(version, |old| old.map(|old| without(old, name)));
        }
        let subject = name.to_string();
        self.clashes
            .settle(&name.platform, |clash| clash.kind == ClashKind::Producer && clash.subject == subject);
        Ok(true)
    }

    fn declare(&mut self, version: Version, since: Timestamp) -> Result<bool, Error> {
        let (name, platform) = (version.name.clone(), version.name.platform.clone());
        if !self.platforms.contains_key(&platform) {
            return Err(Error::UnknownPlatform(platform));
        }
        self.fits(&platform, &version)?;
        let version = Arc::new(version);
        self.edit_offering(&name, |old| {
            let mut new = old.unwrap_or_else(|| Offering::of(Source::Manifest, version.clone()));
            new.declared = new.declared.or(Some(since));
            new.state(Source::Manifest, version);
            Some(new)
        });
        Ok(true)
    }

    fn withdraw(&mut self, name: &VersionName) -> Result<bool, Error> {
        let declared = self.offering(name).is_some_and(|offering| offering.declared.is_some());
        if !declared {
            return Err(Error::UndeclaredVersion(name.clone()));
        }
        self.edit_offering(name, |old| old.map(|old| Offering { declared: None, ..old }));
        Ok(true)
    }

    fn record_claim(&mut self, service: &ServiceName, platform: &PlatformName, since: Timestamp) -> bool {
        let claimed = self.service(service.as_str()).and_then(|claims| claims.of(platform.as_str()));
        if claimed.is_none() {
            return false;
        }
        self.edit_claims(service, |claims| claims.record(platform, since));
        true
    }

    fn decide(&mut self, service: &ServiceName, decision: Option<Arc<OverrideSpec>>) -> bool {
        match &decision {
            Some(spec) if self.overrides.get(service) == Some(spec) => return false,
            Some(spec) => self.overrides.insert_mut(service.clone(), spec.clone()),
            None if !self.overrides.remove_mut(service) => return false,
            None => {}
        }
        self.edit_claims(service, |claims| claims.decide(decision));
        true
    }
}

fn without(mut offering: Offering, producer: &ProducerName) -> Offering {
    offering.drop_producer(producer);
    offering
}
