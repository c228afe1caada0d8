//! The values of a configuration with the place of each: the file, then the environment over it.

use super::fault::{Fault, Place};
use std::collections::BTreeMap;
use toml::de::{DeTable, DeValue};

/// How an environment variable says that it overrides a field.
const PREFIX: &str = "PORTOLAN__";

/// A value and where it was written.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value as TOML knows it.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Time(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
    /// A number that fits no 64 bits.
    Unreadable(String),
}

impl Value {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number with a fraction",
            Value::Boolean(_) => "true or false",
            Value::Time(_) => "a time",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Unreadable(_) => "a number out of range",
        }
    }
}

/// Reads the text as far as it is TOML; what is not is in the faults.
pub(super) fn parse(text: &str) -> (Node, Vec<Fault>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::of(text);
    let faults = errors.iter().map(|error| Fault {
        place: lines.place(error.span().map_or(0, |span| span.start)),
        field: String::new(),
        problem: format!("this is not TOML: {}", error.message().replace('\n', ", ")),
        fix: "see https://toml.io; text stands in quotes, a list in [ ], a section begins with [name]".into(),
    });
    let faults = faults.collect();
    (
        Node {
            place: Place::File { line: 1, column: 1 },
            value: Value::Table(entries(&lines, &table.into_inner())),
        },
        faults,
    )
}

/// Lays the variables `PORTOLAN__SECTION__KEY` over the file's values.
pub(super) fn overlay(
    root: &mut Node,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Vec<Fault> {
    let mut variables: Vec<_> =
        environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let mut faults = Vec::new();
    for (name, text) in variables {
        let path = name[PREFIX.len()..].to_lowercase();
        let node = Node { place: Place::Environment(name.clone()), value: literal(&name, &text) };
        if let Err(problem) = put(root, path.split("__"), node) {
            faults.push(Fault {
                place: Place::Environment(name),
                field: path.replace("__", "."),
                problem,
                fix: "name a field as PORTOLAN__SECTION__KEY, an entry of a list that the file holds by its number from 0".into(),
            });
        }
    }
    faults
}

fn put<'a>(at: &mut Node, mut path: impl Iterator<Item = &'a str>, node: Node) -> Result<(), String> {
    let Some(step) = path.next() else {
        *at = node;
        return Ok(());
    };
    let kind = at.value.kind();
    match &mut at.value {
        Value::Table(fields) => {
            let empty = Node { place: node.place.clone(), value: Value::Table(BTreeMap::new()) };
            put(fields.entry(step.to_owned()).or_insert(empty), path, node)
        }
        Value::List(items) => {
            let count = items.len();
            let item = step.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            put(
                item.ok_or_else(|| format!("the list has {count} entries, and none is {step:?}"))?,
                path,
                node,
            )
        }
        _ => Err(format!("there is {kind} where {step:?} is looked for")),
    }
}

/// What a variable holds: a TOML value, or else plain text.
fn literal(name: &str, text: &str) -> Value {
    let source = format!("value = {text}");
    let Ok(table) = DeTable::parse(&source) else { return Value::Text(text.to_owned()) };
    let table = table.into_inner();
    let Some(value) = table.get("value").filter(|_| table.len() == 1) else {
        return Value::Text(text.to_owned());
    };
    let mut node = node(&Lines::of(&source), value.span().start, value.get_ref());
    relocate(&mut node, &Place::Environment(name.to_owned()));
    node.value
}

fn relocate(node: &mut Node, to: &Place) {
    node.place = to.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| relocate(item, to)),
        Value::Table(fields) => fields.values_mut().for_each(|field| relocate(field, to)),
        _ => {}
    }
}

fn entries(lines: &Lines<'_>, table: &DeTable<'_>) -> BTreeMap<String, Node> {
    let entry = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let key: &toml::Spanned<std::borrow::Cow<'_, str>> = key;
        (key.get_ref().to_string(), node(lines, key.span().start, value.get_ref()))
    };
    table.iter().map(entry).collect()
}

fn node(lines: &Lines<'_>, start: usize, value: &DeValue<'_>) -> Node {
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Integer(number),
            Err(_) => Value::Unreadable(number.to_string()),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Value::Float(number),
            Err(_) => Value::Unreadable(number.to_string()),
        },
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| node(lines, item.span().start, item.get_ref())).collect())
        }
        DeValue::Table(table) => Value::Table(entries(lines, table)),
    };
    Node { place: lines.place(start), value }
}

/// A text, and where each of its lines begins: a file of a large federation has very many fields.
struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let begins = [0].into_iter().chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, begins }
    }

    /// Line and column of a byte offset.
    fn place(&self, offset: usize) -> Place {
        let line = self.begins.partition_point(|begin| *begin <= offset);
        let begin = self.begins[line - 1];
        let column = self.text.get(begin..offset).unwrap_or_default().chars().count() + 1;
        Place::File { line, column }
    }
}
