//! A registration declares the whole set, once or a hundred times.

use super::hub::*;
use crate::federation::{Error, Quota, Settings};
use crate::model::*;
use std::collections::BTreeSet;

#[tokio::test(start_paused = true)]
async fn the_same_again_renews_and_changes_nothing() {
    let hub = Hub::new();
    let registration = declare("ledger-1", [offer("ledger", "1.0.0"), offer("cards", "2.0.0")]);
    let first = hub.register(registration.clone()).await.unwrap();
    seconds(20).await;
    let mut reordered = registration;
    reordered.offers.reverse();
    let again = hub.register(reordered).await.unwrap();
    assert_eq!((again.revision, &lease(&again).id), (first.revision, &lease(&first).id));
    seconds(20).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live), "it was renewed");
    let (_, contents) = hub.contents().await;
    assert_eq!(contents.sequence, 1, "nothing was written again");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_declared_is_gone_with_its_descriptors() {
    let hub = Hub::new();
    let (cards, ledger_1) = (offer("cards", "2.0.0"), offer("ledger", "1.0.0"));
    hub.register(declare("ledger-1", [ledger_1.clone(), cards.clone()])).await.unwrap();
    hub.register(declare("ledger-2", [cards.clone()])).await.unwrap();
    hub.register(declare("ledger-1", [offer("ledger", "1.1.0")])).await.unwrap();
    assert_eq!(hub.versions(), ["cards/2.0.0", "ledger/1.1.0"], "cards are still served by the other");
    assert_eq!(hub.producer("ledger-1").unwrap().versions.len(), 1);

    hub.registrar.deregister(&ledger(), name("ledger-2")).await.unwrap();
    assert_eq!(hub.versions(), ["ledger/1.1.0"]);
    let gone = VersionName::parse("platforms/payments.example/capabilities/cards/versions/2.0.0").unwrap();
    assert!(hub.descriptors.snapshot().has(&gone), "the next 2.x will be compared with it");
    let old = VersionName {
        version: "1.0.0".parse().unwrap(),
        ..hub.producer("ledger-1").unwrap().versions[0].clone()
    };
    assert!(!hub.descriptors.snapshot().has(&old));
    let (_, contents) = hub.contents().await;
    let kept: BTreeSet<_> = contents.descriptors.iter().map(|record| record.key.clone()).collect();
    let sets = [&ledger_1, &cards].map(|offer| Digest::of(&offer.descriptor_set).as_bytes().to_vec());
    assert_eq!(
        kept,
        BTreeSet::from(sets),
        "one set, shared by 1.0.0 and 1.1.0, and the newest release of cards"
    );
    assert_eq!(contents.producers.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_version_never_changes_whoever_declares_it() {
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    let mut changed = offer("ledger", "1.0.0");
    changed.descriptor_set = set("payments.ledger", &["Get", "Put"]);
    for id in ["a", "b"] {
        assert_eq!(
            hub.refused(declare(id, [changed.clone()])).await,
            [("versions[0]".into(), "CONTRACT_MUTATED")]
        );
    }
    changed.version = "1.1.0".parse().unwrap();
    hub.register(declare("b", [changed])).await.unwrap();
    let mut said = offer("ledger", "1.0.0");
    said.description = "what its owner says of it may change".into();
    hub.register(declare("a", [said])).await.unwrap();
    assert_eq!(hub.versions(), ["ledger/1.0.0", "ledger/1.1.0"]);
}

#[tokio::test(start_paused = true)]
async fn two_who_declare_one_version_at_once_agree_or_the_second_is_refused() {
    let hub = Hub::new();
    let mut changed = offer("ledger", "1.0.0");
    changed.descriptor_set = set("payments.ledger", &["Get", "Put"]);
    let (a, b) = tokio::join!(
        hub.register(declare("a", [offer("ledger", "1.0.0")])),
        hub.register(declare("b", [changed])),
    );
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
    let refused = a.err().or(b.err()).unwrap();
    assert!(matches!(refused, Error::Refused(found) if found[0].reason == "CONTRACT_MUTATED"));
}

#[tokio::test(start_paused = true)]
async fn a_full_platform_lets_the_longest_expired_go() {
    let quota = Quota { producers: 2, ..Quota::default() };
    let hub = Hub::start(Plan { settings: Settings { quota, ..Settings::default() }, ..Plan::default() });
    let first = hub.register(declare("first", [offer("one", "1.0.0")])).await.unwrap();
    seconds(1).await;
    hub.register(declare("second", [offer("two", "1.0.0")])).await.unwrap();
    seconds(100).await;
    hub.register(declare("third", [offer("three", "1.0.0")])).await.unwrap();
    assert_eq!(hub.versions(), ["three/1.0.0", "two/1.0.0"]);
    assert!(matches!(hub.registrar.renew(&ledger(), &lease(&first).id).await, Err(Error::UnknownLease)));
}

#[tokio::test(start_paused = true)]
async fn one_identity_that_floods_is_slowed_and_others_are_not() {
    let hub = Hub::new();
    let other = identity("spiffe://payments.example/other");
    let mut refused = 0;
    for _ in 0..300 {
        let registered = hub.register(declare("a", [offer("ledger", "1.0.0")])).await;
        refused += usize::from(matches!(registered, Err(Error::TooOften)));
    }
    assert_eq!(refused, 100, "50 a second, 4 seconds' worth at once");
    hub.registrar.register(&other, declare("b", [offer("ledger", "1.0.0")])).await.unwrap();
    seconds(1).await;
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_instead_of_growing() {
    let hub = Hub::new();
    let lease = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    let (holder, id) = (ledger(), lease.id.as_str());
    let answers = futures::future::join_all((0..1100).map(|_| hub.registrar.renew(&holder, id))).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(Error::Busy))).count();
    assert!(busy > 0 && answers.iter().filter(|answer| answer.is_ok()).count() == 1100 - busy, "{busy}");
}

#[tokio::test(start_paused = true)]
async fn large_registrations_that_come_together_are_refused_before_they_pile_up() {
    let hub = Hub::new();
    let large = || {
        let mut offer = offer("large", "1.0.0");
        offer.descriptor_set = vec![0xff; 16 << 20];
        declare("a", [offer])
    };
    let answers = futures::future::join_all((0..12).map(|_| hub.register(large()))).await;
    let busy = answers.iter().filter(|answer| matches!(answer, Err(Error::Busy))).count();
    assert_eq!(busy, 5, "seven of a little over 16 MiB fit into 128");
    assert!(matches!(hub.register(large()).await, Err(Error::Refused(_))), "and room is given back");
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_is_told_and_leaves_nothing_behind() {
    let hub = Hub::new();
    let lease = hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    hub.store.clone().close().await;
    let (holder, more) = (ledger(), declare("b", [offer("cards", "1.0.0")]));
    let (registered, renewed, deregistered) = tokio::join!(
        hub.register(more),
        hub.registrar.renew(&holder, &lease.id),
        hub.registrar.deregister(&holder, name("a")),
    );
    assert!(matches!(registered, Err(Error::Store(_))));
    assert!(matches!(deregistered, Err(Error::Store(_))));
    renewed.unwrap();
    assert_eq!(
        (hub.versions(), hub.freshness("a")),
        (vec!["ledger/1.0.0".to_owned()], Some(Freshness::Live))
    );
}
