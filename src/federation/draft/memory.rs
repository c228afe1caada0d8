//! What outlives producers: contracts from the first time they are taken, claims for as long as they stand.

use super::Draft;
use crate::catalog::{Change, Snapshot};
use crate::federation::baseline::Held;
use crate::federation::{Error, record};
use crate::model::{Contract, PlatformName, ServiceName, Source, Version, VersionName};
use std::collections::BTreeSet;

impl Draft<'_> {
    /// Changes the catalogue, and notes which contracts and claims are new or gone. Descriptors of new versions are put
    /// into `described` before.
    pub(in crate::federation) fn apply(&mut self, change: Change) -> Result<(), Error> {
        let Some((platform, services)) = self.touched(&change) else {
            self.catalog = self.catalog.apply(change)?;
            return Ok(());
        };
        let contracts = self.unrecorded(&change);
        let before = self.catalog.clone();
        self.catalog = before.apply(change)?;
        contracts.into_iter().try_for_each(|contract| self.remember(contract))?;
        if self.is_start {
            // Claims are compared with the stored ones when all that was stored is back.
            return Ok(());
        }
        services.iter().try_for_each(|service| self.compare_claim(&before, &platform, service))
    }

    /// Records a contract, and holds its descriptors while no higher release of its major is known.
    pub(in crate::federation) fn remember(&mut self, contract: Contract) -> Result<(), Error> {
        self.writes.push(record::put_contract(&contract)?);
        self.hold(&contract);
        self.catalog = self.catalog.apply(Change::RecordContract(contract))?;
        Ok(())
    }

    /// Holds a contract's descriptors, if they are there and the next version will be compared with them.
    pub(in crate::federation) fn hold(&mut self, contract: &Contract) {
        let (name, described) = (&contract.name, self.described.get(&contract.name).cloned());
        let Some(described) = described.filter(|_| self.state.wants(name)) else { return };
        if !self.state.keeps(&described.digest) {
            self.writes.push(record::put_descriptors(described.digest, described.bytes.clone()));
        }
        let held = Held { set: described.digest, bytes: described.bytes.len(), created: contract.created };
        for (name, old) in self.state.hold(name, held, self.rules.settings.quota.descriptor_bytes) {
            if !self.state.keeps(&old.set) {
                self.writes.push(record::delete_descriptors(old.set));
            }
            self.left.push(name);
        }
    }

    /// Which claims a change may begin or end.
    fn touched(&self, change: &Change) -> Option<(PlatformName, BTreeSet<ServiceName>)> {
        let offered = |name: &VersionName| {
            let offering = self.catalog.offering(name);
            offering.map(|offering| offering.version.services.clone()).unwrap_or_default()
        };
        Some(match change {
            Change::PutProducer { producer, versions } => {
                let before = self.catalog.producer(&producer.name).map(|p| p.versions.clone());
                let before = before.into_iter().flatten().flat_map(|name| offered(&name));
                let after = versions.iter().flat_map(|version| version.services.iter().cloned());
                (producer.name.platform.clone(), before.chain(after).collect())
            }
            Change::RemoveProducer(name) => {
                let before = self.catalog.producer(name).map(|p| p.versions.clone());
                let before = before.into_iter().flatten().flat_map(|name| offered(&name));
                (name.platform.clone(), before.collect())
            }
            Change::DeclareVersion { version, .. } => {
                (version.name.platform.clone(), version.services.iter().cloned().collect())
            }
            Change::WithdrawVersion(name) => (name.platform.clone(), offered(name).into_iter().collect()),
            _ => return None,
        })
    }

    /// The contracts that a change brings for the first time.
    fn unrecorded(&self, change: &Change) -> Vec<Contract> {
        let (versions, source, origin): (&[Version], _, _) = match change {
            Change::PutProducer { producer, versions } => {
                let origin = match producer.source {
                    Source::Configuration => String::new(),
                    _ => producer.registrant.to_string(),
                };
                (versions, producer.source, origin)
            }
            Change::DeclareVersion { version, .. } => {
                (std::slice::from_ref(version), Source::Manifest, String::new())
            }
            _ => return Vec::new(),
        };
        let is_known = |name| self.catalog.contract(name).is_some() || self.rules.unreadable.contains(name);
        let new = versions.iter().filter(|version| !is_known(&version.name));
        new.map(|version| Contract::of(version, self.time, source, origin.clone())).collect()
    }

    /// Records a claim that began, and forgets one that ended.
    fn compare_claim(
        &mut self,
        before: &Snapshot,
        platform: &PlatformName,
        service: &ServiceName,
    ) -> Result<(), Error> {
        let claims = |snapshot: &Snapshot| {
            let claims = snapshot.service(service.as_str());
            claims.is_some_and(|claims| claims.of(platform.as_str()).is_some())
        };
        match (claims(before), claims(&self.catalog)) {
            (false, true) => {
                // Later than any claim before it, whatever the clock says: recency never decides.
                let since = self.state.next_claim(self.time);
                let (service, platform) = (service.clone(), platform.clone());
                self.writes.push(record::put_claim(&service, &platform, since)?);
                self.catalog = self.catalog.apply(Change::RecordClaim { service, platform, since })?;
            }
            (true, false) => self.writes.push(record::delete_claim(service, platform)),
            _ => {}
        }
        Ok(())
    }
}
