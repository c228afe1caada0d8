//! What outlives producers, on its way back: contracts before all else, claims when all that was stored stands again.

use super::Sets;
use crate::catalog::Change;
use crate::federation::baseline::Held;
use crate::federation::draft::Draft;
use crate::federation::record::{self, Stored};
use crate::federation::{Error, Rules};
use crate::model::{Contract, Digest, PlatformName, ServiceName, VersionName};
use crate::store::Record;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The contracts that were stored.
pub(super) struct Past {
    known: BTreeMap<VersionName, Contract>,
    /// Versions whose contract is there, but cannot be read. It is kept as it is.
    unreadable: BTreeSet<VersionName>,
}

impl Past {
    /// Reads them.
    pub(super) fn read(records: Vec<Record>) -> Self {
        let mut past = Self { known: BTreeMap::new(), unreadable: BTreeSet::new() };
        for Record { key, value, .. } in records {
            let error = match record::read_contract(&value) {
                Ok(contract) => {
                    past.known.insert(contract.name.clone(), contract);
                    continue;
                }
                Err(error) => error,
            };
            let key = String::from_utf8_lossy(&key).into_owned();
            match VersionName::parse(&key) {
                Ok(name) => {
                    tracing::error!(version = %name, %error, "a stored contract cannot be read; its version is \
                        refused to all but those that hold it already");
                    past.unreadable.insert(name);
                }
                Err(_) => tracing::error!(key, %error, "a stored contract cannot be read, nor whose it is"),
            }
        }
        past
    }

    /// Versions whose contract cannot be read, and no stored registration tells it either.
    pub(super) fn lost(&self, stored: &[Stored]) -> BTreeSet<VersionName> {
        let told: BTreeSet<_> =
            stored.iter().flat_map(|stored| &stored.versions).map(|version| &version.name).collect();
        self.unreadable.iter().filter(|name| !told.contains(name)).cloned().collect()
    }
}

/// Remembers every contract that was stored, and those of stored registrations that are older than this memory. Gives
/// descriptor sets that are no longer held.
pub(super) fn contracts(
    draft: &mut Draft<'_>,
    rules: &Rules,
    sets: &mut Sets,
    past: Past,
    stored: &[Stored],
) -> Result<Vec<Digest>, Error> {
    let Past { mut known, unreadable } = past;
    for Stored { producer, versions, .. } in stored {
        for version in
            versions.iter().filter(|version| !known.contains_key(&version.name)).collect::<Vec<_>>()
        {
            let origin = producer.registrant.to_string();
            let contract = Contract::of(version, producer.created, producer.source, origin);
            if !unreadable.contains(&version.name) {
                draft.writes.push(record::put_contract(&contract)?);
            }
            known.insert(version.name.clone(), contract);
        }
    }
    let mut gone = Vec::new();
    // The newest first: below it nothing is held.
    for contract in known.into_values().rev() {
        if draft.state.wants(&contract.name)
            && let Some(described) = contract.descriptors.and_then(|digest| sets.find(digest, rules))
        {
            draft.describe(contract.name.clone(), described.clone());
            let held =
                Held { set: described.digest, bytes: described.bytes.len(), created: contract.created };
            let limit = rules.settings.quota.descriptor_bytes;
            for (name, old) in draft.state.hold(&contract.name, held, limit) {
                draft.left.push(name);
                gone.push(old.set);
            }
        }
        draft.apply(Change::RecordContract(contract))?;
    }
    Ok(gone)
}

/// Gives every claim the age that was stored; one without is as old as its producers, and stored. A claim that does not
/// stand any more is forgotten, unless a stored registration waits for the configuration to allow it again.
pub(super) fn claims(
    draft: &mut Draft<'_>,
    records: Vec<Record>,
    waiting: &BTreeSet<(ServiceName, PlatformName)>,
) -> Result<(), Error> {
    let mut stored: BTreeMap<(ServiceName, PlatformName), Timestamp> = BTreeMap::new();
    for Record { key, value, .. } in records {
        match record::read_claim(&value) {
            Ok((service, platform, since)) => drop(stored.insert((service, platform), since)),
            Err(error) => {
                let key = String::from_utf8_lossy(&key).into_owned();
                tracing::error!(key, %error, "the age of a claim cannot be read");
            }
        }
    }
    let standing: Vec<_> = draft
        .catalog
        .services()
        .flat_map(|(service, claims)| {
            claims.iter().map(|claim| (service.clone(), claim.platform.clone(), claim.since))
        })
        .collect();
    for (service, platform, began) in standing {
        let key = (service, platform);
        let known = stored.remove(&key);
        let ((service, platform), since) = (key, known.unwrap_or(began));
        if known.is_none() {
            draft.writes.push(record::put_claim(&service, &platform, since)?);
        }
        draft.state.note_claim(since);
        draft.apply(Change::RecordClaim { service, platform, since })?;
    }
    for ((service, platform), since) in stored {
        draft.state.note_claim(since);
        if !waiting.contains(&(service.clone(), platform.clone())) {
            draft.writes.push(record::delete_claim(&service, &platform));
        }
    }
    Ok(())
}
