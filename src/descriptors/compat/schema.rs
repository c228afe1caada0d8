//! Parameter schemas: which ones are sound, and what the parameters of a consumer may lose from one to the next.

use super::{pointer, shown};
use crate::descriptors::fault::{SchemaError, excerpt};
use jsonschema::PatternOptions;
use serde_json::Value;

/// Bytes of a parameter schema.
const BYTES: usize = 64 << 10;
/// The dialect that is understood.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 1 << 20;

/// Judges a parameter schema: JSON Schema draft 2020-12 for an object, that refers to nothing outside itself.
///
/// # Errors
/// What is wrong, and for faults inside the schema where.
pub fn check_schema(text: &str) -> Result<(), SchemaError> {
    if text.len() > BYTES {
        return Err(SchemaError::TooLarge { bytes: text.len(), limit: BYTES });
    }
    let schema: Value = serde_json::from_str(text)
        .map_err(|error| SchemaError::NotJson { reason: excerpt(&error.to_string()) })?;
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(SchemaError::NotObject);
    }
    match schema.get("$schema").and_then(Value::as_str) {
        Some(dialect) if dialect.trim_end_matches('#') != DIALECT => {
            return Err(SchemaError::Dialect { dialect: excerpt(dialect), expected: DIALECT });
        }
        _ => {}
    }
    local(&schema, "")?;
    let invalid = |error: jsonschema::ValidationError<'_>, path: String| SchemaError::Invalid {
        path: shown(if path.is_empty() { "/" } else { &path }),
        reason: shown(&excerpt(&error.to_string())),
    };
    jsonschema::draft202012::meta::validate(&schema).map_err(|error| {
        let path = error.instance_path().to_string();
        invalid(error, path)
    })?;
    let patterns = PatternOptions::fancy_regex().size_limit(PATTERN_BYTES);
    let options = jsonschema::draft202012::options().with_pattern_options(patterns);
    options.build(&schema).map(drop).map_err(|error| {
        let path = error.schema_path().to_string();
        invalid(error, path)
    })
}

/// Finds a reference out of the document, or a part that would be a document of its own. The parser bounds the depth.
fn local(value: &Value, path: &str) -> Result<(), SchemaError> {
    match value {
        Value::Object(map) => {
            for keyword in ["$ref", "$dynamicRef"] {
                if map.get(keyword).and_then(Value::as_str).is_some_and(|to| !to.starts_with('#')) {
                    return Err(SchemaError::NotLocal { path: shown(path), keyword });
                }
            }
            if !path.is_empty() && map.get("$id").is_some_and(Value::is_string) {
                return Err(SchemaError::NotLocal { path: shown(path), keyword: "$id" });
            }
            map.iter().try_for_each(|(key, value)| local(value, &pointer(path, key)))
        }
        Value::Array(items) => {
            let step = |(at, value): (usize, &Value)| local(value, &pointer(path, &at.to_string()));
            items.iter().enumerate().try_for_each(step)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
            told(&format!("{{\"type\":\"object\",\"title\":\"{}\"}}", "x".repeat(70_000)))
                .contains("more than")
        );
        assert!(
            told(r#"{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}"#)
                .contains("draft-07")
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
}
