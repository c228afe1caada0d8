//! Judges contracts: each as an offer, then against what stands beside them and against each other.

use super::{Judge, Made, Proposal, Ready};
use crate::federation::compare::{self, Known, New};
use crate::federation::declared::set::Sealed;
use crate::federation::judge::{COMPARED, Case};
use crate::federation::offer;
use crate::model::{CapabilitySpec, Facts, Offer, VersionSpec, Violation};
use std::collections::HashSet;

/// Compares contracts with what stands beside them and with each other; who comes later in a line is at fault.
pub(super) fn compare(known: &Known<'_>, proposals: &mut [Proposal]) {
    let (mut places, mut new, mut compared) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, proposal) in proposals.iter().enumerate() {
        if let Ok(Made::Version(ready)) = &proposal.made {
            places.push(at);
            new.push(New { version: &ready.version, described: ready.described.as_ref() });
        }
    }
    let broken = known.breaks(&new, |at| places[at].to_string(), &mut compared, COMPARED);
    let too_much = |at: &usize| {
        let message = "these are too many large descriptor sets to compare at once; apply fewer at once";
        Violation::new(at.to_string(), "QUOTA", message)
    };
    let broken = broken.unwrap_or_else(|_| places.iter().map(too_much).collect());
    // Each gets its own: it is taken by the one task, which has no time to search all.
    let mut own = compare::by_version(compared);
    for place in places {
        if let Ok(Made::Version(ready)) = &mut proposals[place].made {
            ready.compared = own.remove(&ready.version.name).unwrap_or_default();
        }
    }
    for violation in broken {
        let Some(proposal) = violation.field.parse().ok().and_then(|at: usize| proposals.get_mut(at)) else {
            continue;
        };
        let mut found = std::mem::replace(&mut proposal.made, Ok(Made::Plain)).err().unwrap_or_default();
        found.push(Violation { field: "descriptor_set".to_owned(), ..violation });
        proposal.made = Err(found);
    }
}

impl Judge<'_> {
    pub(super) fn version(
        &mut self,
        spec: &mut VersionSpec,
        capabilities: &[CapabilitySpec],
    ) -> Result<Made, Vec<Violation>> {
        let bytes = std::mem::take(&mut spec.offer.descriptor_set);
        let name = spec.name().capability_name();
        let common = capabilities.iter().find(|common| common.name == name);
        let defaults = common.or_else(|| self.declared.defaults(&name)).cloned();
        let mut offer = merged(&spec.offer, defaults.as_ref());
        let mut case = self.case(&spec.platform)?;
        if spec.offer.discover {
            offer::said(&mut case, "spec", &offer);
            if !bytes.is_empty() {
                case.refuse("spec.descriptor_set", "INCONSISTENT", "discover reads it from the producers");
            }
            return case.finish(|| Made::Plain);
        }
        offer.descriptor_set = bytes;
        let screened = std::mem::take(&mut self.screened);
        let mut case = Case { screened, ..self.case(&spec.platform)? };
        let (version, described) = offer::judge(&mut case, "spec", offer);
        let screened = std::mem::take(&mut case.screened);
        let sealed = Sealed {
            descriptors: version.descriptors,
            bytes: described.as_ref().map_or(0, |described| described.bytes.len()),
            files: described.as_ref().map(|described| described.set.files_digest()),
            digest: version.digest,
            idempotent: version.facts.idempotent.clone(),
        };
        let made = case.finish(|| {
            Made::Version(Box::new(Ready { version, described, sealed, defaults, compared: HashSet::new() }))
        });
        self.screened = screened;
        made
    }
}

/// What a version says, with what its capability says where it is silent.
pub(in crate::federation::declared) fn merged(offer: &Offer, defaults: Option<&CapabilitySpec>) -> Offer {
    let mut offer = offer.clone();
    let Some(defaults) = defaults else { return offer };
    let fill = |own: &mut String, common: &String| {
        if own.is_empty() {
            own.clone_from(common);
        }
    };
    fill(&mut offer.description, &defaults.description);
    fill(&mut offer.owner, &defaults.owner);
    fill(&mut offer.contact, &defaults.contact);
    let mut facts = Facts::clone(&offer.facts);
    fill(&mut facts.on_call, &defaults.on_call);
    fill(&mut facts.support_tier, &defaults.support_tier);
    fill(&mut facts.cost_unit, &defaults.cost_unit);
    for (label, value) in &defaults.labels {
        facts.labels.entry(label.clone()).or_insert_with(|| value.clone());
    }
    offer.facts = facts.shared();
    if !offer.visibility.everyone && offer.visibility.platforms.is_empty() {
        offer.visibility = defaults.visibility.clone();
    }
    offer
}
