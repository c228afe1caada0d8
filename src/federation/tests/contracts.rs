//! A contract outlives its producers, and a higher version of its major takes nothing away from consumers.

use super::hub::*;
use crate::federation::{Error, Quota, Settings};
use crate::model::*;
use std::time::Duration;

fn described(version: &str, methods: &[&str]) -> Offer {
    Offer { descriptor_set: set("payments.ledger", methods), ..offer("ledger", version) }
}

async fn messages(hub: &Hub, registration: Registration) -> Vec<String> {
    match hub.register(registration).await {
        Err(Error::Refused(found)) => found.into_iter().map(|v| v.message).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_contract_is_remembered_when_nobody_serves_it_and_after_a_restart() {
    let mut hub = Hub::new();
    hub.register(declare("a", [described("1.0.0", &["Get", "Put"])])).await.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    assert!(hub.versions().is_empty());
    for _ in 0..2 {
        let changed = declare("b", [described("1.0.0", &["Get", "Count"])]);
        let told = messages(&hub, changed).await.remove(0);
        for part in
            ["- method payments.ledger.Api.Put", "+ method payments.ledger.Api.Count", "register a higher"]
        {
            assert!(told.contains(part), "{part}: {told}");
        }
        hub = hub.restart(Plan::default()).await;
    }
    let contract = name("a").platform;
    let contract = VersionName {
        platform: contract,
        capability: "ledger".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
    };
    let snapshot = hub.catalog.snapshot();
    let known = snapshot.contract(&contract).unwrap();
    assert_eq!((known.created, known.origin.as_str()), (epoch(), "spiffe://payments.example/ledger"));
    hub.register(declare("b", [described("1.0.0", &["Get", "Put"])])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_without_this_memory_is_read_once_and_remembers() {
    let hub = Hub::new();
    hub.register(declare("a", [described("1.0.0", &["Get", "Put"])])).await.unwrap();
    let (folder, contents) = hub.contents().await;
    let (store, _) = crate::store::Store::open(folder.path(), epoch()).unwrap();
    let delete = |table, key: &Vec<u8>| crate::store::Change::Delete { table, key: key.clone() };
    let contracts = contents.contracts.iter().map(|r| delete(crate::store::Table::Contracts, &r.key));
    let claims = contents.claims.iter().map(|r| delete(crate::store::Table::Claims, &r.key));
    let all: Vec<_> = contracts.chain(claims).collect();
    assert_eq!(all.len(), 2);
    store.commit(all).await.unwrap();
    store.close().await;

    let hub = Hub::open(Plan::default(), folder).unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    let hub = hub.restart(Plan::default()).await;
    assert_eq!(hub.refused(declare("b", [described("1.0.0", &["Get"])])).await[0].1, "CONTRACT_MUTATED");
    assert_eq!(hub.refused(declare("b", [described("1.1.0", &["Get"])])).await[0].1, "INCOMPATIBLE");
}

#[tokio::test(start_paused = true)]
async fn a_version_fits_to_its_neighbours_in_one_major() {
    let hub = Hub::new();
    let both = &["Get", "Put"];
    hub.register(declare("a", [described("1.0.0", both), described("1.2.0", &["Get", "Put", "Sum"])]))
        .await
        .unwrap();
    let incompatible = |at: usize| (format!("versions[{at}]"), "INCOMPATIBLE");
    for bad in ["1.3.0", "1.0.1", "1.3.0-rc.1", "1.0.1-rc.1"] {
        let mut found = hub.refused(declare("b", [described(bad, &["Get"])])).await;
        found.dedup();
        assert_eq!(found, [incompatible(0)], "{bad}");
        seconds(1).await;
    }
    let above = declare("b", [described("1.1.0", &["Get", "Put", "Other"])]);
    assert_eq!(hub.refused(above).await, [incompatible(0)], "1.2.0 lacks what 1.1.0 would have");
    let told = messages(&hub, declare("b", [described("1.3.0", both)])).await.remove(0);
    for part in ["payments.ledger.Api.Sum: RPC_NO_DELETE", "1.2.0", "2.0.0"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let each_other = declare("b", [described("2.1.0", &["Get"]), described("2.0.0", both)]);
    assert_eq!(hub.refused(each_other).await, [incompatible(0)]);
    seconds(1).await;
    for good in ["2.0.0", "0.9.0", "0.8.0", "0.0.1", "1.0.0-rc.1"] {
        hub.register(declare("b", [described(good, &["Get"])])).await.unwrap();
    }
    assert_eq!(hub.refused(declare("b", [described("0.9.1", &["Put"])])).await, [incompatible(0)]);
    hub.register(declare("b", [described("0.10.0", &["Put"]), described("0.0.2", &["Put"])])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_compared_is_kept_though_nobody_serves_it_and_no_more_than_that() {
    let hub = Hub::new();
    for (version, methods) in
        [("1.0.0", &["Get"][..]), ("1.1.0", &["Get", "Put"]), ("1.2.0-rc.1", &["Get", "Put", "X"])]
    {
        hub.register(declare("a", [described(version, methods)])).await.unwrap();
    }
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    let hub = hub.restart(Plan::default()).await;
    assert_eq!(hub.refused(declare("a", [described("1.2.0", &["Get"])])).await[0].1, "INCOMPATIBLE");
    let (_, contents) = hub.contents().await;
    let kept: Vec<_> = contents.descriptors.iter().map(|record| record.key.clone()).collect();
    assert_eq!(kept, [Digest::of(&set("payments.ledger", &["Get", "Put"])).as_bytes().to_vec()]);
    assert_eq!((contents.contracts.len(), contents.claims.len()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_late_patch_is_not_taken_uncompared_when_what_it_follows_is_let_go() {
    let hub = Hub::new();
    let both = &["Get", "Put"];
    hub.register(declare("a", [described("1.0.0", both)])).await.unwrap();
    hub.register(declare("a", [described("1.1.0", &["Get", "Put", "Sum"])])).await.unwrap();
    let hub = hub.restart(Plan::default()).await;
    for methods in [&["Get"][..], &["Get", "Put", "Sum"]] {
        let late = declare("b", [described("1.0.1", methods)]);
        assert_eq!(hub.refused(late.clone()).await, [("versions[0]".to_owned(), "NOT_COMPARABLE")]);
        let told = messages(&hub, late).await.remove(0);
        assert!(told.contains("declare 1.0.0 again beside it"), "{told}");
    }
    let narrower = declare("b", [described("1.0.0", both), described("1.0.1", &["Get"])]);
    assert_eq!(hub.refused(narrower).await, [("versions[1]".to_owned(), "INCOMPATIBLE")]);
    let fitting = described("1.0.1", &["Get", "Put", "Sum"]);
    hub.register(declare("b", [described("1.0.0", both), fitting])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_narrower_parameter_schema_breaks_and_a_bad_one_is_refused() {
    let hub = Hub::new();
    let schema = |maximum: u32| {
        let text = format!(
            r#"{{"type":"object","properties":{{"size":{{"type":"integer","maximum":{maximum}}}}}}}"#
        );
        Offer { parameter_schema: Some(text), ..offer("ledger", "1.0.0") }
    };
    hub.register(declare("a", [schema(10)])).await.unwrap();
    let next = |maximum| Offer { version: "1.1.0".parse().unwrap(), ..schema(maximum) };
    let told = messages(&hub, declare("b", [next(5)])).await.remove(0);
    assert!(told.starts_with("parameter_schema:/properties/size/maximum"), "{told}");
    hub.register(declare("b", [next(20)])).await.unwrap();
    let bad = Offer { parameter_schema: Some("[]".into()), ..offer("cards", "1.0.0") };
    assert_eq!(
        hub.refused(declare("c", [bad])).await,
        [("versions[0].parameter_schema".into(), "INVALID_SCHEMA")]
    );
}

#[tokio::test(start_paused = true)]
async fn contracts_are_bounded_and_those_that_are_known_still_register() {
    let quota = Quota { contracts: 2, ..Quota::default() };
    let hub = Hub::start(Plan { settings: Settings { quota, ..Settings::default() }, ..Plan::default() });
    hub.register(declare("a", [offer("one", "1.0.0"), offer("two", "1.0.0")])).await.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    assert_eq!(hub.refused(declare("a", [offer("three", "1.0.0")])).await, [("versions".into(), "QUOTA")]);
    hub.register(declare("a", [offer("one", "1.0.0")])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn to_validate_takes_nothing() {
    let hub = Hub::new();
    let registration = declare("a", [described("1.0.0", &["Get"])]);
    for _ in 0..100 {
        let receipt = hub.registrar.validate(&ledger(), registration.clone()).await.unwrap();
        assert_eq!((receipt.lease, receipt.revision), (None, hub.revision()));
        seconds(1).await;
    }
    assert!(hub.versions().is_empty());
    hub.register(registration).await.unwrap();
    let before = hub.revision();
    let changed = declare("b", [described("1.0.0", &["Put"])]);
    let refused = hub.registrar.validate(&ledger(), changed).await.unwrap_err();
    assert!(matches!(refused, Error::Refused(found) if found[0].reason == "CONTRACT_MUTATED"));
    assert_eq!((hub.revision(), hub.catalog.snapshot().clashes().count()), (before, 0));
    let (_, contents) = hub.contents().await;
    assert_eq!((contents.sequence, contents.producers.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_bytes_of_contracts_are_bounded_too_also_when_nobody_serves_them() {
    let schema = format!(r#"{{"type":"object","title":"{}"}}"#, "x".repeat(1000));
    let wordy = |capability| Offer { parameter_schema: Some(schema.clone()), ..offer(capability, "1.0.0") };
    let plan = || {
        let quota = Quota { contract_bytes: 1500, ..Quota::default() };
        Plan { settings: Settings { quota, ..Settings::default() }, ..Plan::default() }
    };
    let hub = Hub::start(plan());
    hub.register(declare("a", [wordy("one")])).await.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    let hub = hub.restart(plan()).await;
    assert_eq!(hub.refused(declare("a", [wordy("two")])).await, [("versions".to_owned(), "QUOTA")]);
    hub.register(declare("a", [wordy("one"), offer("two", "1.0.0")])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_permanent_registration_has_no_lease_and_is_live_until_it_is_taken_out() {
    let hub = Hub::new();
    let mut lasting = declare("a", [offer("ledger", "1.0.0")]);
    lasting.permanent = true;
    lasting.lease = Some(Duration::from_secs(30));
    assert_eq!(hub.refused(lasting.clone()).await, [("lease_duration".into(), "INCONSISTENT")]);
    lasting.lease = None;
    let leased = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    assert_eq!(hub.register(lasting.clone()).await.unwrap().lease, None);
    assert_eq!(hub.producer("a").unwrap().lease_expires, None);
    assert!(matches!(hub.registrar.renew(&ledger(), &leased.id).await, Err(Error::UnknownLease)));
    seconds(10_000).await;
    assert_eq!(hub.freshness("a"), Some(Freshness::Live));
    let hub = hub.restart(Plan::default()).await;
    seconds(10_000).await;
    assert_eq!(hub.freshness("a"), Some(Freshness::Live));
    let again = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    assert!(again.lease.is_some());
    seconds(31).await;
    assert_eq!(hub.freshness("a"), Some(Freshness::Stale), "with a lease again");
    hub.register(lasting).await.unwrap();
    hub.registrar.deregister(&ledger(), name("a")).await.unwrap();
    assert!(hub.versions().is_empty());
}
