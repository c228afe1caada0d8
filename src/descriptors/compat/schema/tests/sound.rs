//! Parameter schemas that are taken, and what is said of others.

use super::*;

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
