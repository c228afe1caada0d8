//! What records say, by kind.

use super::super::catalog::endpoint;
use super::super::found::Found;
use super::super::registry::{capability_version, parse_endpoint, parse_offer};
use super::super::status::{parse_state, state};
use super::super::time::{parse_timestamp, timestamp};
use super::pb;
use super::{LARGEST_CERTIFICATE, sentence};
use crate::model::{
    Authorities, Digest, Head, Health, Identity, Offer, Payload, Platform, PlatformName, ProducerId,
    Rejection, Report, ServicePrefix, Serving, Topic, TrustDomain, Version, VersionName,
};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeMap;

const MOST_AUTHORITIES: usize = 64;
const MOST_PREFIXES: usize = 1_000;
const MOST_SERVICES: usize = 1_000;
const MOST_ENDPOINTS: usize = 1_000;
const MOST_PRODUCERS: usize = 10_000;
/// Characters of a reason, and of a name for people.
const LONGEST_WORD: usize = 64;
/// Characters of a sentence for people.
const LONGEST_MESSAGE: usize = 1024;

/// A payload on the wire: the same bytes each time for the same words.
pub fn payload(payload: &Payload) -> Bytes {
    match payload {
        Payload::Bundle(bundle) => {
            pb::TrustBundle { authorities: bundle.certificates.clone() }.encode_to_vec()
        }
        Payload::Platform(platform) => pb::PlatformRecord {
            display_name: platform.display_name.clone(),
            trust_domain: platform.trust_domain.to_string(),
            service_prefixes: platform.service_prefixes.iter().map(ToString::to_string).collect(),
        }
        .encode_to_vec(),
        Payload::Descriptors { bytes, .. } => {
            pb::DescriptorsRecord { descriptor_set: bytes.clone() }.encode_to_vec()
        }
        Payload::Version(it) => version(it).encode_to_vec(),
        Payload::Producer(serving) => pb::ProducerRecord {
            identity: serving.identity.to_string(),
            endpoints: serving.endpoints.iter().map(endpoint).collect(),
            create_time: Some(timestamp(serving.created)),
        }
        .encode_to_vec(),
        Payload::Status(report) => pb::StatusRecord {
            health: Some(health(&report.health)),
            producers: report
                .producers
                .iter()
                .map(|(id, it)| pb::ProducerHealth { producer: id.to_string(), health: Some(health(it)) })
                .collect(),
        }
        .encode_to_vec(),
    }
    .into()
}

/// Reads a payload, and holds it to the name of its record; `None` for a tombstone and for a kind that is not known here.
pub fn parse_payload(head: &Head, payload: &Bytes) -> Result<Option<Payload>, Rejection> {
    let topic =
        Topic::parse(head.key.kind, &head.key.name).map_err(|e| Rejection::Malformed(e.to_string()))?;
    let Some(topic) = topic.filter(|_| !head.is_deleted) else { return Ok(None) };
    let read = match topic {
        Topic::Bundle(trust_domain) => parse_bundle(trust_domain, payload).map(Payload::Bundle),
        Topic::Platform(name) => parse_platform(name, payload).map(Payload::Platform),
        Topic::Descriptors(version) => decode::<pb::DescriptorsRecord>(payload)
            .map(|it| Payload::Descriptors { version, bytes: it.descriptor_set }),
        Topic::Version(name) => parse_version(name, payload).map(|it| Payload::Version(Box::new(it))),
        Topic::Producer(version, producer) => {
            let domain = &head.key.origin.trust_domain;
            parse_serving(version, producer, domain, payload).map(Payload::Producer)
        }
        Topic::Status(version) => parse_report(version, payload).map(Payload::Status),
    };
    read.map(Some).map_err(Rejection::BadPayload)
}

fn decode<T: Message + Default>(payload: &Bytes) -> Result<T, String> {
    T::decode(payload.clone()).map_err(|e| e.to_string())
}

fn parse_bundle(trust_domain: TrustDomain, payload: &Bytes) -> Result<Authorities, String> {
    let certificates = decode::<pb::TrustBundle>(payload)?.authorities;
    bounded("authorities", certificates.len(), MOST_AUTHORITIES)?;
    if certificates.is_empty() || certificates.iter().any(|der| der.len() > LARGEST_CERTIFICATE) {
        return Err("a bundle has at least one authority, each of at most 16 KiB".to_owned());
    }
    Ok(Authorities { trust_domain, certificates })
}

fn parse_platform(name: PlatformName, payload: &Bytes) -> Result<Platform, String> {
    let read: pb::PlatformRecord = decode(payload)?;
    bounded("service_prefixes", read.service_prefixes.len(), MOST_PREFIXES)?;
    let prefixes = read.service_prefixes.iter().map(|prefix| ServicePrefix::parse(prefix));
    Ok(Platform {
        name,
        display_name: sentence(&read.display_name, LONGEST_WORD),
        trust_domain: TrustDomain::parse(&read.trust_domain).map_err(|e| e.to_string())?,
        service_prefixes: prefixes.collect::<Result<_, _>>().map_err(|e| e.to_string())?,
    })
}

fn version(version: &Version) -> pb::VersionRecord {
    let digest = |digest: &Digest| Bytes::copy_from_slice(digest.as_bytes());
    pb::VersionRecord {
        version: Some(capability_version(&Offer::of(version, Vec::new()))),
        descriptors: version.descriptors.as_ref().map(digest).unwrap_or_default(),
        contract: digest(&version.digest),
    }
}

fn parse_version(name: VersionName, payload: &Bytes) -> Result<Version, String> {
    let read: pb::VersionRecord = decode(payload)?;
    let declared = read.version.ok_or("it says nothing of the version")?;
    bounded("services", declared.services.len(), MOST_SERVICES)?;
    if !declared.descriptor_set.is_empty() {
        return Err("descriptors have records of their own".to_owned());
    }
    let mut found = Found::default();
    let offer = parse_offer(&mut found, "version", declared);
    let Some(offer) = offer.filter(|_| found.0.is_empty()) else {
        return Err(found.0.first().map_or_else(|| "it cannot be read".to_owned(), ToString::to_string));
    };
    if offer.capability != name.capability || offer.version != name.version {
        return Err("it speaks of another version than its name".to_owned());
    }
    let mut services = offer.services;
    services.sort();
    Ok(Version {
        name,
        services,
        descriptors: match read.descriptors.is_empty() {
            true => None,
            false => Some(digest(&read.descriptors)?),
        },
        parameter_schema: offer.parameter_schema.map(Into::into),
        digest: digest(&read.contract)?,
        description: offer.description,
        owner: offer.owner,
        contact: offer.contact,
        stage: offer.stage,
        deprecation_time: offer.deprecation_time,
        sunset_time: offer.sunset_time,
        visibility: offer.visibility,
        slo: offer.slo,
        traffic_weight: offer.traffic_weight,
        facts: offer.facts,
    })
}

fn parse_serving(
    version: VersionName,
    producer: ProducerId,
    domain: &TrustDomain,
    payload: &Bytes,
) -> Result<Serving, String> {
    let read: pb::ProducerRecord = decode(payload)?;
    bounded("endpoints", read.endpoints.len(), MOST_ENDPOINTS)?;
    let identity = Identity::parse(&read.identity, domain).map_err(|e| e.to_string())?;
    if identity.trust_domain != *domain {
        return Err(format!("{identity} is not of trust domain {domain}"));
    }
    let mut found = Found::default();
    let endpoints = found.each("endpoints", read.endpoints, parse_endpoint);
    let Some(endpoints) = endpoints else {
        return Err(found.0.first().map_or_else(|| "it cannot be read".to_owned(), ToString::to_string));
    };
    let created = read.create_time.and_then(parse_timestamp).ok_or("create_time is not an instant")?;
    Ok(Serving { version, producer, identity, endpoints, created })
}

fn health(health: &Health) -> pb::Health {
    pb::Health {
        state: state(health.state).into(),
        reason: health.reason.clone(),
        message: health.message.clone(),
        since: Some(timestamp(health.since)),
    }
}

fn parse_report(version: VersionName, payload: &Bytes) -> Result<Report, String> {
    let read: pb::StatusRecord = decode(payload)?;
    bounded("producers", read.producers.len(), MOST_PRODUCERS)?;
    let mut producers = BTreeMap::new();
    for it in read.producers {
        let id = ProducerId::parse(&it.producer).map_err(|e| e.to_string())?;
        producers.insert(id, parse_health(it.health)?);
    }
    Ok(Report { version, health: parse_health(read.health)?, producers })
}

fn parse_health(health: Option<pb::Health>) -> Result<Health, String> {
    let health = health.ok_or("it says nothing of health")?;
    let is_word = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
    Ok(Health {
        state: parse_state(health.state),
        reason: health.reason.chars().filter(is_word).take(LONGEST_WORD).collect(),
        message: sentence(&health.message, LONGEST_MESSAGE),
        since: health.since.and_then(parse_timestamp).ok_or("since is not an instant")?,
    })
}

fn digest(bytes: &Bytes) -> Result<Digest, String> {
    let raw: Result<[u8; 32], _> = bytes.as_ref().try_into();
    raw.map(Digest::from).map_err(|_| "a digest has 32 bytes".to_owned())
}

fn bounded(what: &str, count: usize, limit: usize) -> Result<(), String> {
    if count <= limit {
        Ok(())
    } else {
        Err(format!("{what} has {count} items, and at most {limit} are read"))
    }
}
