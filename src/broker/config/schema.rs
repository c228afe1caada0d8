//! The configuration's JSON Schema (draft 2020-12), for editors and checks.

use super::unit::{DURATION_PATTERN, SIZE_PATTERN};
use crate::model::Stage;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// The JSON Schema of the configuration file.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(super::Config);
    RecursiveTransform(without_null).transform(&mut schema);
    schema.insert("title".into(), "Portolan configuration".into());
    schema.to_value()
}

/// TOML knows no null: an optional field is left out.
fn without_null(schema: &mut Schema) {
    let types = schema.get_mut("type").and_then(Value::as_array_mut);
    if let Some(types) = types {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

pub(super) fn one_or_more(_: &mut SchemaGenerator) -> Schema {
    let address = json_schema!({ "type": "string" });
    json_schema!({ "anyOf": [address, { "type": "array", "items": address, "minItems": 1 }] })
}

pub(super) fn none_or_more(_: &mut SchemaGenerator) -> Schema {
    let address = json_schema!({ "type": "string" });
    json_schema!({ "anyOf": [address, { "type": "array", "items": address }] })
}

pub(super) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": DURATION_PATTERN })
}

pub(super) fn size(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": SIZE_PATTERN })
}

pub(super) fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

pub(super) fn stage(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["alpha", "beta", "stable", "deprecated", "retired"] })
}

/// The stage of a version that names none.
pub(super) fn usual_stage() -> Stage {
    Stage::Stable
}
