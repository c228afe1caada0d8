//! The machine: (state, request, now) → (next state, what must be written). It does no I/O and reads no clock.

use super::judge::{Declaration, taken_by_configuration};
use super::offer::{self, Described};
use super::state::{Entry, State};
use super::{Error, Receipt, Rules, record};
use crate::catalog::{Change, Snapshot};
use crate::model::{Freshness, Identity, Lease, Producer, ProducerName, Version, VersionName, Violation};
use crate::store;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// At most so many leases end in one draft, so that requests between are not kept waiting.
const ENDINGS: usize = 256;

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
        let entry = self.entry(declaration, old.as_deref());
        match old.as_deref() {
            Some(old) if old.says_the_same(&entry) => {
                if old.lease.term != entry.lease.term {
                    self.writes.push(record::put(&entry)?);
                }
                self.confirm(&entry)?;
            }
            old => {
                self.judge(declaration, &entry, old)?;
                if old.is_none() {
                    self.make_room(&declaration.producer)?;
                }
                self.accept(declaration, &entry, old)?;
            }
        }
        Ok(self.receipt(&entry, declaration.warnings.clone()))
    }

    /// Renews a lease, also one that ended, for its holder alone.
    pub(super) fn renew(&mut self, holder: &Identity, lease: &str) -> Result<Receipt, Error> {
        let held = self.state.leased(lease).filter(|entry| entry.lease.holder == *holder);
        let held = held.ok_or(Error::UnknownLease)?;
        let entry = self.renewed(Entry::clone(held));
        self.confirm(&entry)?;
        Ok(self.receipt(&entry, Vec::new()))
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

    /// Ends the leases that are due: LIVE becomes STALE, and after the grace EXPIRED.
    pub(super) fn end_leases(&mut self) -> Result<(), Error> {
        for _ in 0..ENDINGS {
            let Some(due) = self.state.due(self.now).and_then(|name| self.state.entry(&name)) else { break };
            let mut entry = Entry::clone(due);
            let freshness = &mut entry.producer.freshness;
            (*freshness, entry.due) = match freshness {
                Freshness::Live => (Freshness::Stale, Some(entry.ends + self.rules.settings.terms.grace)),
                _ => (Freshness::Expired, None),
            };
            self.confirm(&entry)?;
        }
        Ok(())
    }

    /// What would stand there if the declaration were taken.
    fn entry(&self, declaration: &Declaration, old: Option<&Entry>) -> Entry {
        let holder = &declaration.registrant;
        let kept = old.filter(|old| old.lease.holder == *holder).map(|old| old.lease.id.clone());
        let mut versions = declaration.versions.clone();
        versions.sort_by(|a, b| a.name.cmp(&b.name));
        let mut sets: Vec<_> =
            declaration.described.iter().flatten().map(|d| (d.digest, d.bytes.len())).collect();
        sets.sort_unstable();
        sets.dedup();
        self.renewed(Entry {
            lease: Lease {
                id: kept.unwrap_or_else(|| declaration.fresh_lease.clone()),
                producer: declaration.producer.clone(),
                holder: holder.clone(),
                term: declaration.term,
            },
            producer: Producer {
                name: declaration.producer.clone(),
                identity: declaration.identity.clone(),
                registrant: holder.clone(),
                endpoints: declaration.endpoints.clone(),
                versions: versions.iter().map(|version| version.name.clone()).collect(),
                source: declaration.source,
                freshness: Freshness::Live,
                lease_expires: None,
                created: old.map_or(self.time, |old| old.producer.created),
                updated: self.time,
            },
            versions,
            descriptor_bytes: sets.iter().map(|(_, bytes)| bytes).sum(),
            ends: self.now,
            due: None,
        })
    }

    /// The same, with its term begun now.
    fn renewed(&self, mut entry: Entry) -> Entry {
        entry.ends = self.now + entry.lease.term;
        entry.due = Some(entry.ends);
        entry.producer.freshness = Freshness::Live;
        entry.producer.updated = self.time;
        entry.producer.lease_expires = Some(self.time.saturating_add(entry.lease.term).unwrap_or(self.time));
        entry
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
        let producers =
            self.catalog.platform(name.platform.as_str()).into_iter().flat_map(|p| p.producers.values());
        let expired = producers.filter(|producer| producer.freshness == Freshness::Expired);
        let first =
            expired.filter_map(|producer| self.state.entry(&producer.name)).min_by_key(|entry| entry.ends);
        let Some(first) = first.cloned() else {
            let message = format!("{} has all of its {limit} producers, and none has expired", name.platform);
            return Err(Error::Refused(vec![Violation::new("producer", "QUOTA", message)]));
        };
        tracing::info!(producer = %first.producer.name, "an expired producer gives way to a new one");
        self.remove(&first)
    }

    fn accept(&mut self, declaration: &Declaration, entry: &Entry, old: Option<&Entry>) -> Result<(), Error> {
        let producer = entry.producer.clone();
        self.apply(Change::PutProducer { producer, versions: entry.versions.clone() })?;
        for (version, described) in declaration.versions.iter().zip(&declaration.described) {
            self.described.extend(described.iter().map(|d| (version.name.clone(), d.clone())));
        }
        for set in entry.sets().filter(|set| !self.state.keeps(set)) {
            let described = declaration.described.iter().flatten().find(|described| described.digest == set);
            self.writes.extend(described.map(|d| record::put_descriptors(d.digest, d.bytes.clone())));
        }
        self.writes.push(record::put(entry)?);
        self.state.put(entry.clone());
        if let Some(old) = old {
            self.forget(old);
        }
        Ok(())
    }

    fn remove(&mut self, entry: &Entry) -> Result<(), Error> {
        let name = &entry.producer.name;
        self.apply(Change::RemoveProducer(name.clone()))?;
        self.writes.push(record::delete(name));
        self.state.remove(name);
        self.forget(entry);
        Ok(())
    }

    /// Lets go of what only `old` kept.
    fn forget(&mut self, old: &Entry) {
        let orphans = old.sets().filter(|set| !self.state.keeps(set));
        self.writes.extend(orphans.map(record::delete_descriptors));
        self.left.extend(old.producer.versions.iter().cloned());
    }

    /// Puts an entry that differs from the one that stands by its times and its freshness alone.
    fn confirm(&mut self, entry: &Entry) -> Result<(), Error> {
        let producer = &entry.producer;
        self.apply(Change::SetFreshness {
            producer: producer.name.clone(),
            freshness: producer.freshness,
            lease_expires: producer.lease_expires,
            updated: producer.updated,
        })?;
        self.state.put(entry.clone());
        Ok(())
    }

    fn apply(&mut self, change: Change) -> Result<(), Error> {
        self.catalog = self.catalog.apply(change)?;
        Ok(())
    }

    fn receipt(&self, entry: &Entry, warnings: Vec<String>) -> Receipt {
        let producer = entry.producer.name.clone();
        Receipt { producer, lease: entry.granted(), revision: self.catalog.revision(), warnings }
    }
}

/// Restoring what was registered before the broker started.
impl Draft<'_> {
    /// Puts what the configuration declares.
    pub(super) fn configure(&mut self, declaration: &Declaration) -> Result<(), Error> {
        let mut producer = self.entry(declaration, None).producer;
        producer.lease_expires = None;
        self.apply(Change::PutProducer { producer, versions: declaration.versions.clone() })?;
        for (version, described) in declaration.versions.iter().zip(&declaration.described) {
            self.described.extend(described.iter().map(|d| (version.name.clone(), d.clone())));
        }
        Ok(())
    }

    /// Puts what was stored: STALE until it is renewed, its grace begins now.
    pub(super) fn restore(
        &mut self,
        mut stored: record::Stored,
        described: &[(VersionName, Arc<Described>)],
        descriptor_bytes: usize,
    ) -> Result<(), Error> {
        stored.producer.freshness = Freshness::Stale;
        stored.producer.lease_expires = Some(self.time);
        let versions: Vec<Version> = stored.versions;
        self.apply(Change::PutProducer { producer: stored.producer.clone(), versions: versions.clone() })?;
        self.described.extend(described.iter().cloned());
        let due = Some(self.now + self.rules.settings.terms.grace);
        let (lease, producer, ends) = (stored.lease, stored.producer, self.now);
        self.state.put(Entry { lease, producer, versions, descriptor_bytes, ends, due });
        Ok(())
    }
}
