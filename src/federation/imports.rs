//! What others' records make of the catalogue: each producer that another broker tells of, with all that it serves, as the
//! registration that it would be here.
//!
//! Owns: which records belong together, and under which name two origins' producers of one id stand beside each other.
//! Never: judges words, descriptors or addresses; that is done as for every registration.
//! Flow: records, as the session took them → [`Imports::put`] → [`Imports::drain`] → judged → catalogue.

use crate::model::{
    Digest, Offer, Origin, Payload, PlatformName, ProducerId, ProducerName, Provenance, Record, RecordKey,
    Registration, Report, Serving, Topic, Travel, Version, VersionName,
};
use crate::wire::federation::parse_payload;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Records of others, by what they are about. Only what the session took comes in here.
#[derive(Debug, Default)]
pub struct Imports {
    versions: BTreeMap<VersionName, BTreeMap<Origin, Parts>>,
    producers: BTreeMap<ProducerName, BTreeMap<Origin, BTreeSet<VersionName>>>,
    /// Under which names they stand in the catalogue.
    shown: BTreeMap<ProducerName, BTreeMap<Origin, ProducerName>>,
    dirty: BTreeSet<ProducerName>,
}

/// What the catalogue is to be changed to.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A producer stands so.
    Put(Box<Import>),
    /// A producer is no longer told of.
    Remove(ProducerName),
}

/// A producer that another broker tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// What it would have registered here. Without endpoints it is reached through its broker alone.
    pub registration: Registration,
    /// The contract that each version is said to have; it must be what is found.
    pub contracts: BTreeMap<VersionName, Digest>,
    /// How we know.
    pub provenance: Provenance,
}

/// All that one origin tells of one version.
#[derive(Debug, Default)]
struct Parts {
    version: Option<Held>,
    descriptors: Option<Held>,
    status: Option<Held>,
    producers: BTreeMap<ProducerId, Held>,
}

#[derive(Debug, Clone)]
struct Held {
    record: Arc<Record>,
    travel: Arc<Travel>,
    received: Timestamp,
}

impl Imports {
    /// Takes the newest state of a record. A tombstone takes the record out.
    pub fn put(&mut self, record: Arc<Record>, travel: Arc<Travel>, received: Timestamp) {
        if record.head.is_deleted {
            return self.remove(&record.head.key);
        }
        let key = record.head.key.clone();
        self.edit(&key, Some(Held { record, travel, received }));
    }

    /// Takes a record out that is no longer told.
    pub fn remove(&mut self, key: &RecordKey) {
        self.edit(key, None);
    }

    /// The changes of the catalogue since this was last asked. `is_taken` says whether a name is that of a producer of our
    /// own, which nobody else's ever takes.
    pub fn drain(&mut self, is_taken: impl Fn(&ProducerName) -> bool) -> Vec<Change> {
        let mut gone = BTreeSet::new();
        let mut puts = Vec::new();
        for name in std::mem::take(&mut self.dirty) {
            let before = self.shown.remove(&name).unwrap_or_default();
            let mut now = BTreeMap::new();
            for (origin, versions) in self.producers.get(&name).into_iter().flatten() {
                let is_free = now.is_empty() && !is_taken(&name);
                let shown = if is_free { name.clone() } else { beside(&name, origin) };
                if let Some(import) = self.import(&name, &shown, origin, versions) {
                    puts.push(Change::Put(Box::new(import)));
                    now.insert(origin.clone(), shown);
                }
            }
            let kept: BTreeSet<_> = now.values().cloned().collect();
            gone.extend(before.into_values().filter(|shown| !kept.contains(shown)));
            if !now.is_empty() {
                self.shown.insert(name, now);
            }
        }
        gone.into_iter().map(Change::Remove).chain(puts).collect()
    }

    /// Looks at a name again: one of our own producers took it, or left it.
    pub fn touch(&mut self, name: &ProducerName) {
        if self.producers.contains_key(name) {
            self.dirty.insert(name.clone());
        }
    }

    /// The producers of an origin, by the names under which they stand.
    pub fn shown<'a>(&'a self, origin: &'a Origin) -> impl Iterator<Item = &'a ProducerName> {
        self.shown.values().filter_map(|by_origin| by_origin.get(origin))
    }

    /// How a version is, as each origin says.
    pub fn reports(&self, version: &VersionName) -> Vec<(Origin, Report)> {
        let parts = self.versions.get(version).into_iter().flatten();
        let report = |(origin, parts): (&Origin, &Parts)| match parts.status.as_ref().and_then(Held::payload)
        {
            Some(Payload::Status(report)) => Some((origin.clone(), report)),
            _ => None,
        };
        parts.filter_map(report).collect()
    }

    fn edit(&mut self, key: &RecordKey, held: Option<Held>) {
        let Ok(Some(topic)) = Topic::parse(key.kind, &key.name) else { return };
        let Some(version) = topic.version().cloned() else { return };
        let origins = self.versions.entry(version.clone()).or_default();
        let parts = origins.entry(key.origin.clone()).or_default();
        let is_told = held.is_some();
        match &topic {
            Topic::Version(_) => parts.version = held,
            Topic::Descriptors(_) => parts.descriptors = held,
            Topic::Status(_) => parts.status = held,
            Topic::Producer(_, id) => match held {
                Some(held) => drop(parts.producers.insert(id.clone(), held)),
                None => drop(parts.producers.remove(id)),
            },
            Topic::Bundle(_) | Topic::Platform(_) => {}
        }
        let touched: Vec<_> = match &topic {
            Topic::Producer(_, id) => vec![id.clone()],
            Topic::Status(_) => Vec::new(),
            _ => parts.producers.keys().cloned().collect(),
        };
        if parts.is_empty() {
            origins.remove(&key.origin);
        }
        if origins.is_empty() {
            self.versions.remove(&version);
        }
        for id in touched {
            self.index(&version, id, &key.origin, is_told || !matches!(topic, Topic::Producer(..)));
        }
    }

    /// Notes that a producer serves a version, or does no longer.
    fn index(&mut self, version: &VersionName, id: ProducerId, origin: &Origin, serves: bool) {
        let name = ProducerName { platform: version.platform.clone(), producer: id };
        let by_origin = self.producers.entry(name.clone()).or_default();
        if serves {
            by_origin.entry(origin.clone()).or_default().insert(version.clone());
        } else if let Some(versions) = by_origin.get_mut(origin) {
            versions.remove(version);
            by_origin.retain(|_, versions| !versions.is_empty());
        }
        if by_origin.is_empty() {
            self.producers.remove(&name);
        }
        self.dirty.insert(name);
    }

    /// What a producer would register; `None` as long as nothing that it serves is whole.
    fn import(
        &self,
        name: &ProducerName,
        shown: &ProducerName,
        origin: &Origin,
        versions: &BTreeSet<VersionName>,
    ) -> Option<Import> {
        let (mut offers, mut contracts) = (Vec::new(), BTreeMap::new());
        let mut newest: Option<(&Held, Serving)> = None;
        for version in versions {
            let Some(parts) = self.versions.get(version).and_then(|origins| origins.get(origin)) else {
                continue;
            };
            let Some((said, descriptors)) = parts.whole() else { continue };
            let Some(held) = parts.producers.get(&name.producer) else { continue };
            let Some(Payload::Producer(serving)) = held.payload() else { continue };
            if newest.as_ref().is_none_or(|(known, _)| known.record.head.stamp < held.record.head.stamp) {
                newest = Some((held, serving));
            }
            contracts.insert(version.clone(), said.digest);
            offers.push(Offer::of(&said, descriptors));
        }
        let (held, serving) = newest?;
        let provenance = Provenance {
            origin: origin.clone(),
            stamp: held.record.head.stamp,
            path: held.travel.path.clone(),
            received: held.received,
        };
        let registration = Registration {
            producer: shown.clone(),
            identity: Some(serving.identity.to_string()),
            endpoints: serving.endpoints,
            offers,
            lease: None,
            permanent: true,
        };
        Some(Import { registration, contracts, provenance })
    }
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.version.is_none()
            && self.descriptors.is_none()
            && self.status.is_none()
            && self.producers.is_empty()
    }

    /// The version with its descriptors; `None` until both are here and belong together.
    fn whole(&self) -> Option<(Version, Vec<u8>)> {
        let Some(Payload::Version(version)) = self.version.as_ref()?.payload() else { return None };
        let Some(digest) = version.descriptors else { return Some((*version, Vec::new())) };
        let Some(Payload::Descriptors { bytes, .. }) = self.descriptors.as_ref()?.payload() else {
            return None;
        };
        (Digest::of(&bytes) == digest).then(|| (*version, bytes.to_vec()))
    }
}

impl Held {
    /// What it says. It was read once before it was taken.
    fn payload(&self) -> Option<Payload> {
        parse_payload(&self.record.head, &self.record.payload).ok().flatten()
    }
}

/// The name of a producer whose id somebody else has: its own, cut, and a word that tells its origin apart.
fn beside(name: &ProducerName, origin: &Origin) -> ProducerName {
    const LONGEST: usize = 63 - 9;
    let digest = Digest::of(origin.to_string().as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    let id = name.producer.as_str();
    let id = id.get(..LONGEST).unwrap_or(id).trim_end_matches('-');
    let id = ProducerId::parse(&format!("{id}-{a:02x}{b:02x}{c:02x}{d:02x}"));
    let platform: PlatformName = name.platform.clone();
    ProducerName { platform, producer: id.unwrap_or_else(|_| name.producer.clone()) }
}

#[cfg(test)]
mod tests;
