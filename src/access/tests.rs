//! The rules of ownership and visibility, as users rely on them.

use super::*;
use crate::model::{CapabilityId, Digest, ServicePrefix, Slo, Stage, Visibility};

fn platform(name: &str, prefix: &str) -> Platform {
    Platform {
        name: PlatformName::parse(name).unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
        service_prefixes: vec![ServicePrefix::parse(prefix).unwrap()],
    }
}

fn policy() -> Policy {
    Policy::new([platform("payments.example", "acme.ledger"), platform("data.example", "acme.kv")])
}

fn version(visibility: Visibility) -> Arc<Version> {
    Arc::new(Version {
        name: VersionName {
            platform: PlatformName::parse("payments.example").unwrap(),
            capability: CapabilityId::parse("ledger").unwrap(),
            version: semver::Version::new(1, 0, 0),
        },
        services: vec![ServiceName::parse("acme.ledger.v1.Ledger").unwrap()],
        descriptors: None,
        parameter_schema: None,
        digest: Digest::of(b""),
        description: String::new(),
        owner: "payments".into(),
        contact: "x".into(),
        stage: Stage::Stable,
        deprecation_time: None,
        sunset_time: None,
        visibility,
        slo: Slo::default(),
        traffic_weight: None,
        facts: Default::default(),
    })
}

fn caller(id: &str) -> Arc<Caller> {
    Arc::new(policy().caller(Identity::parse_spiffe(id).unwrap()))
}

#[test]
fn without_visibility_only_the_owner_may_call() {
    let version = version(Visibility::default());
    assert!(policy().permit_call(&caller("spiffe://payments.example/app"), &version).is_ok());
    let denial = policy().permit_call(&caller("spiffe://data.example/app"), &version).unwrap_err();
    assert!(matches!(denial, Denial::NotVisible { .. }));
}

#[test]
fn a_named_platform_may_call_and_a_stranger_only_what_is_for_everyone() {
    let named =
        Visibility { everyone: false, platforms: [PlatformName::parse("data.example").unwrap()].into() };
    assert!(policy().may_see(&caller("spiffe://data.example/app"), &version(named.clone())));
    assert!(!policy().may_see(&caller("spiffe://stranger.example/app"), &version(named)));
    assert!(policy().may_see(&caller("spiffe://stranger.example/app"), &version(Visibility::everyone())));
}

#[test]
fn only_the_owner_registers_and_only_under_its_prefixes() {
    let payments = PlatformName::parse("payments.example").unwrap();
    let policy = policy();
    let own = Identity::parse_spiffe("spiffe://payments.example/ledger").unwrap();
    let foreign = Identity::parse_spiffe("spiffe://data.example/ledger").unwrap();
    assert!(policy.may_register(&own, &payments).is_ok());
    assert!(matches!(policy.may_register(&foreign, &payments), Err(Denial::ForeignDomain { .. })));
    let unknown = PlatformName::parse("x.example").unwrap();
    assert_eq!(policy.may_register(&own, &unknown).unwrap_err(), Denial::UnknownPlatform(unknown));

    let grants = |name| policy.grants(&payments, &ServiceName::parse(name).unwrap());
    assert!(grants("acme.ledger.v1.Ledger").is_ok());
    assert!(matches!(grants("acme.ledgers.v1.Ledger"), Err(Denial::NotGranted { .. })));
    assert!(matches!(grants("acme.kv.v1.KeyValue"), Err(Denial::NotGranted { .. })));
    assert!(matches!(grants("grpc.health.v1.Health"), Err(Denial::Reserved(_))));
}
