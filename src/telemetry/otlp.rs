//! Metrics and spans as OTLP's messages, in requests that a collector takes at once.

use super::family::{Attribute, Distribution, Family, Kind, Point, Value};
use super::trace::{Fact, Role, Span};
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as pb, ResourceSpans, ScopeSpans};
use prost::Message;
use std::time::{SystemTime, UNIX_EPOCH};

/// Points in one request: about 1 MB of histograms, where a gRPC server takes 4 MiB.
const POINTS: usize = 1_000;

/// The method that takes metrics (opentelemetry-proto, `collector/metrics/v1`).
pub const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
/// The method that takes spans (opentelemetry-proto, `collector/trace/v1`).
pub const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Who tells.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The id of this broker.
    pub broker: String,
    /// When the process began: counters count from there.
    pub began: Timestamp,
}

/// Metrics as the messages of [`METRICS`], each small enough to be taken.
pub fn metrics(families: &[Family], origin: &Origin, now: Timestamp) -> Vec<Vec<u8>> {
    let times = Times { began: nanos(origin.began), now: nanos(now) };
    let mut requests = Vec::new();
    let (mut batch, mut points) = (Vec::new(), 0);
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        for some in family.points.chunks(POINTS) {
            if points + some.len() > POINTS && !batch.is_empty() {
                requests.push(request(origin, std::mem::take(&mut batch)));
                points = 0;
            }
            points += some.len();
            batch.push(metric(family, some, times));
        }
    }
    if !batch.is_empty() {
        requests.push(request(origin, batch));
    }
    requests
}

/// Spans as one message of [`TRACES`].
pub fn traces(spans: &[Span], origin: &Origin) -> Vec<u8> {
    let spans = spans.iter().map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..Default::default() }];
    let resource_spans =
        vec![ResourceSpans { resource: resource(origin), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// How many points or spans a collector refused, as its answer to either method says, and why.
pub fn rejected(method: &str, answer: &[u8]) -> Option<(i64, String)> {
    let refused = match method {
        METRICS => {
            let answer = ExportMetricsServiceResponse::decode(answer).ok()?.partial_success?;
            (answer.rejected_data_points, answer.error_message)
        }
        _ => {
            let answer = ExportTraceServiceResponse::decode(answer).ok()?.partial_success?;
            (answer.rejected_spans, answer.error_message)
        }
    };
    (refused.0 > 0).then_some(refused)
}

#[derive(Clone, Copy)]
struct Times {
    began: u64,
    now: u64,
}

fn request(origin: &Origin, metrics: Vec<Metric>) -> Vec<u8> {
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: resource(origin), scope_metrics, ..Default::default() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn metric(family: &Family, points: &[Point], times: Times) -> Metric {
    let temporality = AggregationTemporality::Cumulative.into();
    let data = match family.kind {
        Kind::Counter => metric::Data::Sum(Sum {
            data_points: points.iter().filter_map(|point| number(point, times)).collect(),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(Gauge {
            data_points: points.iter().filter_map(|point| number(point, times)).collect(),
        }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: points.iter().filter_map(|point| histogram(point, times)).collect(),
            aggregation_temporality: temporality,
        }),
    };
    Metric {
        name: family.name.to_owned(),
        description: family.help.to_owned(),
        unit: family.unit.ucum().to_owned(),
        data: Some(data),
        ..Default::default()
    }
}

fn number(point: &Point, times: Times) -> Option<NumberDataPoint> {
    let value = match &point.value {
        Value::Whole(whole) => number_data_point::Value::AsInt(i64::try_from(*whole).unwrap_or(i64::MAX)),
        Value::Real(real) => number_data_point::Value::AsDouble(*real),
        Value::Distribution(_) => return None,
    };
    Some(NumberDataPoint {
        attributes: attributes(&point.attributes),
        start_time_unix_nano: times.began,
        time_unix_nano: times.now,
        value: Some(value),
        ..Default::default()
    })
}

fn histogram(point: &Point, times: Times) -> Option<HistogramDataPoint> {
    let Value::Distribution(distribution) = &point.value else { return None };
    let Distribution { bounds, counts, sum } = distribution;
    Some(HistogramDataPoint {
        attributes: attributes(&point.attributes),
        start_time_unix_nano: times.began,
        time_unix_nano: times.now,
        count: distribution.count(),
        sum: Some(*sum),
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.to_vec(),
        ..Default::default()
    })
}

fn span(span: &Span) -> pb::Span {
    let kind = match span.role {
        Role::Server => pb::span::SpanKind::Server,
        Role::Client => pb::span::SpanKind::Client,
    };
    let status = span
        .error
        .as_ref()
        .map(|error| pb::Status { message: error.to_string(), code: pb::status::StatusCode::Error.into() });
    pb::Span {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: if span.parent == 0 { Vec::new() } else { span.parent.to_be_bytes().to_vec() },
        // Sampled (W3C Trace Context §3.2.2.5): nothing else is kept.
        flags: 1,
        name: span.name.to_string(),
        kind: kind.into(),
        start_time_unix_nano: since_epoch(span.began),
        end_time_unix_nano: since_epoch(span.ended),
        attributes: span.facts.iter().map(fact).collect(),
        status,
        ..Default::default()
    }
}

fn fact((key, fact): &(&'static str, Fact)) -> KeyValue {
    let value = match fact {
        Fact::Text(text) => any_value::Value::StringValue(text.to_string()),
        Fact::Whole(whole) => any_value::Value::IntValue(*whole),
        Fact::Flag(flag) => any_value::Value::BoolValue(*flag),
    };
    key_value(key, value)
}

fn attributes(attributes: &[Attribute]) -> Vec<KeyValue> {
    let said = attributes.iter().filter(|(_, value)| !value.is_empty());
    said.map(|(key, value)| key_value(key, any_value::Value::StringValue(value.to_string()))).collect()
}

/// What OpenTelemetry's conventions ask of every resource ("Service").
fn resource(origin: &Origin) -> Option<Resource> {
    let facts = [
        ("service.name", "portolan"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", &origin.broker),
    ];
    let attributes =
        facts.map(|(key, value)| key_value(key, any_value::Value::StringValue(value.to_owned())));
    Some(Resource { attributes: attributes.into(), ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    let (name, version) = ("portolan".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    Some(InstrumentationScope { name, version, ..Default::default() })
}

fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.as_nanosecond()).unwrap_or(0)
}

fn since_epoch(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::family::Unit;
    use super::*;

    fn origin() -> Origin {
        Origin { broker: "hub-1".into(), began: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn many_points_become_many_requests_and_none_is_lost() {
        let mut family = Family::new(Kind::Counter, "portolan.x", Unit::Of("{x}"), "X.");
        (0..2_500u64).for_each(|n| family.push(vec![("n", n.to_string().into())], n));
        let small = Family::new(Kind::Gauge, "portolan.y", Unit::None, "Y.").with(Vec::new(), 0.5);
        let requests = metrics(&[small, family], &origin(), Timestamp::UNIX_EPOCH);
        let read: Vec<_> =
            requests.iter().map(|r| ExportMetricsServiceRequest::decode(&r[..]).unwrap()).collect();
        let points = |metric: &Metric| match metric.data.as_ref().unwrap() {
            metric::Data::Sum(sum) => sum.data_points.len(),
            metric::Data::Gauge(gauge) => gauge.data_points.len(),
            _ => 0,
        };
        let counts: Vec<usize> = read
            .iter()
            .map(|r| r.resource_metrics[0].scope_metrics[0].metrics.iter().map(points).sum())
            .collect();
        assert_eq!((counts.iter().sum::<usize>(), counts.iter().max()), (2_501, Some(&1_000)));
    }

    #[test]
    fn a_collector_that_refuses_a_part_is_heard() {
        use opentelemetry_proto::tonic::collector::trace::v1::ExportTracePartialSuccess;
        let partial = ExportTracePartialSuccess { rejected_spans: 3, error_message: "full".into() };
        let answer = ExportTraceServiceResponse { partial_success: Some(partial) }.encode_to_vec();
        assert_eq!(rejected(TRACES, &answer), Some((3, "full".into())));
        assert_eq!(rejected(METRICS, &[]), None);
    }
}
