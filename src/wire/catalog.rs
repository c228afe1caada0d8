//! The nouns of the catalogue, as `portolan.catalog.v1` shows them.

use super::pb::portolan::catalog::v1 as pb;
use super::time::{duration, parse_duration, timestamp};
use crate::model::{
    Availability, CapabilityName, Endpoint, Freshness, Platform, Producer, ProducerName, Provenance,
    Requirement, Slo, Source, Stage, Version, VersionName, Visibility,
};
use std::time::Duration;

/// A platform, with how many of its capabilities the caller may see.
pub fn platform(platform: &Platform, capabilities: usize) -> pb::Platform {
    pb::Platform {
        name: format!("platforms/{}", platform.name),
        display_name: platform.display_name.clone(),
        trust_domain: platform.trust_domain.to_string(),
        service_prefixes: platform.service_prefixes.iter().map(ToString::to_string).collect(),
        capability_count: i32::try_from(capabilities).unwrap_or(i32::MAX),
    }
}

/// A capability by the versions that the caller may see, newest first.
pub fn capability<'a>(
    name: &CapabilityName,
    versions: impl IntoIterator<Item = &'a Version>,
) -> pb::Capability {
    let mut versions = versions.into_iter().peekable();
    let newest = versions.peek();
    pb::Capability {
        name: name.to_string(),
        description: newest.map(|v| v.description.clone()).unwrap_or_default(),
        services: newest.map(|v| strings(&v.services)).unwrap_or_default(),
        versions: versions.map(|v| v.name.version.to_string()).collect(),
    }
}

/// A version, with those who serve it and those who say so, the one in force first.
pub fn version<'a>(
    version: &Version,
    producers: impl IntoIterator<Item = &'a ProducerName>,
    sources: impl IntoIterator<Item = Source>,
) -> pb::Version {
    let facts = &version.facts;
    pb::Version {
        name: version.name.to_string(),
        version: version.name.version.to_string(),
        services: strings(&version.services),
        description: version.description.clone(),
        owner: version.owner.clone(),
        contact: version.contact.clone(),
        stage: stage(version.stage).into(),
        deprecation_time: version.deprecation_time.map(timestamp),
        sunset_time: version.sunset_time.map(timestamp),
        visibility: visibility(&version.visibility),
        slo: slo(version.slo),
        digest: version.digest.to_string(),
        describable: version.descriptors.is_some(),
        producers: strings(producers),
        labels: facts.labels.clone().into_iter().collect(),
        parameter_schema: version.parameter_schema.as_deref().unwrap_or_default().to_owned(),
        replacement: facts.replacement.as_ref().map(ToString::to_string).unwrap_or_default(),
        availability: availability(facts.availability).into(),
        traffic_weight: version.traffic_weight.unwrap_or_default().into(),
        depends_on: facts.depends_on.iter().map(requirement).collect(),
        prerequisites: facts.prerequisites.iter().map(requirement).collect(),
        on_call: facts.on_call.clone(),
        support_tier: facts.support_tier.clone(),
        cost_unit: facts.cost_unit.clone(),
        sticky_key: facts.sticky_key.clone(),
        obligations: facts.obligations.clone(),
        service_config: facts.service_config.as_ref().map(|c| c.as_str().to_owned()).unwrap_or_default(),
        idempotent_methods: facts.idempotent.iter().map(|method| method.path.clone()).collect(),
        sources: sources.into_iter().map(|said| source(said).into()).collect(),
    }
}

/// A producer, with those of its versions that the caller may see.
pub fn producer<'a>(
    producer: &Producer,
    versions: impl IntoIterator<Item = &'a VersionName>,
) -> pb::Producer {
    pb::Producer {
        name: producer.name.to_string(),
        identity: producer.identity.to_string(),
        endpoints: producer.endpoints.iter().map(endpoint).collect(),
        versions: strings(versions),
        freshness: freshness(producer.freshness).into(),
        source: source(producer.source).into(),
        lease_expire_time: producer.lease_expires.map(timestamp),
        create_time: Some(timestamp(producer.created)),
        update_time: Some(timestamp(producer.updated)),
        provenance: producer.provenance.as_deref().map(provenance),
    }
}

/// A provenance on the wire.
pub fn provenance(provenance: &Provenance) -> pb::Provenance {
    pb::Provenance {
        broker: provenance.origin.broker.to_string(),
        trust_domain: provenance.origin.trust_domain.to_string(),
        epoch: provenance.stamp.epoch,
        sequence: provenance.stamp.sequence,
        path: strings(provenance.path.brokers()),
        receive_time: Some(timestamp(provenance.received)),
    }
}

/// A stage on the wire.
pub fn stage(stage: Stage) -> pb::Stage {
    match stage {
        Stage::Alpha => pb::Stage::Alpha,
        Stage::Beta => pb::Stage::Beta,
        Stage::Stable => pb::Stage::Stable,
        Stage::Deprecated => pb::Stage::Deprecated,
        Stage::Retired => pb::Stage::Retired,
    }
}

/// A stage from the wire; `None` if it is not said or not known.
pub fn parse_stage(stage: i32) -> Option<Stage> {
    match pb::Stage::try_from(stage).ok()? {
        pb::Stage::Unspecified => None,
        pb::Stage::Alpha => Some(Stage::Alpha),
        pb::Stage::Beta => Some(Stage::Beta),
        pb::Stage::Stable => Some(Stage::Stable),
        pb::Stage::Deprecated => Some(Stage::Deprecated),
        pb::Stage::Retired => Some(Stage::Retired),
    }
}

/// An availability on the wire.
pub fn availability(availability: Availability) -> pb::Availability {
    match availability {
        Availability::Open => pb::Availability::Unspecified,
        Availability::NoNew => pb::Availability::NoNew,
        Availability::NoUpdate => pb::Availability::NoUpdate,
        Availability::DeleteOnly => pb::Availability::DeleteOnly,
    }
}

/// An availability from the wire; `None` if it is not known.
pub fn parse_changes(availability: i32) -> Option<Availability> {
    Some(match pb::Availability::try_from(availability).ok()? {
        pb::Availability::Unspecified => Availability::Open,
        pb::Availability::NoNew => Availability::NoNew,
        pb::Availability::NoUpdate => Availability::NoUpdate,
        pb::Availability::DeleteOnly => Availability::DeleteOnly,
    })
}

/// A requirement on the wire; the range of any version is empty.
pub fn requirement(requirement: &Requirement) -> pb::Requirement {
    let any = requirement.range == semver::VersionReq::STAR;
    let range = if any { String::new() } else { requirement.range.to_string() };
    pb::Requirement { capability: requirement.capability.to_string(), range }
}

/// A freshness on the wire.
pub fn freshness(freshness: Freshness) -> pb::Freshness {
    match freshness {
        Freshness::Live => pb::Freshness::Live,
        Freshness::Stale => pb::Freshness::Stale,
        Freshness::Partitioned => pb::Freshness::Partitioned,
        Freshness::Expired => pb::Freshness::Expired,
    }
}

/// A freshness from the wire; `None` if it is not said or not known.
pub(super) fn parse_freshness(freshness: i32) -> Option<Freshness> {
    match pb::Freshness::try_from(freshness).ok()? {
        pb::Freshness::Unspecified => None,
        pb::Freshness::Live => Some(Freshness::Live),
        pb::Freshness::Stale => Some(Freshness::Stale),
        pb::Freshness::Partitioned => Some(Freshness::Partitioned),
        pb::Freshness::Expired => Some(Freshness::Expired),
    }
}

/// Platforms that may see and call, on the wire; `*` is every platform.
pub fn visibility(visibility: &Visibility) -> Vec<String> {
    let everyone = visibility.everyone.then(|| "*".to_owned());
    everyone.into_iter().chain(visibility.platforms.iter().map(ToString::to_string)).collect()
}

/// A promise on the wire; `None` if nothing is promised.
pub fn slo(slo: Slo) -> Option<pb::Slo> {
    (slo != Slo::default()).then(|| pb::Slo {
        availability_percent: slo.availability_percent.unwrap_or_default(),
        latency_p99: slo.latency_p99.map(duration),
    })
}

/// An availability from the wire: 0 is "no promise".
pub(super) fn parse_availability(percent: f64) -> Option<f64> {
    Some(percent).filter(|percent| *percent != 0.0)
}

/// A latency from the wire; an error if it is not a span of time.
pub(super) fn parse_latency(
    latency: Option<prost_types::Duration>,
) -> Result<Option<Duration>, &'static str> {
    latency.map(|span| parse_duration(span).ok_or("not a span of time: negative, or malformed")).transpose()
}

/// An endpoint on the wire.
pub fn endpoint(endpoint: &Endpoint) -> pb::Endpoint {
    pb::Endpoint {
        address: endpoint.address.to_string(),
        locality: endpoint.locality.as_ref().to_owned(),
        weight: endpoint.weight.into(),
    }
}

/// A source on the wire.
pub fn source(source: Source) -> pb::Source {
    match source {
        Source::Configuration => pb::Source::Configuration,
        Source::Manifest => pb::Source::Manifest,
        Source::Registration => pb::Source::Registration,
        Source::Discovery => pb::Source::Discovery,
        Source::Federation => pb::Source::Federation,
    }
}

fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}
