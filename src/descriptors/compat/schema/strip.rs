//! Takes from a schema what asserts nothing: titles, descriptions, defaults, examples, keywords that are not known.

use serde_json::{Map, Value};

/// Keywords whose value is a schema.
const SCHEMA: &[&str] = &[
    "additionalProperties",
    "contains",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LIST: &[&str] = &["allOf", "anyOf", "oneOf", "prefixItems"];
/// Keywords whose value is a map of schemas.
const MAP: &[&str] = &["$defs", "definitions", "dependentSchemas", "patternProperties", "properties"];
/// Keywords whose value is data.
const DATA: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$ref",
    "const",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "dependentRequired",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "type",
    "uniqueItems",
];

/// The schema without what asserts nothing. The parser bounds the depth.
pub(super) fn strip(schema: &Value) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let mut stripped = Map::new();
    for (key, value) in map {
        let name = key.as_str();
        let kept = match value {
            _ if SCHEMA.contains(&name) => strip(value),
            Value::Array(items) if LIST.contains(&name) => items.iter().map(strip).collect(),
            Value::Object(map) if MAP.contains(&name) => {
                map.iter().map(|(key, value)| (key.clone(), strip(value))).collect()
            }
            _ if DATA.contains(&name) => value.clone(),
            _ => continue,
        };
        stripped.insert(key.clone(), kept);
    }
    Value::Object(stripped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn annotations_go_and_properties_of_their_name_stay() {
        let schema = json!({"title": "x", "default": {}, "x-own": 1, "properties": {"title": {"description": "y",
            "type": "string"}, "examples": true}, "enum": [{"title": "kept"}], "anyOf": [{"deprecated": true}]});
        let stripped = json!({"properties": {"title": {"type": "string"}, "examples": true},
            "enum": [{"title": "kept"}], "anyOf": [{}]});
        assert_eq!(strip(&schema), stripped);
    }
}
