//! What resources of several documents and files say together.

use super::fault::{Fault, Faults};
use crate::model::{CapabilityName, CapabilitySpec, Offer, Resource, Spec};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Fills what versions leave out with what the capabilities of the same set say. What a version says itself stands;
/// labels of both are joined.
pub fn resolve(resources: &mut [Resource]) {
    let common: BTreeMap<CapabilityName, CapabilitySpec> = resources
        .iter()
        .filter_map(|resource| match &resource.spec {
            Spec::Capability(spec) => Some((spec.name.clone(), spec.clone())),
            _ => None,
        })
        .collect();
    for resource in resources {
        if let Spec::Version(spec) = &mut resource.spec
            && let Some(common) = common.get(&spec.name().capability_name())
        {
            fill(&mut spec.offer, common);
        }
    }
}

fn fill(offer: &mut Offer, common: &CapabilitySpec) {
    let mut facts = offer.facts.as_ref().clone();
    let texts = [
        (&mut offer.description, &common.description),
        (&mut offer.owner, &common.owner),
        (&mut offer.contact, &common.contact),
        (&mut facts.on_call, &common.on_call),
        (&mut facts.support_tier, &common.support_tier),
        (&mut facts.cost_unit, &common.cost_unit),
    ];
    for (text, default) in texts {
        if text.is_empty() {
            text.clone_from(default);
        }
    }
    if !offer.visibility.everyone && offer.visibility.platforms.is_empty() {
        offer.visibility.clone_from(&common.visibility);
    }
    for (key, word) in &common.labels {
        facts.labels.entry(key.clone()).or_insert_with(|| word.clone());
    }
    if facts != *offer.facts {
        offer.facts = Arc::new(facts);
    }
}

/// The second of two resources of one name in one file is a fault.
pub(super) fn twice(resources: &[Resource]) -> Vec<Fault> {
    let mut seen = BTreeMap::new();
    again(resources, &mut seen)
}

/// Refuses a file that declares again what an earlier one, by its path, has declared.
pub(super) fn unique(files: &mut BTreeMap<PathBuf, Result<Vec<Resource>, Faults>>) {
    let mut seen = BTreeMap::new();
    for (path, read) in files {
        let Ok(resources) = read else { continue };
        let before: BTreeSet<_> = seen.keys().cloned().collect();
        let faults = again(resources, &mut seen);
        if !faults.is_empty() {
            // What is refused is not declared.
            seen.retain(|name, _| before.contains(name));
            *read = Err(Faults::new(Path::new(path), faults));
        }
    }
}

fn again(resources: &[Resource], seen: &mut BTreeMap<(&'static str, String), String>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for resource in resources {
        match seen.entry((resource.spec.kind(), resource.spec.name())) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(resource.origin.clone());
            }
            std::collections::btree_map::Entry::Occupied(first) => faults.push(Fault {
                line: line(&resource.origin),
                column: 1,
                field: "metadata.name".into(),
                problem: format!("{resource} is declared at {} already", first.get()),
                fix: "declare each resource once, in one file".into(),
            }),
        }
    }
    faults
}

fn line(origin: &str) -> usize {
    origin.rsplit(':').next().and_then(|line| line.parse().ok()).unwrap_or(1)
}
