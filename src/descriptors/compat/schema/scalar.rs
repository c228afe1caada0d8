//! Keywords that judge a value as a whole: its type, its bounds, its text.

use super::facts::{Facts, Node, Types, order};
use super::judge::Found;
use crate::descriptors::compat::{pointer, quoted};
use crate::descriptors::fault::excerpt;
use crate::descriptors::json;
use serde_json::{Number, Value};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A keyword that counts something, the type that it is about, and whether it is a lower bound.
const COUNTS: &[(&str, Types, bool)] = &[
    ("maxItems", Types::ARRAY, false),
    ("maxLength", Types::STRING, false),
    ("maxProperties", Types::OBJECT, false),
    ("minItems", Types::ARRAY, true),
    ("minLength", Types::STRING, true),
    ("minProperties", Types::OBJECT, true),
];

/// Checks all of them.
pub(super) fn check(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    kind(facts, new, path, found);
    listed(facts, new, path, found);
    counts(facts, new, path, found);
    if facts.types.has(Types::NUMBER) {
        bounds(facts, new, path, found);
        multiple(facts, new, path, found);
    }
    if facts.types.has(Types::STRING) {
        texts(facts, new, path, found);
    }
}

fn kind(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let lost = facts.types.without(Types::of_schema(new));
    if new.get("type").is_some() && facts.types.has(lost) {
        let message = format!("{} was taken and is not any more", lost.names());
        found.push((pointer(path, "type"), "SCHEMA_TYPE_NARROWED", message));
    }
}

fn listed(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let single = new.get("const").map(|value| ("const", std::slice::from_ref(value)));
    let list = new.get("enum").and_then(Value::as_array).map(|values| ("enum", values.as_slice()));
    let both = [Value::Bool(true), Value::Bool(false)];
    let known: Option<Vec<&Value>> = match &facts.values {
        None if !facts.types.has(Types::ALL.without(Types::BOOLEAN)) => Some(both.iter().collect()),
        values => values.clone(),
    };
    for (keyword, taken) in single.into_iter().chain(list) {
        let taken: HashSet<String> = taken.iter().map(json::canonical_value).collect();
        let is_lost = |value: &&&Value| !taken.contains(&json::canonical_value(value));
        let message = match &known {
            None => "any value was taken and only some are".to_owned(),
            Some(values) => {
                let lost: Vec<_> = values.iter().filter(is_lost).collect();
                if lost.is_empty() {
                    continue;
                }
                let shown: Vec<_> = lost.iter().take(5).map(|value| excerpt(&value.to_string())).collect();
                let more =
                    if lost.len() > 5 { format!(" and {} more", lost.len() - 5) } else { String::new() };
                format!("{}{more} was taken and is not any more", shown.join(", "))
            }
        };
        found.push((pointer(path, keyword), "SCHEMA_ENUM_NARROWED", message));
    }
}

fn counts(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    for (keyword, kind, lower) in COUNTS {
        let Some(bound) = new.get(keyword).and_then(Value::as_number) else { continue };
        let known = if *lower { facts.greatest(keyword) } else { facts.least(keyword) };
        let named = || *keyword == "minProperties" && order(&facts.required().len().into(), bound).is_ge();
        let implied = match known {
            Some(known) if *lower => order(known, bound).is_ge(),
            Some(known) => order(known, bound).is_le(),
            None => *lower && order(bound, &Number::from(0)).is_le(),
        };
        if !implied
            && !named()
            && facts.types.has(*kind)
            && !all(facts, |value| counted(keyword, value, bound))
        {
            tell(keyword, known, bound, path, found);
        }
    }
}

/// Whether a listed value keeps the bound.
fn counted(keyword: &str, value: &Value, bound: &Number) -> bool {
    let count = match (value, keyword) {
        (Value::String(text), "minLength" | "maxLength") => text.chars().count(),
        (Value::Array(items), "minItems" | "maxItems") => items.len(),
        (Value::Object(map), "minProperties" | "maxProperties") => map.len(),
        _ => return true,
    };
    let order = order(&Number::from(count), bound);
    if keyword.starts_with("min") { order.is_ge() } else { order.is_le() }
}

fn bounds(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let sides =
        [("minimum", "exclusiveMinimum", Ordering::Greater), ("maximum", "exclusiveMaximum", Ordering::Less)];
    for (inclusive, exclusive, inner) in sides {
        let strongest = |keyword: &str| match inner {
            Ordering::Greater => facts.greatest(keyword),
            _ => facts.least(keyword),
        };
        let (known, strict) = (strongest(inclusive), strongest(exclusive));
        for keyword in [inclusive, exclusive] {
            let Some(bound) = new.get(keyword).and_then(Value::as_number) else { continue };
            let within = |known: &Number, may_equal: bool| {
                let order = order(known, bound);
                order == inner || (order.is_eq() && may_equal)
            };
            let implied = known.is_some_and(|known| within(known, keyword == inclusive))
                || strict.is_some_and(|known| within(known, true));
            let kept =
                |value: &Value| value.as_number().is_none_or(|number| within(number, keyword == inclusive));
            if !implied && !all(facts, kept) {
                tell(keyword, known.or(strict), bound, path, found);
            }
        }
    }
}

fn multiple(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let Some(step) = new.get("multipleOf").and_then(Value::as_number) else { return };
    let divides = |number: &Number| match (number.as_i64(), step.as_i64()) {
        (Some(number), Some(step)) if step != 0 => number % step == 0,
        _ => order(number, step).is_eq(),
    };
    let whole = order(step, &Number::from(1)).is_eq() && !facts.types.has(Types::FRACTION);
    let kept = |value: &Value| value.as_number().is_none_or(divides);
    if !whole && !facts.numbers("multipleOf").any(divides) && !all(facts, kept) {
        tell("multipleOf", facts.numbers("multipleOf").next(), step, path, found);
    }
}

fn texts(facts: &Facts<'_>, new: Node<'_>, path: &str, found: &mut Found) {
    let keywords = [
        ("pattern", "SCHEMA_PATTERN_CHANGED"),
        ("format", "SCHEMA_FORMAT_CHANGED"),
        ("contentEncoding", "SCHEMA_FORMAT_CHANGED"),
        ("contentMediaType", "SCHEMA_FORMAT_CHANGED"),
        ("contentSchema", "SCHEMA_FORMAT_CHANGED"),
    ];
    for (keyword, rule) in keywords {
        let Some(value) = new.get(keyword).filter(|value| !facts.has(keyword, value)) else { continue };
        let text = |value: &Value| value.as_str().map_or_else(|| excerpt(&value.to_string()), quoted);
        let message = match facts.nodes.iter().find_map(|node| node.get(keyword)) {
            Some(old) => format!("it was {} and is {}", text(old), text(value)),
            None => format!("{} is asked now and was not", text(value)),
        };
        found.push((pointer(path, keyword), rule, message));
    }
}

/// Whether the values are listed, and all of them keep the rule.
fn all(facts: &Facts<'_>, keep: impl Fn(&Value) -> bool) -> bool {
    facts.values.as_ref().is_some_and(|values| values.iter().all(|value| keep(value)))
}

fn tell(keyword: &str, known: Option<&Number>, bound: &Number, path: &str, found: &mut Found) {
    let message = match known {
        Some(known) => format!("it was {known} and is {bound}"),
        None => format!("it is {bound} and was not bounded"),
    };
    found.push((pointer(path, keyword), "SCHEMA_BOUND_NARROWED", message));
}
