//! Many at once, and the slow (attacks.md H1, H6, Q1): what one takes is not taken from another.

use super::floods::request;
use super::raw::*;
use super::stage::{Neighbour, Stage};
use crate::fixture::{Consumer, Producer, World, echo, frame as message, read};
use http::Response;
use portolan::transport::{Exchange, Settings};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

const POST: &str = "/pay.v1.Ledger/Post";

#[tokio::test]
async fn a_rapid_reset_over_many_connections_harms_no_neighbour() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let mut attackers = Vec::new();
    for _ in 0..20 {
        attackers.push(stage.attacker().await);
    }
    let flood: Vec<u8> = (0..2_000u32)
        .map(|n| 2 * n + 1)
        .flat_map(|id| {
            let reset = frame(RST_STREAM, 0, id, &8u32.to_be_bytes());
            [frame(HEADERS, END_HEADERS, id, &request()), reset].concat()
        })
        .collect();
    let floods = attackers.into_iter().map(|attacker| attacker.flood(flood.clone()));
    let ends = futures::future::join_all(floods).await;
    neighbour.is_unharmed("twenty rapid resets").await;
    stage.left_with(1).await;
    let calm = super::end::End::Goaway(super::end::ENHANCE_YOUR_CALM);
    assert!(ends.iter().all(|end| *end == calm), "{ends:?}");
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_those_within_live() {
    let stage = Stage::new("[limits]\nconnections = 4").await;
    let neighbour = stage.neighbour().await;
    let mut within = Vec::new();
    for n in 0..3 {
        within.push(Consumer::connect(&stage.world.ml, &format!("/app-{n}"), &stage.hub).await);
    }
    for _ in 0..50 {
        let over = Consumer::try_connect(&stage.world.ml, "/over", &stage.hub, &Settings::default()).await;
        assert!(over.is_err());
    }
    neighbour.is_unharmed("too many connections").await;
    for consumer in &within {
        assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    }
    within.pop().unwrap().die();
    stage.left_with(3).await;
    let again = Consumer::connect(&stage.world.ml, "/again", &stage.hub).await;
    assert_eq!(again.unary(POST, &[], b"x").await.unwrap().status(), 0);
}

#[tokio::test]
async fn who_connects_and_says_nothing_takes_no_turn_of_a_handshake() {
    let stage = Stage::new("[limits]\nhandshakes = 1\n[timeouts]\nhandshake = \"1m\"\n").await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(tokio::net::TcpStream::connect(stage.hub.address).await.unwrap());
    }
    let late = timeout(Duration::from_secs(20), Consumer::connect(&stage.world.data, "/late", &stage.hub));
    let consumer = late.await.expect("its turn comes while the others are silent");
    assert_eq!(consumer.unary(POST, &[], b"hello").await.unwrap().status(), 0);
}

#[tokio::test]
async fn a_body_that_drips_ends_with_its_deadline() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let consumer = Consumer::connect(&stage.world.ml, "/slow", &stage.hub).await;
    for path in [POST, "/portolan.catalog.v1.CatalogService/ListPlatforms"] {
        let (response, mut send) = consumer.open(path, &[("grpc-timeout", "400m")]);
        let drip = async {
            for _ in 0..1000 {
                if send.frame(bytes::Bytes::from_static(&[0]), false).await.is_err() {
                    return;
                }
                // As slow as it wants to be.
                sleep(Duration::from_millis(20)).await;
            }
        };
        let begin = Instant::now();
        let reply = tokio::select! {
            reply = read(response) => reply.unwrap(),
            () = async { drip.await; std::future::pending().await } => unreachable!(),
        };
        assert_eq!(reply.status(), 4, "{path}");
        assert!(begin.elapsed() < Duration::from_secs(3), "{path}");
    }
    neighbour.is_unharmed("a slow body").await;
}

/// One organisation takes every stream that a producer allows and holds it: another has streams of its own.
#[tokio::test]
async fn who_takes_every_stream_takes_none_of_anothers() {
    let world = World::new();
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let wait = move |exchange: Exchange| {
        let gate = held.clone();
        async move {
            if exchange.request.uri().path() == POST {
                return echo(exchange).await;
            }
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let Ok(mut send) = exchange.respond.send(head, false) else { return };
            tokio::select! {
                _ = gate.acquire() => {}
                _ = send.closed() => {}
            }
        }
    };
    let narrow = Settings { max_concurrent_streams: 4, ..Settings::default() };
    let producer = Producer::start_with(&world.payments, &world.hub, "/ledger", narrow, wait).await;
    let stage = Stage::over(world, producer, "").await;
    let greedy = Consumer::connect(&stage.world.ml, "/greedy", &stage.hub).await;
    let mut open = Vec::new();
    // 32 connections are the most that the broker opens for one organisation.
    for _ in 0..140 {
        open.push(greedy.open("/pay.v1.Ledger/Hold", &[]));
    }
    let begin = Instant::now();
    let refused = timeout(Duration::from_secs(5), greedy.unary(POST, &[], b"x")).await;
    let refused = refused.expect("it is told and does not wait for ever").unwrap();
    assert!([8, 14].contains(&refused.status()), "{:?}", refused.as_status());
    assert!(!refused.reason().is_empty() && begin.elapsed() < Duration::from_secs(5));
    // Other organisations are served meanwhile, and well.
    let neighbour = stage.neighbour().await;
    neighbour.is_unharmed("a greedy consumer of another organisation").await;
    drop(open);
    let again = async {
        while greedy.unary(POST, &[], b"x").await.unwrap().status() != 0 {
            // The resets are on their way through two sockets, and paced.
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), again).await.expect("what was given back can be taken again");
}

/// One organisation lets every answer wait unread: what the broker holds for it is bounded, and others are served.
#[tokio::test]
async fn who_reads_nothing_holds_up_nobody_else() {
    let world = World::new();
    let flood = |exchange: Exchange| async move {
        if exchange.request.uri().path() == POST {
            return echo(exchange).await;
        }
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let Ok(mut send) = exchange.respond.send(head, false) else { return };
        while send.frame(message(&vec![1; 16 * 1024 - 5]), false).await.is_ok() {}
    };
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", flood).await;
    let stage = Stage::over(world, producer, "[limits]\nstream_window = \"64KiB\"").await;
    let small = Settings { stream_window: 64 * 1024, ..Settings::default() };
    let slow = Consumer::try_connect(&stage.world.ml, "/slow", &stage.hub, &small).await.unwrap();
    let mut stalled = Vec::new();
    for _ in 0..200 {
        let (response, send) = slow.open("/pay.v1.Ledger/Flood", &[]);
        stalled.push((response.await.unwrap(), send));
    }
    let neighbour = stage.neighbour().await;
    neighbour.is_unharmed("two hundred answers that nobody reads").await;
    // One of the same organisation is served too.
    let same = Consumer::connect(&stage.world.ml, "/same", &stage.hub).await;
    let same = Neighbour::start(same, POST);
    same.is_unharmed("two hundred answers that a colleague does not read").await;
}
