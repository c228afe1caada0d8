//! The envelope of a manifest, and the kinds that are small.

use super::reader::{Field, Table};
use super::version;
use crate::model::{
    Address, CapabilityId, CapabilityName, CapabilitySpec, Endpoint, GrantId, GrantName, GrantSpec, Identity,
    OverrideSpec, PlatformName, PlatformSpec, ProducerId, ProducerName, ProducerSpec, ServiceName,
    ServicePrefix, Spec, TrustDomain, Visibility,
};
use std::fmt::Display;

/// What `apiVersion` says.
pub(super) const API: &str = "portolan.dev/v1";

/// The kinds, in the order in which they are declared: what stands on another comes after it.
pub(super) const KINDS: [&str; 6] = ["Platform", "Grant", "Capability", "Version", "Producer", "Override"];

/// Reads a whole document.
pub(super) fn read(root: &Table<'_>) -> Option<Spec> {
    let api = root.need("apiVersion", "begin with apiVersion: portolan.dev/v1");
    let api = api.and_then(|field| field.choice(&[(API, ())]));
    let kinds = KINDS.map(|kind| (kind, kind));
    let kind = root.need("kind", "say what it is: kind: Version").and_then(|field| field.choice(&kinds));
    let meta = root.need("metadata", "name it: metadata: {name: …}");
    let spec = root.need("spec", "say what shall be: spec: {…}");
    // Without its kind nothing can be said about the rest.
    let (kind, meta, spec) = (kind?, meta?, spec?);
    let spec = match kind {
        "Platform" => own(&meta, &spec, PlatformName::parse, platform).map(Spec::Platform),
        "Override" => own(&meta, &spec, ServiceName::parse, decision).map(Spec::Override),
        "Grant" => of_platform(&meta, &spec, GrantId::parse, grant).map(Spec::Grant),
        "Capability" => of_platform(&meta, &spec, CapabilityId::parse, capability).map(Spec::Capability),
        "Producer" => of_platform(&meta, &spec, ProducerId::parse, producer).map(Spec::Producer),
        _ => of_platform(&meta, &spec, version::served, version::version).map(Spec::Version),
    };
    api.and(spec)
}

/// A resource that has a name of its own.
fn own<'r, N, E: Display, T>(
    meta: &Field<'r>,
    spec: &Field<'r>,
    parse: impl Fn(&str) -> Result<N, E>,
    read: impl Fn(Option<N>, &Table<'r>) -> Option<T>,
) -> Option<T> {
    let name = meta.table(|meta| meta.need("name", "name it")?.parsed(parse, "write its full name"));
    spec.table(|spec| read(name, spec))
}

/// A resource that is named in its platform.
fn of_platform<'r, N, E: Display, T>(
    meta: &Field<'r>,
    spec: &Field<'r>,
    parse: impl Fn(&str) -> Result<N, E>,
    read: impl Fn(Option<(PlatformName, N)>, &Table<'r>) -> Option<T>,
) -> Option<T> {
    let name = meta.table(|meta| {
        let name = meta.need("name", "name it in its platform");
        let name =
            name.and_then(|field| field.parsed(parse, "a version is named ledger/1.2.0, all others ledger"));
        let platform = meta.need("platform", "say whose it is: platform: payments.example");
        let platform = platform.and_then(|field| platform_name(&field));
        Some((platform?, name?))
    });
    spec.table(|spec| read(name, spec))
}

fn platform(name: Option<PlatformName>, spec: &Table<'_>) -> Option<PlatformSpec> {
    let domain =
        spec.need("trust_domain", "say whose identities speak for it: trust_domain: payments.example");
    let domain = domain.and_then(|field| field.parsed(TrustDomain::parse, "write it as the broker knows it"));
    let display_name = spec.text("display_name");
    Some(PlatformSpec { name: name?, display_name: display_name?, trust_domain: domain? })
}

fn decision(service: Option<ServiceName>, spec: &Table<'_>) -> Option<OverrideSpec> {
    let platform =
        spec.need("platform", "say who shall have the name").and_then(|field| platform_name(&field));
    let expires = spec.need("expire_time", "say when the decision ends").and_then(|field| field.time());
    let fix = "say why, for those who read it later";
    let reason = spec.need("reason", fix).and_then(|field| field.words(fix));
    Some(OverrideSpec { service: service?, platform: platform?, expires: expires?, reason: reason? })
}

fn grant(name: Option<(PlatformName, GrantId)>, spec: &Table<'_>) -> Option<GrantSpec> {
    let prefixes =
        spec.need("service_prefixes", "say what names begin with: service_prefixes: [acme.ledger]");
    let prefixes = prefixes.and_then(|field| field.some(prefix));
    let (platform, grant) = name?;
    Some(GrantSpec { name: GrantName { platform, grant }, service_prefixes: prefixes? })
}

fn prefix(field: &Field<'_>) -> Option<ServicePrefix> {
    let prefix = field.parsed(ServicePrefix::parse, "write the first segments of the names: acme.ledger")?;
    match ServiceName::parse(prefix.as_str()) {
        Ok(name) if name.is_reserved() => field
            .fault(format!("{prefix} is reserved"), "grpc, google and portolan are granted to no platform"),
        _ => Some(prefix),
    }
}

fn capability(name: Option<(PlatformName, CapabilityId)>, spec: &Table<'_>) -> Option<CapabilitySpec> {
    let description = spec.text("description");
    let owner = spec.text("owner");
    let contact = spec.text("contact");
    let on_call = spec.text("on_call");
    let support_tier = spec.text("support_tier");
    let cost_unit = spec.text("cost_unit");
    let labels = spec.maybe("labels", Field::words_by_key);
    let visible = spec.maybe("visibility", visibility);
    let (platform, capability) = name?;
    Some(CapabilitySpec {
        name: CapabilityName { platform, capability },
        description: description?,
        owner: owner?,
        contact: contact?,
        on_call: on_call?,
        support_tier: support_tier?,
        cost_unit: cost_unit?,
        labels: labels?.unwrap_or_default(),
        visibility: visible?.unwrap_or_default(),
    })
}

fn producer(name: Option<(PlatformName, ProducerId)>, spec: &Table<'_>) -> Option<ProducerSpec> {
    let fix = "say what its certificate carries: identity: spiffe://payments.example/ledger";
    let identity = spec.need("identity", fix).and_then(|field| identity(&field));
    let endpoints = spec.need("endpoints", "say where it listens: endpoints: [{address: 10.0.0.1:50051}]");
    let endpoints = endpoints.and_then(|field| field.some(|item| item.table(endpoint)));
    let versions = spec.need("versions", "say what it serves: versions: [ledger/1.2.0]");
    let versions = versions.and_then(|field| {
        field.some(|item| item.parsed(version::served, "write capability and version: ledger/1.2.0"))
    });
    let interval = spec.maybe("discovery_interval", Field::duration);
    let (platform, producer) = name?;
    Some(ProducerSpec {
        name: ProducerName { platform, producer },
        identity: identity?,
        endpoints: endpoints?,
        versions: versions?,
        discovery_interval: interval?,
    })
}

/// An identity as it is written; whose `dns:` it is, the platform's trust domain says later.
fn identity(field: &Field<'_>) -> Option<String> {
    let anybody = TrustDomain::parse("any");
    let parse =
        |text: &str| anybody.clone().and_then(|home| Identity::parse(text, &home)).map(|_| text.to_owned());
    field.parsed(parse, "write a SPIFFE id, or dns:name")
}

fn endpoint(table: &Table<'_>) -> Option<Endpoint> {
    let address = table.need("address", "write address: host:port");
    let address = address.and_then(|field| field.parsed(Address::parse, "write host:port"));
    let locality = table.text("locality");
    let weight = table.maybe("weight", |field| field.whole(1..=1000));
    Some(Endpoint {
        address: address?,
        locality: locality?.into(),
        weight: u16::try_from(weight?.unwrap_or(1)).ok()?,
    })
}

fn platform_name(field: &Field<'_>) -> Option<PlatformName> {
    field.parsed(PlatformName::parse, "write a DNS-like name: payments.example")
}

/// Names of platforms; `*` is every platform.
pub(super) fn visibility(field: &Field<'_>) -> Option<Visibility> {
    let platforms = field.list(|item| match item.text()? {
        "*" => Some(None),
        _ => item.parsed(PlatformName::parse, "write platform names, or \"*\" for all").map(Some),
    })?;
    Some(Visibility {
        everyone: platforms.contains(&None),
        platforms: platforms.into_iter().flatten().collect(),
    })
}
