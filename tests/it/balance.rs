//! What a caller sees when one producer of several is slow, hung or failing: traffic moves away, and comes back.

use crate::fixture::{Consumer, Hub, Producer, World, answer_ok};
use crate::resilience::stage::declared;
use http::Response;
use portolan::client::pb::portolan::routing::v1 as routing;
use portolan::transport::Exchange;
use portolan::wire::pb::portolan::status::v1::GetFederationStatusRequest;
use portolan::wire::pb::portolan::status::v1::status_service_client::StatusServiceClient;
use routing::routing_service_client::RoutingServiceClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::{Duration, Instant};

const POST: &str = "/pay.v1.Ledger/Post";
const SOON: [(&str, &str); 1] = [("grpc-timeout", "1200m")];
/// Short enough for a test to see an ejection end.
const QUICK: &str = "[outliers]\nbase_ejection = \"1s\"\ninterval = \"300ms\"\n[balance]\nslow_start = \"0s\"\ndecay = \"1s\"";

const WELL: u8 = 0;
const SLOW: u8 = 1;
const UNAVAILABLE: u8 = 2;
const HUNG: u8 = 3;

/// Three endpoints of one version, each with manners that a test changes.
struct Stage {
    _world: World,
    _hub: Hub,
    consumer: Consumer,
    producers: [Producer; 3],
    manners: [Arc<AtomicU8>; 3],
}

impl Stage {
    async fn new(config: &str, facts: &str) -> Self {
        let world = World::new();
        let manners: [Arc<AtomicU8>; 3] = Default::default();
        let [a, b, c] = &manners;
        let producers =
            [producer(&world, a, 0).await, producer(&world, b, 1).await, producer(&world, c, 2).await];
        let text = declared(&world, &producers.each_ref(), facts);
        let hub = world.broker().with(config).with(&text).start().await;
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        Self { _world: world, _hub: hub, consumer, producers, manners }
    }

    fn becomes(&self, producer: usize, manner: u8) {
        self.manners[producer].store(manner, SeqCst);
    }

    /// So many calls one after the other: how many failed, and how many each producer got.
    async fn calls(&self, count: usize) -> (usize, [usize; 3]) {
        let before = self.counts();
        let mut failed = 0;
        for _ in 0..count {
            failed += usize::from(self.consumer.unary(POST, &SOON, b"x").await.unwrap().status() != 0);
        }
        let after = self.counts();
        (failed, std::array::from_fn(|at| after[at] - before[at]))
    }

    fn counts(&self) -> [usize; 3] {
        std::array::from_fn(|at| self.producers[at].calls())
    }

    /// Calls until a producer gets some again. The rest is the clock's: an ejection has to end.
    async fn until_called(&self, producer: usize) {
        let begun = Instant::now();
        while self.calls(20).await.1[producer] == 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never came back");
            // An ejection lasts a real second at least.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn explained(&self) -> Vec<routing::Candidate> {
        let request = routing::ExplainRouteRequest { method: POST.into(), ..Default::default() };
        let answer = RoutingServiceClient::new(self.consumer.channel()).explain_route(request).await.unwrap();
        answer.into_inner().explanation.unwrap().candidates
    }
}

async fn producer(world: &World, manner: &Arc<AtomicU8>, number: u8) -> Producer {
    let manner = manner.clone();
    Producer::start(&world.payments, &world.hub, "/ledger", move |exchange| {
        let manner = manner.load(SeqCst);
        async move { answer(exchange, manner, number).await }
    })
    .await
}

async fn answer(mut exchange: Exchange, manner: u8, number: u8) {
    match manner {
        // The producer's own slowness, which is what is tested.
        SLOW => tokio::time::sleep(Duration::from_millis(100)).await,
        UNAVAILABLE => {
            let head =
                Response::builder().header("content-type", "application/grpc").header("grpc-status", "14");
            let _ = exchange.respond.send(head.body(()).unwrap(), true);
            return;
        }
        HUNG => {
            exchange.respond.closed().await;
            return;
        }
        _ => {}
    }
    answer_ok(exchange, vec![number].into()).await;
}

#[tokio::test]
async fn all_three_are_used_while_all_are_well() {
    let stage = Stage::new("", "").await;
    let (failed, went) = stage.calls(150).await;
    assert_eq!(failed, 0);
    assert!(went.iter().all(|calls| *calls > 15), "{went:?}");
}

#[tokio::test]
async fn a_producer_that_says_unavailable_is_ejected_explained_and_taken_back() {
    let stage = Stage::new(
        "[outliers]\nbase_ejection = \"4s\"\n[balance]\ndecay = \"100ms\"\nslow_start = \"0s\"",
        "",
    )
    .await;
    stage.calls(30).await;
    stage.becomes(1, UNAVAILABLE);
    // Its cost fades within the test's patience, so that it fails five times.
    let begun = Instant::now();
    let mut failed = 0;
    let ejected = loop {
        failed += stage.calls(10).await.0;
        let ejected: Vec<_> = stage
            .explained()
            .await
            .into_iter()
            .filter(|c| c.outcome() == routing::Outcome::Ejected)
            .collect();
        if !ejected.is_empty() {
            break ejected;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "never ejected after {failed} failures");
        // The sweep compares by its own clock, which is real.
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(failed <= 8, "{failed} failures until it was ejected");
    assert_eq!(ejected[0].endpoint, stage.producers[1].address.to_string());
    assert!(ejected[0].reason.contains("5 calls in a row failed"), "{}", ejected[0].reason);

    let (failed, went) = stage.calls(60).await;
    assert_eq!((failed, went[1]), (0, 0), "{went:?}");
    let mut status = StatusServiceClient::new(stage.consumer.channel());
    let told = loop {
        let answer = status.get_federation_status(GetFederationStatusRequest::default()).await.unwrap();
        let told = format!("{:?}", answer.into_inner());
        if told.contains("EJECTED") || begun.elapsed() > Duration::from_secs(30) {
            break told;
        }
        // The status is folded once a second.
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(told.contains("EJECTED"), "{told}");

    stage.becomes(1, WELL);
    stage.until_called(1).await;
    assert!(stage.explained().await.iter().all(|c| c.outcome() != routing::Outcome::Ejected));
}

#[tokio::test]
async fn a_slow_producer_gets_little_until_it_is_quick_again() {
    let stage = Stage::new(QUICK, "").await;
    stage.calls(30).await;
    stage.becomes(2, SLOW);
    let (failed, went) = stage.calls(300).await;
    assert!(failed == 0 && went[2] <= 15, "{went:?}");
    stage.becomes(2, WELL);
    stage.until_called(2).await;
}

#[tokio::test]
async fn a_hung_producer_costs_few_calls_and_comes_back() {
    let stage = Stage::new(QUICK, "").await;
    stage.calls(30).await;
    stage.becomes(0, HUNG);
    let calls = (0..200).map(|nth| {
        let consumer = &stage.consumer;
        async move {
            // A call each 10 ms: the load of the test, not a wait for something.
            tokio::time::sleep(Duration::from_millis(nth * 10)).await;
            consumer.unary(POST, &SOON, b"x").await.unwrap().status()
        }
    });
    let statuses = futures::future::join_all(calls).await;
    let failed = statuses.iter().filter(|status| **status != 0).count();
    assert!(failed <= 12, "{failed} of 200 failed");
    stage.becomes(0, WELL);
    stage.until_called(0).await;
}

#[tokio::test]
async fn a_full_producer_lets_calls_wait_for_a_while_and_then_they_are_unavailable() {
    let breaker = "[breaker]\nconcurrent = 1\npending = 1\npending_timeout = \"300ms\"";
    let stage = Stage::new(breaker, "").await;
    (0..3).for_each(|at| stage.becomes(at, HUNG));
    let hung: Vec<_> = (0..3).map(|_| stage.consumer.open(POST, &[])).collect();
    while stage.counts().iter().sum::<usize>() < 3 {
        // Until each has one.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(stage.counts(), [1, 1, 1], "the others are chosen before anybody waits");
    let begun = Instant::now();
    let reply = stage.consumer.unary(POST, &[], b"x").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "PRODUCER_BUSY"), "{:?}", reply.as_status());
    assert!(begun.elapsed() >= Duration::from_millis(300));
    (0..3).for_each(|at| stage.becomes(at, WELL));
    drop(hung);
    assert_eq!(stage.consumer.unary(POST, &SOON, b"x").await.unwrap().status(), 0);
}

#[tokio::test]
async fn calls_of_one_key_stay_with_one_producer() {
    let stage = Stage::new("", "sticky_key = \"session-id\"").await;
    let mut homes = std::collections::BTreeSet::new();
    for session in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let mut home = None;
        for _ in 0..10 {
            let reply = stage.consumer.unary(POST, &[("session-id", session)], b"x").await.unwrap();
            let at = reply.body[5];
            assert_eq!(*home.get_or_insert(at), at, "{session}");
        }
        homes.extend(home);
    }
    assert!(homes.len() > 1, "{homes:?}");
    let (_, went) = stage.calls(60).await;
    assert!(went.iter().all(|calls| *calls > 0), "without a key: {went:?}");
}
