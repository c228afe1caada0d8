//! Registrations and leases, to and from `portolan.registry.v1`.

use super::catalog::{parse_availability, parse_changes, parse_latency};
use super::found::Found;
use super::pb::portolan::{catalog::v1 as catalog, registry::v1 as pb};
use super::time::{duration, parse_duration, timestamp};
use crate::model::{
    Address, CapabilityId, CapabilityName, Endpoint, Facts, Offer, PlatformName, ProducerId, ProducerName,
    Registration, Requirement, ServiceName, Slo, VersionName, Violation, Visibility,
};
use jiff::Timestamp;
use std::time::Duration;

/// Reads what a producer declares; every field that cannot be read is named, not only the first.
pub fn parse(request: pb::RegisterProducerRequest) -> Result<Registration, Vec<Violation>> {
    let mut found = Found::default();
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&request.platform));
    let producer = found.read("producer", "INVALID_NAME", ProducerId::parse(&request.producer));
    let endpoints = found.each("endpoints", request.endpoints, parse_endpoint);
    let offers = found.each("versions", request.versions, parse_offer);
    let lease = request.lease_duration.map(|span| {
        found.need("lease_duration", parse_duration(span), "not a span of time: negative, or malformed")
    });
    match (platform, producer, endpoints, offers, lease) {
        (Some(platform), Some(producer), Some(endpoints), Some(offers), lease) if found.0.is_empty() => {
            Ok(Registration {
                producer: ProducerName { platform, producer },
                identity: Some(request.identity).filter(|identity| !identity.is_empty()),
                endpoints,
                offers,
                lease: lease.flatten(),
                permanent: request.permanent,
            })
        }
        _ => Err(found.0),
    }
}

/// What a client sends for a registration.
pub fn request(registration: &Registration) -> pb::RegisterProducerRequest {
    pb::RegisterProducerRequest {
        platform: registration.producer.platform.to_string(),
        producer: registration.producer.producer.to_string(),
        endpoints: registration.endpoints.iter().map(super::catalog::endpoint).collect(),
        versions: registration.offers.iter().map(capability_version).collect(),
        identity: registration.identity.clone().unwrap_or_default(),
        lease_duration: registration.lease.map(duration),
        validate_only: false,
        permanent: registration.permanent,
    }
}

/// A lease on the wire.
pub fn lease(id: String, term: Duration, expires: Timestamp) -> pb::Lease {
    pb::Lease { id, duration: Some(duration(term)), expire_time: Some(timestamp(expires)) }
}

/// A version on the wire, as a producer declares it.
pub fn capability_version(offer: &Offer) -> pb::CapabilityVersion {
    let facts = &offer.facts;
    pb::CapabilityVersion {
        capability: offer.capability.to_string(),
        version: offer.version.to_string(),
        services: offer.services.iter().map(ToString::to_string).collect(),
        descriptor_set: offer.descriptor_set.clone().into(),
        description: offer.description.clone(),
        owner: offer.owner.clone(),
        contact: offer.contact.clone(),
        stage: super::catalog::stage(offer.stage).into(),
        deprecation_time: offer.deprecation_time.map(timestamp),
        sunset_time: offer.sunset_time.map(timestamp),
        visibility: super::catalog::visibility(&offer.visibility),
        slo: super::catalog::slo(offer.slo),
        labels: facts.labels.clone().into_iter().collect(),
        parameter_schema: offer.parameter_schema.clone().unwrap_or_default(),
        replacement: facts.replacement.as_ref().map(ToString::to_string).unwrap_or_default(),
        availability: super::catalog::availability(facts.availability).into(),
        traffic_weight: offer.traffic_weight.unwrap_or_default().into(),
        depends_on: facts.depends_on.iter().map(super::catalog::requirement).collect(),
        prerequisites: facts.prerequisites.iter().map(super::catalog::requirement).collect(),
        on_call: facts.on_call.clone(),
        support_tier: facts.support_tier.clone(),
        cost_unit: facts.cost_unit.clone(),
        sticky_key: facts.sticky_key.clone(),
        obligations: facts.obligations.clone(),
        service_config: facts.service_config.as_ref().map(|c| c.as_str().to_owned()).unwrap_or_default(),
    }
}

pub(super) fn parse_endpoint(found: &mut Found, path: &str, endpoint: catalog::Endpoint) -> Option<Endpoint> {
    let address =
        found.read(&format!("{path}.address"), "INVALID_ADDRESS", Address::parse(&endpoint.address));
    let weight = u16::try_from(endpoint.weight).ok().filter(|weight| *weight <= 1000);
    let weight = found.need(&format!("{path}.weight"), weight, "a weight is 1 to 1000; 0 is taken as 1");
    Some(Endpoint { address: address?, locality: endpoint.locality.into(), weight: weight?.max(1) })
}

pub(super) fn parse_offer(found: &mut Found, path: &str, mut offer: pb::CapabilityVersion) -> Option<Offer> {
    let at = |field: &str| format!("{path}.{field}");
    let capability = found.read(&at("capability"), "INVALID_NAME", CapabilityId::parse(&offer.capability));
    let version = found.read(&at("version"), "INVALID_VERSION", parse_version(&offer.version));
    let services = found.each(&at("services"), std::mem::take(&mut offer.services), |found, path, name| {
        found.read(path, "INVALID_NAME", ServiceName::parse(&name))
    });
    let stage = found.stage(&at("stage"), offer.stage);
    let deprecation_time = found.time(&at("deprecation_time"), offer.deprecation_time);
    let sunset_time = found.time(&at("sunset_time"), offer.sunset_time);
    let visibility = parse_visibility(found, &at("visibility"), &offer.visibility);
    let promise = offer.slo.take().unwrap_or_default();
    let weight = u16::try_from(offer.traffic_weight).ok().filter(|weight| *weight <= 1000);
    let weight = found.need(&at("traffic_weight"), weight, "a weight is 1 to 1000; 0 is \"no split\"");
    let facts = parse_facts(found, path, &mut offer);
    let latency = found.read(&at("slo.latency_p99"), "INVALID_DURATION", parse_latency(promise.latency_p99));
    Some(Offer {
        capability: capability?,
        version: version?,
        services: services?,
        descriptor_set: std::mem::take(&mut offer.descriptor_set).into(),
        parameter_schema: Some(offer.parameter_schema).filter(|schema| !schema.is_empty()),
        discover: false,
        description: offer.description,
        owner: offer.owner,
        contact: offer.contact,
        stage: stage?,
        deprecation_time: deprecation_time?,
        sunset_time: sunset_time?,
        visibility: visibility?,
        slo: Slo {
            availability_percent: parse_availability(promise.availability_percent),
            latency_p99: latency?,
        },
        traffic_weight: Some(weight?).filter(|weight| *weight != 0),
        facts: facts?.shared(),
    })
}

/// What an owner says beyond the contract; texts are judged by whoever takes the registration.
fn parse_facts(found: &mut Found, path: &str, offer: &mut pb::CapabilityVersion) -> Option<Facts> {
    let at = |field: &str| format!("{path}.{field}");
    let replacement = Some(offer.replacement.as_str()).filter(|name| !name.is_empty());
    let replacement =
        found.read(&at("replacement"), "INVALID_NAME", replacement.map(VersionName::parse).transpose());
    let availability =
        found.need(&at("availability"), parse_changes(offer.availability), "it is no availability");
    let depends_on = found.each(&at("depends_on"), std::mem::take(&mut offer.depends_on), parse_requirement);
    let prerequisites =
        found.each(&at("prerequisites"), std::mem::take(&mut offer.prerequisites), parse_requirement);
    let service_config = found.service_config(&at("service_config"), &offer.service_config);
    Some(Facts {
        labels: std::mem::take(&mut offer.labels).into_iter().collect(),
        replacement: replacement?,
        availability: availability?,
        depends_on: depends_on?,
        prerequisites: prerequisites?,
        on_call: std::mem::take(&mut offer.on_call),
        support_tier: std::mem::take(&mut offer.support_tier),
        cost_unit: std::mem::take(&mut offer.cost_unit),
        sticky_key: std::mem::take(&mut offer.sticky_key),
        obligations: std::mem::take(&mut offer.obligations),
        service_config: service_config?,
        idempotent: Vec::new(),
    })
}

fn parse_requirement(found: &mut Found, path: &str, need: catalog::Requirement) -> Option<Requirement> {
    let capability =
        found.read(&format!("{path}.capability"), "INVALID_NAME", CapabilityName::parse(&need.capability));
    let range = found.read(&format!("{path}.range"), "INVALID_RANGE", parse_range(&need.range));
    Some(Requirement { capability: capability?, range: range? })
}

/// A semver range; empty is any version.
pub fn parse_range(text: &str) -> Result<semver::VersionReq, String> {
    let quoted: String = text.chars().take(80).collect();
    match text.trim() {
        "" => Ok(semver::VersionReq::STAR),
        text if text.len() > 256 => Err(format!("{quoted:?}… is longer than 256 characters")),
        text => semver::VersionReq::parse(text)
            .map_err(|e| format!("{quoted:?} is not a semver range such as \"^1.2\" or \">=1.2, <3\": {e}")),
    }
}

fn parse_version(text: &str) -> Result<semver::Version, String> {
    let quoted: String = text.chars().take(80).collect();
    if text.len() > 128 {
        return Err(format!("{quoted:?}… is longer than 128 characters"));
    }
    semver::Version::parse(text).map_err(|e| format!("{quoted:?} is not a semantic version: {e}"))
}

pub(super) fn parse_visibility(found: &mut Found, path: &str, names: &[String]) -> Option<Visibility> {
    let named = names.iter().enumerate().filter(|(_, name)| *name != "*");
    let platforms: Vec<_> = named
        .map(|(i, name)| found.read(&format!("{path}[{i}]"), "INVALID_NAME", PlatformName::parse(name)))
        .collect();
    let everyone = names.iter().any(|name| name == "*");
    Some(Visibility { everyone, platforms: platforms.into_iter().collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests;
