//! Service configs as people write them: what is read, what is refused and where.

use super::*;

const WHOLE: &str = r#"{
  "loadBalancingConfig": [{"round_robin": {}}],
  "methodConfig": [
    {"name": [{}], "timeout": "10s"},
    {"name": [{"service": "a.B"}], "timeout": "5.5s", "waitForReady": true, "maxRequestMessageBytes": "1024",
     "retryPolicy": {"maxAttempts": 9, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                     "retryableStatusCodes": ["UNAVAILABLE", 8, "aborted"]}},
    {"name": [{"service": "a.B", "method": "Get"}, {"service": "a.C", "method": "List"}],
     "defaultTimeout": "0.25s", "timeout": "1s",
     "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.02s", "nonFatalStatusCodes": ["INTERNAL"]}}
  ],
  "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}
}"#;

fn refused(text: &str) -> Vec<(String, &'static str)> {
    ServiceConfig::parse(text).unwrap_err().into_iter().map(|v| (v.field, v.reason)).collect()
}

#[test]
fn the_most_specific_entry_wins() {
    let config = ServiceConfig::parse(WHOLE).unwrap();
    let timeout = |service, method| config.method(service, method).unwrap().timeout;
    assert_eq!(timeout("x.Y", "Any"), Some(Duration::from_secs(10)));
    assert_eq!(timeout("a.B", "Any"), Some(Duration::from_millis(5500)));
    assert_eq!(timeout("a.B", "Get"), Some(Duration::from_secs(1)));
    assert_eq!(timeout("a.C", "Other"), Some(Duration::from_secs(10)));
    assert_eq!(config.throttling(), Some(Throttling { max_tokens: 10.0, token_ratio: 0.1 }));
    assert_eq!(config.names().len(), 4);
}

#[test]
fn policies_are_read_as_grpc_writes_them() {
    let config = ServiceConfig::parse(WHOLE).unwrap();
    let of_service = config.method("a.B", "Any").unwrap();
    assert!(of_service.wait_for_ready);
    assert_eq!(of_service.max_request_bytes, Some(1024));
    let Some(CallPolicy::Retry(retry)) = &of_service.policy else { panic!("it retries") };
    assert_eq!((retry.max_attempts, retry.initial_backoff), (5, Duration::from_millis(100)), "5 is the most");
    for status in [Status::UNAVAILABLE, Status::RESOURCE_EXHAUSTED, Status::parse("ABORTED").unwrap()] {
        assert!(retry.retryable.contains(status));
    }
    assert!(!retry.retryable.contains(Status::INTERNAL));
    let Some(CallPolicy::Hedge(hedge)) = &config.method("a.C", "List").unwrap().policy else {
        panic!("it hedges");
    };
    assert_eq!(hedge.hedging_delay, Duration::from_millis(20));
    assert!(hedge.non_fatal.contains(Status::INTERNAL));
}

#[test]
fn it_is_stored_as_it_was_written() {
    let config = ServiceConfig::parse(WHOLE).unwrap();
    let json = serde_json::to_string(&config).unwrap();
    let back: ServiceConfig = serde_json::from_str(&json).unwrap();
    assert_eq!((&back, back.as_str()), (&config, WHOLE));
    let odd: ServiceConfig = serde_json::from_str(r#""{\"methodConfig\": 7}""#).unwrap();
    assert_eq!(
        (odd.as_str(), odd.method("a.B", "Get")),
        (r#"{"methodConfig": 7}"#, None),
        "kept, and says nothing"
    );
}

#[test]
fn everything_that_is_wrong_is_named_by_its_place() {
    let bad = r#"{
      "methodConfigs": [],
      "methodConfig": [
        {"name": [], "timeout": "5", "waitForReady": 1},
        {"name": [{"method": "Get"}, {"service": "a.B"}, {"service": "a.B"}],
         "retryPolicy": {"maxAttempts": 1, "initialBackoff": "0s", "backoffMultiplier": 0, "retryableStatusCodes": ["OK", "GONE", 17]},
         "hedgingPolicy": {"maxAttempts": 2}},
        {"name": [{}], "timeout": "1s", "defaultTimeout": "2s", "maxResponseMessageBytes": -1}
      ],
      "retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}
    }"#;
    let of = |at: usize, field: &str| format!("methodConfig[{at}].{field}");
    let mut found = refused(bad);
    found.sort();
    let mut expected = vec![
        (String::new(), "UNKNOWN_FIELD"),
        (of(0, "name"), "REQUIRED"),
        (of(0, "timeout"), "INVALID_DURATION"),
        (of(0, "waitForReady"), "INVALID_TYPE"),
        (of(1, "name[0]"), "REQUIRED"),
        (of(1, "name[2]"), "DUPLICATE"),
        (of(1, "retryPolicy.maxAttempts"), "OUT_OF_RANGE"),
        (of(1, "retryPolicy.initialBackoff"), "OUT_OF_RANGE"),
        (of(1, "retryPolicy.maxBackoff"), "OUT_OF_RANGE"),
        (of(1, "retryPolicy.backoffMultiplier"), "OUT_OF_RANGE"),
        (of(1, "retryPolicy.retryableStatusCodes"), "OUT_OF_RANGE"),
        (of(1, "retryPolicy.retryableStatusCodes[1]"), "INVALID_STATUS"),
        (of(1, "retryPolicy.retryableStatusCodes[2]"), "INVALID_STATUS"),
        (of(1, "hedgingPolicy"), "INCONSISTENT"),
        (of(2, "defaultTimeout"), "INCONSISTENT"),
        (of(2, "maxResponseMessageBytes"), "OUT_OF_RANGE"),
        ("retryThrottling.maxTokens".to_owned(), "OUT_OF_RANGE"),
    ];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn what_is_no_config_is_refused_at_once() {
    assert_eq!(refused("{"), [(String::new(), "INVALID_JSON")]);
    assert_eq!(refused("[]"), [(String::new(), "INVALID_TYPE")]);
    assert_eq!(refused(&" ".repeat(LONGEST + 1)), [(String::new(), "TOO_LONG")]);
    let many: Vec<_> = (0..1001).map(|n| format!("{{\"service\":\"a.B\",\"method\":\"M{n}\"}}")).collect();
    let many = format!("{{\"methodConfig\":[{{\"name\":[{}]}}]}}", many.join(","));
    assert_eq!(refused(&many), [("methodConfig".to_owned(), "QUOTA")]);
}

#[test]
fn times_are_read_as_protobuf_writes_them() {
    let time = |text: &str| {
        let json = format!(r#"{{"methodConfig":[{{"name":[{{}}],"timeout":"{text}"}}]}}"#);
        ServiceConfig::parse(&json).ok().and_then(|config| config.method("a.B", "C")?.timeout)
    };
    assert_eq!(time("0.000000001s"), Some(Duration::from_nanos(1)));
    assert_eq!(time("3s"), Some(Duration::from_secs(3)));
    assert_eq!(time("1.s"), Some(Duration::from_secs(1)));
    for bad in ["s", "1", "-1s", "1m", ".5s", "1.0000000001s", "86401s", "1e3s", "99999999999s"] {
        assert_eq!(time(bad), None, "{bad}");
    }
}
