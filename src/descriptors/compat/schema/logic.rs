//! Keywords that join schemas: references, all, any, one, none, and conditions.

use super::facts::{Facts, Node, Types, equal};
use super::judge::{Found, Given, Judge, UNPROVEN};
use super::object;
use crate::descriptors::compat::pointer;
use serde_json::Value;

/// How far two values are compared to see that they cannot be one.
const APART: usize = 3;

/// Checks all of them.
pub(super) fn check<'a>(
    judge: &mut Judge<'a>,
    given: &Given<'a>,
    facts: &Facts<'a>,
    new: Node<'a>,
    path: &str,
    found: &mut Found,
) {
    if new.get("$ref").is_some() {
        match new.referred() {
            Some((to, target)) => judge.check(given, target, &format!("parameter_schema:{to}"), found),
            None => unproven(path, "$ref", "where it points to cannot be followed", found),
        }
    }
    for (at, member) in new.list("allOf").enumerate() {
        judge.check(given, member, &pointer(&pointer(path, "allOf"), &at.to_string()), found);
    }
    if new.get("anyOf").is_some() && !new.list("anyOf").any(|branch| judge.holds(given, branch)) {
        unproven(path, "anyOf", "nothing shows that one of the alternatives takes all that was taken", found);
    }
    if new.get("oneOf").is_some() && !one(judge, given, facts, new) {
        let message = "nothing shows that exactly one of the alternatives takes what was taken";
        unproven(path, "oneOf", message, found);
    }
    if let Some(none) = new.schema("not") {
        let known: Vec<_> = facts.nodes.iter().filter_map(|node| node.schema("not")).collect();
        if !known.into_iter().any(|old| judge.holds(&Given::only(vec![none]), old))
            && !apart(judge, &facts.nodes, &[none], APART)
        {
            unproven(path, "not", "nothing shows that what was taken is not excluded now", found);
        }
    }
    condition(judge, given, facts, new, path, found);
    for (name, schema) in new.named("dependentSchemas") {
        let known = facts.nodes.iter().filter_map(|node| node.entry("dependentSchemas", name));
        let path = pointer(&pointer(path, "dependentSchemas"), name);
        judge.check(&given.and(known), schema, &path, found);
    }
    for keyword in ["unevaluatedProperties", "unevaluatedItems", "$dynamicRef"] {
        let is_told = keyword == "unevaluatedProperties" && new.additional().is_some();
        if new.get(keyword).is_some_and(|value| value != &Value::Bool(true)) && !is_told {
            unproven(
                path,
                keyword,
                "what it means depends on all around it, and something there changed",
                found,
            );
        }
    }
}

/// Whether exactly one alternative takes all that is given: one does, and no other can take any of it.
fn one<'a>(judge: &mut Judge<'a>, given: &Given<'a>, facts: &Facts<'a>, new: Node<'a>) -> bool {
    let branches: Vec<_> = new.list("oneOf").collect();
    let is_same = |judge: &mut Judge<'a>, old: &Node<'a>| {
        let known: Vec<_> = old.list("oneOf").collect();
        known.len() == branches.len() && known.iter().zip(&branches).all(|(old, new)| judge.same(*old, *new))
    };
    if facts.nodes.iter().any(|node| is_same(judge, node)) {
        return true;
    }
    (0..branches.len()).any(|at| {
        judge.holds(given, branches[at])
            && branches.iter().enumerate().all(|(other, branch)| {
                other == at || apart(judge, &facts.nodes, std::slice::from_ref(branch), APART)
            })
    })
}

/// Whether no value is valid under both.
fn apart<'a>(judge: &mut Judge<'a>, a: &[Node<'a>], b: &[Node<'a>], depth: usize) -> bool {
    let (a, b) = (Facts::of(a), Facts::of(b));
    if a.never || b.never || !a.types.has(b.types) {
        return true;
    }
    if let (Some(a), Some(b)) = (&a.values, &b.values) {
        return judge.spend(a.len().saturating_mul(b.len()))
            && !a.iter().any(|a| b.iter().any(|b| equal(a, b)));
    }
    if depth == 0 || !a.types.both(b.types).without(Types::OBJECT).is_empty() {
        return false;
    }
    // Both are objects: a property that must be there and cannot be the same keeps them apart.
    a.required().union(&b.required()).any(|name| {
        if !judge.spend(1 + a.nodes.len() + b.nodes.len()) {
            return false;
        }
        let (Some(a), Some(b)) = (object::of(judge, &a.nodes, name), object::of(judge, &b.nodes, name))
        else {
            return false;
        };
        apart(judge, &a, &b, depth - 1)
    })
}

fn condition<'a>(
    judge: &mut Judge<'a>,
    given: &Given<'a>,
    facts: &Facts<'a>,
    new: Node<'a>,
    path: &str,
    found: &mut Found,
) {
    let Some(when) = new.schema("if") else { return };
    // Under the same condition, what the old schema asked then holds too.
    let mut same = Vec::new();
    for node in &facts.nodes {
        if let Some(old) = node.schema("if")
            && judge.same(old, when)
        {
            same.push(*node);
        }
    }
    let of = |keyword: &str| -> Vec<_> { same.iter().filter_map(|node| node.schema(keyword)).collect() };
    if let Some(then) = new.schema("then") {
        let given = given.and(of("then").into_iter().chain([when]));
        judge.check(&given, then, &pointer(path, "then"), found);
    }
    if let Some(otherwise) = new.schema("else") {
        judge.check(&given.and(of("else")), otherwise, &pointer(path, "else"), found);
    }
}

fn unproven(path: &str, keyword: &str, message: &str, found: &mut Found) {
    found.push((pointer(path, keyword), UNPROVEN, message.to_owned()));
}
