//! Calls that ask why they went where they went, and the RPC that tells it beforehand.

use super::registered::{Routing, serve, version};
use crate::fixture::{Consumer, Hub, Producer, World, echo, frame, read};
use bytes::Bytes;
use http::{HeaderMap, Response};
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::client::pb::portolan::routing::v1 as routing;
use portolan::transport::Exchange;

const POST: &str = "/pay.v1.Ledger/Post";
const EXPLAIN: [(&str, &str); 1] = [("portolan-explain", "1")];
const TOLD: [&str; 3] = ["portolan-route", "portolan-decision", "portolan-timing"];

async fn explained(consumer: &Consumer, service: &str) -> routing::RouteExplanation {
    let request = routing::ExplainRouteRequest { method: format!("{service}/Any"), ..Default::default() };
    let answer = Routing::new(consumer.channel()).explain_route(request).await.unwrap();
    answer.into_inner().explanation.unwrap()
}

/// The three trailers; each stands there once.
fn told(trailers: &HeaderMap) -> [String; 3] {
    TOLD.map(|name| {
        let values: Vec<_> = trailers.get_all(name).iter().map(|v| v.to_str().unwrap().to_owned()).collect();
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0].clone()
    })
}

async fn ledger(world: &World) -> (Producer, Hub) {
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    (producer, hub)
}

#[tokio::test]
async fn a_call_tells_its_route_in_trailers_as_the_rpc_does_and_only_when_asked() {
    let world = World::new();
    let (producer, hub) = ledger(&world).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;

    let quiet = consumer.unary(POST, &[], b"x").await.unwrap();
    let loud = consumer.unary(POST, &EXPLAIN, b"x").await.unwrap();
    assert_eq!((loud.status(), loud.body), (0, quiet.body));
    let [route, decision, timing] = told(&loud.trailers);
    let endpoint = producer.address;
    assert!(route.starts_with("broker=hub-1; revision="), "{route}");
    assert!(
        route.ends_with(&format!(
            "; platform=payments.example; version=platforms/payments.example/capabilities/ledger/versions/1.0.0; \
             producer=platforms/payments.example/producers/ledger; endpoint={endpoint}"
        )),
        "{route}"
    );
    assert!(decision.starts_with("owner=ONLY_CLAIM; version=ONLY_ROUTABLE; policy="), "{decision}");
    let steps: Vec<_> = timing.split("; ").map(|step| step.split_once('=').unwrap()).collect();
    let names: Vec<_> = steps.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["decided", "connected", "first_byte", "total"]);
    let micros: Vec<u64> = steps.iter().map(|(_, micros)| micros.parse().unwrap()).collect();
    assert!(micros.is_sorted(), "{timing}");

    // All else is byte for byte the same.
    let mut trailers = loud.trailers.clone();
    TOLD.iter().for_each(|name| drop(trailers.remove(*name)));
    assert_eq!(trailers, quiet.trailers);
    let strip = |headers: &HeaderMap| {
        let mut headers = headers.clone();
        headers.remove("seen-traceparent");
        headers
    };
    assert_eq!(strip(&loud.head.headers), strip(&quiet.head.headers));

    let rpc = explained(&consumer, "pay.v1.Ledger").await;
    assert_eq!((rpc.owner_rule.as_str(), rpc.version_rule.as_str()), ("ONLY_CLAIM", "ONLY_ROUTABLE"));
    assert_eq!(rpc.candidates[0].endpoint, endpoint.to_string());
    assert_eq!(rpc.candidates[0].outcome(), routing::Outcome::Chosen);
    assert!(route.contains(&format!("revision={};", rpc.revision)), "{route}");
}

#[tokio::test]
async fn a_stream_tells_it_at_its_end() {
    let world = World::new();
    let (_producer, hub) = ledger(&world).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.open("/pay.v1.Ledger/Chat", &EXPLAIN);
    for n in 0..10 {
        send.frame(frame(&[n; 100]), false).await.unwrap();
    }
    send.frame(Bytes::new(), true).await.unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!((reply.status(), reply.body.len()), (0, 1050));
    assert!(!reply.head.headers.contains_key("portolan-route"));
    told(&reply.trailers);
}

#[tokio::test]
async fn a_producer_cannot_forge_it_and_trailers_only_stay_one_frame() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let mut head =
            Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
        for name in TOLD {
            head = head.header(name, "forged");
        }
        exchange.respond.send(head.body(()).unwrap(), true).unwrap();
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary(POST, &EXPLAIN, b"x").await.unwrap();
    assert_eq!((reply.status(), reply.is_one_frame), (5, true));
    assert!(told(&reply.head.headers).iter().all(|value| !value.contains("forged")));
    let reply = consumer.unary(POST, &[], b"x").await.unwrap();
    assert!(TOLD.iter().all(|name| !reply.head.headers.contains_key(*name)), "nor unasked");
}

#[tokio::test]
async fn what_the_broker_ends_is_explained_too() {
    let world = World::new();
    let (producer, hub) = ledger(&world).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;

    let reply = consumer.unary("/nobody.v1.Nothing/Do", &EXPLAIN, b"").await.unwrap();
    assert_eq!((reply.status(), reply.is_one_frame), (12, true));
    let [route, decision, timing] = told(&reply.head.headers);
    assert!(!route.contains("platform=") && decision == "refused=NO_OWNER", "{route} {decision}");
    assert!(timing.starts_with("decided=") && !timing.contains("connected="), "{timing}");

    let out_of_range = [EXPLAIN[0], ("portolan-version", "^9")];
    let reply = consumer.unary(POST, &out_of_range, b"").await.unwrap();
    let [_, decision, _] = told(&reply.head.headers);
    assert!(
        decision.starts_with("owner=ONLY_CLAIM; refused=NO_VERSION_IN_RANGE; WRONG_VERSION="),
        "{decision}"
    );

    producer.stop();
    let decision = loop {
        let reply = consumer.unary(POST, &EXPLAIN, b"").await.unwrap();
        if reply.status() == 14 && reply.reason() == "NO_CONNECTION" {
            break told(&reply.head.headers)[1].clone();
        }
    };
    assert!(decision.starts_with(&format!("tried={} ", producer.address)), "{decision}");
}

#[tokio::test]
async fn a_deadline_in_the_middle_of_a_stream_is_explained_in_its_trailers() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let head = Response::builder().header("content-type", "application/grpc");
        let mut send = exchange.respond.send(head.body(()).unwrap(), false).unwrap();
        send.frame(frame(b"first"), false).await.unwrap();
        send.closed().await;
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let metadata = [EXPLAIN[0], ("grpc-timeout", "300m")];
    let reply = consumer.unary("/pay.v1.Ledger/Watch", &metadata, b"").await.unwrap();
    assert_eq!(reply.status(), 4);
    assert!(told(&reply.trailers)[2].contains("first_byte="));
}

#[tokio::test]
async fn a_service_that_is_hidden_reads_as_one_that_does_not_exist() {
    let world = World::new();
    let hub = world.broker().start().await;
    let hidden = registry::CapabilityVersion {
        visibility: vec!["data.example".into()],
        ..version("ledger", "1.0.0", "pay.v1.Hidden")
    };
    let _producer = serve(&world, &world.payments, &hub, "ledger", hidden).await;
    let stranger = Consumer::connect(&world.ml, "/app", &hub).await;
    let (hidden, absent) =
        (explained(&stranger, "pay.v1.Hidden").await, explained(&stranger, "pay.v1.Absent").await);
    let text = format!("{hidden:?}").replace("pay.v1.Hidden", "pay.v1.Absent");
    assert_eq!(text, format!("{absent:?}"));
    assert_eq!((absent.refusal_reason.as_str(), absent.candidates.len()), ("NO_OWNER", 0));

    let guest = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(
        explained(&guest, "pay.v1.Hidden").await.policy,
        "the visibility of payments.example names data.example"
    );
    assert_eq!(explained(&guest, "grpc.health.v1.Health").await.refusal_reason, "OWN_SERVICE");
}

#[tokio::test]
async fn many_candidates_fit_into_a_header() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().start().await;
    for n in 0..60 {
        let declared = version("ledger", &format!("1.{n}.0"), "pay.v1.Ledger");
        let _gone = serve(&world, &world.payments, &hub, &format!("p{n}"), declared).await;
    }
    drop(producer);
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary(POST, &[EXPLAIN[0], ("portolan-version", "^9")], b"x").await.unwrap();
    let [_, decision, _] = told(&reply.head.headers);
    assert!(decision.len() < 2100 && decision.contains("; cut="), "{} {decision}", decision.len());
    let rpc = explained(&consumer, "pay.v1.Ledger").await;
    assert_eq!(rpc.candidates.len() + rpc.omitted_candidates as usize, 60);
}
