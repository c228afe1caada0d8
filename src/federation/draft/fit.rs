//! Judges against what stands at this moment; the judge before saw an earlier one.

use super::Draft;
use crate::federation::Error;
use crate::federation::compare::{Known, New};
use crate::federation::judge::Declaration;
use crate::federation::refusal::{declared, taken};
use crate::federation::state::Entry;
use crate::model::{Source, Violation};

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
        let (known, path) = (self.known(), |i| format!("versions[{i}]"));
        let described = declaration.described.iter().map(Option::as_ref);
        let versions = declaration.versions.iter().zip(described);
        let new: Vec<_> = versions.map(|(version, described)| New { version, described }).collect();
        let mut found: Vec<_> =
            taken(self.rules, &self.catalog, &declaration.producer, declaration.source).into_iter().collect();
        let is_registration = declaration.source == Source::Registration;
        if is_registration && found.is_empty() && self.state.declared.has_producer(&declaration.producer) {
            found.push(declared(&declaration.producer, "declared by a manifest"));
        }
        found.extend(new.iter().enumerate().filter_map(|(i, new)| known.mutation(&path(i), *new)));
        let mut compared = declaration.compared.clone();
        found.extend(known.breaks(&new, path, &mut compared, COMPARED).map_err(|_| Error::Busy)?);
        let fresh = new.iter().filter(|new| self.catalog.contract(&new.version.name).is_none()).count();
        let contracts = self.catalog.contract_count(&declaration.producer.platform) + fresh;
        let most = self.rules.settings.quota.contracts;
        if fresh > 0 && contracts > most {
            let message = format!(
                "{contracts} contracts are more than the {most} that are remembered of a platform; each is, for ever, so \
                 that none changes"
            );
            found.push(Violation::new("versions", "QUOTA", message));
        }
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

    /// What stands at this moment.
    pub(in crate::federation) fn known(&self) -> Known<'_> {
        let index = self.rules.descriptors.snapshot();
        Known { catalog: &self.catalog, fresh: self.described.clone(), index }
    }
}
