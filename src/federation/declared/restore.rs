//! The start: what was declared is in force again, unless the configuration of today stands in its way.

use super::judge::{Made, Proposal, Ready};
use super::record;
use super::serve::said;
use super::set::{Entry, Key, Via};
use crate::access;
use crate::federation::draft::Draft;
use crate::federation::restore::Sets;
use crate::model::{Endpoint, Identity, PlatformName, ProducerSpec, ServiceName, Spec, Violation};
use crate::store::Record;
use std::collections::{BTreeSet, HashSet};

/// Declared resources as they were stored.
pub(in crate::federation) struct Stored(Vec<(Key, Entry)>);

/// Reads them. What cannot be read harms only itself and is kept.
pub(in crate::federation) fn read(records: Vec<Record>) -> Stored {
    let mut stored = Vec::new();
    for Record { key, value, .. } in records {
        match record::read(&value) {
            Ok(read) => stored.push(read),
            Err(error) => {
                let key = String::from_utf8_lossy(&key).into_owned();
                tracing::error!(key, %error, "a stored manifest cannot be read; it is kept, not in force");
            }
        }
    }
    stored.sort_by(|a, b| a.0.cmp(&b.0));
    Stored(stored)
}

/// Puts platforms and grants in force: before them, nobody's registration can be judged.
pub(in crate::federation) fn platforms(
    draft: &mut Draft<'_>,
    stored: &mut Stored,
    policy: &mut access::Writer,
) {
    let is_of_platforms = |key: &Key| matches!(key, Key::Platform(_) | Key::Grant(_));
    let place = stored.0.partition_point(|(key, _)| is_of_platforms(key));
    for (key, entry) in stored.0.drain(..place) {
        draft.restore_manifest(key, entry, Ok(Made::Plain));
    }
    policy.replace(draft.state.declared.platforms().values().cloned());
}

/// Puts all else in force.
///
/// Gives the claims of those that something stands in the way of.
pub(in crate::federation) fn resources(
    draft: &mut Draft<'_>,
    stored: Stored,
    sets: &mut Sets,
) -> BTreeSet<(ServiceName, PlatformName)> {
    let mut waiting = BTreeSet::new();
    for (key, entry) in stored.0 {
        let made = draft.made_of(&entry, sets);
        let Spec::Version(spec) = entry.resource.spec.clone() else {
            draft.restore_manifest(key, entry, made);
            continue;
        };
        if !draft.restore_manifest(key, entry, made) {
            waiting.extend(spec.offer.services.into_iter().map(|service| (service, spec.platform.clone())));
        }
    }
    waiting
}

impl Draft<'_> {
    /// Puts it in force; false if something stands in its way.
    fn restore_manifest(&mut self, key: Key, entry: Entry, made: Result<Made, Vec<Violation>>) -> bool {
        let proposal = Proposal {
            key: key.clone(),
            via: entry.via.clone(),
            resource: entry.resource.clone(),
            content: entry.content,
            since: Some(entry.since),
            renewed: Vec::new(),
            made: Ok(Made::Plain),
        };
        let mark = self.mark();
        let placed = made.and_then(|made| self.place(&proposal, &made));
        let Err(faults) = placed else { return true };
        self.go_back(mark);
        let fault = faults.into_iter().next();
        let (reason, message) =
            fault.map_or(("REFUSED", String::new()), |fault| (fault.reason, fault.message));
        tracing::warn!(resource = %key, reason, message, "a stored manifest is kept, not in force");
        if let Some(set) = entry.sealed.as_ref().and_then(|sealed| sealed.descriptors) {
            self.state.keep(set);
        }
        let message = format!("{} is declared and not in force: {message}", entry.resource.spec.kind());
        let entry = Entry { stands: false, trouble: Some((reason, message)), ..entry };
        if let Key::Override(service) = &key {
            // What has ended is forgotten by the clock.
            self.state.declared.end_at(service, self.now);
        }
        self.state.declared.put(key, entry);
        false
    }

    /// What was made of it when it was judged.
    fn made_of(&self, entry: &Entry, sets: &mut Sets) -> Result<Made, Vec<Violation>> {
        match (&entry.resource.spec, &entry.sealed) {
            (Spec::Version(spec), Some(sealed)) => {
                let defaults = self.state.declared.defaults(&spec.name().capability_name()).cloned();
                let version = said(spec, sealed, defaults.as_ref());
                let described = sealed.descriptors.and_then(|digest| sets.get(digest, self.rules));
                let sealed = sealed.clone();
                Ok(Made::Version(Box::new(Ready {
                    version,
                    described,
                    sealed,
                    defaults,
                    compared: HashSet::new(),
                })))
            }
            (Spec::Producer(spec), _) => {
                self.may_be_there(spec, &entry.via)?;
                let platform = self.state.declared.platforms().get(&spec.name.platform);
                let domain = platform.map(|platform| platform.trust_domain.clone());
                let unknown = || vec![super::judge::unknown_platform(&spec.name.platform)];
                let identity = Identity::parse(&spec.identity, &domain.ok_or_else(unknown)?);
                identity
                    .map(Made::Producer)
                    .map_err(|e| vec![Violation::new("identity", "INVALID_IDENTITY", e.to_string())])
            }
            _ => Ok(Made::Plain),
        }
    }

    /// Whether the rules for endpoints of now allow where a platform says that its producer is; what an operator wrote is
    /// taken as it is.
    fn may_be_there(&self, spec: &ProducerSpec, via: &Via) -> Result<(), Vec<Violation>> {
        match via {
            Via::Call(who) if !self.rules.policy.caller(who.clone()).is_operator => {}
            _ => return Ok(()),
        }
        let judge = |(nth, at): (usize, &Endpoint)| {
            let why = self.rules.settings.endpoints.judge(&at.address).err()?;
            let field = format!("spec.endpoints[{nth}].address");
            Some(Violation::new(field, why.reason(), format!("{} {why}", at.address)))
        };
        let refused: Vec<_> = spec.endpoints.iter().enumerate().filter_map(judge).collect();
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }
}
