//! Declarations there and back, and every fault named.

use super::*;

fn declared() -> pb::RegisterProducerRequest {
    pb::RegisterProducerRequest {
        platform: "payments.example".into(),
        producer: "ledger-1".into(),
        endpoints: vec![catalog::Endpoint {
            address: "10.0.0.1:50051".into(),
            locality: "eu/a".into(),
            weight: 7,
        }],
        versions: vec![pb::CapabilityVersion {
            capability: "ledger".into(),
            version: "1.2.0".into(),
            services: vec!["payments.ledger.v1.Ledger".into()],
            descriptor_set: b"bytes".as_slice().into(),
            description: "books".into(),
            owner: "team".into(),
            contact: "team@payments.example".into(),
            stage: catalog::Stage::Deprecated.into(),
            deprecation_time: Some(prost_types::Timestamp { seconds: 1, nanos: 2 }),
            sunset_time: Some(prost_types::Timestamp { seconds: 3, nanos: 4 }),
            visibility: vec!["*".into(), "data.example".into()],
            slo: Some(catalog::Slo {
                availability_percent: 99.9,
                latency_p99: Some(prost_types::Duration { seconds: 0, nanos: 5 }),
            }),
            labels: [("tier".to_owned(), "gold".to_owned())].into(),
            parameter_schema: "{}".into(),
            replacement: "platforms/payments.example/capabilities/ledger/versions/2.0.0".into(),
            availability: catalog::Availability::NoNew.into(),
            traffic_weight: 90,
            depends_on: vec![need("^1.2")],
            prerequisites: vec![need("")],
            on_call: "pager".into(),
            support_tier: "gold".into(),
            cost_unit: "call".into(),
            sticky_key: "session-id".into(),
            obligations: vec!["gdpr".into()],
            service_config: r#"{"methodConfig":[{"name":[{}],"timeout":"5s"}]}"#.into(),
        }],
        identity: "spiffe://payments.example/ledger".into(),
        lease_duration: Some(prost_types::Duration { seconds: 20, nanos: 0 }),
        validate_only: false,
        permanent: true,
    }
}

fn need(range: &str) -> catalog::Requirement {
    let capability = "platforms/data.example/capabilities/kv".into();
    catalog::Requirement { capability, range: range.into() }
}

#[test]
fn a_registration_reads_back() {
    let registration = parse(declared()).unwrap();
    assert_eq!(request(&registration), declared());
}

#[test]
fn every_field_that_cannot_be_read_is_named() {
    let mut bad = declared();
    bad.platform = "Payments.example.".into();
    bad.producer = "l\u{435}dger".into();
    bad.endpoints.push(catalog::Endpoint {
        address: "unix:run/x".into(),
        weight: 1001,
        ..Default::default()
    });
    bad.lease_duration = Some(prost_types::Duration { seconds: -1, nanos: 0 });
    bad.versions.push(pb::CapabilityVersion {
        capability: "Ledger".into(),
        version: "1.2".into(),
        services: vec!["a.B".into(), "a..B".into()],
        stage: 99,
        deprecation_time: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }),
        sunset_time: Some(prost_types::Timestamp { seconds: 0, nanos: -1 }),
        visibility: vec!["*".into(), "No".into()],
        slo: Some(catalog::Slo {
            availability_percent: 0.0,
            latency_p99: Some(prost_types::Duration { seconds: 0, nanos: -1 }),
        }),
        ..Default::default()
    });
    let fields: Vec<_> = parse(bad).unwrap_err().into_iter().map(|v| v.field).collect();
    assert_eq!(
        fields,
        [
            "platform",
            "producer",
            "endpoints[1].address",
            "endpoints[1].weight",
            "versions[1].capability",
            "versions[1].version",
            "versions[1].services[1]",
            "versions[1].stage",
            "versions[1].deprecation_time",
            "versions[1].sunset_time",
            "versions[1].visibility[1]",
            "versions[1].slo.latency_p99",
            "lease_duration",
        ]
    );
}

#[test]
fn an_empty_request_names_what_is_missing() {
    let fields: Vec<_> =
        parse(pb::RegisterProducerRequest::default()).unwrap_err().into_iter().map(|v| v.field).collect();
    assert_eq!(fields, ["platform", "producer"]);
}
