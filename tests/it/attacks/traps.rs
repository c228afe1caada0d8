//! The traps of dependencies.md §1 to §3, each by its number there: that we do not fall into it.

use super::raw::{GOAWAY, GREETING, PREFACE};
use super::stage::Stage;
use crate::fixture::{Consumer, Hub, Organisation, Producer, World, answer_ok, echo, frame, read, settle};
use bytes::Bytes;
use http::Response;
use portolan::lifecycle;
use portolan::model::TrustDomain;
use portolan::transport::{Exchange, Settings};
use portolan::wire::pb::portolan::status::v1::GetFederationStatusRequest;
use portolan::wire::pb::portolan::status::v1::status_service_client::StatusServiceClient;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

const POST: &str = "/pay.v1.Ledger/Post";

/// A head, and nothing more for as long as anybody waits.
async fn hang(exchange: Exchange) {
    let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    if let Ok(mut send) = exchange.respond.send(head, false) {
        send.closed().await;
    }
}

async fn ledger(world: &World, producer: &Producer, config: &str) -> Hub {
    world
        .broker()
        .producer(&world.payments, "ledger", producer, &["pay.v1.Ledger"])
        .with(config)
        .start()
        .await
}

#[tokio::test]
async fn trap_1_1_an_expired_deadline_is_enforced_and_never_cancelled() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", hang).await;
    let hub = ledger(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for path in [POST, "/portolan.status.v1.StatusService/WatchStatus"] {
        let reply = consumer.unary(path, &[("grpc-timeout", "200m")], b"").await.unwrap();
        assert_eq!((reply.status(), reply.reason().as_str()), (4, "DEADLINE_EXCEEDED"), "{path}");
    }
}

#[tokio::test]
async fn trap_1_2_a_drain_says_goodbye_ends_in_time_and_one_connection_can_be_cut() {
    let stage = Stage::new("").await;
    let other = Consumer::connect(&stage.world.data, "/other", &stage.hub).await;
    assert_eq!(other.unary(POST, &[], b"").await.unwrap().status(), 0);
    let cut = Consumer::connect(&stage.world.ml, "/cut", &stage.hub).await;
    assert_eq!(cut.unary(POST, &[], b"").await.unwrap().status(), 0);
    let connections = stage.hub.broker.as_ref().unwrap().connections().clone();
    assert_eq!(connections.cut(|identity| identity.trust_domain.as_str() == "ml.example"), 1);
    timeout(Duration::from_secs(5), cut.connection.closed()).await.unwrap();
    assert_eq!(other.unary(POST, &[], b"").await.unwrap().status(), 0, "its neighbour lives");

    let mut raw = stage.silent_attacker().await;
    raw.send(&[PREFACE, GREETING].concat()).await;
    // A call that does not end by itself.
    let (response, _send) = other.open(POST, &[]);
    assert_eq!(response.await.unwrap().status(), 200);
    let begin = Instant::now();
    let drained = lifecycle::spawn("test drain", async move {
        assert!(!stage.hub.drain(Duration::from_secs(1)).await, "a call was still open");
    });
    let goodbye = async {
        while let Some(frame) = raw.next().await {
            if frame.kind == GOAWAY {
                return frame.payload[4..8].to_vec();
            }
        }
        panic!("the connection closed without GOAWAY");
    };
    assert_eq!(timeout(Duration::from_secs(5), goodbye).await.unwrap(), [0; 4]);
    drained.await.unwrap();
    assert!(begin.elapsed() < Duration::from_secs(8));
}

#[tokio::test]
async fn trap_1_3_a_service_is_the_brokers_or_a_producers_never_both() {
    let stage = Stage::new("").await;
    let consumer = Consumer::connect(&stage.world.data, "/app", &stage.hub).await;
    let reply = consumer.unary("/grpc.health.v1.Health/Invented", &[], b"").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (12, "UNKNOWN_METHOD"));
    let reply = consumer.unary("/pay.v1.Ledger/Invented", &[], b"").await.unwrap();
    assert_eq!(reply.status(), 0, "a producer's methods are the producer's to know");
}

#[tokio::test]
async fn trap_1_4_stalled_readers_do_not_freeze_others_on_the_shared_connection() {
    let world = World::new();
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let flood = move |exchange: Exchange| {
        let sent = counted.clone();
        async move {
            if exchange.request.uri().path().ends_with("/Get") {
                return answer_ok(exchange, Bytes::from_static(b"quick")).await;
            }
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            let Ok(mut send) = exchange.respond.send(head, false) else { return };
            let message = frame(&vec![1; (16 << 10) - 5]);
            while send.frame(message.clone(), false).await.is_ok() {
                sent.fetch_add(message.len(), Ordering::SeqCst);
            }
        }
    };
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", flood).await;
    let hub = ledger(&world, &producer, "").await;
    let mut stalled = Vec::new();
    for n in 0..6 {
        let consumer = Consumer::connect(&world.data, &format!("/slow-{n}"), &hub).await;
        let (response, send) = consumer.open("/pay.v1.Ledger/Flood", &[]);
        stalled.push((response.await.unwrap(), send, consumer));
    }
    // All of one tenant, so that they share the way to the producer. The bytes that can move have to move first.
    let moved = settle(&sent).await;
    assert!(
        moved >= 6 * Settings::default().stream_window as usize,
        "every reader's window is full: {moved}"
    );
    let quick = Consumer::connect(&world.data, "/quick", &hub).await;
    let reply = quick.unary("/pay.v1.Ledger/Get", &[("grpc-timeout", "2S")], b"").await.unwrap();
    assert_eq!(reply.status(), 0);
}

#[tokio::test]
async fn trap_1_5_no_call_queues_for_a_stream_that_nobody_has() {
    let world = World::new();
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let wait = move |exchange: Exchange| {
        let gate = opened.clone();
        async move {
            let _permit = gate.acquire().await;
            answer_ok(exchange, Bytes::new()).await;
        }
    };
    let narrow = Settings { max_concurrent_streams: 2, ..Settings::default() };
    let producer = Producer::start_with(&world.payments, &world.hub, "/ledger", narrow, wait).await;
    let hub = ledger(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let mut calls = Vec::new();
    // Two on each of as many connections as one endpoint may have.
    for _ in 0..64 {
        let (response, mut send) = consumer.open(POST, &[]);
        send.frame(frame(b""), true).await.unwrap();
        calls.push(response);
    }
    let arrived = async {
        while producer.calls() < 64 {
            // Frames are on their way through two sockets.
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), arrived).await.expect("more connections are opened for more streams");
    // All connections are full: the next waits for a bounded time (breaker.pending_timeout) and is told.
    let reply = timeout(Duration::from_secs(5), consumer.unary(POST, &[], b"")).await.unwrap().unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "PRODUCER_BUSY"));
    gate.add_permits(64);
    for call in calls {
        assert_eq!(read(call).await.unwrap().status(), 0);
    }
}

#[tokio::test]
async fn trap_1_6_a_producer_that_refuses_our_certificate_is_not_up() {
    let world = World::new();
    // It trusts nobody but its own organisation, which in TLS 1.3 shows only after the handshake seems done.
    let producer = Producer::start(&world.payments, &world.payments, "/ledger", echo).await;
    let hub = ledger(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary(POST, &[("grpc-timeout", "5S")], b"").await.unwrap();
    assert_eq!(reply.status(), 14);
    assert_eq!(producer.calls(), 0);
    let mut status = StatusServiceClient::new(consumer.channel());
    let reason = async {
        loop {
            let whole = status.get_federation_status(GetFederationStatusRequest {}).await.unwrap();
            let whole = whole.into_inner().status.unwrap();
            let reason = whole.condition.unwrap().reason;
            if reason != "NOT_OBSERVED" {
                assert_eq!(whole.unreachable, ["platforms/payments.example/producers/ledger"]);
                return reason;
            }
            // The prober looks by its own clock.
            sleep(Duration::from_millis(20)).await;
        }
    };
    let reason = timeout(Duration::from_secs(10), reason).await.unwrap();
    assert!(["HANDSHAKE_FAILED", "HTTP2_FAILED"].contains(&reason.as_str()), "{reason}");
}

/// A wire that can be cut without either side noticing.
struct Wire {
    address: SocketAddr,
    holds: watch::Sender<bool>,
}

impl Wire {
    async fn to(target: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (holds, held) = watch::channel(true);
        lifecycle::spawn("test wire", async move {
            loop {
                let (near, _) = socket.accept().await.unwrap();
                let mut held = held.clone();
                lifecycle::spawn("test wire", async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    let (mut near, mut far) = (near, far);
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        () = async { drop(held.wait_for(|holds| !holds).await) } => {}
                    }
                    // Neither closed nor moved.
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { address, holds }
    }
}

#[tokio::test]
async fn trap_1_7_a_partition_is_noticed_and_after_it_calls_pass_again() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", hang).await;
    let wire = Wire::to(producer.address).await;
    let listed = Producer::elsewhere(
        wire.address,
        producer.identity.clone(),
        producer.calls.clone(),
        CancellationToken::new(),
    );
    let config = "[timeouts]\nkeepalive_interval = \"1s\"\nkeepalive_timeout = \"1s\"";
    let hub = ledger(&world, &listed, config).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, _send) = consumer.open(POST, &[]);
    let response = response.await.unwrap();
    wire.holds.send_replace(false);
    let (_, mut body) = response.into_parts();
    let ended = async {
        assert!(body.frame().await.is_none());
        body.trailers().await.unwrap().unwrap()
    };
    let trailers = timeout(Duration::from_secs(6), ended).await.expect("keepalive notices");
    assert_eq!(trailers["grpc-status"], "14");

    wire.holds.send_replace(true);
    let healed = async {
        loop {
            let (response, _send) = consumer.open(POST, &[]);
            let head = response.await.unwrap();
            if !head.headers().contains_key("grpc-status") {
                return;
            }
            // The pool dials again after its own pause.
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(15), healed).await.expect("calls pass again");
}

#[tokio::test]
async fn trap_3_1_a_foreign_authority_makes_no_identity_of_another_domain() {
    let stage = Stage::new("").await;
    // Another CA that calls itself ml.example: its certificates say what the real ones say.
    let dir = tempfile::tempdir().unwrap();
    let forger = Organisation::new(dir.path(), "ml.example");
    let forged = Consumer::try_connect(&forger, "/app", &stage.hub, &Settings::default()).await;
    assert!(forged.is_err());
    let honest = Consumer::connect(&stage.world.ml, "/app", &stage.hub).await;
    assert_eq!(honest.unary(POST, &[], b"").await.unwrap().status(), 0);
}

#[tokio::test]
async fn trap_3_4_an_open_connection_ends_when_its_authority_is_no_longer_believed() {
    let stage = Stage::new("").await;
    let ends = Consumer::connect(&stage.world.ml, "/app", &stage.hub).await;
    let stays = Consumer::connect(&stage.world.data, "/app", &stage.hub).await;
    for consumer in [&ends, &stays] {
        assert_eq!(consumer.unary(POST, &[], b"").await.unwrap().status(), 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let new = Organisation::new(dir.path(), TrustDomain::parse("ml.example").unwrap().as_str());
    std::fs::copy(new.bundle(), stage.world.ml.bundle()).unwrap();
    timeout(Duration::from_secs(10), ends.connection.closed()).await.expect("its connection is cut");
    assert_eq!(stays.unary(POST, &[], b"").await.unwrap().status(), 0);
    let again = Consumer::try_connect(&stage.world.ml, "/app", &stage.hub, &Settings::default()).await;
    assert!(again.is_err(), "and it does not come in again");
}
