//! Producers of the configuration file: what is wrong with the file ends the start; what others did before does not.

use super::Misconfigured;
use crate::catalog::{Change, Snapshot};
use crate::federation::compare::{Fresh, Known};
use crate::federation::draft::Draft;
use crate::federation::refusal::Refusal;
use crate::federation::{Error, Rules, judge};
use crate::model::{Drift, Producer, ProducerName, Registration, Source, Version, Violation};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Puts them. `bare` is the catalogue without any history: what is refused there too is the file's own fault.
///
/// What only contradicts contracts that were taken before is left out and shown as a drift: no platform can keep the
/// broker from its next start by what it registers.
pub(super) fn put(
    draft: &mut Draft<'_>,
    rules: &Rules,
    mut bare: Snapshot,
    configured: Vec<Registration>,
) -> Result<(), Misconfigured> {
    let (mut found, mut drifts) = (Vec::new(), Vec::new());
    let (mut fresh, nothing) = (Fresh::new_sync(), BTreeSet::new());
    for registration in configured {
        let name = registration.producer.clone();
        let declaration = match judge::configured(rules, registration.clone(), &draft.known()) {
            Ok(declaration) => declaration,
            Err(refusal) => {
                let index = rules.descriptors.snapshot();
                let alone = Known {
                    catalog: &bare,
                    fresh: fresh.clone(),
                    index,
                    is_start: true,
                    unreadable: &nothing,
                };
                match judge::configured(rules, registration, &alone) {
                    Ok(_) => drifts.push(left_out(draft, &name, &refusal)),
                    Err(_) => found.extend(refusal.violations.into_iter().map(|v| (name.clone(), v))),
                }
                continue;
            }
        };
        for warning in &declaration.warnings {
            tracing::warn!(producer = %name, "configured: {warning}");
        }
        for (version, described) in declaration.versions.iter().zip(&declaration.described) {
            if let Some(described) = described {
                fresh.insert_mut(version.name.clone(), described.clone());
            }
        }
        if let Err(error) = draft.configure(&declaration).and_then(|()| repeat(draft, &mut bare, &name)) {
            found.push((name, Violation::new("versions", "REFUSED", error.to_string())));
        }
    }
    if !found.is_empty() {
        return Err(Misconfigured(found));
    }
    let told = draft.apply(Change::SetDrifts { source: Source::Configuration, drifts });
    told.unwrap_or_else(super::told);
    Ok(())
}

/// Puts into `bare` what the configuration put into the draft.
fn repeat(draft: &Draft<'_>, bare: &mut Snapshot, name: &ProducerName) -> Result<(), Error> {
    let Some(producer) = draft.catalog.producer(name) else { return Ok(()) };
    let offerings = producer.versions.iter().filter_map(|version| draft.catalog.offering(version));
    let versions = offerings.map(|offering| Version::clone(&offering.version)).collect();
    let producer = Producer::clone(producer);
    let contracts = producer.versions.iter().filter_map(|version| draft.catalog.contract(version).cloned());
    let contracts: Vec<_> = contracts.map(Arc::unwrap_or_clone).collect();
    *bare = bare.apply(Change::PutProducer { producer, versions })?;
    for contract in contracts {
        *bare = bare.apply(Change::RecordContract(contract))?;
    }
    Ok(())
}

fn left_out(draft: &Draft<'_>, name: &ProducerName, refusal: &Refusal) -> Drift {
    let first = refusal.violations.first();
    let (reason, fault) = first.map_or(("REFUSED", String::new()), |v| (v.reason, v.to_string()));
    tracing::error!(producer = %name, reason, fault, "a configured producer contradicts what was registered before; \
        the broker runs without it");
    Drift {
        platform: Some(name.platform.clone()),
        source: Source::Configuration,
        subject: name.to_string(),
        origin: "the broker's configuration".to_owned(),
        reason,
        message: format!("the configured producer is left out: {fault}"),
        since: draft.time,
    }
}
