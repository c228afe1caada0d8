//! What a call carries never stands in the log, and nothing in it breaks a line (attacks.md Q5, Q6).

use super::raw::*;
use super::stage::Stage;
use crate::fixture::{Consumer, Producer, World, echo};
use crate::foreign::portolan;
use portolan::lifecycle;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

const SECRET: &str = "hunter2-planted";

#[tokio::test]
async fn no_secret_and_no_foreign_line_stands_in_the_log() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let file = world
        .broker()
        .producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"])
        // All that we ever say, in a form whose lines can be checked.
        .with("[log]\nformat = \"json\"\nfilter = \"portolan=trace\"")
        .write();
    let mut child = portolan().args(["serve", "--config"]).arg(file).stderr(Stdio::piped()).spawn().unwrap();
    let log = Arc::new(Mutex::new(Vec::<String>::new()));
    let (kept, mut lines) = (log.clone(), BufReader::new(child.stderr.take().unwrap()).lines());
    lifecycle::spawn("test log", async move {
        while let Ok(Some(line)) = lines.next_line().await {
            kept.lock().unwrap().push(line);
        }
    });
    let ready = async {
        loop {
            let found = log.lock().unwrap().iter().find(|line| line.contains("ready")).cloned();
            if let Some(line) = found {
                // Its admin address stands in the same line.
                let rest = &line[line.find("listen").unwrap()..];
                let rest = &rest[rest.find("127.0.0.1:").unwrap()..];
                let end = rest.find(|c: char| !"0123456789.:".contains(c)).unwrap();
                return rest[..end].parse().unwrap();
            }
            // Another process: its log can only be looked at again.
            sleep(Duration::from_millis(10)).await;
        }
    };
    let address = timeout(Duration::from_secs(20), ready).await.expect("it is ready");
    let stage = Stage::elsewhere(world, producer, address);

    let consumer = Consumer::connect(&stage.world.data, "/app", &stage.hub).await;
    let planted = [
        ("authorization", format!("Bearer {SECRET}")),
        ("x-api-key", SECRET.to_owned()),
        ("cookie", format!("session={SECRET}")),
        ("portolan-version", format!(">{SECRET}<")),
        ("grpc-timeout", SECRET.to_owned()),
    ];
    for (name, value) in &planted {
        // Some pass, some are refused for what they say: neither is a reason to write it down.
        for path in [
            "/pay.v1.Ledger/Post",
            "/pay.v1.Nobody/Post",
            "/portolan.catalog.v1.CatalogService/ListPlatforms",
        ] {
            let _ = consumer.unary(path, &[(*name, value)], SECRET.as_bytes()).await.unwrap();
        }
    }
    // Names that would begin a line of their own, and paths that nobody knows.
    let mut attacker = stage.attacker().await;
    for (n, path) in
        ["/pay.v1.Ledger/Po\r\nst", "/pay.v1.\u{1b}[31mX/Y", "/{\"level\":\"ERROR\"}/x"].iter().enumerate()
    {
        let fields = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", "a"),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
        ];
        let id = 2 * n as u32 + 1;
        attacker.send(&frame(HEADERS, END_HEADERS | END_STREAM, id, &hpack(&fields))).await;
    }
    consumer.die();
    assert_eq!(
        Consumer::connect(&stage.world.data, "/last", &stage.hub)
            .await
            .unary("/pay.v1.Ledger/Post", &[], b"")
            .await
            .unwrap()
            .status(),
        0
    );
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    let log = log.lock().unwrap();
    assert!(log.len() > 5, "it says something: {log:?}");
    for line in log.iter() {
        assert!(!line.contains(SECRET), "{line}");
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}
