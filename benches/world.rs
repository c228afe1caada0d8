//! A catalogue as large as the target says: 100,000 versions of 25,000 capabilities from 1,000 platforms.

use jiff::Timestamp;
use portolan::catalog::{Change, Reader, Writer, catalog};
use portolan::model::{
    Address, CapabilityId, Digest, Endpoint, Facts, Freshness, Identity, Platform, PlatformName, Producer,
    ProducerId, ProducerName, ServiceName, ServicePrefix, Slo, Source, Stage, TrustDomain, Version,
    VersionName, Visibility,
};
use std::time::Duration;

/// How many platforms there are.
pub(crate) const PLATFORMS: usize = 1_000;
/// How many capabilities each of them has, each with one producer.
pub(crate) const CAPABILITIES: usize = 25;
/// The versions of each capability: two services, the older one in two deprecated and one stable version.
const VERSIONS: [(&str, u64, Stage); 4] = [
    ("1.0.0", 1, Stage::Deprecated),
    ("1.1.0", 1, Stage::Deprecated),
    ("1.2.0", 1, Stage::Stable),
    ("2.0.0", 2, Stage::Stable),
];

/// The platforms, in order.
pub(crate) fn platforms() -> impl Iterator<Item = Platform> {
    (0..PLATFORMS).map(|p| Platform {
        name: platform_name(p),
        display_name: format!("Organisation {p}"),
        trust_domain: domain(p),
        service_prefixes: vec![ServicePrefix::parse(&format!("org{p:04}")).unwrap()],
    })
}

/// The whole catalogue.
pub(crate) fn build() -> (Writer, Reader) {
    let (mut writer, reader) = catalog();
    writer.apply_all(platforms().map(Change::PutPlatform)).unwrap();
    for p in 0..PLATFORMS {
        writer.apply_all((0..CAPABILITIES).map(|c| declaration(p, c))).unwrap();
    }
    (writer, reader)
}

/// What the producer of one capability declares.
pub(crate) fn declaration(p: usize, c: usize) -> Change {
    let now = Timestamp::UNIX_EPOCH;
    let identity =
        Identity::parse_spiffe(&format!("spiffe://org{p:04}.example/ns/prod/sa/cap{c:02}")).unwrap();
    let endpoint = |i: usize| Endpoint {
        address: Address::parse(&format!("cap{c:02}-{i}.org{p:04}.svc:50051")).unwrap(),
        locality: "eu-central/a".into(),
        weight: 100,
    };
    let producer = Producer {
        name: ProducerName {
            platform: platform_name(p),
            producer: ProducerId::parse(&format!("cap{c:02}-producer")).unwrap(),
        },
        identity: identity.clone(),
        registrant: identity,
        endpoints: vec![endpoint(0), endpoint(1)],
        versions: Vec::new(),
        source: Source::Registration,
        freshness: Freshness::Live,
        lease_expires: Some(now),
        created: now,
        updated: now,
        provenance: None,
    };
    Change::PutProducer { producer, versions: VERSIONS.map(|version| contract(p, c, version)).into() }
}

/// The service of a capability's newer contract.
pub(crate) fn service(p: usize, c: usize, major: u64) -> String {
    format!("org{p:04}.cap{c:02}.v{major}.Service")
}

/// A trust domain.
pub(crate) fn domain(p: usize) -> TrustDomain {
    TrustDomain::parse(&format!("org{p:04}.example")).unwrap()
}

fn platform_name(p: usize) -> PlatformName {
    PlatformName::parse(&format!("org{p:04}.example")).unwrap()
}

fn contract(p: usize, c: usize, (number, major, stage): (&str, u64, Stage)) -> Version {
    let service = ServiceName::parse(&service(p, c, major)).unwrap();
    // Two service contracts a capability: versions of one major number share their descriptors.
    let descriptors = Digest::of(format!("descriptors of {service}").as_bytes());
    Version {
        name: VersionName {
            platform: platform_name(p),
            capability: CapabilityId::parse(&format!("cap{c:02}")).unwrap(),
            version: number.parse().unwrap(),
        },
        digest: Digest::of_parts([service.as_str().as_bytes(), descriptors.as_bytes()]),
        services: vec![service],
        descriptors: Some(descriptors),
        description: format!(
            "Capability {c} of organisation {p}: what it is for, in a sentence of usual length."
        ),
        owner: format!("team-{c:02}"),
        contact: format!("team-{c:02}@org{p:04}.example"),
        stage,
        deprecation_time: (stage == Stage::Deprecated).then_some(Timestamp::UNIX_EPOCH),
        sunset_time: None,
        visibility: Visibility {
            everyone: false,
            platforms: [(p + 1) % PLATFORMS, (p + 2) % PLATFORMS].map(platform_name).into(),
        },
        slo: Slo { availability_percent: Some(99.9), latency_p99: Some(Duration::from_millis(50)) },
        parameter_schema: None,
        traffic_weight: None,
        facts: Facts::none(),
    }
}
