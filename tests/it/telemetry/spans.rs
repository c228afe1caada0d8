//! Spans and metrics as a collector gets them; the trace goes on from the consumer to the producer.

use super::collector::{Collector, said};
use super::*;
use crate::fixture::{Consumer, echo};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-00f067aa0ba902b7-{flags}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn spans(collector: &Collector, count: usize) -> Vec<Span> {
    soon("the spans", async || Some(collector.spans()).filter(|spans| spans.len() >= count)).await
}

#[tokio::test]
async fn a_call_that_is_followed_is_one_trace_from_the_consumer_to_the_producer() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let (collector, address) = Collector::plain().await;
    let more = format!("[tracing]\ncollector = \"http://{address}\"\nratio = 0.0\n");
    let hub = hub(&world, &producer, &more).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;

    // Not followed: the producer sees what the consumer wrote, or a trace that nobody follows.
    let left = consumer.unary(POST, &[("traceparent", &parent("00"))], b"").await.unwrap();
    assert_eq!(left.header("seen-traceparent"), parent("00"));
    let none = consumer.unary(POST, &[], b"").await.unwrap();
    assert!(none.header("seen-traceparent").ends_with("-00"));

    let metadata = [("traceparent", parent("01")), ("authorization", "secret".into())];
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let reply = consumer.unary(POST, &metadata, b"x").await.unwrap();
    let seen = reply.header("seen-traceparent").to_owned();

    let [server, client] = spans(&collector, 2).await.try_into().unwrap();
    assert_eq!((server.kind(), client.kind()), (SpanKind::Server, SpanKind::Client));
    assert_eq!((hex(&server.trace_id), hex(&client.trace_id)), (TRACE.into(), TRACE.into()));
    assert_eq!(hex(&server.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(client.parent_span_id, server.span_id);
    assert_eq!(seen, format!("00-{TRACE}-{}-01", hex(&client.span_id)));
    assert_eq!((server.name.as_str(), client.name.as_str()), ("pay.v1.Ledger/Post", "pay.v1.Ledger/Post"));
    assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
    assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
    let facts = [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "pay.v1.Ledger/Post"),
        ("rpc.response.status_code", "OK"),
        ("portolan.caller", "spiffe://data.example/app"),
        ("portolan.version", "1.2.0"),
        ("portolan.attempts", "1"),
    ];
    for (key, value) in facts {
        assert_eq!(said(&server.attributes, key).as_deref(), Some(value), "{key}");
    }
    let producer_name = "platforms/payments.example/producers/ledger";
    assert_eq!(said(&client.attributes, "portolan.producer").as_deref(), Some(producer_name));
    assert_eq!(said(&client.attributes, "server.port"), Some(producer.address.port().to_string()));
    assert_eq!(said(&collector.resource(), "service.instance.id").as_deref(), Some("hub-1"));
    let all = format!("{server:?}{client:?}");
    assert!(!all.contains("secret"), "{all}");
}

#[tokio::test]
async fn a_ratio_follows_calls_by_itself_and_names_no_invented_method() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let (collector, address) = Collector::plain().await;
    // Unavailable once: the same spans are sent again.
    collector.refuse_next(14);
    let more = format!("[tracing]\ncollector = \"http://{address}\"\nratio = 1.0\nfollow_callers = false\n");
    let hub = hub(&world, &producer, &more).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    consumer.unary("/pay.v1.Ledger/Invented", &[("traceparent", &parent("00"))], b"").await.unwrap();
    assert_eq!(consumer.unary("/nobody.v1.X/Y", &[], b"").await.unwrap().reason(), "NO_OWNER");

    let spans = spans(&collector, 3).await;
    let named: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(named, ["pay.v1.Ledger/_OTHER", "pay.v1.Ledger/_OTHER", "_OTHER"]);
    assert_eq!(said(&spans[0].attributes, "rpc.method_original").unwrap(), "pay.v1.Ledger/Invented");
    let refused = &spans[2];
    assert_eq!(said(&refused.attributes, "portolan.reason").as_deref(), Some("NO_OWNER"));
    assert!(refused.parent_span_id.is_empty() && refused.status.as_ref().unwrap().code == 2);
}

#[tokio::test]
async fn metrics_reach_a_collector_that_proves_who_it_is_and_the_last_ones_at_the_end() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let (collector, address) = Collector::tls(&world, &world.data, "/collector").await;
    let (stranger, elsewhere) = Collector::tls(&world, &world.data, "/stranger").await;
    let id = world.data.id("/collector");
    let more = format!(
        "[metrics]\ncollector = \"https://{address}\"\ncollector_id = {id:?}\ninterval = \"1h\"\n\
         [tracing]\ncollector = \"https://{elsewhere}\"\ncollector_id = {id:?}\nratio = 1.0\n"
    );
    let hub = hub(&world, &producer, &more).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for _ in 0..3 {
        assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    }
    drop(consumer);
    assert!(hub.drain(Duration::from_secs(5)).await);

    let requests = collector.metrics();
    let metrics: Vec<_> = requests
        .iter()
        .flat_map(|one| &one.resource_metrics[0].scope_metrics[0].metrics)
        .map(|metric| (metric.name.as_str(), metric.unit.as_str(), metric.data.as_ref().unwrap()))
        .collect();
    let (_, unit, Data::Histogram(durations)) =
        metrics.iter().find(|(name, ..)| *name == "grpc.server.call.duration").unwrap()
    else {
        panic!("a histogram")
    };
    let [point] = &durations.data_points[..] else { panic!("one method, one status") };
    assert_eq!((*unit, point.count, point.bucket_counts.iter().sum::<u64>()), ("s", 3, 3));
    assert_eq!(point.explicit_bounds.len() + 1, point.bucket_counts.len());
    assert!(point.start_time_unix_nano > 0 && point.start_time_unix_nano < point.time_unix_nano);
    assert_eq!(said(&point.attributes, "grpc.method").as_deref(), Some("pay.v1.Ledger/Post"));
    assert!(stranger.spans().is_empty(), "another identity than the configured one gets nothing");
}
