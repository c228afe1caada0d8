//! Manifests, to and from `portolan.manifest.v1`.

use super::found::Found;
use super::pb::portolan::manifest::v1 as pb;
use super::pb::portolan::manifest::v1::resource::Kind;
use super::registry::{capability_version, parse_endpoint, parse_offer, parse_visibility};
use super::time::{duration, parse_duration, parse_timestamp, timestamp};
use crate::model::{
    CapabilityId, CapabilityName, CapabilitySpec, GrantId, GrantName, GrantSpec, OverrideSpec, PlatformName,
    PlatformSpec, ProducerId, ProducerName, ProducerSpec, Resource, ServiceName, ServicePrefix, Spec,
    TrustDomain, VersionSpec, Violation,
};

/// Bytes of what says where a resource is written.
const ORIGIN: usize = 256;

/// Reads one resource; every field that cannot be read is named by its path in the manifest's `spec`.
pub fn parse(resource: pb::Resource) -> Result<Resource, Vec<Violation>> {
    let mut found = Found::default();
    found.origin(&resource.origin);
    let spec = match resource.kind {
        Some(Kind::Platform(platform)) => parse_platform(&mut found, platform).map(Spec::Platform),
        Some(Kind::Grant(grant)) => parse_grant(&mut found, grant).map(Spec::Grant),
        Some(Kind::Capability(capability)) => parse_capability(&mut found, capability).map(Spec::Capability),
        Some(Kind::Version(version)) => parse_version(&mut found, version).map(Spec::Version),
        Some(Kind::Producer(producer)) => parse_producer(&mut found, producer).map(Spec::Producer),
        Some(Kind::Override(decision)) => parse_override(&mut found, decision).map(Spec::Override),
        None => found.read("kind", "REQUIRED", Err("say what it is: one of the kinds of manifests")),
    };
    match spec {
        Some(spec) if found.0.is_empty() => Ok(Resource { origin: resource.origin, spec }),
        _ => Err(found.0),
    }
}

/// A resource on the wire.
pub fn resource(resource: &Resource) -> pb::Resource {
    let kind = match &resource.spec {
        Spec::Platform(spec) => Kind::Platform(pb::Platform {
            name: spec.name.to_string(),
            display_name: spec.display_name.clone(),
            trust_domain: spec.trust_domain.to_string(),
        }),
        Spec::Grant(spec) => Kind::Grant(pb::Grant {
            platform: spec.name.platform.to_string(),
            id: spec.name.grant.to_string(),
            service_prefixes: spec.service_prefixes.iter().map(ToString::to_string).collect(),
        }),
        Spec::Capability(spec) => Kind::Capability(capability(spec)),
        Spec::Version(spec) => Kind::Version(pb::Version {
            platform: spec.platform.to_string(),
            version: Some(capability_version(&spec.offer)),
            discover: spec.offer.discover,
        }),
        Spec::Producer(spec) => Kind::Producer(producer(spec)),
        Spec::Override(spec) => Kind::Override(pb::Override {
            service: spec.service.to_string(),
            platform: spec.platform.to_string(),
            expire_time: Some(timestamp(spec.expires)),
            reason: spec.reason.clone(),
        }),
    };
    pb::Resource { origin: resource.origin.clone(), kind: Some(kind) }
}

/// What a resource calls itself, kind and name, also where it cannot be read.
pub fn called(resource: &pb::Resource) -> (&'static str, String) {
    match &resource.kind {
        Some(Kind::Platform(it)) => ("Platform", format!("platforms/{}", it.name)),
        Some(Kind::Grant(it)) => ("Grant", format!("platforms/{}/grants/{}", it.platform, it.id)),
        Some(Kind::Capability(it)) => {
            ("Capability", format!("platforms/{}/capabilities/{}", it.platform, it.id))
        }
        Some(Kind::Version(it)) => {
            let version = it.version.clone().unwrap_or_default();
            let (id, number) = (version.capability, version.version);
            ("Version", format!("platforms/{}/capabilities/{id}/versions/{number}", it.platform))
        }
        Some(Kind::Producer(it)) => ("Producer", format!("platforms/{}/producers/{}", it.platform, it.id)),
        Some(Kind::Override(it)) => ("Override", format!("overrides/{}", it.service)),
        None => ("", String::new()),
    }
}

fn capability(spec: &CapabilitySpec) -> pb::Capability {
    pb::Capability {
        platform: spec.name.platform.to_string(),
        id: spec.name.capability.to_string(),
        description: spec.description.clone(),
        owner: spec.owner.clone(),
        contact: spec.contact.clone(),
        on_call: spec.on_call.clone(),
        support_tier: spec.support_tier.clone(),
        cost_unit: spec.cost_unit.clone(),
        labels: spec.labels.clone().into_iter().collect(),
        visibility: super::catalog::visibility(&spec.visibility),
    }
}

fn producer(spec: &ProducerSpec) -> pb::Producer {
    pb::Producer {
        platform: spec.name.platform.to_string(),
        id: spec.name.producer.to_string(),
        identity: spec.identity.clone(),
        endpoints: spec.endpoints.iter().map(super::catalog::endpoint).collect(),
        versions: spec.versions.iter().map(|(id, version)| format!("{id}/{version}")).collect(),
        discovery_interval: spec.discovery_interval.map(duration),
    }
}

fn parse_platform(found: &mut Found, platform: pb::Platform) -> Option<PlatformSpec> {
    let name = found.read("name", "INVALID_NAME", PlatformName::parse(&platform.name));
    let domain = TrustDomain::parse(&platform.trust_domain);
    let trust_domain = found.read("trust_domain", "INVALID_NAME", domain);
    Some(PlatformSpec { name: name?, display_name: platform.display_name, trust_domain: trust_domain? })
}

fn parse_grant(found: &mut Found, grant: pb::Grant) -> Option<GrantSpec> {
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&grant.platform));
    let id = found.read("name", "INVALID_NAME", GrantId::parse(&grant.id));
    let prefixes = found.each("service_prefixes", grant.service_prefixes, |found, path, prefix| {
        found.read(path, "INVALID_NAME", ServicePrefix::parse(&prefix))
    });
    let prefixes = some(found, "service_prefixes", prefixes?)?;
    Some(GrantSpec { name: GrantName { platform: platform?, grant: id? }, service_prefixes: prefixes })
}

fn parse_capability(found: &mut Found, capability: pb::Capability) -> Option<CapabilitySpec> {
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&capability.platform));
    let id = found.read("name", "INVALID_NAME", CapabilityId::parse(&capability.id));
    let visibility = parse_visibility(found, "visibility", &capability.visibility);
    Some(CapabilitySpec {
        name: CapabilityName { platform: platform?, capability: id? },
        description: capability.description,
        owner: capability.owner,
        contact: capability.contact,
        on_call: capability.on_call,
        support_tier: capability.support_tier,
        cost_unit: capability.cost_unit,
        labels: capability.labels.into_iter().collect(),
        visibility: visibility?,
    })
}

fn parse_version(found: &mut Found, version: pb::Version) -> Option<VersionSpec> {
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&version.platform));
    let offer = found.read("version", "REQUIRED", version.version.ok_or("say which version it is"));
    // A manifest has the fields of an offer right in its `spec`.
    let from = found.0.len();
    let offer = parse_offer(found, "spec", offer?);
    for violation in &mut found.0[from..] {
        violation.field = violation.field.trim_start_matches("spec.").to_owned();
    }
    let mut offer = offer?;
    offer.discover = version.discover;
    Some(VersionSpec { platform: platform?, offer })
}

fn parse_producer(found: &mut Found, producer: pb::Producer) -> Option<ProducerSpec> {
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&producer.platform));
    let id = found.read("name", "INVALID_NAME", ProducerId::parse(&producer.id));
    let identity = Some(producer.identity).filter(|identity| !identity.is_empty());
    let identity = found.read("identity", "REQUIRED", identity.ok_or("say what its certificate carries"));
    let endpoints = found.each("endpoints", producer.endpoints, parse_endpoint);
    let endpoints = endpoints.and_then(|endpoints| some(found, "endpoints", endpoints));
    let versions = found.each("versions", producer.versions, |found, path, text| {
        found.read(path, "INVALID_VERSION", parse_served(&text))
    });
    let versions = versions.and_then(|versions| some(found, "versions", versions));
    let interval = producer.discovery_interval.map(|span| {
        let rule = "not a span of time: negative, or malformed";
        found.read("discovery_interval", "OUT_OF_RANGE", parse_duration(span).ok_or(rule))
    });
    Some(ProducerSpec {
        name: ProducerName { platform: platform?, producer: id? },
        identity: identity?,
        endpoints: endpoints?,
        versions: versions?,
        discovery_interval: interval.flatten(),
    })
}

fn parse_override(found: &mut Found, decision: pb::Override) -> Option<OverrideSpec> {
    let service = found.read("name", "INVALID_NAME", ServiceName::parse(&decision.service));
    let platform = found.read("platform", "INVALID_NAME", PlatformName::parse(&decision.platform));
    let expires = decision.expire_time.and_then(parse_timestamp);
    let expires = found.read("expire_time", "REQUIRED", expires.ok_or("say when the decision ends"));
    Some(OverrideSpec { service: service?, platform: platform?, expires: expires?, reason: decision.reason })
}

/// Reads `{capability}/{version}`.
fn parse_served(text: &str) -> Result<(CapabilityId, semver::Version), String> {
    let wrong = || {
        let quoted: String = text.chars().take(80).collect();
        format!("{quoted:?} is not written {{capability}}/{{version}}, such as \"ledger/1.2.0\"")
    };
    let (id, version) = text.split_once('/').filter(|_| text.len() <= 256).ok_or_else(wrong)?;
    let version = semver::Version::parse(version).map_err(|_| wrong())?;
    Ok((CapabilityId::parse(id).map_err(|_| wrong())?, version))
}

impl Found {
    /// Judges where it says that it stands: that is kept, and shown in logs and in the status.
    fn origin(&mut self, origin: &str) {
        if origin.len() > ORIGIN || origin.chars().any(char::is_control) {
            let message =
                format!("at most {ORIGIN} bytes without control characters, such as \"ledger.yaml:12\"");
            self.0.push(Violation::new("origin", "INVALID_ORIGIN", message));
        }
    }
}

fn some<T>(found: &mut Found, path: &str, items: Vec<T>) -> Option<Vec<T>> {
    found.read(path, "REQUIRED", Some(items).filter(|items| !items.is_empty()).ok_or("name at least one"))
}

#[cfg(test)]
mod tests;
