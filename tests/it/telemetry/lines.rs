//! The access log: what is written of calls, what never is, and that nobody forges a line.

use super::*;
use crate::fixture::{Consumer, answer_ok, echo, read};
use serde_json::Value;
use std::path::Path;

/// Every line of a file, once there are so many.
async fn lines(path: &Path, count: usize) -> Vec<Value> {
    let text = soon("the lines", async || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        (text.lines().count() >= count).then_some(text)
    })
    .await;
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
}

#[tokio::test]
async fn every_call_is_a_line_that_says_what_happened_and_no_secret() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let path = world.dir.path().join("access.log");
    let hub =
        hub(&world, &producer, "[access_log]\nto = \"access.log\"\nmetadata = [\"x-request-id\"]\n").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let metadata = [
        ("x-request-id", "a\"},{\t\"status\":\"OK"),
        ("authorization", "Bearer planted"),
        ("x-token", "planted"),
        ("traceparent", trace),
    ];
    assert_eq!(consumer.unary(POST, &metadata, b"hello").await.unwrap().status(), 0);
    assert_eq!(consumer.unary("/nobody.v1.X/Y", &[], b"").await.unwrap().reason(), "NO_OWNER");

    let [call, refused] = lines(&path, 2).await.try_into().unwrap();
    let expected = [
        ("caller", "spiffe://data.example/app"),
        ("method", "pay.v1.Ledger/Post"),
        ("platform", "payments.example"),
        ("capability", "ledger"),
        ("version", "1.2.0"),
        ("producer", "ledger"),
        ("status", "OK"),
        ("ended_by", "producer"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ];
    for (field, value) in expected {
        assert_eq!(call[field], value, "{call}");
    }
    assert_eq!(
        (&call["request_bytes"], &call["response_messages"], &call["attempts"]),
        (&10.into(), &1.into(), &1.into())
    );
    assert_eq!(call["endpoint"], producer.address.to_string());
    assert_eq!(call["metadata"]["x-request-id"], "a\"},{\t\"status\":\"OK");
    assert_eq!((&refused["status"], &refused["reason"]), (&"UNIMPLEMENTED".into(), &"NO_OWNER".into()));
    assert_eq!(refused["ended_by"], "broker");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("planted"), "{text}");
}

#[tokio::test]
async fn only_failures_are_written_where_nothing_is_sampled() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let path = world.dir.path().join("access.log");
    let more = "[access_log]\nto = \"access.log\"\nratio = 0.0\nfields = [\"status\", \"method\"]\n";
    let hub = hub(&world, &producer, more).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..5 {
        assert_eq!(consumer.unary(POST, &[], b"").await.unwrap().status(), 0);
    }
    let (response, send) = consumer.open(POST, &[("grpc-timeout", "50m")]);
    assert_eq!(read(response).await.unwrap().status(), 4);
    drop(send);
    assert!(hub.drain(Duration::from_secs(5)).await);
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "{\"status\":\"DEADLINE_EXCEEDED\",\"method\":\"pay.v1.Ledger/Post\"}\n"
    );
}

#[tokio::test]
async fn a_load_report_passes_on_as_it_came() {
    let world = World::new();
    let report = "CQAAAAAAAOA/";
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |exchange| async move {
        if exchange.request.headers().contains_key("x-plain") {
            return answer_ok(exchange, bytes::Bytes::new()).await;
        }
        let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let Ok(mut send) = exchange.respond.send(head, false) else { return };
        let mut trailers = http::HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        trailers.insert("endpoint-load-metrics-bin", report.parse().unwrap());
        let _ = send.trailers(trailers);
    })
    .await;
    let hub = hub(&world, &producer, "").await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary(POST, &[], b"").await.unwrap();
    assert_eq!((reply.status(), &reply.trailers["endpoint-load-metrics-bin"]), (0, &report.parse().unwrap()));
}
