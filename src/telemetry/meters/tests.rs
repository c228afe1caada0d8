//! Meters against what strangers may send, and against each other's threads.

use super::super::family::{Point, Value};
use super::super::text::{self, Form};
use super::*;
use crate::model::Digest;

const LEDGER: &str = "acme.v1.Ledger";

fn version(capability: &str) -> Arc<Version> {
    version_of("payments.example", capability)
}

fn version_of(platform: &str, capability: &str) -> Arc<Version> {
    let digest = serde_json::to_value(Digest::of(b"")).unwrap();
    let version = serde_json::json!({
        "name": { "platform": platform, "capability": capability, "version": "1.2.0" },
        "services": [LEDGER], "descriptors": null, "digest": digest, "description": "", "owner": "", "contact": "",
        "stage": "stable", "deprecation_time": null, "sunset_time": null,
        "visibility": { "everyone": true, "platforms": [] },
        "slo": { "availability_percent": null, "latency_p99": null },
    });
    Arc::new(serde_json::from_value(version).unwrap())
}

fn meters(limit: usize) -> Meters {
    Meters::new(limit, Arc::new(|_, _| vec!["Post".into(), "Read".into()]))
}

fn outcome(status: u8, micros: u64) -> Outcome {
    let duration = Duration::from_micros(micros);
    Outcome { status, duration, received: 10, sent: 2000, messages_received: 1, messages_sent: 2 }
}

fn points(meters: &Meters, name: &str) -> Vec<Point> {
    meters.gather().into_iter().find(|family| family.name == name).unwrap().points
}

fn text_of(meters: &Meters) -> String {
    text::write(&meters.gather(), Form::Prometheus)
}

#[test]
fn calls_are_counted_by_method_and_status() {
    let meters = meters(100);
    let ledger = version("ledger");
    for (method, status) in [("Post", 0), ("Post", 0), ("Post", 14), ("Read", 5)] {
        let open = meters.open(&ledger, LEDGER, method);
        let attempt = Attempt { status, duration: Duration::from_micros(50), sent: 10, received: 2000 };
        meters.close(open, &outcome(status, 70), [attempt], Repeats { transparent: 1, ..Repeats::default() });
    }
    let _never_ends = meters.open(&ledger, LEDGER, "Post");
    let text = text_of(&meters);
    let of = "platform=\"payments.example\",capability=\"ledger\",version=\"1.2.0\"";
    for line in [
        format!("grpc_server_call_started_total{{{of},grpc_method=\"acme.v1.Ledger/Post\"}} 4"),
        format!(
            "grpc_server_call_duration_seconds_count{{{of},grpc_method=\"acme.v1.Ledger/Post\",grpc_status=\"OK\"}} 2"
        ),
        format!(
            "grpc_server_call_duration_seconds_sum{{{of},grpc_method=\"acme.v1.Ledger/Post\",grpc_status=\"OK\"}} 0.00014"
        ),
        format!(
            "grpc_server_call_duration_seconds_bucket{{{of},grpc_method=\"acme.v1.Ledger/Post\",grpc_status=\"OK\",le=\"0.0001\"}} 2"
        ),
        format!(
            "grpc_server_call_sent_total_compressed_message_size_bytes_sum{{{of},grpc_method=\"acme.v1.Ledger/Read\",grpc_status=\"NOT_FOUND\"}} 2000"
        ),
        format!(
            "rpc_server_call_duration_seconds_count{{{of},rpc_system_name=\"grpc\",rpc_method=\"acme.v1.Ledger/Post\",rpc_response_status_code=\"UNAVAILABLE\",error_type=\"UNAVAILABLE\"}} 1"
        ),
        format!(
            "grpc_client_attempt_started_total{{{of},grpc_method=\"acme.v1.Ledger/Post\",grpc_target=\"portolan:///payments.example/ledger\"}} 3"
        ),
        format!(
            "grpc_client_call_transparent_retries_count{{{of},grpc_method=\"acme.v1.Ledger/Read\",grpc_target=\"portolan:///payments.example/ledger\"}} 1"
        ),
        format!(
            "portolan_call_messages_total{{{of},grpc_method=\"acme.v1.Ledger/Post\",direction=\"sent\"}} 6"
        ),
    ] {
        assert!(text.contains(&format!("{line}\n")), "{line}\n{text}");
    }
    assert!(!text.contains("grpc_client_call_retries"), "nothing was retried");
}

#[test]
fn a_million_method_names_make_one_series() {
    let meters = meters(100);
    let ledger = version("ledger");
    for number in 0..1_000_000u32 {
        let open = meters.open(&ledger, LEDGER, &format!("Method{number}"));
        meters.close(open, &outcome(12, 1), [], Repeats::default());
    }
    let [only] = points(&meters, "grpc.server.call.started").try_into().unwrap();
    assert_eq!(only.value, Value::Whole(1_000_000));
    assert!(only.attributes.contains(&("grpc.method", "other".into())), "{only:?}");
    assert!(text_of(&meters).contains("rpc_method=\"_OTHER\""));
}

#[test]
fn what_finds_no_room_is_counted_together_until_there_is_room() {
    let meters = meters(4);
    let (first, second) = (version("a"), version("b"));
    for version in [&first, &second] {
        for method in ["Post", "Read", "Unknown"] {
            meters.close(meters.open(version, LEDGER, method), &outcome(0, 1), [], Repeats::default());
        }
    }
    assert_eq!(meters.fill(), (4, 4));
    let started = points(&meters, "grpc.server.call.started");
    let overflow = started.iter().find(|point| point.attributes[0].0 == "otel.metric.overflow").unwrap();
    assert_eq!((overflow.value.clone(), started.len()), (Value::Whole(4), 3));

    // The first sweep learns how many there were, the second that there were no more.
    let kept = second.name.clone();
    meters.sweep(|name| *name == kept);
    meters.sweep(|name| *name == kept);
    assert_eq!(meters.fill(), (2, 4));
    meters.open(&second, LEDGER, "Post");
    let text = text_of(&meters);
    assert!(text.contains("capability=\"b\"") && !text.contains("capability=\"a\""), "{text}");
}

#[test]
fn one_platform_leaves_room_for_the_others() {
    let meters = meters(20);
    for number in 0..100 {
        meters.open(&version_of("greedy.example", &format!("c{number}")), LEDGER, "Post");
    }
    meters.open(&version_of("modest.example", "only"), LEDGER, "Post");
    let text = text_of(&meters);
    assert_eq!(text.matches("grpc_server_call_started_total{platform=\"greedy.example\"").count(), 10);
    assert!(text.contains("grpc_server_call_started_total{platform=\"modest.example\""), "{text}");
    assert!(
        text.contains("started_total{otel_metric_overflow=\"true\",grpc_method=\"other\"} 90\n"),
        "{text}"
    );
}

#[test]
fn descriptors_are_read_once_for_each_route_however_many_there_are() {
    use std::sync::atomic::AtomicUsize;
    let read = Arc::new(AtomicUsize::new(0));
    let reads = read.clone();
    let known: Known = Arc::new(move |_, _| {
        reads.fetch_add(1, Ordering::Relaxed);
        vec!["Post".into()]
    });
    let meters = Meters::new(100, known);
    let versions: Vec<_> = (0..3 * Shard::MOST).map(|number| version(&format!("c{number}"))).collect();
    let services = ["acme.v1.A", "acme.v1.B"];
    let call = |version: &Arc<Version>| {
        for service in services {
            meters.open(version, service, "Post");
        }
    };
    versions.iter().for_each(call);
    assert!(versions.len() * services.len() > table::ROUTES, "some are not kept");
    assert_eq!(read.load(Ordering::Relaxed), table::ROUTES);
    versions.iter().rev().for_each(call);
    assert_eq!(
        read.load(Ordering::Relaxed),
        table::ROUTES,
        "what one thread has forgotten is not read again"
    );
}

#[test]
fn a_call_that_outlives_its_series_ends_in_no_other() {
    let meters = meters(100);
    let (old, new) = (version("old"), version("new"));
    let open = meters.open(&old, LEDGER, "Post");
    meters.sweep(|_| false);
    meters.sweep(|_| false);
    meters.open(&new, LEDGER, "Post");
    meters.close(open, &outcome(0, 1), [], Repeats::default());
    assert!(points(&meters, "grpc.server.call.duration").is_empty());
}

#[test]
fn threads_count_together_and_a_new_record_of_a_version_is_the_same_series() {
    let meters = meters(100);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..100 {
                    let open = meters.open(&version("ledger"), LEDGER, "Post");
                    meters.close(open, &outcome(0, 1), [], Repeats::default());
                }
            });
        }
    });
    let [only] = points(&meters, "grpc.server.call.started").try_into().unwrap();
    assert_eq!(only.value, Value::Whole(800));
}

#[test]
fn a_version_without_descriptors_has_one_series_whatever_its_services() {
    let meters = Meters::new(100, Arc::new(|_, _| Vec::new()));
    let ledger = version("ledger");
    for service in ["acme.v1.Ledger", "acme.v1.Audit"] {
        meters.open(&ledger, service, "Post");
    }
    let [only] = points(&meters, "grpc.server.call.started").try_into().unwrap();
    assert_eq!(only.value, Value::Whole(2));
}

#[test]
fn own_and_unrouted_calls_and_refusals_are_counted() {
    let meters = meters(100);
    meters.close(meters.open_own("portolan.x.v1.X", "Get"), &outcome(0, 1), [], Repeats::default());
    meters.close(meters.open_unrouted(), &outcome(12, 1), [], Repeats::default());
    meters.refuse("NO_OWNER");
    meters.refuse("NO_OWNER");
    let text = text_of(&meters);
    assert!(
        text.contains("grpc_server_call_started_total{grpc_method=\"portolan.x.v1.X/Get\"} 1\n"),
        "{text}"
    );
    assert!(text.contains("grpc_server_call_started_total{grpc_method=\"other\"} 1\n"), "{text}");
    assert!(text.contains("portolan_calls_refused_total{reason=\"NO_OWNER\"} 2\n"), "{text}");
}
