//! The machine: (state, request, now) → (next state, what must be written). It does no I/O and reads no clock.

mod fit;
mod mark;
mod memory;
mod term;

use super::compare::Fresh;
use super::judge::Declaration;
use super::offer::Described;
use super::refusal::{Refusal, taken_by_configuration};
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
    pub(super) rules: &'a Rules,
    /// Decides.
    pub(super) now: Instant,
    /// Is shown.
    pub(super) time: Timestamp,
    pub(super) state: State,
    pub(super) catalog: Snapshot,
    /// What must be durable before anything of this is published.
    pub(super) writes: Vec<store::Change>,
    /// Descriptors of versions that are new or may have changed.
    pub(super) described: Fresh,
    /// Versions that some producer no longer serves, or whose descriptors are no longer held.
    pub(super) left: Vec<VersionName>,
    /// Whether what was stored is on its way back.
    pub(super) is_start: bool,
}

impl<'a> Draft<'a> {
    /// Begins where things stand.
    pub(super) fn new(
        rules: &'a Rules,
        state: State,
        catalog: Snapshot,
        (now, time): (Instant, Timestamp),
    ) -> Self {
        let (writes, left) = Default::default();
        let described = Fresh::new_sync();
        Self { rules, now, time, state, catalog, writes, described, left, is_start: false }
    }

    /// Registers, or renews if nothing is said that was not said before.
    pub(super) fn register(&mut self, declaration: &Declaration) -> Result<Receipt, Error> {
        let mark = self.mark();
        let outcome = self.try_register(declaration);
        match &outcome {
            Ok(_) => self.settle_clashes(declaration)?,
            Err(error) => {
                self.go_back(mark);
                if let Error::Refused(violations) = error {
                    let by = declaration.origin();
                    self.refuse(&Refusal::new(violations.clone(), &declaration.versions, by))?;
                }
            }
        }
        outcome
    }

    /// Answers as if it were registered, and takes nothing.
    pub(super) fn validate(&mut self, declaration: &Declaration) -> Result<Receipt, Error> {
        let mark = self.mark();
        let outcome = self.try_register(declaration);
        self.go_back(mark);
        outcome.map(|receipt| Receipt { lease: None, revision: self.catalog.revision(), ..receipt })
    }

    fn try_register(&mut self, declaration: &Declaration) -> Result<Receipt, Error> {
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
        self.apply(Change::SettleProducer { producer: name.clone(), source: Source::Registration })?;
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
            provenance: None,
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
            expires: None,
            shown: self.now,
            ends: self.now,
            due: None,
        };
        self.begin_term(&mut entry);
        Ok(entry)
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
        producer.lease_expires = entry.expires;
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
        // Nobody promised to renew what has no lease; whether it still serves, probes tell.
        let is_leased = lease.term.is_some();
        producer.freshness = if is_leased { Freshness::Stale } else { Freshness::Live };
        producer.lease_expires = is_leased.then_some(self.time);
        let sets: BTreeMap<_, _> = described.iter().map(|(_, d)| (d.digest, d.bytes.len())).collect();
        let entry = Entry {
            lease,
            content: record::content(&producer, &versions)?,
            descriptor_bytes: sets.values().sum(),
            sets: record::sets(&versions),
            freshness: producer.freshness,
            updated: producer.updated,
            expires: producer.lease_expires,
            shown: self.now,
            ends: self.now,
            due: is_leased.then_some(self.now + self.rules.settings.terms.grace),
        };
        self.apply(Change::PutProducer { producer, versions })?;
        described.into_iter().for_each(|(name, described)| self.describe(name, described));
        self.state.put(entry);
        Ok(())
    }

    fn put(&mut self, producer: Producer, declaration: &Declaration) -> Result<(), Error> {
        for (version, described) in declaration.versions.iter().zip(&declaration.described) {
            if let Some(described) = described {
                self.describe(version.name.clone(), described.clone());
            }
        }
        self.apply(Change::PutProducer { producer, versions: declaration.versions.clone() })
    }

    /// Notes the descriptors of a version that is about to be put.
    pub(super) fn describe(&mut self, name: VersionName, described: Arc<Described>) {
        self.described.insert_mut(name, described);
    }

    pub(super) fn remove(&mut self, entry: &Entry) -> Result<(), Error> {
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

    fn receipt(&self, entry: &Entry, warnings: Vec<String>) -> Receipt {
        let producer = entry.lease.producer.clone();
        Receipt { producer, lease: entry.granted(), revision: self.catalog.revision(), warnings }
    }
}
