//! Parameter schemas that are taken, and what is said of others.

use super::*;
use serde_json::json;

#[test]
fn a_sound_schema_is_taken() {
    let schema = r##"{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://acme.example/ledger",
        "type":"object","properties":{"size":{"$ref":"#/$defs/size"},"$ref":{"type":"string","pattern":"^a+$"}},
        "$defs":{"size":{"type":"integer","minimum":1}}}"##;
    assert_eq!(check_schema(schema), Ok(()));
}

#[test]
fn each_fault_has_its_place() {
    let told = |text: &str| check_schema(text).unwrap_err().to_string();
    assert!(told("{").starts_with("the parameter schema is not JSON: EOF"));
    assert!(told("true").contains("must be an object"));
    assert!(told(r#"{"type":"array"}"#).contains("must be an object"));
    assert!(
        told(&format!("{{\"type\":\"object\",\"title\":\"{}\"}}", "x".repeat(70_000))).contains("more than")
    );
    assert!(
        told(r#"{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}"#).contains("draft-07")
    );
    let remote = r#"{"type":"object","properties":{"a":{"$ref":"https://evil.example/x.json"}}}"#;
    assert!(told(remote).starts_with("/properties/a: "), "{}", told(remote));
    let nested = r##"{"type":"object","properties":{"a":{"$id":"b","$ref":"#/c"}}}"##;
    assert!(told(nested).contains("$id"));
    let wrong = r#"{"type":"object","properties":{"a":{"minimum":"1"}}}"#;
    assert!(told(wrong).starts_with("/properties/a/minimum: "), "{}", told(wrong));
    let nowhere = r##"{"type":"object","properties":{"a":{"$ref":"#/$defs/a"}}}"##;
    assert!(told(nowhere).contains("$defs/a"), "{}", told(nowhere));
    let pattern = r#"{"type":"object","properties":{"a":{"pattern":"("}}}"#;
    assert!(told(pattern).starts_with("/properties/a/pattern: "), "{}", told(pattern));
    assert!(check_schema(&"[".repeat(10_000)).is_err());
}

#[test]
fn patterns_are_counted_before_any_is_compiled() {
    let with = |patterns: &[String]| {
        let properties = patterns.iter().enumerate();
        let properties = properties.map(|(at, pattern)| (format!("p{at}"), json!({ "pattern": pattern })));
        let properties: serde_json::Map<_, _> = properties.collect();
        check_schema(&json!({ "type": "object", "properties": properties }).to_string())
    };
    let too_many = Err(SchemaError::TooManyPatterns { limit: PATTERNS, bytes: PATTERN_TEXT });
    let short = |count: usize| (0..count).map(|at| format!("^[a-z]{{1,64}}{at}$")).collect::<Vec<_>>();
    assert_eq!(with(&short(PATTERNS)), Ok(()));
    assert_eq!(with(&short(PATTERNS + 1)), too_many);
    assert_eq!(with(&["a".repeat(PATTERN_TEXT)]), Ok(()));
    assert_eq!(with(&["a".repeat(PATTERN_TEXT), "b".to_owned()]), too_many);
    let named: serde_json::Map<_, _> = short(PATTERNS + 1).into_iter().map(|p| (p, json!({}))).collect();
    let nested = json!({ "type": "object", "$defs": { "a": [{ "patternProperties": named }] } });
    assert_eq!(check_schema(&nested.to_string()), too_many);
    // A short text may still stand for a large machine.
    let large = with(&["\\p{L}{1000}".to_owned()]).unwrap_err().to_string();
    assert!(large.starts_with("/properties/p0/pattern: "), "{large}");
}
