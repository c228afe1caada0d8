//! Judges against what stands at this moment; the judge before saw an earlier one.

use super::Draft;
use crate::federation::Error;
use crate::federation::compare::{Known, New};
use crate::federation::judge::Declaration;
use crate::federation::refusal::{declared, taken};
use crate::federation::state::Entry;
use crate::model::{Contract, PlatformName, Source, Version, Violation};

/// Bytes of descriptors that one registration may compare with what was taken since it was judged.
const COMPARED: usize = 16 << 20;

impl Draft<'_> {
    /// Judges against what stands at this moment; the judge before saw an earlier one.
    pub(super) fn judge(
        &self,
        declaration: &Declaration,
        entry: &Entry,
        old: Option<&Entry>,
    ) -> Result<(), Error> {
        let withdrawn = self.withdrawn(declaration)?;
        let (known, path) = (self.known(), |i| format!("versions[{i}]"));
        let described = declaration.described.iter().map(Option::as_ref);
        let versions = declaration.versions.iter().zip(described);
        let new: Vec<_> = versions.map(|(version, described)| New { version, described }).collect();
        let mut found: Vec<_> =
            taken(self.rules, &self.catalog, &declaration.producer, declaration.source).into_iter().collect();
        found.extend(withdrawn);
        let is_registration = declaration.source == Source::Registration;
        if is_registration && found.is_empty() && self.state.declared.has_producer(&declaration.producer) {
            found.push(declared(&declaration.producer, "declared by a manifest"));
        }
        found.extend(new.iter().enumerate().filter_map(|(i, new)| known.mutation(&path(i), *new)));
        let mut compared = declaration.compared.clone();
        found.extend(known.breaks(&new, path, &mut compared, COMPARED).map_err(|_| Error::Busy)?);
        found.extend(self.over_memory("versions", &declaration.producer.platform, &declaration.versions));
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

    /// What of it is granted no longer: manifests of platforms and grants take effect at any time.
    fn withdrawn(&self, declaration: &Declaration) -> Result<Vec<Violation>, Error> {
        let platform = &declaration.producer.platform;
        let held = self.state.declared.platforms().get(platform);
        let held = held.filter(|held| held.trust_domain == declaration.registrant.trust_domain);
        let Some(held) = held else {
            let (caller, platform) = (declaration.registrant.clone(), platform.clone());
            return Err(Error::NotYours { caller, platform });
        };
        let mut found = Vec::new();
        if declaration.identity.trust_domain != held.trust_domain {
            let message = format!(
                "{} is not of trust domain {}, the platform's own",
                declaration.identity, held.trust_domain
            );
            found.push(Violation::new("identity", "FOREIGN_IDENTITY", message));
        }
        for (i, version) in declaration.versions.iter().enumerate() {
            let is_granted = |service| held.service_prefixes.iter().any(|prefix| prefix.covers(service));
            found.extend(version.services.iter().filter(|service| !is_granted(service)).map(|service| {
                let message = format!("{service} is under no prefix granted to {platform}");
                Violation::new(format!("versions[{i}].services"), "PREFIX_NOT_GRANTED", message)
            }));
        }
        Ok(found)
    }

    /// The violation of versions whose contracts are more than is remembered of their platform.
    pub(in crate::federation) fn over_memory(
        &self,
        path: &str,
        platform: &PlatformName,
        versions: &[Version],
    ) -> Option<Violation> {
        let fresh: Vec<_> = versions.iter().filter(|v| self.catalog.contract(&v.name).is_none()).collect();
        let quota = &self.rules.settings.quota;
        let count = self.catalog.contract_count(platform) + fresh.len();
        let new_bytes: usize = fresh.iter().map(|version| Contract::bytes_of(version)).sum();
        let bytes = self.catalog.contract_bytes(platform) + new_bytes;
        let message = match fresh.is_empty() {
            false if count > quota.contracts => {
                format!("{count} contracts are more than the {} that are remembered", quota.contracts)
            }
            false if bytes > quota.contract_bytes => format!(
                "{bytes} bytes of service names and parameter schemas are more than the {} that are remembered",
                quota.contract_bytes
            ),
            _ => return None,
        };
        let message = format!("{message} of {platform}; each contract is, for ever, so that none changes");
        Some(Violation::new(path, "QUOTA", message))
    }

    /// What stands at this moment.
    pub(in crate::federation) fn known(&self) -> Known<'_> {
        let index = self.rules.descriptors.snapshot();
        let (is_start, unreadable) = (self.is_start, &self.rules.unreadable);
        Known { catalog: &self.catalog, fresh: self.described.clone(), index, is_start, unreadable }
    }
}
