//! Deadlines of methods: the default, the longest, what a hop keeps back, and one answer when they pass.

use super::stage::{Stage, config, only_status, register, retry_policy, service_config, version};
use crate::fixture::{Consumer, Producer, World, echo, settle};
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::Exchange;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const POST: &str = "/pay.v1.Ledger/Post";

fn millis(seen: &str) -> u64 {
    let (amount, unit) = seen.split_at(seen.len() - 1);
    let amount: u64 = amount.parse().unwrap();
    match unit {
        "n" => amount / 1_000_000,
        "u" => amount / 1000,
        "m" => amount,
        "S" => amount * 1000,
        _ => panic!("{seen}"),
    }
}

async fn seen(facts: &str, asked: Option<&str>) -> u64 {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let stage = Stage::new(world, &[&producer], facts, "[timeouts]\nhop = \"100ms\"").await;
    let metadata: Vec<_> = asked.into_iter().map(|asked| ("grpc-timeout", asked)).collect();
    let reply = stage.consumer.unary(POST, &metadata, b"message").await.unwrap();
    assert_eq!(reply.status(), 0);
    millis(reply.header("seen-grpc-timeout"))
}

#[tokio::test]
async fn a_method_has_a_default_and_a_longest_time_and_the_hop_keeps_its_part() {
    let facts = config("\"defaultTimeout\": \"5s\", \"timeout\": \"20s\"");
    for (asked, most) in [(None, 4900), (Some("10S"), 9900), (Some("99S"), 19_900), (Some("500m"), 450)] {
        let seen = seen(&facts, asked).await;
        assert!(seen <= most && seen > most - most / 5, "{asked:?}: {seen} of {most}");
    }
    let seen = seen(&config("\"timeout\": \"2s\""), None).await;
    assert!(seen <= 1900 && seen > 1500, "the longest is also the default: {seen}");
}

#[tokio::test]
async fn a_default_deadline_ends_both_legs() {
    let world = World::new();
    let (told, mut ended) = tokio::sync::mpsc::channel(1);
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange: Exchange| {
        let told = told.clone();
        async move {
            let Exchange { request: _request, mut respond } = exchange;
            respond.closed().await;
            told.send(()).await.unwrap();
        }
    })
    .await;
    let stage = Stage::new(world, &[&producer], &config("\"timeout\": \"0.3s\""), "").await;
    let reply = stage.consumer.unary(POST, &[], b"message").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (4, "DEADLINE_EXCEEDED"));
    tokio::time::timeout(Duration::from_secs(10), ended.recv()).await.unwrap();
}

#[tokio::test]
async fn a_deadline_that_passes_during_a_pause_is_told_once() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        only_status(exchange, 14, &[]);
    })
    .await;
    let stage = Stage::new(world, &[&producer], &config(&retry_policy("30s")), "").await;
    let begin = Instant::now();
    let reply = stage.consumer.unary(POST, &[("grpc-timeout", "300m")], b"message").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (4, "DEADLINE_EXCEEDED"));
    assert!(reply.is_one_frame && begin.elapsed() < Duration::from_secs(10));
    assert_eq!(settle(&producer.calls).await, 1);
}

#[tokio::test]
async fn a_method_that_waits_is_answered_by_whoever_comes_meanwhile() {
    let world = World::new();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hub = world.broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let stage = Stage { world, hub, consumer };
    let waits = registry::CapabilityVersion {
        service_config: service_config("\"waitForReady\": true"),
        ..version("1.0.0")
    };
    register((&stage.world, &stage.hub), "ledger-1", nobody, waits.clone()).await;

    let waiting =
        stage.consumer.unary(POST, &[("grpc-timeout", "15S"), ("portolan-explain", "1")], b"message");
    let coming = async {
        // Long enough for the first dial to fail.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let world = &stage.world;
        let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
        register((world, &stage.hub), "ledger-2", producer.address, waits).await;
        producer
    };
    let (reply, producer) = tokio::join!(waiting, coming);
    let reply = reply.unwrap();
    assert_eq!((reply.status(), producer.calls()), (0, 1));
    let route = reply.trailers["portolan-route"].to_str().unwrap();
    assert!(route.ends_with(&format!("producers/ledger-2; endpoint={}", producer.address)), "{route}");

    // It waits no longer than its deadline.
    producer.stop();
    let begin = Instant::now();
    let reply = loop {
        let reply = stage.consumer.unary(POST, &[("grpc-timeout", "500m")], b"message").await.unwrap();
        assert!(begin.elapsed() < Duration::from_secs(10));
        if reply.status() == 4 {
            break reply;
        }
    };
    assert_eq!(reply.reason(), "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn a_method_that_waits_is_answered_when_its_producer_comes() {
    let world = World::new();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let identity = world.payments.id("/ledger");
    let gone = Producer::elsewhere(address, identity, Default::default(), Default::default());
    let stage = Stage::new(world, &[&gone], &config("\"waitForReady\": true"), "").await;
    let coming = async {
        // Long enough for the first dial to fail.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (socket, world) = (TcpListener::bind(address).await.unwrap(), &stage.world);
        Producer::start_on(socket, &world.payments, &world.hub, ("/ledger", Default::default()), echo)
    };
    let waiting = stage.consumer.unary(POST, &[("grpc-timeout", "15S")], b"message");
    let (reply, _producer) = tokio::join!(waiting, coming);
    assert_eq!(reply.unwrap().status(), 0);
}
