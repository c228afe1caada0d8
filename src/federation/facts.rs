//! Judges what an owner says beyond the contract: words to find it by, whom it needs, what is owed.

use super::judge::{Case, LINE};
use crate::model::{CapabilityName, Facts, Offer, Requirement, Stage};
use std::collections::BTreeMap;

/// Labels of a version.
const LABELS: usize = 64;
/// Bytes of a label's key.
const KEY: usize = 63;
/// What consumers must observe.
const OBLIGATIONS: usize = 32;
/// Capabilities that one list of needs names.
const NEEDS: usize = 64;

/// Names all that is wrong with what an offer says of itself.
pub(super) fn judge(case: &mut Case<'_>, path: &str, offer: &Offer) {
    let at = |field: &str| format!("{path}.{field}");
    let facts: &Facts = &offer.facts;
    let own = CapabilityName { platform: case.platform.name.clone(), capability: offer.capability.clone() };
    labels(case, &at("labels"), &facts.labels);
    for (field, text) in
        [("on_call", &facts.on_call), ("support_tier", &facts.support_tier), ("cost_unit", &facts.cost_unit)]
    {
        case.text(&at(field), text, LINE);
    }
    if case.limit(&at("obligations"), facts.obligations.len(), OBLIGATIONS, "obligations") {
        for (i, obligation) in facts.obligations.iter().enumerate() {
            case.text(&at(&format!("obligations[{i}]")), obligation, LINE);
        }
    }
    let sticky_key = facts.sticky_key.as_str();
    if !sticky_key.is_empty() && !is_metadata_key(sticky_key) {
        let message = format!(
            "it is no metadata key: 1 to {KEY} lower-case letters, digits, dots, dashes or underscores, and none of gRPC's or Portolan's"
        );
        case.refuse(&at("sticky_key"), "INVALID_METADATA_KEY", message);
    }
    needs(case, &at("depends_on"), &facts.depends_on, &own);
    needs(case, &at("prerequisites"), &facts.prerequisites, &own);
    if offer.traffic_weight.is_some_and(|weight| !(1..=1000).contains(&weight)) {
        case.refuse(&at("traffic_weight"), "OUT_OF_RANGE", "a weight is 1 to 1000");
    }
    ending(case, path, offer, &own);
}

/// Whether a caller may send such a key (gRPC over HTTP/2, "Custom-Metadata").
fn is_metadata_key(key: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let taken = ["grpc-", "portolan-"].iter().any(|prefix| key.starts_with(prefix));
    key.len() <= KEY && key.bytes().all(good) && !taken
}

/// Judges labels by which people find it.
pub(super) fn labels(case: &mut Case<'_>, path: &str, labels: &BTreeMap<String, String>) {
    if !case.limit(path, labels.len(), LABELS, "labels") {
        return;
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'/' | b'-');
    for (key, value) in labels {
        if key.is_empty() || key.len() > KEY || !key.bytes().all(good) {
            let quoted: String = key.chars().take(80).collect();
            let message = format!(
                "{quoted:?} is no key: 1 to {KEY} letters, digits, dots, dashes, slashes or underscores"
            );
            case.refuse(path, "INVALID_LABEL", message);
        } else {
            case.text(&format!("{path}.{key}"), value, LINE);
        }
    }
}

fn needs(case: &mut Case<'_>, path: &str, needs: &[Requirement], own: &CapabilityName) {
    if !case.limit(path, needs.len(), NEEDS, "capabilities") {
        return;
    }
    for (i, need) in needs.iter().enumerate() {
        let path = format!("{path}[{i}].capability");
        if need.capability == *own {
            case.refuse(&path, "SELF_DEPENDENCY", format!("{own} cannot need itself"));
        } else if needs[..i].iter().any(|before| before.capability == need.capability) {
            case.refuse(&path, "DUPLICATE", format!("{} is named above already", need.capability));
        }
    }
}

/// What its consumers are told when it ends.
fn ending(case: &mut Case<'_>, path: &str, offer: &Offer, own: &CapabilityName) {
    let replacement = offer.facts.replacement.as_ref();
    let is_itself =
        |name: &&crate::model::VersionName| name.capability_name() == *own && name.version == offer.version;
    if let Some(name) = replacement.filter(is_itself) {
        case.refuse(&format!("{path}.replacement"), "INCONSISTENT", format!("{name} cannot replace itself"));
    }
    let mut warn = |what: &str| case.warnings.push(format!("{path} {what}"));
    match offer.stage {
        Stage::Retired if replacement.is_none() => {
            warn("is retired without replacement: callers are not told where to go");
        }
        Stage::Deprecated => {
            if offer.deprecation_time.is_none() {
                warn("is deprecated without deprecation_time: callers are not told since when");
            }
            if offer.sunset_time.is_none() {
                warn("is deprecated without sunset_time: callers are not told until when it is served");
            }
        }
        _ => {}
    }
}
