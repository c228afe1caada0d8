//! Takes out what manifests no longer declare, unless something stands on it.

use super::place::{of_catalog, refused};
use super::set::{Entry, Key};
use super::step::Faults;
use super::{Action, Authority, Changed, Options, record};
use crate::access::Policy;
use crate::catalog::Change;
use crate::federation::draft::Draft;
use crate::model::{Identity, PlatformName, ProducerName, Source, Spec, VersionName};
use std::collections::BTreeSet;

impl Draft<'_> {
    /// What the caller declared before by request and does not declare now.
    pub(super) fn undeclared(
        &self,
        authority: &Authority,
        declared_now: &BTreeSet<&Key>,
        options: &Options,
    ) -> Vec<Key> {
        let is_meant = |platform: &PlatformName| options.prune_platforms.contains(platform);
        let is_theirs = |key: &Key, entry: &Entry| {
            !self.is_of_folder(entry)
                && !declared_now.contains(key)
                && is_meant(entry.resource.spec.platform())
                && authority.may_remove(&self.rules.policy, key, entry.resource.spec.platform())
        };
        let entries = self.state.declared.iter().filter(|(key, entry)| is_theirs(key, entry));
        entries.map(|(key, _)| key.clone()).collect()
    }

    /// Takes them out, in the reverse of the order in which they are applied.
    pub(super) fn remove_manifests(&mut self, mut keys: Vec<Key>) -> Vec<Changed> {
        keys.sort();
        keys.into_iter().rev().filter_map(|key| self.remove_manifest(&key)).collect()
    }

    fn remove_manifest(&mut self, key: &Key) -> Option<Changed> {
        let entry = self.state.declared.get(key)?.clone();
        let mut changed = Changed::of(&entry.resource.spec, &entry.resource.origin);
        match self.take_out(key, &entry) {
            Ok(()) => {
                changed.action = Action::Delete;
                if let Key::Version(name) = key {
                    changed.loses = self.catalog.offering(name).is_none().then(|| name.clone());
                }
            }
            Err(faults) => (changed.action, changed.faults) = (Action::Refused, faults),
        }
        Some(changed)
    }

    /// Takes one out, or says what stands on it; then nothing has changed.
    pub(super) fn take_out(&mut self, key: &Key, entry: &Entry) -> Result<(), Faults> {
        match (key, &entry.resource.spec) {
            (Key::Platform(name), _) => self.take_out_platform(name)?,
            (Key::Grant(name), _) => return self.take_out_grant(key, &name.platform),
            (Key::Capability(name), _) => self.redeclare(name, None, &[])?,
            (Key::Version(name), _) => self.take_out_version(name, entry)?,
            (Key::Producer(name), _) => self.take_out_producer(name)?,
            (Key::Override(service), _) => {
                self.make(Change::RemoveOverride(service.clone()))?;
            }
        }
        self.state.declared.remove(key);
        self.writes.push(record::delete(key));
        Ok(())
    }

    fn take_out_platform(&mut self, name: &PlatformName) -> Result<(), Faults> {
        if self.state.declared.configured(name).is_some() {
            // Only the manifest's word is taken back.
            return Ok(());
        }
        let is_of_it = |(key, entry): &(&Key, &std::sync::Arc<Entry>)| {
            !matches!(key, Key::Platform(_)) && entry.resource.spec.platform() == name
        };
        if let Some((_, other)) = self.state.declared.iter().find(is_of_it) {
            return refused(
                "",
                "PLATFORM_IN_USE",
                format!("{} is still declared; take that out first", other.resource),
            );
        }
        if self.catalog.platform(name.as_str()).is_some() {
            self.make(Change::RemovePlatform(name.clone()))?;
        }
        Ok(())
    }

    /// A grant under which something stands is not withdrawn: what consumers call must not end as a side effect.
    fn take_out_grant(&mut self, key: &Key, platform: &PlatformName) -> Result<(), Faults> {
        let mut next = self.state.declared.clone();
        next.remove(key);
        if let Some(left) = next.platforms().get(platform) {
            let catalog = self.catalog.apply(Change::PutPlatform(left.clone())).map_err(of_catalog)?;
            super::place::unclaimed(&self.catalog, &catalog, left)?;
            self.catalog = catalog;
        }
        self.state.declared = next;
        self.writes.push(record::delete(key));
        Ok(())
    }

    fn take_out_version(&mut self, name: &VersionName, entry: &Entry) -> Result<(), Faults> {
        let serves = |spec: &Spec| match spec {
            Spec::Producer(spec) => {
                spec.versions.iter().any(|(id, v)| (id, v) == (&name.capability, &name.version))
            }
            _ => false,
        };
        let declared = self.state.declared.clone();
        let mut producers = declared.producers_of(&name.platform);
        if let Some((producer, _)) = producers.find(|(_, entry)| serves(&entry.resource.spec)) {
            return refused(
                "",
                "VERSION_IN_USE",
                format!("{producer} serves it by manifest; take that out first"),
            );
        }
        self.withdraw(name)?;
        let bytes = entry.sealed.as_ref().map_or(0, |sealed| sealed.bytes);
        self.state.declared.count_bytes(&name.platform, 0, bytes);
        self.let_go(entry.sealed.as_ref());
        Ok(())
    }

    fn take_out_producer(&mut self, name: &ProducerName) -> Result<(), Faults> {
        let standing = self.catalog.producer(name).filter(|p| p.source == Source::Manifest).cloned();
        if let Some(standing) = standing {
            self.make(Change::RemoveProducer(name.clone()))?;
            self.left.extend(standing.versions.iter().cloned());
        }
        Ok(())
    }
}

impl Authority {
    /// Whether the caller may take out what somebody declared of that platform.
    fn may_remove(&self, policy: &Policy, key: &Key, platform: &PlatformName) -> bool {
        let speaks = |identity: &Identity| policy.may_register(identity, platform).is_ok();
        let is_domains = matches!(key, Key::Capability(_) | Key::Version(_) | Key::Producer(_));
        self.is_operator || (is_domains && self.identity.as_ref().is_some_and(speaks))
    }

    /// Whether the caller may know what a platform declares.
    pub(super) fn may_inspect(&self, policy: &Policy, platform: &PlatformName) -> bool {
        let speaks = |identity: &Identity| policy.may_register(identity, platform).is_ok();
        self.is_operator || self.identity.as_ref().is_some_and(speaks)
    }
}
