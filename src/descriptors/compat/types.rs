//! Compares the messages and enums that the methods of both contracts reach.

use super::contract::{Declarations, Declared, Kind, join};
use super::shape::{Cardinality, Enum, Field, Message, Reserved};
use super::{Breaks, quoted};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// Types that both contracts reach under one name, compared one by one: types may refer to each other in circles.
pub(super) struct Types<'a> {
    before: &'a Declarations<'a>,
    after: &'a Declarations<'a>,
    reached: HashSet<String>,
    next: VecDeque<String>,
}

impl<'a> Types<'a> {
    pub(super) fn new(before: &'a Declarations<'a>, after: &'a Declarations<'a>) -> Self {
        Self { before, after, reached: HashSet::new(), next: VecDeque::new() }
    }

    /// Notes a type that both sides use in one place.
    pub(super) fn reach(&mut self, name: &str) {
        if self.reached.insert(name.to_owned()) {
            self.next.push_back(name.to_owned());
        }
    }

    /// Compares all that was reached, and what these reach.
    pub(super) fn compare(mut self, found: &mut Breaks) {
        while let Some(name) = self.next.pop_front() {
            let (Some(old), Some(new)) = (self.before.get(&name), self.after.get(&name)) else { continue };
            // Ours on both sides, whatever was sent.
            if old.file.well_known && new.file.well_known {
                continue;
            }
            if old.features.may_differ(new.features) {
                let message = "its edition changed to or from one that is not known here, so nothing shows what its \
                               fields mean";
                found.add(&name, "EDITION_UNPROVEN", message);
            }
            match (old.kind, new.kind) {
                (Kind::Message, Kind::Message) => self.message(&name, old, new, found),
                (Kind::Enum, Kind::Enum) => enumeration(&name, old, new, found),
                // Whatever uses it has another type now, and is told so.
                _ => {}
            }
        }
    }

    fn message(&mut self, name: &str, old: Declared<'a>, new: Declared<'a>, found: &mut Breaks) {
        let (old, new) = (Message::read(name, old, self.before), Message::read(name, new, self.after));
        if old.message_set != new.message_set {
            let message = "message_set_wire_format changed";
            found.add(name, "MESSAGE_SAME_MESSAGE_SET_WIRE_FORMAT", message);
        }
        if old.features.json() && !new.features.json() {
            let message = "JSON was promised to work and is best effort now";
            found.add(name, "MESSAGE_SAME_JSON_FORMAT", message);
        }
        let names: BTreeMap<&str, i32> =
            new.fields.values().map(|field| (field.name.as_str(), field.number)).collect();
        for (number, field) in &old.fields {
            let path = path_of(name, field);
            match new.fields.get(number) {
                Some(now) => self.field(&path, field, now, found),
                None => match names.get(field.name.as_str()) {
                    Some(now) => {
                        let message = format!("its number was {number} and is {now}");
                        found.add(path, "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED", message);
                    }
                    None => removed(&path, field, &new.reserved, found),
                },
            }
        }
        let is_required = |field: &&Field<'_>| field.cardinality == Cardinality::Required;
        for field in new.fields.values().filter(is_required) {
            if !old.fields.contains_key(&field.number) {
                let message =
                    format!("field {} is new and required, which no consumer sends yet", field.number);
                found.add(path_of(name, field), "MESSAGE_SAME_REQUIRED_FIELDS", message);
            }
        }
        reserved(name, "RESERVED_MESSAGE_NO_DELETE", &old.reserved, &new.reserved, found);
    }

    fn field(&mut self, path: &str, old: &Field<'_>, new: &Field<'_>, found: &mut Breaks) {
        let number = old.number;
        if old.name != new.name {
            let message = format!("field {number} was called {} and is called {}", old.name, new.name);
            found.add(path, "FIELD_SAME_NAME", message);
        } else if old.json_name != new.json_name && !old.extension {
            let word = |field: &Field<'_>| field.json_name.map_or("as its name says".to_owned(), quoted);
            let message = format!("in JSON it was {} and is {}", word(old), word(new));
            found.add(path, "FIELD_SAME_JSON_NAME", message);
        }
        if old.cardinality != new.cardinality {
            let rule = match (old.cardinality, new.cardinality) {
                (Cardinality::Required, _) | (_, Cardinality::Required) => "MESSAGE_SAME_REQUIRED_FIELDS",
                _ => "FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY",
            };
            found.add(path, rule, format!("it was {} and is {}", old.cardinality, new.cardinality));
        }
        match &old.kind.name {
            Some(name) if old.kind == new.kind => self.reach(name),
            _ if old.kind == new.kind => {}
            _ => {
                let rule = match (old.kind.word, new.kind.word) {
                    // buf takes these for compatible: the bytes are, negative numbers and names are not.
                    ("int32", "uint32") | ("uint32", "int32") | ("int64", "uint64") | ("uint64", "int64") => {
                        "FIELD_SAME_TYPE"
                    }
                    ("fixed32", "sfixed32") | ("sfixed32", "fixed32") => "FIELD_SAME_TYPE",
                    ("fixed64", "sfixed64") | ("sfixed64", "fixed64") => "FIELD_SAME_TYPE",
                    ("enum", "enum") => "FIELD_SAME_TYPE",
                    _ => "FIELD_WIRE_JSON_COMPATIBLE_TYPE",
                };
                found.add(path, rule, format!("its type was {} and is {}", old.kind, new.kind));
            }
        }
        if old.oneof != new.oneof {
            let word =
                |oneof: Option<&str>| oneof.map_or("no oneof".to_owned(), |name| format!("oneof {name}"));
            let message = format!("it was in {} and is in {}", word(old.oneof), word(new.oneof));
            found.add(path, "FIELD_SAME_ONEOF", message);
        }
        if default_of(old) != default_of(new) && old.kind == new.kind {
            let word = |field: &Field<'_>| field.default.map_or("none".to_owned(), quoted);
            let message = format!("its default was {} and is {}", word(old), word(new));
            found.add(path, "FIELD_SAME_DEFAULT", message);
        }
    }
}

fn removed(path: &str, field: &Field<'_>, reserved: &Reserved<'_>, found: &mut Breaks) {
    let number = i64::from(field.number);
    let rule = if field.extension {
        "EXTENSION_NO_DELETE"
    } else if !reserved.covers(number, number) {
        "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED"
    } else if !reserved.names.contains(field.name.as_str()) {
        "FIELD_NO_DELETE_UNLESS_NAME_RESERVED"
    } else {
        "FIELD_NO_DELETE"
    };
    found.add(path, rule, format!("field {number} ({}) is gone", field.kind));
}

fn enumeration(name: &str, old: Declared<'_>, new: Declared<'_>, found: &mut Breaks) {
    let (old, new) = (Enum::read(old), Enum::read(new));
    if old.features.json() && !new.features.json() {
        found.add(name, "ENUM_SAME_JSON_FORMAT", "JSON was promised to work and is best effort now");
    }
    for (number, names) in &old.values {
        let first = names.first().copied().unwrap_or_default();
        let Some(now) = new.values.get(number) else {
            let rule = if !new.reserved.covers((*number).into(), (*number).into()) {
                "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED"
            } else if !names.iter().all(|name| new.reserved.names.contains(name)) {
                "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED"
            } else {
                "ENUM_VALUE_NO_DELETE"
            };
            found.add(join(name, first), rule, format!("value {number} is gone"));
            continue;
        };
        for lost in names.difference(now) {
            let now = now.iter().copied().take(3).collect::<Vec<_>>().join(", ");
            let message = format!("value {number} was called {lost} and is called {now}");
            found.add(join(name, lost), "ENUM_VALUE_SAME_NAME", message);
        }
    }
    reserved(name, "RESERVED_ENUM_NO_DELETE", &old.reserved, &new.reserved, found);
}

fn reserved(name: &str, rule: &'static str, old: &Reserved<'_>, new: &Reserved<'_>, found: &mut Breaks) {
    for (first, last) in &old.ranges {
        if !new.covers(*first, *last) {
            let numbers = if first == last { format!("{first}") } else { format!("{first} to {last}") };
            found.add(name, rule, format!("{numbers} was reserved and is not any more"));
        }
    }
    for lost in old.names.difference(&new.names) {
        found.add(name, rule, format!("the name {} was reserved and is not any more", quoted(lost)));
    }
}

/// An extension already stands under its full name.
fn path_of(message: &str, field: &Field<'_>) -> String {
    if field.extension { field.name.clone() } else { join(message, &field.name) }
}

/// What a reader finds where nothing was written; a default that is written out as zero is none.
fn default_of<'a>(field: &Field<'a>) -> Option<&'a str> {
    let is_zero = |text: &&str| match field.kind.word {
        "string" | "bytes" => text.is_empty(),
        "bool" => *text == "false",
        "enum" => false,
        _ => text.parse() == Ok(0.0),
    };
    field.default.filter(|text| !is_zero(text))
}
