//! Brokers behind two addresses are told to stop, one after the other, and started again.

use super::*;
use crate::fixture::{Producer, echo};
use crate::foreign::portolan;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

/// A broker in a process of its own; it answers when this returns.
async fn serve(config: &Path, id: &str, address: SocketAddr) -> Child {
    let mut command = portolan();
    command.arg("serve").arg("--config").arg(config).env("PORTOLAN__LISTEN", address.to_string());
    command.env("PORTOLAN__ID", id).env("PORTOLAN__DATA_DIR", id).env("PORTOLAN__WORKERS", "2");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("ready") {
                return;
            }
            said.push(line);
        }
        panic!("it ended: {said:#?}");
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("ready in time");
    lifecycle::spawn("log of the broker", async move { while let Ok(Some(_)) = lines.next_line().await {} });
    child
}

#[tokio::test]
async fn brokers_restart_in_turn_and_no_call_is_lost() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let config = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).write();
    let free = || {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.local_addr().unwrap()
    };
    let addresses = [free(), free()];
    let mut brokers = Vec::new();
    for (address, id) in addresses.iter().zip(["hub-1", "hub-2"]) {
        brokers.push((*address, id, serve(&config, id, *address).await));
    }
    // Two that go to one broker first, and two that go to the other.
    let reverse = [addresses[1], addresses[0]];
    let roamers = [
        Roamer::new(&world, "/app", &addresses),
        Roamer::new(&world, "/app", &addresses),
        Roamer::new(&world, "/app", &reverse),
        Roamer::new(&world, "/app", &reverse),
    ];
    let load: Vec<_> = roamers.iter().map(|roamer| (roamer, roamer.load(8))).collect();

    for _ in 0..2 {
        for (address, id, broker) in &mut brokers {
            for roamer in &roamers {
                roamer.goes_on(50).await;
            }
            let process = broker.id().unwrap().to_string();
            assert!(
                std::process::Command::new("kill").args(["-s", "TERM", &process]).status().unwrap().success()
            );
            let code = tokio::time::timeout(Duration::from_secs(20), broker.wait()).await;
            assert!(code.expect("it stops in time").unwrap().success());
            for roamer in &roamers {
                roamer.goes_on(50).await;
            }
            *broker = serve(&config, id, *address).await;
        }
    }
    for (roamer, load) in load {
        roamer.finish(load).await;
    }
    let done: usize = roamers.iter().map(|roamer| roamer.seen.done.load(Ordering::SeqCst)).sum();
    assert_eq!(producer.calls(), done, "each call ran once");
    for (_, _, mut broker) in brokers {
        broker.kill().await.unwrap();
    }
}

#[tokio::test]
async fn a_drain_waits_for_slow_calls_and_for_nobody_else() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let slow = Consumer::connect(&world.data, "/slow", &hub).await;
    let (response, mut send) = slow.open("/pay.v1.Ledger/Post", &[]);
    send.frame(frame(b"first"), false).await.unwrap();
    // Connected, without a call; one of them has stopped reading altogether.
    let _idle = Consumer::connect(&world.data, "/idle", &hub).await;
    let frozen = Consumer::connect(&world.data, "/frozen", &hub).await;
    frozen.die();
    let _silent = tokio::net::TcpStream::connect(hub.address).await.unwrap();

    let drain = lifecycle::spawn("drain", async move {
        assert!(hub.drain(Duration::from_secs(20)).await, "all calls finished");
    });
    while slow.connection.is_open() {
        tokio::task::yield_now().await;
    }
    // A new stream on a connection that said goodbye is not sent at all: the client goes elsewhere.
    let late = slow.connection.send(crate::fixture::head("/pay.v1.Ledger/Post", &[]), true);
    assert!(late.unwrap_err().is_unprocessed());
    assert!(!drain.is_finished());
    send.frame(frame(b"last"), true).await.unwrap();
    assert_eq!(read(response).await.unwrap().status(), 0);
    // Far less than the deadline: who does not answer holds nobody up for long.
    tokio::time::timeout(Duration::from_secs(10), drain).await.expect("it stops").unwrap();
}

#[tokio::test]
async fn old_connections_are_replaced_and_no_call_is_lost() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]);
    let hub = hub.with("[timeouts]\nconnection_age = \"300ms\"").start().await;
    let roamer = Roamer::new(&world, "/app", &[hub.address]);
    let load = roamer.load(8);
    let mut connections = 0;
    for _ in 0..5 {
        let consumer = roamer.consumer().await;
        connections += 1;
        let told = tokio::time::timeout(Duration::from_secs(10), consumer.connection.closed()).await;
        told.expect("told goodbye in time");
        roamer.goes_on(20).await;
    }
    roamer.finish(load).await;
    assert_eq!((connections, producer.calls()), (5, roamer.seen.done.load(Ordering::SeqCst)));
}
