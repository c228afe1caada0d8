//! What of our catalogue others may be told: the facts of each platform and version, before anybody signs them.
//!
//! Only what we are the owner's broker for: what came from another broker is passed on as it was signed, never told anew.

use crate::catalog::{Delta, Offering, PlatformEntry, Snapshot};
use crate::model::{
    Authorities, Digest, Payload, Platform, Producer, Report, Scope, Serving, Source, TrustDomain, Version,
    VersionName,
};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One fact that others may be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// What rules of export look at.
    pub scope: Scope,
    /// What it says.
    pub payload: Payload,
}

/// All facts under one name: the old ones that are not among the new are over.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// Of what: a platform, a version with all that belongs to it, or a trust domain.
    pub about: About,
    /// What is to be told of it; nothing if it is gone.
    pub facts: Vec<Fact>,
}

/// What facts are about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The authorities of a trust domain.
    Bundle(TrustDomain),
    /// A platform itself.
    Platform(crate::model::PlatformName),
    /// A version, its descriptors, its producers and its status.
    Version(VersionName),
}

/// What the facts of versions need besides the catalogue.
#[derive(Clone, Copy)]
pub struct Beside<'a> {
    /// The descriptor set of a version, serialized.
    pub descriptors: &'a dyn Fn(&VersionName) -> Option<Bytes>,
    /// How a version is.
    pub report: &'a dyn Fn(&VersionName) -> Option<Report>,
}

/// All that may be told of the platforms of one trust domain.
pub fn whole(snapshot: &Snapshot, domain: &TrustDomain, beside: Beside<'_>) -> Vec<Told> {
    let mine = |entry: &&Arc<PlatformEntry>| entry.platform.trust_domain == *domain;
    let mut told = Vec::new();
    for entry in snapshot.platforms().filter(mine) {
        told.push(platform(&entry.platform));
        let offerings = entry.capabilities.values().flat_map(|capability| &capability.offerings);
        told.extend(offerings.map(|offering| version(&offering.version.name, Some(offering), beside)));
    }
    told
}

/// What may be told anew after a change of the catalogue.
pub fn touched(snapshot: &Snapshot, delta: &Delta, domain: &TrustDomain, beside: Beside<'_>) -> Vec<Told> {
    let is_mine = |platform: &str, before: Option<&Platform>| {
        let now = snapshot.platform(platform).map(|entry| &*entry.platform);
        now.or(before).is_some_and(|platform| platform.trust_domain == *domain)
    };
    let mut told = Vec::new();
    for (name, before) in &delta.platforms {
        if !is_mine(name.as_str(), before.as_deref()) {
            continue;
        }
        match snapshot.platform(name.as_str()) {
            Some(entry) => told.push(platform(&entry.platform)),
            None => told.push(Told { about: About::Platform(name.clone()), facts: Vec::new() }),
        }
    }
    // A producer that moved, and nothing else, touches the versions that it serves.
    let of_producers = delta.producers.iter().flat_map(|(name, before)| {
        let now = snapshot.producer(name).map(|producer| producer.versions.clone());
        before.iter().map(|before| before.versions.clone()).chain(now).flatten()
    });
    let versions: BTreeSet<VersionName> = delta.versions.keys().cloned().chain(of_producers).collect();
    let before =
        |name: &VersionName| delta.platforms.get(&name.platform).and_then(|before| before.as_deref());
    let mine = versions.iter().filter(|name| is_mine(name.platform.as_str(), before(name)));
    told.extend(mine.map(|name| version(name, snapshot.offering(name).map(|o| &**o), beside)));
    told
}

/// What may be told of a platform.
pub fn platform(platform: &Platform) -> Told {
    let payload = Payload::Platform(platform.clone());
    let facts = vec![Fact { scope: Scope::default(), payload }];
    Told { about: About::Platform(platform.name.clone()), facts }
}

/// The authorities of a trust domain.
pub fn bundle(authorities: Authorities) -> Told {
    let about = About::Bundle(authorities.trust_domain.clone());
    Told { about, facts: vec![Fact { scope: Scope::default(), payload: Payload::Bundle(authorities) }] }
}

/// What may be told of a version; everything told of it before is over if it is `None`.
pub fn version(name: &VersionName, offering: Option<&Offering>, beside: Beside<'_>) -> Told {
    let about = About::Version(name.clone());
    let Some(offering) = offering.filter(|offering| offering.source != Source::Federation) else {
        return Told { about, facts: Vec::new() };
    };
    let said = &offering.version;
    let scope = Scope { stage: Some(said.stage), labels: said.facts.labels.clone() };
    let descriptors = said.descriptors.and_then(|_| (beside.descriptors)(name));
    let mut payloads = Vec::new();
    // The name of what is sent, which need not be what was registered: files that are not sound are left out.
    let sent = descriptors.as_ref().map(|bytes| Digest::of(bytes));
    payloads.extend(descriptors.map(|bytes| Payload::Descriptors { version: name.clone(), bytes }));
    payloads.push(Payload::Version(Box::new(Version { descriptors: sent, ..Version::clone(said) })));
    let own = offering.producers.iter().filter(|producer| producer.source != Source::Federation);
    payloads.extend(own.map(|producer| Payload::Producer(serving(name, producer))));
    payloads.extend((beside.report)(name).map(Payload::Status));
    let facts = payloads.into_iter().map(|payload| Fact { scope: scope.clone(), payload });
    Told { about, facts: facts.collect() }
}

fn serving(version: &VersionName, producer: &Producer) -> Serving {
    // A socket of this machine leads nowhere from another.
    let endpoints =
        producer.endpoints.iter().filter(|e| matches!(e.address.place(), crate::model::Place::Host(..)));
    Serving {
        version: version.clone(),
        producer: producer.name.producer.clone(),
        identity: producer.identity.clone(),
        endpoints: endpoints.cloned().collect(),
        created: producer.created,
    }
}
