//! Pairs of parameter schemas, and what breaks between them.

use super::*;

mod sound;
mod soundness;

/// What breaks between two schemas: `pointer RULE`.
fn breaks(old: &str, new: &str) -> Vec<String> {
    let mut found = Breaks::default();
    compare(Some(old), Some(new), &mut found);
    let told = found.finish().into_iter();
    told.map(|found| format!("{} {}", found.path.strip_prefix("parameter_schema:").unwrap(), found.rule))
        .collect()
}

/// Pairs of what `properties.size` may be (or of whole schemas, where they begin with `{`), and what breaks.
const PAIRS: &[(&str, &str, &[&str])] = &[
    // Types.
    (r#""type":"integer""#, r#""type":"number""#, &[]),
    (r#""type":"number""#, r#""type":"integer""#, &["/type SCHEMA_TYPE_NARROWED"]),
    (r#""type":["string","null"]"#, r#""type":"string""#, &["/type SCHEMA_TYPE_NARROWED"]),
    (r#""type":"string""#, r#""type":["string","null"]"#, &[]),
    (r#""type":"string""#, "", &[]),
    ("", r#""type":"string""#, &["/type SCHEMA_TYPE_NARROWED"]),
    // Listed values.
    (r#""enum":["a","b"]"#, r#""enum":["a","b","c"]"#, &[]),
    (r#""enum":["a","b"]"#, r#""enum":["a"]"#, &["/enum SCHEMA_ENUM_NARROWED"]),
    (r#""enum":["a","b"]"#, r#""type":"string","minLength":1"#, &[]),
    (r#""enum":["a","b"]"#, r#""type":"string","minLength":2"#, &["/minLength SCHEMA_BOUND_NARROWED"]),
    (r#""const":1"#, r#""enum":[1.0,2]"#, &[]),
    (r#""type":"string""#, r#""type":"string","enum":["a"]"#, &["/enum SCHEMA_ENUM_NARROWED"]),
    (r#""type":"boolean""#, r#""enum":[true,false]"#, &[]),
    (r#""type":"string","enum":["a",7]"#, r#""enum":["a"]"#, &[]),
    // Bounds.
    (r#""type":"integer","maximum":9"#, r#""type":"integer","maximum":10"#, &[]),
    (
        r#""type":"integer","maximum":9"#,
        r#""type":"integer","maximum":8"#,
        &["/maximum SCHEMA_BOUND_NARROWED"],
    ),
    (r#""type":"integer""#, r#""type":"integer","minimum":0"#, &["/minimum SCHEMA_BOUND_NARROWED"]),
    (r#""type":"integer","minimum":1"#, r#""type":"integer","exclusiveMinimum":0"#, &[]),
    (
        r#""type":"number","minimum":1"#,
        r#""exclusiveMinimum":1"#,
        &["/exclusiveMinimum SCHEMA_BOUND_NARROWED"],
    ),
    (r#""type":"number","exclusiveMaximum":1"#, r#""maximum":1"#, &[]),
    (r#""type":"string""#, r#""type":"string","minimum":7"#, &[]),
    (
        r#""type":"string","maxLength":9"#,
        r#""type":"string","maxLength":5"#,
        &["/maxLength SCHEMA_BOUND_NARROWED"],
    ),
    (r#""type":"string""#, r#""type":"string","minLength":0"#, &[]),
    (r#""type":"integer","multipleOf":6"#, r#""type":"integer","multipleOf":3"#, &[]),
    (r#""type":"integer","multipleOf":3"#, r#""multipleOf":6"#, &["/multipleOf SCHEMA_BOUND_NARROWED"]),
    (r#""type":"integer""#, r#""multipleOf":1"#, &[]),
    (r#""minProperties":1"#, r#""minProperties":2"#, &["/minProperties SCHEMA_BOUND_NARROWED"]),
    (r#""type":"object","required":["a","b"]"#, r#""minProperties":2"#, &[]),
    // Texts.
    (r#""type":"string","pattern":"^a""#, r#""type":"string""#, &[]),
    (r#""type":"string""#, r#""type":"string","pattern":"^a""#, &["/pattern SCHEMA_PATTERN_CHANGED"]),
    (r#""pattern":"^a""#, r#""pattern":"^b""#, &["/pattern SCHEMA_PATTERN_CHANGED"]),
    (r#""type":"string""#, r#""type":"string","format":"email""#, &["/format SCHEMA_FORMAT_CHANGED"]),
    (r#""type":"integer""#, r#""type":"integer","format":"email""#, &[]),
    // Arrays.
    (r#""type":"array""#, r#""uniqueItems":true"#, &["/uniqueItems SCHEMA_UNIQUE_ITEMS_ADDED"]),
    (r#""type":"array","maxItems":1"#, r#""uniqueItems":true"#, &[]),
    (
        r#""type":"array","items":{"type":"number"}"#,
        r#""items":{"type":"integer"}"#,
        &["/items/type SCHEMA_TYPE_NARROWED"],
    ),
    (r#""type":"array","items":{"type":"integer"}"#, r#""items":{"type":"number"}"#, &[]),
    (
        r#""type":"array","items":{"type":"integer"}"#,
        r#""prefixItems":[{"type":"integer"},{"type":"string"}]"#,
        &["/prefixItems/1/type SCHEMA_TYPE_NARROWED"],
    ),
    (
        r#""type":"array","prefixItems":[{"type":"integer"}],"items":false"#,
        r#""items":{"type":"integer"}"#,
        &[],
    ),
    (r#""type":"array""#, r#""contains":{"type":"integer"}"#, &["/contains SCHEMA_UNPROVEN"]),
    (r#""type":"array","contains":{"const":1}"#, r#""contains":{"type":"integer"}"#, &[]),
    // Objects.
    (
        r#""properties":{"a":{}}"#,
        r#""properties":{"a":{}},"required":["a"]"#,
        &["/required SCHEMA_REQUIRED_ADDED"],
    ),
    (r#""required":["a"]"#, "", &[]),
    (r#""properties":{"a":true}"#, r#""properties":{"a":true,"b":{"type":"string"}}"#, &[]),
    (
        r#""additionalProperties":true"#,
        r#""properties":{"b":{"type":"string"}}"#,
        &["/properties/b/type SCHEMA_TYPE_NARROWED"],
    ),
    (
        r#""type":"object","properties":{"a":{}}"#,
        r#""type":"object","properties":{"a":{}},"additionalProperties":false"#,
        &["/additionalProperties SCHEMA_CLOSED"],
    ),
    (
        r#""type":"object","properties":{"a":{},"b":{}},"additionalProperties":false"#,
        r#""type":"object","properties":{"a":{}},"additionalProperties":false"#,
        &["/properties/b SCHEMA_PROPERTY_REMOVED"],
    ),
    (
        r#""type":"object","properties":{"a":{}},"additionalProperties":false"#,
        r#""type":"object","properties":{"a":{},"b":{"type":"string"}},"additionalProperties":false"#,
        &[],
    ),
    (
        r#""type":"object","properties":{"a":{}},"additionalProperties":false"#,
        r#""type":"object","properties":{"a":{}},"unevaluatedProperties":false"#,
        &[],
    ),
    (
        r#""type":"object","additionalProperties":{"type":"integer"}"#,
        r#""type":"object","additionalProperties":{"type":"string"}"#,
        &["/additionalProperties/type SCHEMA_TYPE_NARROWED"],
    ),
    (
        r#""type":"object","patternProperties":{"^x":{"type":"integer"}},"additionalProperties":false"#,
        r#""type":"object","patternProperties":{"^x":{"type":"number"}},"additionalProperties":false"#,
        &[],
    ),
    (
        r#""type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false"#,
        r#""type":"object","patternProperties":{"^a$":{"type":"string"}},"additionalProperties":false"#,
        &["/patternProperties/^a$/type SCHEMA_TYPE_NARROWED"],
    ),
    (
        r#""type":"object","patternProperties":{"^x":{}},"additionalProperties":false"#,
        r#""type":"object","additionalProperties":false"#,
        &["/additionalProperties SCHEMA_CLOSED"],
    ),
    (
        r#""type":"object""#,
        r#""propertyNames":{"maxLength":3}"#,
        &["/propertyNames/maxLength SCHEMA_BOUND_NARROWED"],
    ),
    (
        r#""type":"object""#,
        r#""dependentRequired":{"a":["b"]}"#,
        &["/dependentRequired/a SCHEMA_REQUIRED_ADDED"],
    ),
    (r#""required":["b"]"#, r#""dependentRequired":{"a":["b"]}"#, &[]),
    // Joined schemas.
    (
        r#""type":"string""#,
        r#""allOf":[{"type":"string"},{"maxLength":3}]"#,
        &["/allOf/1/maxLength SCHEMA_BOUND_NARROWED"],
    ),
    (r#""allOf":[{"type":"string"},{"maxLength":3}]"#, r#""type":"string","maxLength":3"#, &[]),
    (r#""type":"string""#, r#""anyOf":[{"type":"integer"},{"type":"string"}]"#, &[]),
    (r#""anyOf":[{"type":"integer"},{"type":"string"}]"#, r#""type":["integer","string"]"#, &[]),
    (
        r#""anyOf":[{"type":"integer"},{"type":"string"}]"#,
        r#""type":"string""#,
        &["/type SCHEMA_TYPE_NARROWED"],
    ),
    (r#""anyOf":[{"const":1},{"const":2}]"#, r#""anyOf":[{"const":1}]"#, &["/anyOf SCHEMA_UNPROVEN"]),
    (
        r#""oneOf":[{"type":"integer"},{"type":"string"}]"#,
        r#""oneOf":[{"type":"number"},{"type":"string"},{"type":"null"}]"#,
        &[],
    ),
    (
        r#""oneOf":[{"type":"integer"},{"type":"string"}]"#,
        r#""oneOf":[{"type":"integer"},{"type":"string"},{"minLength":3}]"#,
        &["/oneOf SCHEMA_UNPROVEN"],
    ),
    (
        r#""oneOf":[{"required":["k"],"properties":{"k":{"const":"a"}}},{"required":["k"],"properties":{"k":{"const":"b"}}}],"type":"object""#,
        r#""oneOf":[{"required":["k"],"properties":{"k":{"const":"b"}}},{"required":["k"],"properties":{"k":{"const":"a"}}},{"type":"object","required":["k"],"properties":{"k":{"const":"c"}}}],"type":"object""#,
        &[],
    ),
    (r#""type":"string""#, r#""not":{"type":"integer"}"#, &[]),
    (r#""not":{"maxLength":9}"#, r#""not":{"maxLength":5}"#, &[]),
    (r#""not":{"maxLength":5}"#, r#""not":{"maxLength":9}"#, &["/not SCHEMA_UNPROVEN"]),
    (
        r#""type":"object","if":{"required":["a"]},"then":{"required":["b","c"]}"#,
        r#""type":"object","if":{"required":["a"]},"then":{"required":["b"]}"#,
        &[],
    ),
    (
        r#""type":"object""#,
        r#""if":{"required":["a"]},"then":{"required":["b"]}"#,
        &["/then/required SCHEMA_REQUIRED_ADDED"],
    ),
    (
        r#""type":"object","allOf":[{"properties":{"a":{}}}],"unevaluatedProperties":false"#,
        r#""type":"object","allOf":[{"properties":{"a":{},"b":{}}}],"unevaluatedProperties":false"#,
        &["/unevaluatedProperties SCHEMA_UNPROVEN"],
    ),
    // What asserts nothing.
    (r#""title":"x","default":1,"x-own":true"#, r#""title":"y","default":2,"deprecated":true"#, &[]),
    (r#""oneOf":[{"title":"a"}]"#, r#""oneOf":[{"title":"b"}]"#, &[]),
];

#[test]
fn pairs_break_where_they_narrow() {
    for (old, new, wanted) in PAIRS {
        let whole = |part: &str| format!(r#"{{"type":"object","properties":{{"size":{{{part}}}}}}}"#);
        let wanted: Vec<String> = wanted.iter().map(|break_| format!("/properties/size{break_}")).collect();
        assert_eq!(check_schema(&whole(old)), Ok(()), "{old}");
        assert_eq!(breaks(&whole(old), &whole(new)), wanted, "{old}  ->  {new}");
        for part in [old, new] {
            assert_eq!(breaks(&whole(part), &whole(part)), [""; 0], "{part}");
        }
    }
}

#[test]
fn references_are_followed_and_may_run_in_circles() {
    let tree = |kind: &str| {
        format!(
            r##"{{"type":"object","properties":{{"tree":{{"$ref":"#/$defs/tree"}}}},"$defs":{{"tree":{{"type":"object",
            "properties":{{"value":{{"type":"{kind}"}},"left":{{"$ref":"#/$defs/tree"}}}}}}}}}}"##
        )
    };
    assert_eq!(breaks(&tree("integer"), &tree("number")), [""; 0]);
    assert_eq!(
        breaks(&tree("number"), &tree("integer")),
        ["/$defs/tree/properties/value/type SCHEMA_TYPE_NARROWED"]
    );
    let itself = r##"{"type":"object","$ref":"#/$defs/a","$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"},{"minProperties":7}]}}}"##;
    assert!(!breaks(r#"{"type":"object"}"#, itself).is_empty());
    let inline = r#"{"type":"object","properties":{"tree":{"type":"object","properties":{"value":{"type":"integer"}}}}}"#;
    assert_eq!(breaks(inline, &tree("integer")), [""; 0]);
}

#[test]
fn schemas_that_come_and_go() {
    let rules = |old, new| {
        let mut found = Breaks::default();
        compare(old, new, &mut found);
        found.finish().into_iter().map(|found| found.rule).collect::<Vec<_>>()
    };
    let optional = r#"{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}"#;
    assert_eq!(rules(None, Some(optional)), [""; 0]);
    assert_eq!(rules(None, Some(r#"{"type":"object","required":["a"]}"#)), ["SCHEMA_REQUIRED_ADDED"]);
    assert_eq!(rules(Some(optional), None), ["SCHEMA_NO_DELETE"]);
    assert_eq!(rules(Some("{"), Some(optional)), ["SCHEMA_UNPROVEN"]);
}

/// The proof would take as many steps as there are ways through the alternatives; it gives up, and says so.
#[test]
fn what_is_too_intricate_is_unproven() {
    let chain = |leaf: &str| {
        let link = |at: usize| {
            format!(r##""d{at}":{{"anyOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##, at + 1)
        };
        let links: Vec<String> = (0..40).map(link).collect();
        let start = r##""type":"object","properties":{"a":{"$ref":"#/$defs/d0"}}"##;
        format!(r#"{{{start},"$defs":{{{},"d40":{leaf}}}}}"#, links.join(","))
    };
    let (old, new) = (chain(r#"{"type":"string"}"#), chain(r#"{"type":"string","maxLength":4}"#));
    assert_eq!((check_schema(&old), check_schema(&new)), (Ok(()), Ok(())));
    assert_eq!(breaks(&old, &new), ["/properties/a SCHEMA_UNPROVEN"]);
    let deep = |leaf: &str| {
        format!(
            r#"{{"type":"object","additionalProperties":{}{leaf}{}}}"#,
            r#"{"properties":{"a":"#.repeat(55),
            "}}".repeat(55)
        )
    };
    assert!(!breaks(&deep("{}"), &deep(r#"{"type":"string"}"#)).is_empty());
}
