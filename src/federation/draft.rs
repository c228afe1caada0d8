//! The machine: (state, request, now) → (next state, what must be written). It does no I/O and reads no clock.

mod term;

use super::judge::{Declaration, taken_by_configuration};
use super::offer::{self, Described};
use super::state::{Entry, State};
use super::{Error, Receipt, Rules, record};
use crate::catalog::{Change, Snapshot};
use crate::model::{Freshness, Lease, Producer, ProducerName, Source, VersionName, Violation};
use crate::store;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::Instant;

/// The next state in the making. Dropping it changes nothing.
pub(super) struct Draft<'a> {
    rules: &'a Rules,
    /// Decides.
    now: Instant,
    /// Is shown.
    time: Timestamp,
    pub(super) state: State,
    pub(super) catalog: Snapshot,
    /// What must be durable before anything of this is published.
    pub(super) writes: Vec<store::Change>,
    /// Descriptors of versions that are new or may have changed.
    pub(super) described: Vec<(VersionName, Arc<Described>)>,
    /// Versions that some producer no longer serves.
    pub(super) left: Vec<VersionName>,
}

impl<'a> Draft<'a> {
    /// Begins where things stand.
    pub(super) fn new(
        rules: &'a Rules,
        state: State,
        catalog: Snapshot,
        (now, time): (Instant, Timestamp),
    ) -> Self {
        let (writes, described, left) = Default::default();
        Self { rules, now, time, state, catalog, writes, described, left }
    }

    /// Registers, or renews if nothing is said that was not said before.
    pub(super) fn register(&mut self, declaration: &Declaration) -> Result<Receipt, Error> {
        let old = self.state.entry(&declaration.producer).cloned();
        let producer = self.producer(declaration);
        let entry = self.entry(declaration, &producer, old.as_deref())?;
        match old.as_deref() {
            Some(old) if old.content == entry.content => {
                if old.lease.term != entry.lease.term {
                    self.writes.push(record::put(&entry.lease, producer, &declaration.versions)?);
                }
                self.renewed(entry.clone(), old)?;
            }
            old => {
                self.judge(declaration, &entry, old)?;
                if old.is_none() {
                    self.make_room(&declaration.producer)?;
                }
                self.accept(declaration, producer, &entry, old)?;
            }
        }
        let mut warnings = declaration.warnings.clone();
        if let Some(old) = old.filter(|old| old.lease.holder != declaration.registrant) {
            warnings.push(format!("it took the place of what {} had registered", old.lease.holder));
        }
        Ok(self.receipt(&entry, warnings))
    }

    /// Takes a producer out.
    pub(super) fn deregister(&mut self, name: &ProducerName) -> Result<Receipt, Error> {
        if self.rules.configured.contains(name) {
            return Err(Error::Refused(vec![taken_by_configuration(name)]));
        }
        let entry = self.state.entry(name).cloned().ok_or_else(|| Error::UnknownProducer(name.clone()))?;
        self.remove(&entry)?;
        Ok(self.receipt(&entry, Vec::new()))
    }

    /// Takes out what was discovered; nobody registered it, so nobody else takes it out.
    pub(super) fn forget(&mut self, name: &ProducerName) -> Result<Receipt, Error> {
        let discovered = self.catalog.producer(name).filter(|producer| producer.source == Source::Discovery);
        let entry = discovered.and_then(|_| self.state.entry(name)).cloned();
        let entry = entry.ok_or_else(|| Error::UnknownProducer(name.clone()))?;
        self.remove(&entry)?;
        Ok(self.receipt(&entry, Vec::new()))
    }

    /// The producer as it would stand if the declaration were taken now.
    fn producer(&self, declaration: &Declaration) -> Producer {
        let standing = self.catalog.producer(&declaration.producer);
        Producer {
            name: declaration.producer.clone(),
            identity: declaration.identity.clone(),
            registrant: declaration.registrant.clone(),
            endpoints: declaration.endpoints.clone(),
            versions: declaration.versions.iter().map(|version| version.name.clone()).collect(),
            source: declaration.source,
            freshness: Freshness::Live,
            lease_expires: None,
            created: standing.map_or(self.time, |standing| standing.created),
            updated: self.time,
        }
    }

    fn entry(
        &self,
        declaration: &Declaration,
        producer: &Producer,
        old: Option<&Entry>,
    ) -> Result<Entry, Error> {
        let holder = &declaration.registrant;
        let kept = old.filter(|old| old.lease.holder == *holder).map(|old| old.lease.id.clone());
        let sets: BTreeMap<_, _> =
            declaration.described.iter().flatten().map(|d| (d.digest, d.bytes.len())).collect();
        let mut entry = Entry {
            lease: Lease {
                id: kept.unwrap_or_else(|| declaration.fresh_lease.clone()),
                producer: declaration.producer.clone(),
                holder: holder.clone(),
                term: declaration.term,
            },
            content: record::content(producer, &declaration.versions)?,
            descriptor_bytes: sets.values().sum(),
            sets: sets.into_keys().collect(),
            freshness: Freshness::Live,
            updated: self.time,
            expires: self.time,
            shown: self.now,
            ends: self.now,
            due: None,
        };
        self.begin_term(&mut entry);
        Ok(entry)
    }

    /// Judges against what stands at this moment; the judge before saw an earlier one.
    fn judge(&self, declaration: &Declaration, entry: &Entry, old: Option<&Entry>) -> Result<(), Error> {
        let versions = declaration.versions.iter().enumerate();
        let mut found: Vec<Violation> = versions
            .filter_map(|(i, version)| offer::mutation(&format!("versions[{i}]"), version, &self.catalog))
            .collect();
        let used = self.state.usage(&declaration.producer.platform).descriptor_bytes;
        let bytes = used + entry.descriptor_bytes - old.map_or(0, |old| old.descriptor_bytes);
        let limit = self.rules.settings.quota.descriptor_bytes;
        if bytes > limit {
            let message =
                format!("the platform's descriptor sets would take {bytes} bytes of {limit} allowed");
            found.push(Violation::new("versions", "QUOTA", message));
        }
        if found.is_empty() { Ok(()) } else { Err(Error::Refused(found)) }
    }

    /// Makes room for one more producer: the one that expired first gives way.
    fn make_room(&mut self, name: &ProducerName) -> Result<(), Error> {
        let limit = self.rules.settings.quota.producers;
        if self.state.usage(&name.platform).producers < limit {
            return Ok(());
        }
        let platform = self.catalog.platform(name.platform.as_str());
        let entries =
            platform.into_iter().flat_map(|p| p.producers.values()).filter_map(|p| self.state.entry(&p.name));
        let expired = entries.filter(|entry| entry.freshness == Freshness::Expired);
        let Some(first) = expired.min_by_key(|entry| entry.ends).cloned() else {
            let message = format!("{} has all of its {limit} producers, and none has expired", name.platform);
            return Err(Error::Refused(vec![Violation::new("producer", "QUOTA", message)]));
        };
        tracing::info!(producer = %first.lease.producer, "an expired producer gives way to a new one");
        self.remove(&first)
    }

    fn accept(
        &mut self,
        declaration: &Declaration,
        mut producer: Producer,
        entry: &Entry,
        old: Option<&Entry>,
    ) -> Result<(), Error> {
        producer.lease_expires = Some(entry.expires);
        self.writes.push(record::put(&entry.lease, producer.clone(), &declaration.versions)?);
        let before = self.catalog.producer(&producer.name).cloned();
        self.left.extend(before.iter().flat_map(|before| before.versions.iter().cloned()));
        self.put(producer, declaration)?;
        for set in entry.sets.iter().filter(|set| !self.state.keeps(set)) {
            let described = declaration.described.iter().flatten().find(|described| described.digest == *set);
            self.writes.extend(described.map(|d| record::put_descriptors(d.digest, d.bytes.clone())));
        }
        self.state.put(entry.clone());
        self.forget_sets(old);
        Ok(())
    }

    /// Puts what the configuration declares.
    pub(super) fn configure(&mut self, declaration: &Declaration) -> Result<(), Error> {
        self.put(self.producer(declaration), declaration)
    }

    /// Puts what was stored: STALE until it is renewed; its grace begins now.
    pub(super) fn restore(
        &mut self,
        stored: record::Stored,
        described: Vec<(VersionName, Arc<Described>)>,
    ) -> Result<(), Error> {
        let record::Stored { lease, mut producer, versions } = stored;
        producer.freshness = Freshness::Stale;
        producer.lease_expires = Some(self.time);
        let sets: BTreeMap<_, _> = described.iter().map(|(_, d)| (d.digest, d.bytes.len())).collect();
        let entry = Entry {
            lease,
            content: record::content(&producer, &versions)?,
            descriptor_bytes: sets.values().sum(),
            sets: record::sets(&versions),
            freshness: producer.freshness,
            updated: producer.updated,
            expires: self.time,
            shown: self.now,
            ends: self.now,
            due: Some(self.now + self.rules.settings.terms.grace),
        };
        self.apply(Change::PutProducer { producer, versions })?;
        self.described.extend(described);
        self.state.put(entry);
        Ok(())
    }

    fn put(&mut self, producer: Producer, declaration: &Declaration) -> Result<(), Error> {
        self.apply(Change::PutProducer { producer, versions: declaration.versions.clone() })?;
        for (version, described) in declaration.versions.iter().zip(&declaration.described) {
            self.described.extend(described.iter().map(|d| (version.name.clone(), d.clone())));
        }
        Ok(())
    }

    fn remove(&mut self, entry: &Entry) -> Result<(), Error> {
        let name = &entry.lease.producer;
        let before = self.catalog.producer(name).cloned();
        self.left.extend(before.iter().flat_map(|before| before.versions.iter().cloned()));
        self.apply(Change::RemoveProducer(name.clone()))?;
        self.writes.push(record::delete(name));
        self.state.remove(name);
        self.forget_sets(Some(entry));
        Ok(())
    }

    /// Lets go of the sets that only `old` kept.
    fn forget_sets(&mut self, old: Option<&Entry>) {
        let orphans = old.into_iter().flat_map(|old| old.sets.iter()).filter(|set| !self.state.keeps(set));
        self.writes.extend(orphans.map(|set| record::delete_descriptors(*set)));
    }

    fn apply(&mut self, change: Change) -> Result<(), Error> {
        self.catalog = self.catalog.apply(change)?;
        Ok(())
    }

    fn receipt(&self, entry: &Entry, warnings: Vec<String>) -> Receipt {
        let producer = entry.lease.producer.clone();
        Receipt { producer, lease: entry.granted(), revision: self.catalog.revision(), warnings }
    }
}
