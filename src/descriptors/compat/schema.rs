//! Parameter schemas: which ones are sound, and what the parameters of a consumer may lose from one to the next.

mod array;
mod facts;
mod judge;
mod logic;
mod object;
mod patterns;
mod scalar;
mod strip;
#[cfg(test)]
mod tests;

use super::{Breaks, pointer, shown};
use crate::descriptors::fault::{SchemaError, excerpt};
use crate::descriptors::json;
use facts::Node;
use jsonschema::PatternOptions;
use judge::{Found, Given, Judge, Silence};
use serde_json::Value;

/// Bytes of a parameter schema.
const BYTES: usize = 64 << 10;
/// The dialect that is understood.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Bytes that one compiled pattern may take.
const PATTERN_BYTES: usize = 256 << 10;
/// Patterns in one schema; each is compiled.
const PATTERNS: usize = 100;
/// Bytes of their text, in all.
const PATTERN_TEXT: usize = 4 << 10;

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
    count_patterns(&schema, &mut (PATTERNS, PATTERN_TEXT))?;
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

/// Finds what parameters that `old` took `new` does not take. A contract without a schema takes no parameters.
pub(super) fn compare(old: Option<&str>, new: Option<&str>, found: &mut Breaks) {
    let path = "parameter_schema:";
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) if json::canonical(old) == json::canonical(new) => return,
        (None, None) => return,
        (Some(_), None) => {
            return found.add(path, "SCHEMA_NO_DELETE", "parameters were taken and are not any more");
        }
        (old, Some(new)) => (old.unwrap_or(r#"{"type":"object","additionalProperties":false}"#), new),
    };
    let (Ok(old), Ok(new)) = (serde_json::from_str::<Value>(old), serde_json::from_str::<Value>(new)) else {
        return found.add(path, judge::UNPROVEN, "it is no JSON");
    };
    let lost = narrowed(&old, &new, Silence::Absent);
    lost.into_iter().for_each(|(path, rule, message)| found.add(path, rule, message));
}

fn narrowed(old: &Value, new: &Value, silence: Silence) -> Found {
    let (old, new) = (strip::strip(old), strip::strip(new));
    let mut found = Found::new();
    let given = Given::only(vec![Node { root: &old, at: &old }]);
    Judge::new(silence).check(&given, Node { root: &new, at: &new }, "parameter_schema:", &mut found);
    found
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

/// Refuses more patterns than are compiled. What only looks like one, such as an example, is counted with them.
fn count_patterns(value: &Value, left: &mut (usize, usize)) -> Result<(), SchemaError> {
    let too_many = SchemaError::TooManyPatterns { limit: PATTERNS, bytes: PATTERN_TEXT };
    let mut count = |pattern: &str| {
        let rest = left.0.checked_sub(1).zip(left.1.checked_sub(pattern.len()));
        rest.map(|rest| *left = rest).ok_or_else(|| too_many.clone())
    };
    match value {
        Value::Object(map) => {
            map.get("pattern").and_then(Value::as_str).map_or(Ok(()), &mut count)?;
            let named = map.get("patternProperties").and_then(Value::as_object);
            named.into_iter().flat_map(|named| named.keys()).try_for_each(|pattern| count(pattern))?;
            map.values().try_for_each(|value| count_patterns(value, left))
        }
        Value::Array(items) => items.iter().try_for_each(|value| count_patterns(value, left)),
        _ => Ok(()),
    }
}
