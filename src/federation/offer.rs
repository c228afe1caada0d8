//! Judges one declared version: its names, its words, its dates, its descriptors, and what stands already.

use super::compare::New;
use super::judge::{Case, LINE};
use super::{calls, facts};
use crate::access::Denial;
use crate::descriptors::{self, Set};
use crate::model::{Digest, Offer, Slo, Version, VersionName, Visibility};
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Bytes of a description.
pub(super) const DESCRIPTION: usize = 4096;
/// Platforms that a visibility names.
const AUDIENCE: usize = 1000;
/// Warnings of one descriptor set that are handed on.
const WARNINGS: usize = 10;

/// Descriptors with the bytes that were sent.
#[derive(Debug)]
pub(super) struct Described {
    /// The content address of `bytes`.
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
    pub(super) set: Set,
}

/// What was screened for one registration: many versions may bring the same bytes.
pub(super) type Screened = HashMap<Digest, Result<Arc<Described>, descriptors::Error>>;

/// Names all that is wrong with `offer`; its version means nothing if anything was found.
pub(super) fn judge(case: &mut Case<'_>, path: &str, offer: Offer) -> (Version, Option<Arc<Described>>) {
    let at = |field: &str| format!("{path}.{field}");
    if !offer.version.build.is_empty() {
        let message = "build metadata does not make another version (semver.org, item 10); leave it out";
        case.refuse(&at("version"), "INVALID_VERSION", message);
    }
    said(case, path, &offer);
    if let Some(Err(error)) = offer.parameter_schema.as_deref().map(descriptors::check_schema) {
        case.refuse(&at("parameter_schema"), "INVALID_SCHEMA", error.to_string());
    }
    let described = descriptors(case, path, offer.descriptor_set.into());
    let mut services = offer.services;
    self::services(case, path, &services, described.as_deref());
    services.sort();
    let facts = calls::judge(case, path, offer.facts, &services, described.as_deref());

    let version = Version {
        name: VersionName {
            platform: case.platform.name.clone(),
            capability: offer.capability,
            version: offer.version,
        },
        descriptors: described.as_ref().map(|described| described.digest),
        digest: descriptors::contract_digest(
            &services,
            described.as_ref().map(|described| &described.set),
            offer.parameter_schema.as_deref(),
        ),
        parameter_schema: offer.parameter_schema.map(Into::into),
        services,
        description: offer.description,
        owner: offer.owner,
        contact: offer.contact,
        stage: offer.stage,
        deprecation_time: offer.deprecation_time,
        sunset_time: offer.sunset_time,
        visibility: offer.visibility,
        slo: offer.slo,
        traffic_weight: offer.traffic_weight,
        facts,
    };
    let new = New { version: &version, described: described.as_ref() };
    case.found.extend(case.known.mutation(path, new));
    (version, described)
}

/// Judges all that is said of a version beside its contract.
pub(super) fn said(case: &mut Case<'_>, path: &str, offer: &Offer) {
    words(case, path, offer);
    dates(case, path, offer);
    promise(case, path, offer.slo);
    facts::judge(case, path, offer);
    audience(case, &format!("{path}.visibility"), &offer.visibility);
}

/// Judges how many platforms a visibility names.
pub(super) fn audience(case: &mut Case<'_>, path: &str, visibility: &Visibility) {
    case.limit(path, visibility.platforms.len(), AUDIENCE, "platforms");
}

fn words(case: &mut Case<'_>, path: &str, offer: &Offer) {
    for (field, text) in [("owner", &offer.owner), ("contact", &offer.contact)] {
        let path = format!("{path}.{field}");
        if text.trim().is_empty() {
            case.refuse(&path, "REQUIRED", "say who owns it and how to reach them");
        }
        case.text(&path, text, LINE);
    }
    case.text(&format!("{path}.description"), &offer.description, DESCRIPTION);
}

fn dates(case: &mut Case<'_>, path: &str, offer: &Offer) {
    if let (Some(deprecation), Some(sunset)) = (offer.deprecation_time, offer.sunset_time)
        && sunset < deprecation
    {
        let message =
            format!("it would end ({sunset}) before it is deprecated ({deprecation}) (RFC 9745, section 4)");
        case.refuse(&format!("{path}.sunset_time"), "INCONSISTENT", message);
    }
}

fn promise(case: &mut Case<'_>, path: &str, slo: Slo) {
    // Written so that NaN is refused too.
    if slo.availability_percent.is_some_and(|percent| !(percent > 0.0 && percent <= 100.0)) {
        let path = format!("{path}.slo.availability_percent");
        case.refuse(&path, "OUT_OF_RANGE", "an availability is more than 0 and at most 100 percent");
    }
    if slo.latency_p99.is_some_and(|latency| latency.is_zero()) {
        case.refuse(&format!("{path}.slo.latency_p99"), "OUT_OF_RANGE", "a latency is longer than nothing");
    }
}

fn descriptors(case: &mut Case<'_>, path: &str, bytes: Bytes) -> Option<Arc<Described>> {
    if bytes.is_empty() {
        case.warnings.push(format!("{path} has no descriptor_set: it is routable, not describable"));
        return None;
    }
    let digest = Digest::of(&bytes);
    let limits = &case.rules.settings.descriptors;
    let is_known = case.screened.contains_key(&digest);
    let screened = case.screened.entry(digest).or_insert_with(|| {
        let set = Set::screen(&bytes, limits)?;
        Ok(Arc::new(Described { digest, bytes, set }))
    });
    match screened {
        Ok(described) => {
            let described = described.clone();
            if !is_known {
                let warnings = described.set.warnings().iter().take(WARNINGS);
                case.warnings.extend(warnings.map(|warning| format!("{path}.descriptor_set: {warning}")));
            }
            Some(described)
        }
        Err(e) => {
            let message = e.to_string();
            case.refuse(&format!("{path}.descriptor_set"), "INVALID_DESCRIPTORS", message);
            None
        }
    }
}

fn services(
    case: &mut Case<'_>,
    path: &str,
    services: &[crate::model::ServiceName],
    described: Option<&Described>,
) {
    let all = format!("{path}.services");
    if services.is_empty() {
        case.refuse(&all, "REQUIRED", "name at least one gRPC service");
    }
    if !case.limit(&all, services.len(), case.rules.settings.quota.services, "services of one version") {
        return;
    }
    let mut seen = HashSet::new();
    for (i, service) in services.iter().enumerate() {
        let path = format!("{all}[{i}]");
        if !seen.insert(service) {
            case.refuse(&path, "DUPLICATE", format!("{service} is named above already"));
        }
        if let Err(denial) = case.rules.policy.grants(&case.platform.name, service) {
            let reason = match denial {
                Denial::Reserved(_) => "RESERVED_NAME",
                _ => "PREFIX_NOT_GRANTED",
            };
            case.refuse(&path, reason, denial.to_string());
        }
        if let Some(described) = described.filter(|described| !described.set.has_service(service)) {
            let because = described.set.warnings().first().map(|w| format!("; {w}")).unwrap_or_default();
            let message = format!("no sound file of the descriptor set declares {service}{because}");
            case.refuse(&path, "NOT_DESCRIBED", message);
        }
    }
}
