//! Random pairs of schemas: where nothing breaks, the validator takes under the new one what it took under the old.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2_i64..5).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,3}".prop_map(Value::from),
    ];
    scalar.prop_recursive(2, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[abc]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Schemas that say what holds of properties in general: about others nothing is promised.
fn schema() -> impl Strategy<Value = Value> {
    let kind =
        prop::sample::select(vec!["null", "boolean", "integer", "number", "string", "array", "object"]);
    let number = -2_i64..5;
    let bound = prop::sample::select(vec!["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
    let count = prop::sample::select(vec![
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
    ]);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        kind.clone().prop_map(|kind| json!({"type": kind})),
        prop::collection::btree_set(kind, 1..4).prop_map(|kinds| json!({"type": kinds})),
        (bound, number.clone()).prop_map(|(keyword, n)| json!({keyword: n})),
        (count, 0..4).prop_map(|(keyword, n)| json!({keyword: n})),
        prop::collection::vec(value(), 1..4).prop_map(|mut values| {
            values.dedup();
            json!({"enum": values})
        }),
        value().prop_map(|value| json!({"const": value})),
        (1_i64..4).prop_map(|n| json!({"multipleOf": n})),
        "[ab]".prop_map(|pattern| json!({"pattern": pattern})),
        Just(json!({"uniqueItems": true})),
        prop::collection::btree_set("[abc]", 1..3).prop_map(|names| json!({"required": names})),
        Just(json!({"dependentRequired": {"a": ["b"]}})),
        Just(json!({"$ref": "#/$defs/a"})),
    ];
    leaf.prop_recursive(3, 14, 3, |inner| {
        let list = prop::collection::vec(inner.clone(), 1..3);
        let map = prop::collection::btree_map("[abc]", inner.clone(), 0..3);
        let pattern = prop::option::of(("[ab]", inner.clone()));
        prop_oneof![
            (map, inner.clone(), pattern).prop_map(|(properties, others, pattern)| {
                let mut schema = json!({"properties": properties, "additionalProperties": others});
                if let Some((pattern, inner)) = pattern {
                    schema["patternProperties"] = json!({pattern: inner});
                }
                schema
            }),
            (list.clone(), inner.clone())
                .prop_map(|(prefix, rest)| json!({"prefixItems": prefix, "items": rest})),
            (inner.clone(), 0..3, prop::option::of(0..3)).prop_map(|(inner, min, max)| match max {
                Some(max) => json!({"contains": inner, "minContains": min, "maxContains": max}),
                None => json!({"contains": inner, "minContains": min}),
            }),
            inner.clone().prop_map(|inner| json!({"propertyNames": inner})),
            inner.clone().prop_map(|inner| json!({"not": inner})),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
            inner.clone().prop_map(|inner| json!({"dependentSchemas": {"a": inner}})),
            (prop::sample::select(vec!["allOf", "anyOf", "oneOf"]), list)
                .prop_map(|(k, list)| json!({k: list})),
            // Several keywords in one schema.
            (inner.clone(), inner).prop_map(|(a, b)| match (a, b) {
                (Value::Object(mut a), Value::Object(b)) => {
                    a.extend(b);
                    Value::Object(a)
                }
                (a, _) => a,
            }),
        ]
    })
}

/// Part of a schema replaced, so that pairs are near each other.
fn with_definition(schema: &Value, definition: &Value) -> Value {
    let mut whole = match schema {
        Value::Object(map) => Value::Object(map.clone()),
        other => json!({"allOf": [other]}),
    };
    whole["$defs"] = json!({"a": definition});
    whole
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn what_does_not_break_takes_what_was_taken(
        old in schema(), new in schema(), definition in value(), which in 0..4, values in prop::collection::vec(value(), 12)
    ) {
        let definitions = [json!({"const": definition}), json!({"enum": [definition, 1]})];
        let old = with_definition(&old, &definitions[0]);
        let new = match which {
            0 => with_definition(&new, &definitions[1]),
            1 => with_definition(&old, &definitions[1]),
            2 => json!({"anyOf": [new, old], "$defs": {"a": definitions[0]}}),
            _ => json!({"allOf": [old, new], "$defs": {"a": definitions[1]}}),
        };
        let taken = (jsonschema::draft202012::new(&old), jsonschema::draft202012::new(&new));
        let (Ok(before), Ok(after)) = taken else { return Ok(()) };
        prop_assert_eq!(narrowed(&old, &old, Silence::Any), []);
        if narrowed(&old, &new, Silence::Any).is_empty() {
            for value in values {
                prop_assert!(!before.is_valid(&value) || after.is_valid(&value), "{} {} {}", old, new, value);
            }
        }
    }
}
