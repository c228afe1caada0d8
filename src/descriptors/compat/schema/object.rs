//! Keywords about objects: which properties must, may and cannot be there, and what they hold.

use super::facts::{Facts, Node, Types, address};
use super::judge::{Found, Given, Judge, Silence, UNPROVEN};
use crate::descriptors::compat::{pointer, quoted};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

/// Keywords whose schemas may speak of the same properties.
const IN_PLACE: &[&str] = &["allOf", "anyOf", "oneOf", "if", "then", "else", "not"];
/// Schemas that are searched for a property.
const SEARCHED: usize = 500;

/// Checks all of them.
pub(super) fn check<'a>(
    judge: &mut Judge<'a>,
    facts: &Facts<'a>,
    new: Node<'a>,
    path: &str,
    found: &mut Found,
) {
    if !facts.types.has(Types::OBJECT) {
        return;
    }
    required(facts, new, path, found);
    if let Some(names) = new.schema("propertyNames") {
        let known = facts.nodes.iter().filter_map(|node| node.schema("propertyNames"));
        let mut known: Vec<_> = known.collect();
        known.push(names.to(&STRING));
        judge.check_inside(&Given::only(known), names, &pointer(path, "propertyNames"), found);
    }
    let declared = facts.nodes.iter().flat_map(|node| node.named("properties")).map(|(name, _)| name);
    let wanted = new.named("properties").map(|(name, _)| name);
    let names: BTreeSet<&'a String> = declared.chain(wanted).collect();
    for name in names {
        judge.spend(20 + facts.nodes.len());
        property(judge, facts, new, name, path, found);
    }
    others(judge, facts, new, path, found);
}

/// What is known of every property's name.
static STRING: std::sync::LazyLock<Value> =
    std::sync::LazyLock::new(|| serde_json::json!({"type": "string"}));

fn required(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let known = facts.required();
    let is_listed = |name: &str| {
        facts.values.as_ref().is_some_and(|values| {
            values.iter().all(|value| value.as_object().is_none_or(|map| map.contains_key(name)))
        })
    };
    for name in new.texts("required").filter(|name| !known.contains(name) && !is_listed(name)) {
        let message = format!("{} is required now and was not", quoted(name));
        found.push((pointer(path, "required"), "SCHEMA_REQUIRED_ADDED", message));
    }
    for (name, needs) in new.named("dependentRequired") {
        let needs = needs.at.as_array().into_iter().flatten().filter_map(Value::as_str);
        let is_known = |need: &&str| {
            known.contains(need)
                || facts.nodes.iter().any(|node| {
                    let known = node.entry("dependentRequired", name).and_then(|known| known.at.as_array());
                    known.is_some_and(|known| known.iter().any(|known| known == need))
                })
        };
        for need in needs.filter(|need| !is_known(need)) {
            let message = format!("with {} now {} is required and was not", quoted(name), quoted(need));
            found.push((
                pointer(&pointer(path, "dependentRequired"), name),
                "SCHEMA_REQUIRED_ADDED",
                message,
            ));
        }
    }
}

/// Checks what the new schema says of one property that either schema names.
fn property<'a>(
    judge: &mut Judge<'a>,
    facts: &Facts<'a>,
    new: Node<'a>,
    name: &'a str,
    path: &str,
    found: &mut Found,
) {
    let is_declared = facts.nodes.iter().any(|node| node.entry("properties", name).is_some());
    // A schema that neither names a property nor says what others hold promised nothing about it.
    let is_absent = judge.silence == Silence::Absent;
    if is_absent && !is_declared && facts.nodes.iter().all(|node| is_silent(*node, name)) {
        return;
    }
    let Some(known) = of(judge, &facts.nodes, name) else {
        let message = "a pattern of the old schema cannot be understood".to_owned();
        found.push((pointer(path, "patternProperties"), UNPROVEN, message));
        return;
    };
    let given = Given::only(known);
    let mut is_named = false;
    if let Some(schema) = new.entry("properties", name) {
        is_named = true;
        judge.check_inside(&given, schema, &pointer(&pointer(path, "properties"), name), found);
    }
    for (pattern, schema) in new.named("patternProperties") {
        let path = pointer(&pointer(path, "patternProperties"), pattern);
        match judge.patterns.matches(pattern, name) {
            Some(false) => {}
            Some(true) => {
                is_named = true;
                judge.check_inside(&given, schema, &path, found);
            }
            None => found.push((path, UNPROVEN, "the pattern cannot be understood".to_owned())),
        }
    }
    let Some(additional) = new.additional().filter(|_| !is_named) else { return };
    if additional.at != &Value::Bool(false) {
        judge.check_inside(&given, additional, &pointer(path, "additionalProperties"), found);
    } else if !Facts::of(&given.nodes).never {
        let message = "the property is gone, and no others are taken".to_owned();
        found.push((pointer(&pointer(path, "properties"), name), "SCHEMA_PROPERTY_REMOVED", message));
    }
}

/// Checks what the new schema says of properties that neither schema names.
fn others<'a>(judge: &mut Judge<'a>, facts: &Facts<'a>, new: Node<'a>, path: &str, found: &mut Found) {
    // What is known of a property that no pattern of the old schema matches.
    let plain: Vec<_> = facts.nodes.iter().filter_map(|node| node.additional()).collect();
    for (pattern, schema) in new.named("patternProperties") {
        let same = facts.nodes.iter().filter_map(|node| node.entry("patternProperties", pattern));
        let without = facts.nodes.iter().filter(|node| node.get("patternProperties").is_none());
        let known: Vec<_> = same.chain(without.filter_map(|node| node.additional())).collect();
        let path = pointer(&pointer(path, "patternProperties"), pattern);
        judge.check_inside(&Given::only(known), schema, &path, found);
    }
    let Some(additional) = new.additional() else { return };
    let patterns = facts.nodes.iter().flat_map(|node| node.named("patternProperties"));
    let lost = patterns.filter(|(pattern, _)| new.entry("patternProperties", pattern).is_none());
    let mut cases: Vec<Vec<Node<'a>>> = lost.map(|(_, schema)| vec![schema]).collect();
    cases.push(plain);
    for known in cases {
        let path = pointer(path, "additionalProperties");
        if additional.at != &Value::Bool(false) {
            judge.check_inside(&Given::only(known), additional, &path, found);
        } else if !Facts::of(&known).never {
            let message = "properties that are not named were taken and are not any more".to_owned();
            found.push((path, "SCHEMA_CLOSED", message));
        }
    }
}

/// What is known of the property of that name; `None` if a pattern cannot be understood.
pub(super) fn of<'a>(judge: &mut Judge<'a>, nodes: &[Node<'a>], name: &str) -> Option<Vec<Node<'a>>> {
    let mut known = Vec::new();
    for node in nodes {
        let before = known.len();
        known.extend(node.entry("properties", name));
        for (pattern, schema) in node.named("patternProperties") {
            if judge.patterns.matches(pattern, name)? {
                known.push(schema);
            }
        }
        if known.len() == before {
            known.extend(node.additional());
        }
    }
    Some(known)
}

/// Whether a schema says nothing of a property, nor of properties in general.
fn is_silent(node: Node<'_>, name: &str) -> bool {
    let (mut next, mut seen) = (vec![node], HashSet::new());
    while let Some(node) = next.pop() {
        if !seen.insert(address(node)) {
            continue;
        }
        let general = ["additionalProperties", "patternProperties", "unevaluatedProperties", "propertyNames"];
        if seen.len() > SEARCHED
            || general.iter().any(|keyword| node.get(keyword).is_some())
            || node.entry("properties", name).is_some()
            || node.get("$dynamicRef").is_some()
        {
            return false;
        }
        next.extend(node.referred().map(|(_, target)| target));
        next.extend(IN_PLACE.iter().flat_map(|keyword| node.list(keyword).chain(node.schema(keyword))));
        next.extend(node.named("dependentSchemas").map(|(_, schema)| schema));
    }
    true
}
