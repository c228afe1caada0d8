//! Only the owner speaks (design §2, law 1; attacks.md R1, R4).

use super::hub::*;
use crate::federation::Error;
use crate::model::*;

#[tokio::test(start_paused = true)]
async fn another_trust_domain_cannot_register_and_learns_nothing() {
    let hub = Hub::new();
    let stranger = identity("spiffe://data.example/ledger");
    let mut missing = declare("ledger-1", [offer("ledger", "1.0.0")]);
    missing.producer.platform = "nowhere.example".parse().unwrap();
    let answers = [declare("ledger-1", [offer("ledger", "1.0.0")]), missing].map(|registration| {
        let platform = registration.producer.platform.clone();
        let (registrar, stranger) = (hub.registrar.clone(), stranger.clone());
        async move { (platform, registrar.register(&stranger, registration).await.unwrap_err()) }
    });
    for answer in answers {
        let (platform, error) = answer.await;
        let expected = format!(
            "{stranger} does not speak for platform {platform}; only identities of its own trust domain do"
        );
        assert_eq!(error.to_string(), expected, "known or not, it reads the same");
    }
    assert!(hub.versions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn names_beyond_the_grant_are_refused_by_name() {
    let hub = Hub::new();
    let mut bad = offer("ledger", "1.0.0");
    bad.descriptor_set.clear();
    let names = [
        "payments.ledger.Api",
        "data.store.Api",
        "paymentsx.ledger.Api",
        "Payments.ledger.Api",
        "grpc.health.v1.Health",
        "google.longrunning.Operations",
        "portolan.catalog.v1.CatalogService",
        "GRPC.x.Y",
    ];
    bad.services = names.iter().map(|name| name.parse().unwrap()).collect();
    let at = |i: usize| format!("versions[0].services[{i}]");
    let (foreign, reserved) = ("PREFIX_NOT_GRANTED", "RESERVED_NAME");
    assert_eq!(
        hub.refused(declare("ledger-1", [bad])).await,
        [
            (at(1), foreign),
            (at(2), foreign),
            (at(3), foreign),
            (at(4), reserved),
            (at(5), reserved),
            (at(6), reserved),
            (at(7), reserved),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_serving_identity_is_of_the_platforms_trust_domain() {
    let hub = Hub::new();
    let mut bad = declare("ledger-1", [offer("ledger", "1.0.0")]);
    for (written, reason) in [
        ("spiffe://data.example/ledger", "FOREIGN_IDENTITY"),
        ("spiffe://payments.example.evil/ledger", "FOREIGN_IDENTITY"),
        ("ledger", "INVALID_IDENTITY"),
        ("dns:Ledger..example", "INVALID_IDENTITY"),
    ] {
        bad.identity = Some(written.into());
        assert_eq!(hub.refused(bad.clone()).await, [("identity".into(), reason)], "{written}");
    }
    bad.identity = Some("dns:ledger.svc".into());
    hub.register(bad).await.unwrap();
    assert_eq!(hub.producer("ledger-1").unwrap().identity.to_string(), "dns:ledger.svc");
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_by_its_holder_alone() {
    let hub = Hub::new();
    let lease = hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    for other in ["spiffe://payments.example/other", "spiffe://data.example/ledger"] {
        let error = hub.registrar.renew(&identity(other), &lease.id).await.unwrap_err();
        let never = hub.registrar.renew(&identity(other), "00000000").await.unwrap_err();
        assert_eq!(error.to_string(), never.to_string());
        assert!(matches!(error, Error::UnknownLease));
    }
    hub.registrar.renew(&ledger(), &lease.id).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_colleague_who_registers_the_same_name_takes_the_lease_over() {
    let hub = Hub::new();
    let registration = declare("ledger-1", [offer("ledger", "1.0.0")]);
    let old = hub.register(registration.clone()).await.unwrap().lease.unwrap();
    let colleague = identity("spiffe://payments.example/ledger-next");
    let new = hub.registrar.register(&colleague, registration).await.unwrap().lease.unwrap();
    assert_ne!(old.id, new.id);
    assert!(matches!(hub.registrar.renew(&ledger(), &old.id).await, Err(Error::UnknownLease)));
    hub.registrar.renew(&colleague, &new.id).await.unwrap();
    assert_eq!(hub.producer("ledger-1").unwrap().identity, colleague);
}

#[tokio::test(start_paused = true)]
async fn a_stranger_can_take_nobody_out_and_learns_nothing() {
    let hub = Hub::new();
    hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap();
    let stranger = identity("spiffe://data.example/ledger");
    for id in ["ledger-1", "ledger-2"] {
        let error = hub.registrar.deregister(&stranger, name(id)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{} is not registered", name(id)));
    }
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live));
}

#[tokio::test(start_paused = true)]
async fn a_configured_producer_wins_over_a_registration() {
    let mut fixed = declare("fixed", [offer("ledger", "1.0.0")]);
    fixed.identity = Some("spiffe://payments.example/fixed".into());
    let hub = Hub::start(Plan { configured: vec![fixed], ..Plan::default() });
    let before = hub.producer("fixed").unwrap();
    assert_eq!((before.source, before.freshness), (Source::Configuration, Freshness::Live));
    assert_eq!(before.lease_expires, None);

    let claim = declare("fixed", [offer("ledger", "1.0.0")]);
    assert_eq!(hub.refused(claim).await, [("producer".into(), "CONFIGURED")]);
    let error = hub.registrar.deregister(&ledger(), name("fixed")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(found) if found[0].reason == "CONFIGURED"));
    assert_eq!(hub.producer("fixed").unwrap(), before);
    seconds(3600).await;
    assert_eq!(hub.freshness("fixed"), Some(Freshness::Live), "it has no lease to lose");
}
