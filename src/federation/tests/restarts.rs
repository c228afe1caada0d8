//! What survives a restart, and what a changed configuration does to it.

use super::hub::*;
use crate::federation::Error;
use crate::model::*;
use crate::store::{Change, Store, Table};

#[tokio::test(start_paused = true)]
async fn registrations_come_back_stale_until_they_are_renewed() {
    let hub = Hub::new();
    let receipt = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    hub.register(declare("b", [offer("ledger", "1.0.0")])).await.unwrap();
    seconds(1000).await;
    let before = hub.producer("a").unwrap();

    let hub = hub.restart(Plan::default()).await;
    let after = hub.producer("a").unwrap();
    assert_eq!((after.freshness, after.created), (Freshness::Stale, before.created));
    assert_eq!((&after.endpoints, &after.versions), (&before.endpoints, &before.versions));
    let version = &after.versions[0];
    assert!(hub.descriptors.snapshot().has(version));
    assert!(hub.catalog.snapshot().offering(version).unwrap().version.descriptors.is_some());

    seconds(59).await;
    assert_eq!(hub.freshness("b"), Some(Freshness::Stale), "the grace runs from the start of the process");
    hub.registrar.renew(&ledger(), &lease(&receipt).id).await.unwrap();
    seconds(2).await;
    assert_eq!((hub.freshness("a"), hub.freshness("b")), (Some(Freshness::Live), Some(Freshness::Expired)));
}

#[tokio::test(start_paused = true)]
async fn what_was_taken_out_stays_out() {
    let hub = Hub::new();
    let lease = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    let hub = hub.restart(Plan::default()).await;
    assert_eq!(hub.producer("a"), None);
    assert!(matches!(hub.registrar.renew(&ledger(), &lease.id).await, Err(Error::UnknownLease)));
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_no_longer_allows_is_kept_and_not_published() {
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    let without = || Plan { platforms: vec![platform("data.example", &["data"])], ..Plan::default() };
    let narrowed =
        || Plan { platforms: vec![platform("payments.example", &["payments.cards"])], ..Plan::default() };
    let sold = || {
        let mut platform = platform("payments.example", &["payments"]);
        platform.trust_domain = TrustDomain::parse("data.example").unwrap();
        Plan { platforms: vec![platform], ..Plan::default() }
    };
    let taken = || {
        let mut fixed = declare("a", [offer("cards", "1.0.0")]);
        fixed.identity = Some("spiffe://payments.example/fixed".into());
        Plan { configured: vec![fixed], ..Plan::default() }
    };
    let mut hub = hub;
    for (plan, expected) in [(without(), 0), (narrowed(), 0), (sold(), 0), (taken(), 1)] {
        hub = hub.restart(plan).await;
        assert!(!hub.versions().contains(&"ledger/1.0.0".to_owned()));
        assert_eq!(hub.versions().len(), expected);
    }
    let hub = hub.restart(Plan::default()).await;
    assert_eq!(hub.versions(), ["ledger/1.0.0"], "it is back when the configuration is");
    assert!(hub.descriptors.snapshot().has(&hub.producer("a").unwrap().versions[0]));
}

#[tokio::test(start_paused = true)]
async fn a_configured_producer_that_is_dropped_is_gone() {
    let mut fixed = declare("fixed", [offer("ledger", "1.0.0")]);
    fixed.identity = Some("spiffe://payments.example/fixed".into());
    let hub = Hub::start(Plan { configured: vec![fixed], ..Plan::default() });
    assert_eq!(hub.versions(), ["ledger/1.0.0"]);
    let hub = hub.restart(Plan::default()).await;
    assert!(hub.versions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn configured_producers_at_fault_are_all_named() {
    let mut bad = declare("one", [offer("ledger", "1.0.0")]);
    bad.offers[0].descriptor_set = b"\xff".to_vec();
    let other =
        declare("two", [Offer { services: vec!["grpc.X".parse().unwrap()], ..offer("cards", "1.0.0") }]);
    let plan = Plan { configured: vec![bad, other], ..Plan::default() };
    let Err(error) = Hub::open(plan, tempfile::tempdir().unwrap()) else { panic!("it started") };
    let text = error.to_string();
    for part in
        ["one: identity", "one: versions[0].descriptor_set", "two: identity", "two: versions[0].services[0]"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_record_that_cannot_be_read_harms_only_itself() {
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    let folder = hub.stop().await;
    let (store, _) = Store::open(folder.path(), epoch()).unwrap();
    let put = |key: &str, value: &'static str| Change::Put {
        table: Table::Producers,
        key: key.into(),
        value: value.into(),
    };
    store.commit(vec![put("x", "not json"), put("y", r#"{"form":"99"}"#)]).await.unwrap();
    store.close().await;
    let hub = Hub::open(Plan::default(), folder).unwrap();
    assert_eq!(hub.versions(), ["ledger/1.0.0"]);
    let (_, contents) = hub.contents().await;
    assert_eq!(contents.producers.len(), 3, "kept for people to look at");
}

#[tokio::test(start_paused = true)]
async fn a_contract_that_cannot_be_read_is_refused_and_kept() {
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.0.0"), offer("cards", "1.0.0")])).await.unwrap();
    hub.register(declare("b", [offer("cards", "1.0.0")])).await.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    let folder = hub.stop().await;
    let (store, contents) = Store::open(folder.path(), epoch()).unwrap();
    let spoilt = contents.contracts.into_iter().map(|record| Change::Put {
        table: Table::Contracts,
        key: record.key,
        value: "not json".into(),
    });
    let nobodys = Change::Put { table: Table::Contracts, key: "x".into(), value: "not json".into() };
    store.commit(spoilt.chain([nobodys]).collect()).await.unwrap();
    store.close().await;

    let hub = Hub::open(Plan::default(), folder).unwrap();
    assert_eq!(hub.versions(), ["cards/1.0.0"]);
    // Of the one nobody knows what it was; the other is told by who holds it.
    let mutated = [("versions[0]".to_owned(), "CONTRACT_MUTATED")];
    assert_eq!(hub.refused(declare("a", [offer("ledger", "1.0.0")])).await, mutated);
    let mut other = offer("cards", "1.0.0");
    other.descriptor_set = set("payments.cards", &["Put"]);
    assert_eq!(hub.refused(declare("a", [other])).await, mutated);
    hub.register(declare("a", [offer("cards", "1.0.0"), offer("ledger", "1.0.1")])).await.unwrap();
    // A configured one is left out; the broker starts.
    let mut fixed = declare("fixed", [offer("ledger", "1.0.0")]);
    fixed.identity = Some("spiffe://payments.example/fixed".into());
    let hub = hub.restart(Plan { configured: vec![fixed], ..Plan::default() }).await;
    assert_eq!(hub.versions(), ["cards/1.0.0", "ledger/1.0.1"]);
    let (_, contents) = hub.contents().await;
    let kept = contents.contracts.iter().filter(|record| record.value.as_ref() == b"not json");
    assert_eq!((kept.count(), contents.contracts.len()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn what_others_registered_does_not_keep_the_broker_from_starting() {
    let fixed = |id: &str, version: &str, methods: &[&str]| {
        let mut fixed = declare(id, [offer("ledger", version)]);
        fixed.offers[0].descriptor_set = set("payments.ledger", methods);
        fixed.identity = Some("spiffe://payments.example/fixed".into());
        fixed
    };
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.1.0")])).await.unwrap();
    let configured = vec![
        fixed("mutated", "1.1.0", &["Put"]),
        fixed("broken", "1.2.0", &["Put"]),
        fixed("good", "1.2.0", &["Get", "Put"]),
    ];
    let hub = hub.restart(Plan { configured, ..Plan::default() }).await;
    assert_eq!(hub.versions(), ["ledger/1.1.0", "ledger/1.2.0"]);
    let drifts = hub.catalog.snapshot().drifts().clone();
    let told: Vec<_> =
        drifts.iter().map(|drift| (drift.source, drift.subject.clone(), drift.reason)).collect();
    let expected = [("mutated", "CONTRACT_MUTATED"), ("broken", "INCOMPATIBLE")];
    let expected = expected.map(|(id, reason)| (Source::Configuration, name(id).to_string(), reason));
    assert_eq!(told, expected);

    // Two entries of the file that contradict each other are the operator's own fault, whatever was registered.
    let configured = vec![fixed("one", "2.0.0", &["Get"]), fixed("two", "2.0.0", &["Put"])];
    let folder = hub.stop().await;
    let Err(error) = Hub::open(Plan { configured, ..Plan::default() }, folder) else { panic!("it started") };
    assert!(error.to_string().contains("two: versions[0]"), "{error}");
    let configured = vec![fixed("one", "3.0.0", &["Get"]), fixed("two", "3.1.0", &["Put"])];
    let open = Hub::open(Plan { configured, ..Plan::default() }, tempfile::tempdir().unwrap());
    let Err(error) = open else { panic!("it started") };
    assert!(error.to_string().contains("two: versions[0]"), "{error}");
}
