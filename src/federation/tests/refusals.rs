//! Every fault of a registration is named by its field, and nothing of it is taken.

use super::hub::*;
use crate::federation::{Quota, Settings};
use crate::model::*;
use std::time::Duration;

/// A registration with one fault.
type Spoil = fn(&mut Registration);

const FAULTS: [(Spoil, &str, &str); 24] = [
    (|r| r.endpoints.clear(), "endpoints", "REQUIRED"),
    (|r| r.endpoints.push(endpoint("10.0.0.1:50051")), "endpoints[1].address", "DUPLICATE"),
    (|r| r.endpoints.push(endpoint("127.0.0.1:1")), "endpoints[1].address", "FORBIDDEN_ADDRESS"),
    (|r| r.endpoints.push(endpoint("127.1:1")), "endpoints[1].address", "INVALID_ADDRESS"),
    (|r| r.endpoints[0].locality = "eu\na".into(), "endpoints[0].locality", "CONTROL_CHARACTER"),
    (|r| r.endpoints[0].locality = "x".repeat(300).into(), "endpoints[0].locality", "TOO_LONG"),
    (|r| r.lease = Some(Duration::from_secs(4)), "lease_duration", "OUT_OF_RANGE"),
    (|r| r.lease = Some(Duration::from_secs(601)), "lease_duration", "OUT_OF_RANGE"),
    (|r| r.offers.clear(), "versions", "REQUIRED"),
    (|r| r.offers.push(offer("ledger", "1.0.0")), "versions[1]", "DUPLICATE"),
    (|r| r.offers[0].version = "1.0.0+two".parse().unwrap(), "versions[0].version", "INVALID_VERSION"),
    (|r| r.offers[0].services.clear(), "versions[0].services", "REQUIRED"),
    (
        |r| r.offers[0].services.push("payments.ledger.Api".parse().unwrap()),
        "versions[0].services[1]",
        "DUPLICATE",
    ),
    (
        |r| r.offers[0].services.push("payments.ledger.Nil".parse().unwrap()),
        "versions[0].services[1]",
        "NOT_DESCRIBED",
    ),
    (
        |r| r.offers[0].descriptor_set = b"\xff\xff".to_vec(),
        "versions[0].descriptor_set",
        "INVALID_DESCRIPTORS",
    ),
    (|r| r.offers[0].owner = " ".into(), "versions[0].owner", "REQUIRED"),
    (|r| r.offers[0].contact.clear(), "versions[0].contact", "REQUIRED"),
    (|r| r.offers[0].contact = "a\u{1b}[2J".into(), "versions[0].contact", "CONTROL_CHARACTER"),
    (|r| r.offers[0].description = "x".repeat(5_000), "versions[0].description", "TOO_LONG"),
    (
        |r| r.offers[0].slo.availability_percent = Some(100.1),
        "versions[0].slo.availability_percent",
        "OUT_OF_RANGE",
    ),
    (
        |r| r.offers[0].slo.availability_percent = Some(f64::NAN),
        "versions[0].slo.availability_percent",
        "OUT_OF_RANGE",
    ),
    (|r| r.offers[0].slo.latency_p99 = Some(Duration::ZERO), "versions[0].slo.latency_p99", "OUT_OF_RANGE"),
    (
        |r| {
            r.offers[0].deprecation_time = Some(epoch());
            r.offers[0].sunset_time = Some(epoch() - jiff::SignedDuration::from_secs(1));
        },
        "versions[0].sunset_time",
        "INCONSISTENT",
    ),
    (
        |r| r.offers[0].visibility.platforms = (0..1001).map(|i| format!("p{i}").parse().unwrap()).collect(),
        "versions[0].visibility",
        "QUOTA",
    ),
];

#[tokio::test(start_paused = true)]
async fn each_fault_is_named_by_its_field() {
    let hub = Hub::new();
    for (spoil, field, reason) in FAULTS {
        let mut registration = declare("ledger-1", [offer("ledger", "1.0.0")]);
        spoil(&mut registration);
        let found = hub.refused(registration).await;
        assert!(found.contains(&(field.to_owned(), reason)), "{field} {reason}: {found:?}");
        seconds(1).await;
    }
    assert_eq!(hub.versions(), [] as [String; 0], "nothing of a refused registration is taken");
}

#[tokio::test(start_paused = true)]
async fn all_faults_are_named_at_once() {
    let hub = Hub::new();
    hub.register(declare("other", [offer("standing", "1.0.0")])).await.unwrap();
    let mut changed = offer("standing", "1.0.0");
    changed.descriptor_set = set("payments.standing", &["Get", "Put"]);
    let mut wordless = offer("ledger", "1.0.0");
    wordless.owner.clear();
    wordless.services.push("data.store.Api".parse().unwrap());
    let mut bad = declare("ledger-1", [changed, wordless]);
    bad.identity = Some("spiffe://data.example/x".into());
    bad.endpoints = vec![endpoint("[::1]:1")];
    bad.lease = Some(Duration::ZERO);
    let fields: Vec<_> =
        hub.refused(bad).await.into_iter().map(|(field, reason)| format!("{field} {reason}")).collect();
    assert_eq!(
        fields,
        [
            "identity FOREIGN_IDENTITY",
            "endpoints[0].address FORBIDDEN_ADDRESS",
            "lease_duration OUT_OF_RANGE",
            "versions[0] CONTRACT_MUTATED",
            "versions[1].owner REQUIRED",
            "versions[1].services[1] PREFIX_NOT_GRANTED",
            "versions[1].services[1] NOT_DESCRIBED",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn quotas_hold_and_are_named() {
    let quota = Quota {
        producers: 2,
        endpoints: 1,
        versions: 2,
        services: 2,
        services_in_all: 3,
        descriptor_bytes: 250,
        ..Quota::default()
    };
    let hub = Hub::start(Plan { settings: Settings { quota, ..Settings::default() }, ..Plan::default() });
    let mut two = declare("a", [offer("ledger", "1.0.0")]);
    two.endpoints.push(endpoint("10.0.0.2:1"));
    assert_eq!(hub.refused(two).await, [("endpoints".into(), "QUOTA")]);
    let many = declare("a", ["1.0.0", "1.0.1", "1.0.2"].map(|version| offer("ledger", version)));
    assert_eq!(hub.refused(many).await, [("versions".into(), "QUOTA")]);

    let plain = |count: usize| {
        let mut offer = offer("ledger", "1.0.0");
        offer.descriptor_set.clear();
        offer.services = (0..count).map(|i| format!("payments.S{i}").parse().unwrap()).collect();
        offer
    };
    assert_eq!(hub.refused(declare("a", [plain(3)])).await, [("versions[0].services".into(), "QUOTA")]);
    assert_eq!(hub.refused(declare("a", [plain(4)])).await, [("versions".into(), "QUOTA")]);

    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    let mut large = offer("large", "1.0.0");
    large.descriptor_set = set("payments.large", &["A", "B", "C", "D"]);
    assert_eq!(hub.refused(declare("b", [large])).await, [("versions".into(), "QUOTA")]);
    hub.register(declare("b", [plain(1)].map(|o| Offer { capability: "b".parse().unwrap(), ..o })))
        .await
        .unwrap();
    assert_eq!(
        hub.refused(declare("c", [plain(1)].map(|o| Offer { capability: "c".parse().unwrap(), ..o }))).await,
        [("producer".into(), "QUOTA")]
    );
}

#[tokio::test(start_paused = true)]
async fn what_surprises_is_warned_of() {
    let hub = Hub::new();
    let mut plain = offer("plain", "1.0.0");
    plain.descriptor_set.clear();
    plain.stage = Stage::Deprecated;
    let warnings = hub.register(declare("a", [plain])).await.unwrap().warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    let told = ["deprecation_time", "sunset_time", "not describable"];
    assert!(told.iter().zip(&warnings).all(|(word, warning)| warning.contains(word)), "{warnings:?}");

    let mut retired = offer("old", "1.0.0");
    retired.stage = Stage::Retired;
    let warnings = hub.register(declare("b", [retired])).await.unwrap().warnings;
    assert!(warnings.len() == 1 && warnings[0].contains("replacement"), "{warnings:?}");
}
