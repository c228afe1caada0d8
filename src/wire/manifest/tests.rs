//! Every kind reads back, and every field that cannot be read is named.

use super::super::pb::portolan::{catalog::v1 as catalog, registry::v1 as registry};
use super::*;

fn declared() -> Vec<Kind> {
    let time = Some(prost_types::Timestamp { seconds: 1, nanos: 2 });
    vec![
        Kind::Platform(pb::Platform {
            name: "payments.example".into(),
            display_name: "Payments".into(),
            trust_domain: "payments.example".into(),
        }),
        Kind::Grant(pb::Grant {
            platform: "payments.example".into(),
            id: "ledger".into(),
            service_prefixes: vec!["acme.ledger".into()],
        }),
        Kind::Capability(pb::Capability {
            platform: "payments.example".into(),
            id: "ledger".into(),
            description: "books".into(),
            owner: "team".into(),
            contact: "team@payments.example".into(),
            on_call: "pager".into(),
            support_tier: "gold".into(),
            cost_unit: "call".into(),
            labels: [("tier".to_owned(), "gold".to_owned())].into(),
            visibility: vec!["*".into(), "data.example".into()],
        }),
        Kind::Version(pb::Version {
            platform: "payments.example".into(),
            version: Some(registry::CapabilityVersion {
                capability: "ledger".into(),
                version: "1.2.0".into(),
                stage: catalog::Stage::Beta.into(),
                owner: "team".into(),
                ..Default::default()
            }),
            discover: true,
        }),
        Kind::Producer(pb::Producer {
            platform: "payments.example".into(),
            id: "ledger-1".into(),
            identity: "dns:ledger.payments.internal".into(),
            endpoints: vec![catalog::Endpoint {
                address: "10.0.0.1:1".into(),
                locality: "eu".into(),
                weight: 3,
            }],
            versions: vec!["ledger/1.2.0".into()],
            discovery_interval: Some(prost_types::Duration { seconds: 30, nanos: 0 }),
        }),
        Kind::Override(pb::Override {
            service: "acme.ledger.v1.Ledger".into(),
            platform: "payments.example".into(),
            expire_time: time,
            reason: "migration".into(),
        }),
    ]
}

#[test]
fn every_kind_reads_back() {
    for kind in declared() {
        let sent = pb::Resource { origin: "ledger.yaml:3".into(), kind: Some(kind) };
        let read = parse(sent.clone()).unwrap();
        assert_eq!(resource(&read), sent);
        assert_eq!(called(&sent), (read.spec.kind(), read.spec.name()));
    }
}

#[test]
fn every_field_that_cannot_be_read_is_named() {
    let fields = |kind| -> Vec<String> {
        let resource = pb::Resource { origin: String::new(), kind };
        parse(resource).unwrap_err().into_iter().map(|violation| violation.field).collect()
    };
    assert_eq!(fields(None), ["kind"]);
    assert_eq!(fields(Some(Kind::Platform(pb::Platform::default()))), ["name", "trust_domain"]);
    assert_eq!(fields(Some(Kind::Grant(pb::Grant::default()))), ["platform", "name", "service_prefixes"]);
    let capability = pb::Capability { visibility: vec!["No".into()], ..Default::default() };
    assert_eq!(fields(Some(Kind::Capability(capability))), ["platform", "name", "visibility[0]"]);
    assert_eq!(fields(Some(Kind::Version(pb::Version::default()))), ["platform", "version"]);
    let empty = pb::Version { version: Some(Default::default()), ..Default::default() };
    assert_eq!(fields(Some(Kind::Version(empty))), ["platform", "capability", "version", "stage"]);
    let producer = pb::Producer {
        versions: vec!["ledger".into(), "ledger/1".into(), "Ledger/1.0.0".into()],
        discovery_interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
        ..Default::default()
    };
    assert_eq!(
        fields(Some(Kind::Producer(producer))),
        [
            "platform",
            "name",
            "identity",
            "endpoints",
            "versions[0]",
            "versions[1]",
            "versions[2]",
            "discovery_interval"
        ]
    );
    let decision = pb::Override::default();
    assert_eq!(fields(Some(Kind::Override(decision))), ["name", "platform", "expire_time"]);
}

#[test]
fn an_origin_is_short_and_forges_no_line() {
    let kind = || declared().into_iter().next();
    let read = |origin: String| parse(pb::Resource { origin, kind: kind() });
    assert!(read("x".repeat(256)).is_ok());
    for bad in ["x".repeat(257), "a.yaml:1\nb".to_owned()] {
        let found = read(bad).unwrap_err();
        assert_eq!((found[0].field.as_str(), found[0].reason), ("origin", "INVALID_ORIGIN"));
    }
}
