//! Every field of every kind with every wrong type: refused by the parser, at its place, and by the schema.

use super::{WHOLE, files};
use crate::manifest::{parse, schema};
use serde_json::{Value, json};
use std::path::Path;

/// A document of each kind in which every field of the schema stands.
fn full(kind: &str) -> Value {
    let needs = json!([{"capability": "platforms/data.example/capabilities/kv", "range": "^1"}]);
    let common = json!({
        "description": "a", "owner": "b", "contact": "c", "on_call": "d", "support_tier": "e", "cost_unit": "f",
        "labels": {"g": "h"}, "visibility": ["*"],
    });
    let (name, spec) = match kind {
        "Platform" => ("payments.example", json!({"display_name": "a", "trust_domain": "payments.example"})),
        "Grant" => ("ledger", json!({"service_prefixes": ["acme.ledger"]})),
        "Capability" => ("ledger", common),
        "Version" => {
            let mut spec = common;
            let own = json!({
                "services": ["acme.ledger.v1.Ledger"], "discover": false, "descriptor_set": "ledger.binpb",
                "parameter_schema": {"type": "object"}, "stage": "beta", "deprecation_time": "2026-01-01T00:00:00Z",
                "sunset_time": "2027-01-01T00:00:00Z", "availability": "no_new", "traffic_weight": 5, "sticky_key": "session-id",
                "replacement": "platforms/a/capabilities/b/versions/1.0.0", "depends_on": needs, "prerequisites": needs,
                "slo": {"availability_percent": 99.9, "latency_p99": "5ms"}, "obligations": ["gdpr"],
                "service_config": {"methodConfig": [{"name": [{}], "timeout": "5s"}]},
            });
            spec.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
            ("ledger/1.2.0", spec)
        }
        "Producer" => (
            "ledger-1",
            json!({
                "identity": "spiffe://a/b", "endpoints": [{"address": "a:1", "locality": "eu", "weight": 3}],
                "versions": ["ledger/1.2.0"], "discovery_interval": "30s",
            }),
        ),
        _ => (
            "acme.ledger.v1.Ledger",
            json!({"platform": "a.example", "expire_time": "2027-01-01T00:00:00Z", "reason": "moving"}),
        ),
    };
    let mut metadata = json!({"name": name});
    if !matches!(kind, "Platform" | "Override") {
        metadata["platform"] = "payments.example".into();
    }
    json!({"apiVersion": "portolan.dev/v1", "kind": kind, "metadata": metadata, "spec": spec})
}

/// The pointer of every value in a document.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    match value {
        // What stands in a schema, or a service config, is its own.
        Value::Object(fields) if !matches!(at, "/spec/parameter_schema" | "/spec/service_config") => {
            fields.iter().for_each(|(key, field)| pointers(field, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| pointers(item, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

/// Where a pointer's key or item stands in a document as it is printed.
fn place(text: &str, pointer: &str) -> (usize, usize) {
    let (mut from, mut indent, mut found) = (0, 0, (1, 1));
    for step in pointer.split('/').skip(1) {
        let mut lines = text.lines().enumerate().skip(from);
        match step.parse::<usize>() {
            Ok(index) => {
                let mut items = lines.filter(|(_, line)| line.trim_start().starts_with("- "));
                let (line, content) = items.nth(index).unwrap();
                let dash = content.find("- ").unwrap();
                // The first field of an item stands on the line of its dash.
                (from, indent, found) = (line, dash + 2, (line + 1, dash + 3));
            }
            Err(_) => {
                let key = format!("{step}:");
                let is_key = |line: &str| {
                    line.get(indent..).is_some_and(|rest| rest.trim_start_matches(' ').starts_with(&key))
                };
                let (line, content) = lines.find(|(_, line)| is_key(line)).unwrap();
                let column = content.find(&key).unwrap() + 1;
                (from, indent, found) = (line + 1, column, (line + 1, column));
            }
        }
    }
    found
}

#[test]
fn every_wrong_type_is_refused_at_its_place_and_by_the_schema() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let (mut judged, mut taken) = (0, Vec::new());
    for kind in crate::manifest::kind::KINDS {
        let good = full(kind);
        let text = yaml_serde::to_string(&good).unwrap();
        assert!(parse(Path::new("x.yaml"), &text, &files).is_ok(), "{text}");
        assert!(
            schema.is_valid(&good),
            "{:?}",
            schema.iter_errors(&good).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        let mut all = Vec::new();
        pointers(&good, "", &mut all);
        for pointer in &all {
            for wrong in [
                json!(null),
                json!(true),
                json!(7),
                json!(-1.5),
                json!("\u{1}"),
                json!([]),
                json!({}),
                json!([[]]),
            ] {
                let mut bad = good.clone();
                let was = bad.pointer_mut(pointer).unwrap();
                if fits(pointer, was, &wrong) {
                    continue;
                }
                *was = wrong.clone();
                let text = yaml_serde::to_string(&bad).unwrap();
                let read = parse(Path::new("x.yaml"), &text, &files);
                let Err(faults) = read else { panic!("{kind}{pointer} is taken as {wrong}:\n{text}") };
                let at = place(&text, pointer);
                let told: Vec<_> = faults.iter().map(|f| (f.line, f.column)).collect();
                // An item that is wrong in itself is told at the item; a list of wrong items at the first.
                let inside = faults.iter().any(|f| f.field.starts_with(&dotted(pointer)));
                assert!(
                    told.contains(&at) || inside,
                    "{kind}{pointer} as {wrong}: {told:?}, not {at:?}\n{faults}\n{text}"
                );
                if schema.is_valid(&bad) {
                    taken.push(format!("{kind}{pointer} as {wrong}"));
                }
                judged += 1;
            }
        }
    }
    assert_eq!(taken, Vec::<String>::new(), "taken by the schema alone");
    assert!(judged > 400, "{judged}");
}

/// Whether a value of this type is right there after all.
fn fits(pointer: &str, was: &Value, wrong: &Value) -> bool {
    let last = pointer.rsplit('/').next().unwrap();
    let empty_list = *wrong == json!([]);
    match was {
        // Whether a file is there, no schema knows.
        _ if last == "descriptor_set" => wrong.is_string(),
        _ if matches!(last, "parameter_schema" | "service_config") => wrong.is_object() || wrong.is_string(),
        Value::String(_) => wrong.is_string() && is_free(pointer),
        Value::Bool(_) => wrong.is_boolean(),
        Value::Number(_) => *wrong == json!(7),
        Value::Array(_) => {
            empty_list && matches!(last, "visibility" | "depends_on" | "prerequisites" | "obligations")
        }
        Value::Object(_) => *wrong == json!({}) && matches!(pointer, "/spec/labels" | "/spec/slo" | "/spec"),
        Value::Null => false,
    }
}

/// Text of any words.
fn is_free(pointer: &str) -> bool {
    let words = [
        "description",
        "owner",
        "contact",
        "on_call",
        "support_tier",
        "cost_unit",
        "sticky_key",
        "display_name",
        "locality",
    ];
    let last = pointer.rsplit('/').next().unwrap();
    words.contains(&last)
        || pointer.contains("/labels/")
        || pointer.contains("/obligations/")
        || last == "reason"
}

fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for step in pointer.split('/').skip(1) {
        match step.parse::<usize>() {
            Ok(index) => text.push_str(&format!("[{index}]")),
            Err(_) if text.is_empty() => text.push_str(step),
            Err(_) => text.extend([".", step]),
        }
    }
    text
}

#[test]
fn the_schema_takes_what_the_parser_takes() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for document in WHOLE.split("---\n") {
        let value: Value = yaml_serde::from_str(document).unwrap();
        assert!(schema.is_valid(&value), "{document}");
    }
}

/// What `docs/manifests.md` shows is right.
#[test]
fn the_documented_manifests_are_good() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let page = include_str!("../../../docs/manifests.md");
    let blocks: Vec<_> =
        page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let read = parse(Path::new("x.yaml"), block, &|_| Ok(b"descriptors".to_vec()));
        let read = read.unwrap_or_else(|faults| panic!("{faults}"));
        let kinds: std::collections::BTreeSet<_> = read.iter().map(|resource| resource.spec.kind()).collect();
        assert_eq!(kinds.len(), crate::manifest::kind::KINDS.len(), "{kinds:?}");
        for document in block.split("---\n") {
            let value: Value = yaml_serde::from_str(document).unwrap();
            assert!(schema.is_valid(&value), "{document}");
        }
    }
}

/// Parser and schema know the same fields: each tells its own when it meets one it does not know.
#[test]
fn parser_and_schema_know_the_same_fields() {
    let schema = schema();
    for (i, kind) in crate::manifest::kind::KINDS.iter().enumerate() {
        let mut document = full(kind);
        document["spec"]["zzzzzzzzzzzz"] = 1.into();
        let faults = parse(Path::new("x.yaml"), &document.to_string(), &files).unwrap_err();
        let fix = faults.iter().next().unwrap().fix.clone();
        let mut known: Vec<_> = fix.strip_prefix("the fields here are: ").unwrap().split(", ").collect();
        known.sort_unstable();
        let said = schema["allOf"][i]["then"]["properties"]["spec"]["properties"].as_object().unwrap();
        assert_eq!(known, said.keys().collect::<Vec<_>>(), "{kind}");
        let mut standing: Vec<_> = full(kind)["spec"].as_object().unwrap().keys().cloned().collect();
        standing.sort();
        assert_eq!(standing, known, "{kind}");
    }
}
