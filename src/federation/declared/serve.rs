//! Puts capabilities and producers in force: what versions have in common, and who serves them.

use super::awaited::is_awaited;
use super::judge::{Proposal, merged, unknown_platform};
use super::place::{Next, of_catalog, refused};
use super::set::{Key, Sealed};
use super::step::{Faults, unwritable};
use crate::catalog::Change;
use crate::federation::calls;
use crate::federation::draft::Draft;
use crate::federation::judge::Case;
use crate::federation::offer::{self, Described};
use crate::federation::record as registered;
use crate::model::{
    CapabilityId, CapabilityName, CapabilitySpec, Freshness, Identity, Offer, PlatformName, Producer,
    ProducerName, ProducerSpec, Source, Spec, Version, VersionName, VersionSpec, Violation,
};
use std::sync::Arc;

impl Draft<'_> {
    pub(super) fn place_capability(&mut self, proposal: &Proposal) -> Result<(), Faults> {
        let Spec::Capability(spec) = &proposal.resource.spec else { return Ok(()) };
        if !self.state.declared.platforms().contains_key(&spec.name.platform) {
            return Err(vec![unknown_platform(&spec.name.platform)]);
        }
        let next = self.with(proposal, None)?;
        self.redeclare(&spec.name, Some(spec), &proposal.renewed)?;
        self.commit(next);
        Ok(())
    }

    /// Says anew what versions of a capability take from it.
    pub(super) fn redeclare(
        &mut self,
        name: &CapabilityName,
        defaults: Option<&CapabilitySpec>,
        renewed: &[VersionName],
    ) -> Result<(), Faults> {
        let mut catalog = self.catalog.clone();
        for (version, entry) in self.state.declared.versions_of(name).filter(|(_, entry)| entry.stands) {
            let (Spec::Version(spec), Some(sealed)) = (&entry.resource.spec, &entry.sealed) else { continue };
            let said = said(spec, sealed, defaults);
            if said.owner.trim().is_empty() || said.contact.trim().is_empty() {
                // One that is declared anew beside it brings its own words, and is judged with them.
                if renewed.contains(version) {
                    continue;
                }
                let message = format!("{version} has no owner or contact of its own, and would have none");
                return refused("owner", "REQUIRED", message);
            }
            if !renewed.contains(version) {
                self.is_right(version, &merged(&spec.offer, defaults))?;
            }
            if catalog.offering(version).is_some_and(|o| o.source == Source::Manifest && *o.version == said) {
                continue;
            }
            let declare = Change::DeclareVersion { version: said, since: entry.since };
            catalog = catalog.apply(declare).map_err(of_catalog)?;
        }
        self.catalog = catalog;
        Ok(())
    }

    /// Whether what a version and its capability say together may be said.
    fn is_right(&self, version: &VersionName, merged: &Offer) -> Result<(), Faults> {
        let platform = self.state.declared.platforms().get(&version.platform);
        let platform = platform.ok_or_else(|| vec![unknown_platform(&version.platform)])?;
        let known = self.known();
        let mut case = Case::new(self.rules, Arc::new(platform.clone()), &known);
        offer::said(&mut case, "spec", merged);
        let Some(fault) = case.found.into_iter().next() else { return Ok(()) };
        let field = fault.field.trim_start_matches("spec.");
        refused(field, fault.reason, format!("with what {version} says of itself: {}", fault.message))
    }

    pub(super) fn place_producer(
        &mut self,
        proposal: &Proposal,
        spec: &ProducerSpec,
        identity: &Identity,
    ) -> Result<(), Faults> {
        let platform = self.state.declared.platforms().get(&spec.name.platform);
        let platform = platform.ok_or_else(|| vec![unknown_platform(&spec.name.platform)])?;
        if identity.trust_domain != platform.trust_domain {
            let message = format!("{identity} is not of trust domain {}", platform.trust_domain);
            return refused("identity", "FOREIGN_IDENTITY", message);
        }
        self.is_free(proposal, spec)?;
        for (i, (capability, version)) in spec.versions.iter().enumerate() {
            let name = version_name(&spec.name, capability, version);
            if !self.state.declared.get(&Key::Version(name.clone())).is_some_and(|entry| entry.stands) {
                let message = format!("no manifest declares {name}; declare what it serves beside it");
                return refused(format!("versions[{i}]"), "UNDECLARED_VERSION", message);
            }
        }
        let next = self.with(proposal, None)?;
        self.serve(spec, identity, next.since)?;
        self.commit(next);
        Ok(())
    }

    /// Whether nobody else holds the name, and the platform has room for one more.
    fn is_free(&self, proposal: &Proposal, spec: &ProducerSpec) -> Result<(), Faults> {
        let name = &spec.name;
        if self.rules.configured.contains(name) {
            let message = format!("{name} is in the broker's configuration, which wins; take another id");
            return refused("name", "CONFIGURED", message);
        }
        let is_registered = self.catalog.producer(name).is_some_and(|p| p.source != Source::Discovery);
        let holder = self.state.entry(name).filter(|_| is_registered).map(|entry| entry.lease.holder.clone());
        if let Some(holder) = holder {
            let message =
                format!("{holder} has registered {name}; take another id, or let it deregister first");
            return refused("name", "PRODUCER_REGISTERED", message);
        }
        let limit = self.rules.settings.quota.producers;
        let is_new = self.state.declared.get(&proposal.key).is_none();
        let others = self.state.declared.producers_of(&name.platform).count();
        if is_new && others + self.state.usage(&name.platform).producers >= limit {
            let message = format!("{} has all of its {limit} producers", name.platform);
            return Err(vec![Violation::new("name", "QUOTA", message)]);
        }
        Ok(())
    }

    /// Puts a producer with those of its versions whose contracts are known. One that waits to be discovered is put by
    /// whoever discovers it.
    fn serve(
        &mut self,
        spec: &ProducerSpec,
        identity: &Identity,
        since: jiff::Timestamp,
    ) -> Result<(), Faults> {
        let before = self.catalog.producer(&spec.name).filter(|p| p.source == Source::Manifest).cloned();
        self.left.extend(before.iter().flat_map(|before| before.versions.iter().cloned()));
        let versions = match self.is_awaited(spec) {
            true => Vec::new(),
            false => spec
                .versions
                .iter()
                .filter_map(|(id, v)| self.said(&version_name(&spec.name, id, v)))
                .collect(),
        };
        if !versions.is_empty()
            && let Some(entry) = self.state.entry(&spec.name).cloned()
        {
            // It was discovered until now.
            self.remove(&entry).map_err(unwritable)?;
        }
        let change = match (versions.is_empty(), before) {
            (true, None) => return Ok(()),
            (true, Some(_)) => Change::RemoveProducer(spec.name.clone()),
            (false, _) => Change::PutProducer {
                producer: Producer {
                    name: spec.name.clone(),
                    identity: identity.clone(),
                    registrant: identity.clone(),
                    endpoints: spec.endpoints.clone(),
                    versions: Vec::new(),
                    source: Source::Manifest,
                    freshness: Freshness::Live,
                    lease_expires: None,
                    created: since,
                    updated: self.time,
                    provenance: None,
                },
                versions,
            },
        };
        self.make(change)?;
        Ok(())
    }

    /// Puts those producers again that serve a version whose contract has come or gone.
    pub(super) fn refresh_producers(&mut self, version: &VersionName) {
        let declared = self.state.declared.clone();
        for (_, entry) in declared.producers_of(&version.platform).filter(|(_, entry)| entry.stands) {
            let Spec::Producer(spec) = &entry.resource.spec else { continue };
            let serves = spec.versions.iter().any(|(id, v)| version_name(&spec.name, id, v) == *version);
            if !serves {
                continue;
            }
            let Some(platform) = declared.platforms().get(&version.platform) else { continue };
            let Ok(identity) = Identity::parse(&spec.identity, &platform.trust_domain) else { continue };
            if let Err(faults) = self.serve(spec, &identity, entry.since) {
                tracing::warn!(producer = %spec.name, fault = ?faults.first(), "a producer is not put again");
            }
        }
    }

    /// Whether some of what it serves is to be discovered: then all of it is put by whoever discovers it.
    fn is_awaited(&self, spec: &ProducerSpec) -> bool {
        is_awaited(&self.state.declared, spec)
    }

    /// What is said of a declared version with a known contract.
    fn said(&self, name: &VersionName) -> Option<Version> {
        let entry = self.state.declared.get(&Key::Version(name.clone()))?;
        let (Spec::Version(spec), Some(sealed)) = (&entry.resource.spec, &entry.sealed) else { return None };
        Some(said(spec, sealed, self.state.declared.defaults(&name.capability_name())))
    }

    /// Withdraws a version that is in force by manifest.
    pub(super) fn withdraw(&mut self, name: &VersionName) -> Result<(), Faults> {
        if self.catalog.offering(name).is_some_and(|offering| offering.declared.is_some()) {
            self.make(Change::WithdrawVersion(name.clone()))?;
            self.left.push(name.clone());
        }
        Ok(())
    }

    /// Keeps the descriptor set of a version, and lets go of the one that it had.
    pub(super) fn keep_set(
        &mut self,
        next: &mut Next,
        platform: &PlatformName,
        described: Option<&Described>,
    ) {
        let bytes = |sealed: &Option<Sealed>| sealed.as_ref().map_or(0, |sealed| sealed.bytes);
        next.declared.count_bytes(platform, bytes(&next.sealed), bytes(&next.old));
        if let Some(described) = described {
            if !self.state.keeps(&described.digest) && !self.is_start {
                self.writes.push(registered::put_descriptors(described.digest, described.bytes.clone()));
            }
            self.state.keep(described.digest);
        }
        self.let_go(next.old.as_ref());
    }

    /// Lets go of a descriptor set; the last to do so forgets it.
    pub(super) fn let_go(&mut self, sealed: Option<&Sealed>) {
        if let Some(set) = sealed.and_then(|sealed| sealed.descriptors) {
            self.state.release(&set);
            if !self.state.keeps(&set) {
                self.writes.push(registered::delete_descriptors(set));
            }
        }
    }
}

/// What is said of a version by its manifest and that of its capability.
pub(super) fn said(spec: &VersionSpec, sealed: &Sealed, defaults: Option<&CapabilitySpec>) -> Version {
    let offer = merged(&spec.offer, defaults);
    let mut services = offer.services;
    services.sort();
    Version {
        name: spec.name(),
        services,
        descriptors: sealed.descriptors,
        parameter_schema: offer.parameter_schema.map(Into::into),
        digest: sealed.digest,
        description: offer.description,
        owner: offer.owner,
        contact: offer.contact,
        stage: offer.stage,
        deprecation_time: offer.deprecation_time,
        sunset_time: offer.sunset_time,
        visibility: offer.visibility,
        slo: offer.slo,
        traffic_weight: offer.traffic_weight,
        facts: calls::with_idempotent(offer.facts, &sealed.idempotent),
    }
}

pub(super) fn version_name(
    producer: &ProducerName,
    capability: &CapabilityId,
    version: &semver::Version,
) -> VersionName {
    let (platform, capability) = (producer.platform.clone(), capability.clone());
    VersionName { platform, capability, version: version.clone() }
}
