//! Tells in lines that people read how two contracts differ, whether or not anything breaks.

use super::contract::{Declarations, Declared, Kind, join};
use super::shape::{Cardinality, Enum, Field, Message, Method};
use super::{Contract, pointer, quoted, shown};
use crate::descriptors::fault::excerpt;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Lines that are told; of more only the number.
const LINES: usize = 100;

/// The facts of a contract: what is said of it, by kind and full name, and in which file.
type Facts<'a> = BTreeMap<(u8, String), Fact<'a>>;

struct Fact<'a> {
    /// `field 3 amount of acme.v1.Money`.
    name: String,
    /// What may change of it.
    value: String,
    file: &'a str,
}

/// How two contracts differ: `+ method acme.v1.Ledger.Post …`, `- field 3 amount of acme.v1.Money …`,
/// `~ field 4 unit of acme.v1.Money: int32 -> string`. Says something whenever their digests differ; at most 101 lines.
pub fn difference(old: Contract<'_>, new: Contract<'_>) -> Vec<String> {
    let mut lines = Lines::default();
    let services = |contract: Contract<'_>| -> BTreeSet<String> {
        contract.services.iter().map(ToString::to_string).collect()
    };
    let (before, after) = (services(old), services(new));
    before.difference(&after).for_each(|name| lines.add(&format!("- service {name}")));
    after.difference(&before).for_each(|name| lines.add(&format!("+ service {name}")));

    let before = Declarations::of(old.services, old.set);
    let after = Declarations::of(new.services, new.set);
    let told = facts(&facts_of(&before), &facts_of(&after), &mut lines);
    files(&before, &after, &told, &mut lines);
    let read =
        |text: Option<&str>| text.map(|text| serde_json::from_str(text).unwrap_or_else(|_| text.into()));
    let (before, after): (Option<Value>, Option<Value>) =
        (read(old.parameter_schema), read(new.parameter_schema));
    values_at("parameter_schema:", before.as_ref(), after.as_ref(), &mut lines);
    lines.finish()
}

/// Tells where two JSON values differ, by pointer. The parser bounds the depth.
fn values_at(path: &str, old: Option<&Value>, new: Option<&Value>, lines: &mut Lines) {
    let text = |value: &Value| excerpt(&value.to_string());
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                values_at(&pointer(path, key), old.get(key), new.get(key), lines);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                values_at(&pointer(path, &at.to_string()), old.get(at), new.get(at), lines);
            }
        }
        (Some(old), Some(new)) if old != new => {
            lines.add(&format!("~ {path}: {} -> {}", text(old), text(new)))
        }
        (Some(old), None) => lines.add(&format!("- {path}: {}", text(old))),
        (None, Some(new)) => lines.add(&format!("+ {path}: {}", text(new))),
        _ => {}
    }
}

/// Tells which facts differ, and returns the files in which they stand.
fn facts<'a>(old: &Facts<'a>, new: &Facts<'a>, lines: &mut Lines) -> BTreeSet<&'a str> {
    let mut told = BTreeSet::new();
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    for key in keys {
        match (old.get(key), new.get(key)) {
            (Some(fact), None) => lines.add(&format!("- {}", whole(fact))),
            (None, Some(fact)) => lines.add(&format!("+ {}", whole(fact))),
            (Some(old), Some(new)) if (&old.name, &old.value) != (&new.name, &new.value) => {
                let (before, after) = if old.name == new.name {
                    (old.value.clone(), new.value.clone())
                } else {
                    (whole(old), whole(new))
                };
                let name = if old.name == new.name { format!("{}: ", old.name) } else { String::new() };
                lines.add(&format!("~ {name}{before} -> {after}"));
            }
            _ => continue,
        }
        told.extend([old.get(key), new.get(key)].into_iter().flatten().map(|fact| fact.file));
    }
    told
}

/// Tells which files came and went, and which differ in what no fact tells.
fn files(old: &Declarations<'_>, new: &Declarations<'_>, told: &BTreeSet<&str>, lines: &mut Lines) {
    let names: BTreeSet<&str> = old.files.keys().chain(new.files.keys()).copied().collect();
    for name in names {
        match (old.files.get(name), new.files.get(name)) {
            (Some(_), None) => lines.add(&format!("- file {}", quoted(name))),
            (None, Some(_)) => lines.add(&format!("+ file {}", quoted(name))),
            (Some(old), Some(new)) if old.canonical() != new.canonical() && !told.contains(name) => {
                lines.add(&format!("~ file {}: only its options, imports or layout differ", quoted(name)));
            }
            _ => {}
        }
    }
}

fn whole(fact: &Fact<'_>) -> String {
    if fact.value.is_empty() { fact.name.clone() } else { format!("{}: {}", fact.name, fact.value) }
}

fn facts_of<'a>(all: &Declarations<'a>) -> Facts<'a> {
    let mut facts = Facts::new();
    for (name, declared) in all.all().filter(|(_, declared)| !declared.file.well_known) {
        match declared.kind {
            Kind::Service => methods(name, declared, all, &mut facts),
            Kind::Message => fields(name, declared, all, &mut facts),
            Kind::Enum => values(name, declared, &mut facts),
        }
    }
    facts
}

fn methods<'a>(service: &str, declared: Declared<'a>, all: &Declarations<'a>, facts: &mut Facts<'a>) {
    let stream = |is: bool| if is { "stream " } else { "" };
    for method in Method::all(service, declared, all).values() {
        let (takes, gives) = (stream(method.client_streaming), stream(method.server_streaming));
        let value = format!("({takes}{}) returns ({gives}{})", method.input, method.output);
        let path = join(service, method.name);
        let name = format!("method {path}");
        facts.insert((0, path), Fact { name, value, file: &declared.file.name });
    }
}

fn fields<'a>(message: &str, declared: Declared<'a>, all: &Declarations<'a>, facts: &mut Facts<'a>) {
    let file = &*declared.file.name;
    facts.insert(
        (1, message.to_owned()),
        Fact { name: format!("message {message}"), value: String::new(), file },
    );
    let read = Message::read(message, declared, all);
    for field in read.fields.values() {
        let name = format!("field {} {} of {message}", field.number, field.name);
        let fact = Fact { name, value: value(field), file: &field.file.name };
        facts.insert((2, format!("{message} {:010}", field.number)), fact);
    }
    for (first, last) in &read.reserved.ranges {
        let name = format!("reserved {first} to {last} of {message}");
        facts.insert((3, name.clone()), Fact { name, value: String::new(), file });
    }
    for lost in &read.reserved.names {
        let name = format!("reserved {} of {message}", quoted(lost));
        facts.insert((3, name.clone()), Fact { name, value: String::new(), file });
    }
}

fn values<'a>(name: &str, declared: Declared<'a>, facts: &mut Facts<'a>) {
    let file = &*declared.file.name;
    facts.insert((4, name.to_owned()), Fact { name: format!("enum {name}"), value: String::new(), file });
    for (number, names) in Enum::read(declared).values {
        for value in names {
            let shown = format!("value {value} of {name}");
            facts.insert((5, join(name, value)), Fact { name: shown, value: number.to_string(), file });
        }
    }
}

fn value(field: &Field<'_>) -> String {
    let label = match field.cardinality {
        Cardinality::Singular => String::new(),
        other => format!("{other} "),
    };
    let oneof = field.oneof.map_or(String::new(), |oneof| format!(" in oneof {oneof}"));
    let default = field.default.map_or(String::new(), |default| format!(" with default {}", quoted(default)));
    let json = field.json_name.map_or(String::new(), |name| format!(", {} in JSON", quoted(name)));
    format!("{label}{}{oneof}{default}{json}", field.kind)
}

#[derive(Default)]
struct Lines {
    told: Vec<String>,
    more: usize,
}

impl Lines {
    fn add(&mut self, line: &str) {
        if self.told.len() < LINES {
            self.told.push(shown(line));
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.told.push(format!("and {} more", self.more));
        }
        self.told
    }
}
