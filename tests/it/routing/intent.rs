//! Calls that ask for a platform, a range of versions, an age; and traffic that its owner splits.

use super::registered::{Registry, Routing, serve, version};
use crate::fixture::{Consumer, Producer, World};
use http::{HeaderName, Response};
use portolan::client::pb::portolan::catalog::v1::Stage;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::client::pb::portolan::routing::v1 as routing;
use portolan::transport::Exchange;
use std::time::Duration;
use tonic_types::StatusExt;

const POST: &str = "/pay.v1.Ledger/Post";

#[tokio::test]
async fn a_range_of_versions_is_gone_to_and_one_that_nobody_has_is_refused_with_what_there_is() {
    let world = World::new();
    let hub = world.broker().start().await;
    let old =
        serve(&world, &world.payments, &hub, "old", version("ledger", "1.0.0", "pay.v1.Ledger")).await.0;
    let new =
        serve(&world, &world.payments, &hub, "new", version("ledger", "1.1.0", "pay.v1.Ledger")).await.0;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for (range, calls) in [("=1.0.0", (1, 0)), ("^1", (1, 1)), (">=1, <1.1", (2, 1)), ("*", (2, 2))] {
        let reply = consumer.unary(POST, &[("portolan-version", range)], b"x").await.unwrap();
        assert_eq!(reply.status(), 0, "{range}");
        assert_eq!((old.calls(), new.calls()), calls, "{range}");
    }
    let reply = consumer.unary(POST, &[("portolan-version", "^2")], b"x").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (9, "NO_VERSION_IN_RANGE"));
    let details = reply.as_status().get_error_details();
    assert_eq!(details.error_info().unwrap().metadata["versions"], "1.1.0, 1.0.0");
}

#[tokio::test]
async fn the_platform_that_lost_a_name_is_reached_by_asking_for_it() {
    let world = World::new();
    let hub = world.broker().start().await;
    let hidden = |v: registry::CapabilityVersion| registry::CapabilityVersion { visibility: vec![], ..v };
    let declared = || version("ledger", "1.0.0", "shared.v1.Ledger");
    let first = serve(&world, &world.payments, &hub, "ledger", declared()).await.0;
    let second = serve(&world, &world.data, &hub, "ledger", declared()).await.0;
    let _hidden =
        serve(&world, &world.data, &hub, "hidden", hidden(version("hidden", "1.0.0", "shared.v1.Hidden")))
            .await;
    let consumer = Consumer::connect(&world.ml, "/app", &hub).await;
    let call = |path: &'static str, platform: &'static str| {
        let consumer = &consumer;
        async move { consumer.unary(path, &[("portolan-platform", platform)], b"x").await.unwrap() }
    };
    assert_eq!(consumer.unary("/shared.v1.Ledger/Post", &[], b"x").await.unwrap().status(), 0);
    assert_eq!((first.calls(), second.calls()), (1, 0));
    assert_eq!(call("/shared.v1.Ledger/Post", "data.example").await.status(), 0);
    assert_eq!((first.calls(), second.calls()), (1, 1));

    let message =
        |service: &str| format!("data.example does not offer service {service}, or not to your platform");
    for service in ["shared.v1.Hidden", "shared.v1.Absent"] {
        let path: &'static str = format!("/{service}/Post").leak();
        let reply = call(path, "data.example").await;
        assert_eq!((reply.status(), reply.reason().as_str()), (12, "NOT_OFFERED"), "{service}");
        assert_eq!(reply.as_status().message(), message(service));
    }
    assert_eq!(call("/shared.v1.Ledger/Post", "nowhere.example").await.reason(), "NOT_OFFERED");
}

#[tokio::test]
async fn a_retired_version_names_its_replacement() {
    let world = World::new();
    let hub = world.broker().start().await;
    let replacement = "platforms/payments.example/capabilities/ledger/versions/1.1.0";
    let retired = registry::CapabilityVersion {
        stage: Stage::Retired.into(),
        replacement: replacement.into(),
        ..version("ledger", "1.0.0", "pay.v1.Ledger")
    };
    let _old = serve(&world, &world.payments, &hub, "old", retired).await;
    let _new = serve(&world, &world.payments, &hub, "new", version("ledger", "1.1.0", "pay.v1.Ledger")).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary(POST, &[("portolan-version", "=1.0.0")], b"x").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (9, "RETIRED"));
    let status = reply.as_status();
    assert_eq!(status.get_error_details().error_info().unwrap().metadata["replacement"], replacement);
    assert!(status.message().contains(replacement), "{}", status.message());
}

#[tokio::test]
async fn a_producer_that_was_not_renewed_since_the_start_is_stale_until_it_is() {
    let world = World::new();
    let hub = world.broker().start().await;
    let (producer, registered) =
        serve(&world, &world.payments, &hub, "ledger", version("ledger", "1.0.0", "pay.v1.Ledger")).await;
    assert!(hub.drain(Duration::from_secs(10)).await);

    let hub = world.broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let call = |age: &'static str| {
        let consumer = &consumer;
        async move { consumer.unary(POST, &[("portolan-max-staleness", age)], b"x").await.unwrap() }
    };
    assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    assert_eq!(call("1h").await.status(), 0);
    let reply = call("0").await;
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "TOO_STALE"));
    assert!(reply.as_status().message().contains("not renewed since"), "{:?}", reply.as_status());
    assert_eq!(producer.calls(), 2);

    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let lease_id = registered.lease.unwrap().id;
    Registry::new(own.channel()).renew_lease(registry::RenewLeaseRequest { lease_id }).await.unwrap();
    assert_eq!(call("0").await.status(), 0);
}

#[tokio::test]
async fn a_canary_gets_its_share_and_the_others_theirs() {
    let world = World::new();
    let hub = world.broker().start().await;
    let weighed = |v: &str, stage: Stage| registry::CapabilityVersion {
        stage: stage.into(),
        traffic_weight: 500,
        ..version("ledger", v, "pay.v1.Ledger")
    };
    let main = serve(&world, &world.payments, &hub, "main", weighed("1.0.0", Stage::Stable)).await.0;
    let canary = serve(&world, &world.payments, &hub, "canary", weighed("1.1.0", Stage::Beta)).await.0;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..200 {
        assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    }
    // Half of 200 with a standard deviation of 7: these bounds are missed once in 10^8 runs.
    assert!((60..=140).contains(&canary.calls()), "{} of 200", canary.calls());
    assert_eq!(main.calls() + canary.calls(), 200);

    let told = Routing::new(consumer.channel())
        .explain_route(routing::ExplainRouteRequest { method: "pay.v1.Ledger".into(), ..Default::default() })
        .await
        .unwrap()
        .into_inner()
        .explanation
        .unwrap();
    assert_eq!((told.version_rule.as_str(), told.split.join(" ")), ("SPLIT", "1.0.0=500 1.1.0=500".into()));

    canary.stop();
    for _ in 0..20 {
        // A connection that breaks under a call is told to its caller; what cannot be connected is not.
        let reply = consumer.unary(POST, &[], b"x").await.unwrap();
        assert!([0, 14].contains(&reply.status()), "{:?}", reply.as_status());
    }
    for _ in 0..20 {
        assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0, "main is the way out");
    }
}

#[tokio::test]
async fn values_that_nobody_can_read_are_refused_and_never_reach_a_producer() {
    let world = World::new();
    let hub = world.broker().start().await;
    let producer =
        serve(&world, &world.payments, &hub, "ledger", version("ledger", "1.0.0", "pay.v1.Ledger")).await.0;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let long = "1".repeat(10 << 10);
    let comparators = vec!["^1"; 80].join(",");
    let names = ["portolan-platform", "portolan-version", "portolan-max-staleness", "portolan-explain"];
    let mut bad = vec![
        vec![("portolan-version", long.as_str())],
        vec![("portolan-version", comparators.as_str())],
        vec![("portolan-version", "newest")],
        vec![("portolan-platform", "caf\u{e9}.example")],
        vec![("portolan-platform", long.as_str())],
        vec![("portolan-max-staleness", "30")],
        vec![("portolan-max-staleness", "-1s")],
        vec![("portolan-explain", "yes")],
    ];
    bad.extend(names.map(|name| vec![(name, "1"), (name, "1")]));
    for metadata in bad {
        let reply = consumer.unary(POST, &metadata, b"x").await.unwrap();
        let seen = (reply.status(), reply.reason());
        assert_eq!(seen, (3, "BAD_ROUTING_HEADER".into()), "{:.80?}", metadata);
        let message = reply.as_status().message().to_owned();
        assert!(message.starts_with(metadata[0].0) && message.len() < 1024, "{message}");
    }
    assert_eq!(producer.calls(), 0);
}

#[tokio::test]
async fn what_steers_the_broker_is_not_the_producers_to_see() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let names = exchange.request.headers().keys().map(HeaderName::as_str);
        let ours: Vec<_> = names.filter(|name| name.starts_with("portolan-")).collect();
        let head = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "0")
            .header("x-seen", ours.join(" "));
        exchange.respond.send(head.body(()).unwrap(), true).unwrap();
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let asked = [
        ("portolan-version", "^1"),
        ("portolan-platform", "payments.example"),
        ("portolan-max-staleness", "1h"),
        ("portolan-explain", "1"),
        ("portolan-unknown", "x"),
    ];
    let reply = consumer.unary(POST, &asked, b"x").await.unwrap();
    assert_eq!(reply.status(), 0);
    let mut seen: Vec<_> = reply.header("x-seen").split(' ').collect();
    seen.sort();
    assert_eq!(seen, ["portolan-caller", "portolan-via"]);
}
