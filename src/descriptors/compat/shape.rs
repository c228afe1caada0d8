//! What a declaration says, as far as compatibility depends on it.

use super::contract::{Declarations, Declared, Kind, Place, join};
use super::features::{Features, number, parts, text};
use crate::descriptors::set::File;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A message.
pub(super) struct Message<'a> {
    /// By number, extensions included.
    pub(super) fields: BTreeMap<i32, Field<'a>>,
    pub(super) reserved: Reserved<'a>,
    /// The old encoding in which `MessageSet` stands on the wire.
    pub(super) message_set: bool,
    pub(super) features: Features,
}

/// A field, or an extension.
pub(super) struct Field<'a> {
    /// The full name if it is an extension, which is what JSON calls it.
    pub(super) name: String,
    pub(super) extension: bool,
    pub(super) number: i32,
    pub(super) cardinality: Cardinality,
    pub(super) kind: Type,
    /// The oneof that it was written in.
    pub(super) oneof: Option<&'a str>,
    /// If it is not the one that follows from the name.
    pub(super) json_name: Option<&'a str>,
    /// If it is not the first value of its enum, which needs no saying.
    pub(super) default: Option<&'a str>,
    pub(super) file: &'a File,
}

/// How often a field may stand in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    Singular,
    Required,
    Repeated,
    Map,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Type {
    /// A keyword of the language; `group` for each message between group tags.
    pub(super) word: &'static str,
    /// Of messages, groups and enums: the full name.
    pub(super) name: Option<String>,
}

/// An enum.
pub(super) struct Enum<'a> {
    /// The names of each number.
    pub(super) values: BTreeMap<i32, BTreeSet<&'a str>>,
    pub(super) reserved: Reserved<'a>,
    pub(super) features: Features,
}

/// Names and numbers that nobody may use again.
#[derive(Default)]
pub(super) struct Reserved<'a> {
    pub(super) names: BTreeSet<&'a str>,
    /// First and last, sorted, and one where they touch.
    pub(super) ranges: Vec<(i64, i64)>,
}

/// A method.
pub(super) struct Method<'a> {
    pub(super) name: &'a str,
    pub(super) input: String,
    pub(super) output: String,
    pub(super) client_streaming: bool,
    pub(super) server_streaming: bool,
    /// `google.protobuf.MethodOptions.IdempotencyLevel`.
    pub(super) idempotency: u64,
}

impl<'a> Message<'a> {
    pub(super) fn read(name: &str, declared: Declared<'a>, all: &Declarations<'a>) -> Self {
        let oneofs: Vec<&str> =
            parts(declared.bytes, 8).map(|oneof| text(oneof, 1).unwrap_or_default()).collect();
        let place = Place { scope: name.to_owned(), features: declared.features, file: declared.file };
        let own = parts(declared.bytes, 2).map(|field| Field::read(field, &place, &oneofs, all));
        let extensions = all.extensions(name).iter();
        let extensions = extensions.map(|(bytes, place)| Field::read(bytes, place, &[], all));
        Self {
            fields: own.chain(extensions).map(|field| (field.number, field)).collect(),
            reserved: Reserved::read(declared.bytes, 9, 10, -1),
            message_set: parts(declared.bytes, 7).any(|options| number(options, 1) == Some(1)),
            features: declared.features,
        }
    }
}

impl<'a> Field<'a> {
    fn read(bytes: &'a [u8], place: &Place<'a>, oneofs: &[&'a str], all: &Declarations<'a>) -> Self {
        let (scope, features) = (&place.scope, place.features.inside(bytes, 8, 21));
        let extension = text(bytes, 2).is_some();
        let short = text(bytes, 1).unwrap_or_default();
        let (type_name, target) = match text(bytes, 6) {
            Some(written) => {
                let (name, target) = all.resolve(scope, written);
                (Some(name), target)
            }
            None => (None, None),
        };
        let is_map = target.is_some_and(|target| target.map_entry);
        let word = match (number(bytes, 5).unwrap_or_default(), target.map(|target| target.kind)) {
            (11, _) | (0, Some(Kind::Message)) if features.delimited() && !is_map => "group",
            (0, Some(Kind::Message)) => "message",
            (0, Some(Kind::Enum)) => "enum",
            (code, _) => word(code),
        };
        let cardinality = match number(bytes, 4) {
            Some(3) if is_map => Cardinality::Map,
            Some(3) => Cardinality::Repeated,
            Some(2) => Cardinality::Required,
            _ if features.required() && !extension => Cardinality::Required,
            _ => Cardinality::Singular,
        };
        let oneof = number(bytes, 9).filter(|_| number(bytes, 17) != Some(1));
        Self {
            name: if extension { join(scope, short) } else { short.to_owned() },
            extension,
            number: number(bytes, 3).unwrap_or_default() as i32,
            cardinality,
            kind: Type { word, name: type_name },
            oneof: oneof.and_then(|at| oneofs.get(usize::try_from(at).ok()?).copied()),
            json_name: text(bytes, 10).filter(|name| *name != json_name(short)),
            default: text(bytes, 7)
                .filter(|default| target.and_then(|target| target.first_value) != Some(default)),
            file: place.file,
        }
    }
}

impl<'a> Enum<'a> {
    pub(super) fn read(declared: Declared<'a>) -> Self {
        let mut values: BTreeMap<i32, BTreeSet<&str>> = BTreeMap::new();
        for value in parts(declared.bytes, 2) {
            let number = number(value, 2).unwrap_or_default() as i32;
            values.entry(number).or_default().insert(text(value, 1).unwrap_or_default());
        }
        Self { values, reserved: Reserved::read(declared.bytes, 4, 5, 0), features: declared.features }
    }
}

impl<'a> Method<'a> {
    /// The methods of a service, by name.
    pub(super) fn all(
        service: &str,
        declared: Declared<'a>,
        all: &Declarations<'a>,
    ) -> BTreeMap<&'a str, Self> {
        let read = |bytes: &'a [u8]| {
            let name_of = |number| all.resolve(service, text(bytes, number).unwrap_or_default()).0;
            Self {
                name: text(bytes, 1).unwrap_or_default(),
                input: name_of(2),
                output: name_of(3),
                client_streaming: number(bytes, 5).is_some_and(|is| is != 0),
                server_streaming: number(bytes, 6).is_some_and(|is| is != 0),
                idempotency: parts(bytes, 4)
                    .filter_map(|options| number(options, 34))
                    .last()
                    .unwrap_or_default(),
            }
        };
        parts(declared.bytes, 2).map(read).map(|method| (method.name, method)).collect()
    }
}

impl<'a> Reserved<'a> {
    /// `past` is what must be added to a range's end to make it the last number.
    fn read(part: &'a [u8], ranges: u32, names: u32, past: i64) -> Self {
        let int = |range, field| i64::from(number(range, field).unwrap_or_default() as i32);
        let mut ranges: Vec<_> =
            parts(part, ranges).map(|range| (int(range, 1), int(range, 2) + past)).collect();
        ranges.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges.into_iter().filter(|(first, last)| first <= last) {
            match merged.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => merged.push((first, last)),
            }
        }
        let names = parts(part, names).filter_map(|name| std::str::from_utf8(name).ok()).collect();
        Self { ranges: merged, names }
    }

    /// Whether all numbers from `first` to `last` are reserved.
    pub(super) fn covers(&self, first: i64, last: i64) -> bool {
        let at = self.ranges.partition_point(|(start, _)| *start <= first);
        at > 0 && self.ranges[at - 1].1 >= last
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) if self.word == "group" => write!(f, "group {name}"),
            Some(name) => f.write_str(name),
            None => f.write_str(self.word),
        }
    }
}

impl fmt::Display for Cardinality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Singular => "singular",
            Self::Required => "required",
            Self::Repeated => "repeated",
            Self::Map => "a map",
        })
    }
}

/// The keyword of a `FieldDescriptorProto.Type`.
fn word(code: u64) -> &'static str {
    const WORDS: [&str; 19] = [
        "unknown", "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string",
        "group", "message", "bytes", "uint32", "enum", "sfixed32", "sfixed64", "sint32", "sint64",
    ];
    usize::try_from(code).ok().and_then(|code| WORDS.get(code)).copied().unwrap_or("unknown")
}

/// The name in JSON of a field that sets none: lowerCamelCase, as protoc makes it.
fn json_name(name: &str) -> String {
    let mut upper = false;
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '_' => upper = true,
            c if std::mem::take(&mut upper) => out.push(c.to_ascii_uppercase()),
            c => out.push(c),
        }
    }
    out
}
