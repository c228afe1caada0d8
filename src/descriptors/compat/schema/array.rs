//! Keywords about arrays: what stands at which place, and whether twice.

use super::facts::{Facts, Node, Types, order};
use super::judge::{Found, Given, Judge, UNPROVEN};
use crate::descriptors::compat::pointer;
use serde_json::{Number, Value};

/// Checks all of them.
pub(super) fn check<'a>(
    judge: &mut Judge<'a>,
    facts: &Facts<'a>,
    new: Node<'a>,
    path: &str,
    found: &mut Found,
) {
    if !facts.types.has(Types::ARRAY) {
        return;
    }
    items(judge, facts, new, path, found);
    unique(facts, new, path, found);
    contains(judge, facts, new, path, found);
}

fn items<'a>(judge: &mut Judge<'a>, facts: &Facts<'a>, new: Node<'a>, path: &str, found: &mut Found) {
    let prefix = |node: &Node<'a>| node.list("prefixItems").count();
    let named = prefix(&new);
    let most = facts.nodes.iter().map(prefix).max().unwrap_or(0).max(named);
    let rest = new.schema("items");
    if named == 0 && rest.is_none() {
        return;
    }
    // The last round stands for every place beyond those that either schema names.
    for at in 0..=most {
        judge.spend(1 + at * facts.nodes.len());
        let at_most = facts.least("maxItems");
        if at_most.is_some_and(|most| order(most, &Number::from(at)).is_le()) {
            return;
        }
        let known = |node: &Node<'a>| node.list("prefixItems").nth(at).or_else(|| node.schema("items"));
        let given = Given::only(facts.nodes.iter().filter_map(known).collect());
        match (new.list("prefixItems").nth(at), rest) {
            (Some(item), _) => {
                let path = pointer(&pointer(path, "prefixItems"), &at.to_string());
                judge.check_inside(&given, item, &path, found);
            }
            (None, Some(rest)) => judge.check_inside(&given, rest, &pointer(path, "items"), found),
            (None, None) => {}
        }
    }
}

fn unique(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let unique = Value::Bool(true);
    let short = facts.least("maxItems").is_some_and(|most| order(most, &Number::from(1)).is_le());
    if new.get("uniqueItems") == Some(&unique) && !short && !facts.has("uniqueItems", &unique) {
        let message = "an item may not stand twice any more".to_owned();
        found.push((pointer(path, "uniqueItems"), "SCHEMA_UNIQUE_ITEMS_ADDED", message));
    }
}

fn contains<'a>(judge: &mut Judge<'a>, facts: &Facts<'a>, new: Node<'a>, path: &str, found: &mut Found) {
    let Some(wanted) = new.schema("contains") else { return };
    let one = Number::from(1);
    let least = |node: Node<'a>| node.get("minContains").and_then(Value::as_number).unwrap_or(&one).clone();
    let most = |node: Node<'a>| node.get("maxContains").and_then(Value::as_number).cloned();
    let (min, max) = (least(new), most(new));
    let enough = order(&min, &Number::from(0)).is_le()
        || facts.nodes.iter().any(|node| {
            let Some(known) = node.schema("contains") else { return false };
            order(&least(*node), &min).is_ge() && judge.holds_inside(&Given::only(vec![known]), wanted)
        });
    let few = max.is_none_or(|max| {
        facts.nodes.iter().any(|node| {
            let (Some(known), Some(most)) = (node.schema("contains"), most(*node)) else { return false };
            order(&most, &max).is_le() && judge.holds_inside(&Given::only(vec![wanted]), known)
        })
    });
    if !enough || !few {
        let message = "nothing shows that an array that was taken holds what it must hold now".to_owned();
        found.push((pointer(path, "contains"), UNPROVEN, message));
    }
}
