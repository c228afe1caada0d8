//! Attempts beside each other are counted and followed one by one, each with its own end.

use super::collector::{Collector, said};
use super::*;
use crate::fixture::answer_ok;
use crate::resilience::stage::{Stage, config, described};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use portolan::transport::Exchange;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const GET: &str = "/pay.v1.Ledger/Get";

fn hedging(most: u32) -> String {
    config(&format!("\"hedgingPolicy\": {{\"maxAttempts\": {most}, \"hedgingDelay\": \"0.05s\"}}"))
}

/// All samples of that name, added up where all the words stand in their labels.
fn sum(samples: &BTreeMap<String, f64>, name: &str, words: &[&str]) -> f64 {
    let of = |key: &str| key.starts_with(&format!("{name}{{")) && words.iter().all(|word| key.contains(word));
    samples.iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
}

#[tokio::test]
async fn whoever_loses_a_race_ends_then_and_was_cancelled() {
    let world = World::new();
    let (collector, address) = Collector::plain().await;
    let count = Arc::new(AtomicUsize::new(0));
    // The first two never answer, the third does.
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", move |mut exchange: Exchange| {
        let nth = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match nth {
                0 | 1 => drop(exchange.respond.closed().await),
                _ => answer_ok(exchange, bytes::Bytes::from_static(b"well")).await,
            }
        }
    })
    .await;
    let facts = described(&world) + &hedging(3);
    let more = format!("[tracing]\ncollector = \"http://{address}\"\nratio = 1.0\n");
    let stage = Stage::new(world, &[&producer], &facts, &more).await;
    assert_eq!(stage.consumer.unary(GET, &[], b"message").await.unwrap().status(), 0);

    let samples = scraped_after(&stage.hub, 1.0).await;
    let durations = "grpc_client_attempt_duration_seconds_count";
    let of = |status: &str| {
        sum(&samples, durations, &["\"pay.v1.Ledger/Get\"", &format!("grpc_status={status:?}")])
    };
    assert_eq!((of("OK"), of("CANCELLED"), of("UNAVAILABLE")), (1.0, 2.0, 0.0), "{samples:#?}");
    assert_eq!(sum(&samples, "grpc_client_attempt_started_total", &["Get"]), 3.0);
    assert_eq!(sum(&samples, "grpc_client_call_hedges_sum", &["Get"]), 2.0);
    assert_eq!(sum(&samples, "grpc_server_call_started_total", &["Get"]), 1.0);

    let spans = soon("the spans", async || Some(collector.spans()).filter(|spans| spans.len() >= 4)).await;
    let clients: Vec<_> = spans.iter().filter(|span| span.kind() == SpanKind::Client).collect();
    let statuses: Vec<_> =
        clients.iter().map(|span| said(&span.attributes, "rpc.response.status_code").unwrap()).collect();
    assert_eq!(statuses, ["CANCELLED", "CANCELLED", "OK"]);
    let ends: Vec<_> = clients.iter().map(|span| span.end_time_unix_nano).collect();
    assert!(clients.iter().all(|span| span.start_time_unix_nano <= ends[2]), "{clients:#?}");
    assert!(ends[0] <= ends[2] && ends[1] <= ends[2], "they do not outlive the one that won: {ends:?}");
}

#[tokio::test]
async fn attempts_that_are_unanswered_at_the_deadline_are_each_judged() {
    let world = World::new();
    let producer =
        Producer::start(&world.payments, &world.hub, "/ledger", |mut exchange: Exchange| async move {
            exchange.respond.closed().await;
        })
        .await;
    let facts = described(&world) + &hedging(2);
    let stage = Stage::new(world, &[&producer], &facts, "").await;
    // Longer than the second below which a deadline tells of its caller.
    let reply = stage.consumer.unary(GET, &[("grpc-timeout", "1300m")], b"message").await.unwrap();
    assert_eq!((reply.status(), producer.calls()), (4, 2));
    let judged = soon("both verdicts", async || {
        let samples = scrape(&stage.hub).await;
        let failed = sum(&samples, "portolan_endpoint_attempts_total", &["outcome=\"failed\""]);
        (failed >= 2.0).then_some(failed)
    });
    assert_eq!(judged.await, 2.0);
}
