//! Manifests of those who may not, and of those who may and should not.

use super::*;

async fn by(hub: &Hub, who: &str, resource: Resource) -> Vec<(&'static str, String)> {
    let outcome =
        hub.registrar.apply(authority(who, false), vec![resource], Options::default()).await.unwrap();
    let faults = outcome.changes.into_iter().flat_map(|change| change.faults);
    faults.map(|fault| (fault.reason, fault.message)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_platform_speaks_for_itself_alone_and_learns_nothing_of_others() {
    let hub = Hub::start(plan());
    let app = "spiffe://data.example/app";
    let real = by(&hub, app, a_version("payments.example", "ledger", "1.0.0")).await;
    let mut made_up = by(&hub, app, a_version("nobody.example", "ledger", "1.0.0")).await;
    made_up[0].1 = made_up[0].1.replace("nobody.example", "payments.example");
    assert_eq!(real, made_up, "it reads the same whether or not the platform exists");
    assert_eq!(real[0].0, "NOT_YOURS");
    for resource in [
        a_platform("data.example"),
        a_grant("data.example", "more", &["data.more"]),
        an_override("payments.ledger.Api", "data.example", 100),
    ] {
        assert_eq!(by(&hub, app, resource).await[0].0, "OPERATOR_ONLY");
    }
    hub.apply(payments()).await;
    let options = Options { prune: true, validate_only: true, prune_platforms: all_platforms() };
    let planned = hub.registrar.apply(authority(app, false), vec![], options.clone()).await.unwrap();
    assert!(planned.changes.iter().all(|change| change.platform.as_str() == "data.example"), "{planned:?}");
    hub.registrar
        .apply(authority(app, false), vec![], Options { validate_only: false, ..options })
        .await
        .unwrap();
    assert_eq!(hub.versions().len(), 2, "and it takes out nothing of others");
}

#[tokio::test(start_paused = true)]
async fn what_nobody_is_granted_no_manifest_grants() {
    let hub = Hub::start(plan());
    let mut foreign = a_platform("evil.example");
    foreign.origin = "y.yaml:1".into();
    let mut moved = a_platform("payments.example");
    let Spec::Platform(spec) = &mut moved.spec else { panic!() };
    spec.trust_domain = TrustDomain::parse("data.example").unwrap();
    for (resource, reason) in [
        (foreign, "UNKNOWN_TRUST_DOMAIN"),
        (moved, "TRUST_DOMAIN_FIXED"),
        (a_grant("data.example", "own", &["grpc.health"]), "RESERVED_NAME"),
        (a_grant("data.example", "own", &["Portolan"]), "RESERVED_NAME"),
        (a_grant("nobody.example", "own", &["x"]), "UNKNOWN_PLATFORM"),
        (an_override("portolan.x.Y", "data.example", 100), "RESERVED_NAME"),
        (an_override("data.X", "data.example", 0), "EXPIRED"),
        (a_version("data.example", "ledger", "1.0.0"), "PREFIX_NOT_GRANTED"),
        (a_producer("data.example", "x", &["ledger/1.0.0"]), "UNDECLARED_VERSION"),
    ] {
        let name = resource.to_string();
        assert_eq!(reasons(&hub.apply(vec![resource]).await), [reason], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_of_platforms_are_judged_and_those_of_operators_are_theirs() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let mut local = a_producer("payments.example", "local", &["ledger/1.0.0"]);
    let Spec::Producer(spec) = &mut local.spec else { panic!() };
    spec.endpoints = vec![endpoint("127.0.0.1:1")];
    let refused = by(&hub, "spiffe://payments.example/ci", local.clone()).await;
    assert_eq!(refused[0].0, "FORBIDDEN_ADDRESS");
    assert_eq!(actions(&hub.apply(vec![local]).await), [Action::Create]);
    let mut foreign = a_producer("payments.example", "foreign", &["ledger/1.0.0"]);
    let Spec::Producer(spec) = &mut foreign.spec else { panic!() };
    spec.identity = "spiffe://data.example/app".into();
    assert_eq!(reasons(&hub.apply(vec![foreign]).await), ["FOREIGN_IDENTITY"]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_yesterday_that_is_not_allowed_today_is_not_in_force_but_for_operators() {
    let narrow = || Plan { operators: vec![identity("spiffe://data.example/operator")], ..plan() };
    let mut wide = narrow();
    wide.settings.endpoints.allow = vec![Network::parse("127.0.0.0/8").unwrap()];
    let hub = Hub::start(wide);
    hub.apply(payments()).await;
    let local = |id: &str| {
        let mut local = a_producer("payments.example", id, &["ledger/1.0.0"]);
        let Spec::Producer(spec) = &mut local.spec else { panic!() };
        spec.endpoints = vec![endpoint("127.0.0.1:1")];
        local
    };
    assert_eq!(by(&hub, "spiffe://payments.example/ci", local("theirs")).await, []);
    let outcome = hub.registrar.apply(operator(), vec![local("ours")], Options::default()).await.unwrap();
    assert_eq!(actions(&outcome), [Action::Create]);
    assert!(hub.producer("theirs").is_some() && hub.producer("ours").is_some());

    let hub = hub.restart(narrow()).await;
    assert!(hub.producer("theirs").is_none() && hub.producer("ours").is_some());
    let snapshot = hub.catalog.snapshot();
    let drifts: Vec<_> =
        snapshot.drifts().iter().map(|drift| (drift.reason, drift.message.clone())).collect();
    assert!(drifts.len() == 1 && drifts[0].0 == "FORBIDDEN_ADDRESS", "{drifts:?}");
    assert!(drifts[0].1.contains("127.0.0.1:1 is loopback"), "{drifts:?}");
}

#[tokio::test(start_paused = true)]
async fn names_of_producers_are_taken_from_nobody() {
    let hub = Hub::start(plan());
    hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap();
    let outcome = hub.apply(payments()).await;
    assert_eq!(reasons(&outcome), ["PRODUCER_REGISTERED"]);
    assert_eq!(hub.producer("ledger-1").unwrap().source, Source::Registration);
    let clashes: Vec<_> = hub.catalog.snapshot().clashes().map(|clash| (clash.kind, clash.source)).collect();
    assert_eq!(clashes, [(ClashKind::Producer, Source::Manifest)]);

    hub.registrar.deregister(&ledger(), name("ledger-1")).await.unwrap();
    assert_eq!(reasons(&hub.apply(payments()).await), [""; 0]);
    assert_eq!(hub.producer("ledger-1").unwrap().source, Source::Manifest);
    assert_eq!(hub.catalog.snapshot().clashes().count(), 0, "it is over");
    let refused = hub.refused(declare("ledger-1", [offer("ledger", "1.0.0")])).await;
    assert_eq!(refused, [("producer".to_owned(), "DECLARED")]);
    hub.refused(declare(
        "other",
        [Offer { services: vec!["x.Y".parse().unwrap()], ..offer("cards", "1.0.0") }],
    ))
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_grant_diverts_no_name_and_is_not_withdrawn_under_what_stands() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let diverting = a_grant("data.example", "trick", &["payments.ledger"]);
    assert_eq!(reasons(&hub.apply(vec![diverting]).await), ["GRANT_DIVERTS"]);
    let equal = a_grant("data.example", "equal", &["payments"]);
    assert_eq!(actions(&hub.apply(vec![equal]).await), [Action::Create], "who claimed first keeps it");

    let ml = vec![
        a_platform("ml.example"),
        a_grant("ml.example", "all", &["payments.vectors"]),
        a_version("ml.example", "vectors", "1.0.0"),
    ];
    hub.apply(ml).await;
    let outcome = hub.prune(vec![a_version("ml.example", "vectors", "1.0.0")]).await;
    let refused = outcome.changes.iter().filter(|change| change.action == Action::Refused);
    let refused: Vec<_> = refused.map(|change| (change.kind, change.faults[0].reason)).collect();
    assert_eq!(refused, [("Platform", "PLATFORM_IN_USE"), ("Grant", "GRANT_IN_USE")]);
    hub.prune(vec![]).await;
    assert!(hub.catalog.snapshot().platform("ml.example").is_none());
    assert!(hub.catalog.snapshot().platform("data.example").is_some(), "the configuration's stay");
}
