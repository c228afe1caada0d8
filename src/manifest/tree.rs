//! A document as a tree of values, bounded: what YAML can say in few bytes and mean in many is refused.

use super::document::Document;
use super::fault::Fault;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Number, Value};
use std::cell::{Cell, RefCell};
use std::fmt;

/// The most bytes of one document; what is longer belongs into a file beside it.
const LONGEST: usize = 256 << 10;
/// The most values of one document, with those that aliases repeat.
const MOST_VALUES: usize = 50_000;
/// The deepest that values stand in values.
const DEEPEST: usize = 64;

/// The most brackets that one document opens: the time to read it grows with how many are open at once.
const MOST_BRACKETS: usize = 2_000;

/// Reads one document; nothing for one that is empty. Keys are text and stand once.
pub(super) fn parse(document: &Document<'_>) -> Result<Option<Value>, Fault> {
    if document.text.len() > LONGEST {
        return Err(Fault {
            line: document.line(),
            ..Fault::of_file(
                format!("a document of {} bytes is too long", document.text.len()),
                format!("keep it to {LONGEST} bytes: what is longer goes into a file of its own"),
            )
        });
    }
    if document.text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS {
        return Err(Fault {
            line: document.line(),
            ..Fault::of_file(
                format!("a document has at most {MOST_BRACKETS} lists and maps in brackets"),
                "write each entry on a line of its own, or put a schema into a file",
            )
        });
    }
    let reading = Reading::default();
    read_one(&reading, document).map(|value| Some(value).filter(|value| !value.is_null())).map_err(|error| {
        let (line, column) = place(document, &error);
        let (problem, fix) = reading.refused.into_inner().unwrap_or_else(|| not_yaml(&error));
        Fault { line, column, field: String::new(), problem, fix }
    })
}

/// The one document that the text should be; what follows it is an error.
fn read_one(reading: &Reading, document: &Document<'_>) -> Result<Value, yaml_serde::Error> {
    let mut documents = yaml_serde::Deserializer::from_str(document.text);
    let Some(first) = documents.next() else { return Ok(Value::Null) };
    let value = reading.deserialize(first)?;
    if let Some(next) = documents.next() {
        IgnoredAny::deserialize(next)?;
        return Err(reading.refuse("a document has one value", "begin the next one with a line of ---"));
    }
    Ok(value)
}

/// Where an error of a document stands in its file.
pub(super) fn place(document: &Document<'_>, error: &yaml_serde::Error) -> (usize, usize) {
    match error.location() {
        Some(location) => (document.above + location.line(), location.column()),
        None => (document.line(), 1),
    }
}

/// What a value is, for people.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn not_yaml(error: &yaml_serde::Error) -> (String, String) {
    let words = error.to_string();
    // Its lines count from the beginning of the document, and ours from that of the file.
    let cause = words.split(" at line ").next().unwrap_or_default();
    let fix = "see https://yaml.org; fields are indented by spaces, and text that begins with one of @`%&*!|>'\"#{[ stands in quotes";
    (format!("this is not YAML: {}", cause.chars().take(200).collect::<String>()), fix.into())
}

/// What was read so far, and why reading ended.
#[derive(Default)]
struct Reading {
    values: Cell<usize>,
    depth: Cell<usize>,
    refused: RefCell<Option<(String, String)>>,
}

impl Reading {
    /// Ends the reading; the error takes its place from where it is raised.
    fn refuse<E: de::Error>(&self, problem: impl Into<String>, fix: impl Into<String>) -> E {
        *self.refused.borrow_mut() = Some((problem.into(), fix.into()));
        E::custom("refused")
    }

    fn count<E: de::Error>(&self) -> Result<(), E> {
        self.values.set(self.values.get() + 1);
        if self.values.get() > MOST_VALUES {
            let fix = "declare less in one document; each use of an alias counts as much as what it repeats";
            return Err(self.refuse(format!("a document holds at most {MOST_VALUES} values"), fix));
        }
        Ok(())
    }

    fn deeper<T, E: de::Error>(&self, read: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        if self.depth.get() == DEEPEST {
            return Err(self.refuse(format!("values stand in values {DEEPEST} deep at most"), "nest less"));
        }
        self.depth.set(self.depth.get() + 1);
        let read = read();
        self.depth.set(self.depth.get() - 1);
        read
    }
}

impl<'de> DeserializeSeed<'de> for &Reading {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.count().map(|()| Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_bool<E: de::Error>(self, it: bool) -> Result<Value, E> {
        self.count().map(|()| it.into())
    }

    fn visit_i64<E: de::Error>(self, it: i64) -> Result<Value, E> {
        self.count().map(|()| it.into())
    }

    fn visit_u64<E: de::Error>(self, it: u64) -> Result<Value, E> {
        self.count().map(|()| it.into())
    }

    fn visit_f64<E: de::Error>(self, it: f64) -> Result<Value, E> {
        self.count()?;
        let number = Number::from_f64(it).map(Value::Number);
        number.ok_or_else(|| self.refuse(format!("{it} has no place here"), "write a number that has an end"))
    }

    fn visit_i128<E: de::Error>(self, it: i128) -> Result<Value, E> {
        Err(self.refuse(format!("{it} is out of range"), "write it as text, in quotes"))
    }

    fn visit_u128<E: de::Error>(self, it: u128) -> Result<Value, E> {
        Err(self.refuse(format!("{it} is out of range"), "write it as text, in quotes"))
    }

    fn visit_str<E: de::Error>(self, it: &str) -> Result<Value, E> {
        self.count().map(|()| it.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.count()?;
        self.deeper(|| {
            let mut list = Vec::new();
            while let Some(item) = items.next_element_seed(self)? {
                list.push(item);
            }
            Ok(Value::Array(list))
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.count()?;
        self.deeper(|| {
            let mut map = Map::new();
            while let Some(key) = entries.next_key_seed(Key { reading: self, seen: &map })? {
                map.insert(key, entries.next_value_seed(self)?);
            }
            Ok(Value::Object(map))
        })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(self.refuse("tags have no meaning here", "leave out the word that begins with !"))
    }
}

/// A key that does not stand in its map yet.
struct Key<'r> {
    reading: &'r Reading,
    seen: &'r Map<String, Value>,
}

impl Key<'_> {
    fn wrong<T, E: de::Error>(&self, kind: &str) -> Result<T, E> {
        Err(self.reading.refuse(format!("a key is text, and this is {kind}"), "put it in quotes"))
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key that is text")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<String, E> {
        if self.seen.contains_key(key) {
            let quoted: String = key.chars().take(80).collect();
            return Err(self.reading.refuse(format!("{quoted:?} is already there"), "write each field once"));
        }
        self.reading.count().map(|()| key.to_owned())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<String, E> {
        self.wrong("true or false")
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<String, E> {
        self.wrong("a number")
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<String, E> {
        self.wrong("a number")
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<String, E> {
        self.wrong("a number")
    }

    fn visit_unit<E: de::Error>(self) -> Result<String, E> {
        self.wrong("nothing")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.wrong("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<String, A::Error> {
        self.wrong("a map")
    }
}
