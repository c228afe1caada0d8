//! Proves that every value that one schema takes is taken by another, and says where that cannot be proven.
//!
//! The proof goes keyword by keyword through the new schema, and asks of each whether what is known of the value (all that
//! the old schema says of it) implies it. What is known only grows, so to know too little is safe: it ends in a break,
//! never in a silent one. Work and depth are bounded.

use super::facts::{Facts, Node, address, equal};
use super::patterns::Patterns;
use super::{array, logic, object, scalar};
use serde_json::Value;
use std::collections::HashSet;

/// Steps of a proof.
const EFFORT: u32 = 400_000;
/// Schemas inside schemas.
const DEEPEST: usize = 48;
/// Breaks of one proof.
const KEPT: usize = 500;

/// The rule of what may be safe and could not be shown to be.
pub(super) const UNPROVEN: &str = "SCHEMA_UNPROVEN";

/// What is known of a value.
#[derive(Clone)]
pub(super) struct Given<'a> {
    /// It is valid under all of these.
    pub(super) nodes: Vec<Node<'a>>,
    /// Alternatives of which one was chosen already.
    chosen: Vec<usize>,
}

/// Where a proof stands, and what it found.
pub(super) struct Judge<'a> {
    pub(super) patterns: Patterns<'a>,
    pub(super) silence: Silence,
    effort: u32,
    /// What is being proven, outermost first, and how far inside the value.
    open: Vec<(Vec<usize>, usize, usize)>,
    inside: usize,
}

/// What it means that a schema neither names a property nor says what holds of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody sent it: it may get a meaning. What people mean who write schemas.
    Absent,
    /// It may have been sent with any value. What the specification says.
    #[cfg(test)]
    Any,
}

/// A fault of a proof: pointer, rule, sentence.
pub(super) type Found = Vec<(String, &'static str, String)>;

impl<'a> Given<'a> {
    /// Nothing but these.
    pub(super) fn only(nodes: Vec<Node<'a>>) -> Self {
        Self { nodes, chosen: Vec::new() }
    }

    /// The same value, of which more is known.
    pub(super) fn and(&self, more: impl IntoIterator<Item = Node<'a>>) -> Self {
        let mut given = self.clone();
        given.nodes.extend(more);
        given
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(silence: Silence) -> Self {
        Self { patterns: Patterns::default(), silence, effort: EFFORT, open: Vec::new(), inside: 0 }
    }

    /// Proves that whatever is given is valid under `new`, which stands at `path`.
    pub(super) fn check(&mut self, given: &Given<'a>, new: Node<'a>, path: &str, found: &mut Found) {
        if is_true(new) || self.is_same_as_any(given, new) {
            return;
        }
        let mut key: Vec<usize> = given.nodes.iter().map(|node| address(*node)).collect();
        key.sort_unstable();
        key.dedup();
        if let Some((.., inside)) = self.open.iter().find(|(k, n, _)| (k, *n) == (&key, address(new))) {
            // By induction over the value, which is finite; without a step into the value nothing is proven.
            if *inside == self.inside {
                found.push((path.to_owned(), UNPROVEN, "it refers to itself".to_owned()));
            }
            return;
        }
        if !self.spend(10 + key.len()) || self.open.len() >= DEEPEST {
            let message = "it is too intricate to be compared".to_owned();
            if !found.iter().any(|(_, _, told)| *told == message) {
                found.push((path.to_owned(), UNPROVEN, message));
            }
            return;
        }
        self.open.push((key, address(new), self.inside));
        self.decide(given, new, path, found);
        self.open.pop();
    }

    /// Proves the same of something inside the value.
    pub(super) fn check_inside(&mut self, given: &Given<'a>, new: Node<'a>, path: &str, found: &mut Found) {
        self.inside += 1;
        self.check(given, new, path, found);
        self.inside -= 1;
    }

    /// Whether it can be proven, whatever else would be found.
    pub(super) fn holds(&mut self, given: &Given<'a>, new: Node<'a>) -> bool {
        let mut found = Found::new();
        self.check(given, new, "", &mut found);
        found.is_empty()
    }

    /// The same of something inside the value.
    pub(super) fn holds_inside(&mut self, given: &Given<'a>, new: Node<'a>) -> bool {
        self.inside += 1;
        let holds = self.holds(given, new);
        self.inside -= 1;
        holds
    }

    fn decide(&mut self, given: &Given<'a>, new: Node<'a>, path: &str, found: &mut Found) {
        let facts = Facts::of(&given.nodes);
        if facts.never {
            return;
        }
        let length =
            |node: &Node<'_>, keyword| node.get(keyword).and_then(Value::as_array).map_or(0, Vec::len);
        let values = facts.values.as_ref().map_or(0, Vec::len) + length(&new, "enum");
        let required: usize = facts.nodes.iter().map(|node| length(node, "required")).sum();
        // What was not paid for is not proven: the next step says so.
        self.spend(facts.nodes.len() + values + required);
        if new.at == &Value::Bool(false) {
            let message = "nothing is taken here any more".to_owned();
            found.push((path.to_owned(), "SCHEMA_FORBIDDEN", message));
            return;
        }
        let mut direct = Found::new();
        self.keywords(given, &facts, new, path, &mut direct);
        if direct.is_empty() {
            return;
        }
        // Perhaps it holds for each alternative that the old schema names.
        if let Some((chosen, branches)) = alternatives(given, &facts) {
            direct.clear();
            for branch in branches {
                let mut given = given.and([branch]);
                given.chosen.push(chosen);
                self.check(&given, new, path, &mut direct);
            }
        }
        for (path, rule, message) in direct {
            let is_known = |(p, r, _): &(String, &str, String)| (p, *r) == (&path, rule);
            if found.len() < KEPT && !found.iter().any(is_known) {
                found.push((path, rule, message));
            }
        }
    }

    fn keywords(
        &mut self,
        given: &Given<'a>,
        facts: &Facts<'a>,
        new: Node<'a>,
        path: &str,
        found: &mut Found,
    ) {
        scalar::check(facts, new, path, found);
        object::check(self, facts, new, path, found);
        array::check(self, facts, new, path, found);
        logic::check(self, given, facts, new, path, found);
    }

    /// Pays for so many steps; `false` when too many were made.
    pub(super) fn spend(&mut self, steps: usize) -> bool {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.effort = self.effort.saturating_sub(steps);
        self.effort > 0
    }

    fn is_same_as_any(&mut self, given: &Given<'a>, new: Node<'a>) -> bool {
        given.nodes.iter().any(|old| self.same(*old, new))
    }

    /// Whether both say the same: the same keywords, and behind their references the same again.
    pub(super) fn same(&mut self, old: Node<'a>, new: Node<'a>) -> bool {
        let (mut next, mut seen) = (vec![(old, new)], HashSet::new());
        while let Some((old, new)) = next.pop() {
            if !seen.insert((address(old), address(new))) {
                continue;
            }
            if !self.spend(1) {
                return false;
            }
            match (old.at, new.at) {
                (Value::Object(a), Value::Object(b)) => {
                    if a.len() != b.len() || !a.keys().all(|key| b.contains_key(key)) {
                        return false;
                    }
                    if a.get("$ref").is_some_and(Value::is_string) {
                        let (Some((_, old)), Some((_, new))) = (old.referred(), new.referred()) else {
                            return false;
                        };
                        next.push((old, new));
                    }
                    // A property may be called so; then it is no text.
                    let parts = a.iter().filter(|(key, value)| *key != "$ref" || !value.is_string());
                    next.extend(parts.map(|(key, value)| (old.to(value), new.to(&b[key]))));
                }
                (Value::Array(a), Value::Array(b)) => {
                    if a.len() != b.len() {
                        return false;
                    }
                    next.extend(a.iter().zip(b).map(|(a, b)| (old.to(a), new.to(b))));
                }
                (a, b) if equal(a, b) => {}
                _ => return false,
            }
        }
        true
    }
}

/// The first choice that the old schema leaves open: where it stands, and its alternatives.
fn alternatives<'a>(given: &Given<'a>, facts: &Facts<'a>) -> Option<(usize, Vec<Node<'a>>)> {
    facts.nodes.iter().find_map(|node| {
        ["anyOf", "oneOf"].into_iter().find_map(|keyword| {
            let at = address(node.schema(keyword)?);
            let branches: Vec<_> = node.list(keyword).collect();
            (!given.chosen.contains(&at) && !branches.is_empty()).then_some((at, branches))
        })
    })
}

/// Whether it asserts nothing.
fn is_true(node: Node<'_>) -> bool {
    node.at == &Value::Bool(true)
        || node.map().is_some_and(|map| map.keys().all(|key| matches!(key.as_str(), "$defs" | "definitions")))
}
