//! Takes fields out of a document and collects every fault on the way.

use super::document::Document;
use super::fault::Fault;
use super::place::{Step, locate, show};
use super::{tree, unit};
use crate::model::nearest;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

/// Reads the files that a manifest names, by their paths as it names them.
pub(super) type Files<'f> = &'f dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// Collects the faults of one document.
pub(super) struct Reader<'f> {
    files: Files<'f>,
    faults: RefCell<Vec<Found>>,
}

/// A map whose fields are taken one by one; those that nobody asked for are faults.
pub(super) struct Table<'r> {
    reader: &'r Reader<'r>,
    path: Vec<Step>,
    fields: &'r Map<String, Value>,
    asked: RefCell<Vec<&'static str>>,
}

/// One value, with its path.
pub(super) struct Field<'r> {
    reader: &'r Reader<'r>,
    path: Vec<Step>,
    value: &'r Value,
}

struct Found {
    at: Vec<Step>,
    field: String,
    problem: String,
    fix: String,
}

impl<'f> Reader<'f> {
    pub(super) fn new(files: Files<'f>) -> Self {
        Self { files, faults: RefCell::default() }
    }

    /// Reads the map at the root.
    pub(super) fn root<'r, T>(
        &'r self,
        value: &'r Value,
        read: impl FnOnce(&Table<'r>) -> Option<T>,
    ) -> Option<T> {
        Field { reader: self, path: Vec::new(), value }.table(read)
    }

    /// All that was found, each with its place.
    pub(super) fn into_faults(self, document: &Document<'_>, most: usize) -> Vec<Fault> {
        let placed = |found: Found| {
            let (line, column) = locate(document, &found.at);
            Fault { line, column, field: found.field, problem: found.problem, fix: found.fix }
        };
        self.faults.into_inner().into_iter().take(most).map(placed).collect()
    }
}

impl<'r> Table<'r> {
    /// The field, if it is there.
    pub(super) fn get(&self, name: &'static str) -> Option<Field<'r>> {
        self.asked.borrow_mut().push(name);
        let value = self.fields.get(name)?;
        Some(Field { reader: self.reader, path: join(&self.path, Step::Key(name.into())), value })
    }

    /// The field, which must be there.
    pub(super) fn need(&self, name: &'static str, fix: &str) -> Option<Field<'r>> {
        let field = self.get(name);
        if field.is_none() {
            self.missing(name, fix);
        }
        field
    }

    /// Says that a field is missing.
    pub(super) fn missing(&self, name: &str, fix: &str) {
        self.report(join(&self.path, Step::Key(name.into())), "it is missing".into(), fix.into());
    }

    /// Text that may be left out.
    pub(super) fn text(&self, name: &'static str) -> Option<String> {
        self.get(name).map_or(Some(String::new()), |field| field.text().map(str::to_owned))
    }

    /// A field that may be left out.
    pub(super) fn maybe<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Field<'r>) -> Option<T>,
    ) -> Option<Option<T>> {
        self.get(name).map_or(Some(None), |field| read(&field).map(Some))
    }

    fn report(&self, path: Vec<Step>, problem: String, fix: String) {
        let field = show(&path);
        // What is missing has no place of its own; the search ends at what it is missing from.
        self.reader.faults.borrow_mut().push(Found { at: path, field, problem, fix });
    }

    /// Every field that nobody asked for is unknown.
    fn finish(&self) {
        let asked = self.asked.borrow();
        for name in self.fields.keys().filter(|name| !asked.contains(&name.as_str())) {
            let fix = match nearest(name, asked.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("the fields here are: {}", asked.join(", ")),
            };
            self.report(join(&self.path, Step::Key(name.clone())), "no such field is known".into(), fix);
        }
    }
}

impl<'r> Field<'r> {
    /// Says what is wrong with the value.
    pub(super) fn fault<T>(&self, problem: impl Into<String>, fix: impl Into<String>) -> Option<T> {
        let (problem, fix) = (problem.into(), fix.into());
        let found = Found { at: self.path.clone(), field: show(&self.path), problem, fix };
        self.reader.faults.borrow_mut().push(found);
        None
    }

    /// The value as it stands.
    pub(super) fn value(&self) -> &'r Value {
        self.value
    }

    pub(super) fn text(&self) -> Option<&'r str> {
        let fix = if self.value.is_number() { "put it in quotes" } else { "write text" };
        self.value.as_str().or_else(|| self.wrong("text", fix))
    }

    /// Text that must not be empty.
    pub(super) fn words(&self, fix: &str) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() { self.fault("it is empty", fix) } else { Some(text.to_owned()) }
    }

    /// Text with a form of its own.
    pub(super) fn parsed<T, E: Display>(&self, parse: impl Fn(&str) -> Result<T, E>, fix: &str) -> Option<T> {
        parse(self.text()?).map_or_else(|error| self.fault(error.to_string(), fix), Some)
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.value.as_bool().or_else(|| self.wrong("true or false", "write true or false, without quotes"))
    }

    pub(super) fn whole(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let fix = format!("write a whole number from {} to {}", range.start(), range.end());
        match self.value.as_u64() {
            Some(number) if range.contains(&number) => Some(number),
            _ if self.value.is_i64() || self.value.is_u64() => {
                self.fault(format!("{} is out of range", self.value), fix)
            }
            _ => self.wrong("a whole number", &fix),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        self.value.as_f64().or_else(|| self.wrong("a number", "write it without quotes"))
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        let fix = "write a duration, such as \"500ms\", \"30s\" or \"1m30s\"";
        let Some(text) = self.value.as_str() else { return self.wrong("a duration", fix) };
        unit::duration(text).or_else(|| self.fault(format!("{text:?} is not a duration"), fix))
    }

    pub(super) fn time(&self) -> Option<jiff::Timestamp> {
        let fix = "write a time with its offset, such as 2026-11-20T00:00:00Z";
        let Some(text) = self.value.as_str() else { return self.wrong("a time", fix) };
        text.parse().map_or_else(|_| self.fault(format!("{text:?} is not a moment"), fix), Some)
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names = choices.iter().map(|(name, _)| *name);
        let fix = match nearest(text, names.clone()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("write one of {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.fault(format!("{text:?} is none of the words known here"), fix)
    }

    /// What the file holds that the field names.
    pub(super) fn file(&self, most: usize) -> Option<Vec<u8>> {
        let text = self.text()?;
        let path = Path::new(text);
        let inside = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
        if text.is_empty() || !path.components().all(inside) {
            return self.fault(
                format!("{text:?} is no file below the folder of the manifest"),
                "write a relative path without \"..\", such as descriptors/ledger-1.2.0.binpb",
            );
        }
        match (self.reader.files)(path) {
            Ok(bytes) if bytes.is_empty() => {
                self.fault(format!("{text} is empty"), "write something into it")
            }
            Ok(bytes) if bytes.len() > most => self.fault(
                format!("{text} has {} bytes, and {most} is the most", bytes.len()),
                "leave out what is not needed",
            ),
            Ok(bytes) => Some(bytes),
            Err(error) => self.fault(
                format!("the file {text} cannot be read: {error}"),
                "a path begins at the folder of the manifest",
            ),
        }
    }

    /// Every entry of a list, all of them good. All are read, so that the faults of all are told.
    pub(super) fn list<T>(&self, read: impl Fn(&Field<'r>) -> Option<T>) -> Option<Vec<T>> {
        let Value::Array(items) = self.value else { return self.wrong("a list", "put it in [ ]") };
        let item =
            |(index, value)| Field { reader: self.reader, path: join(&self.path, Step::Index(index)), value };
        let read: Vec<_> = items.iter().enumerate().map(item).map(|field| read(&field)).collect();
        read.into_iter().collect()
    }

    /// A list that is not empty.
    pub(super) fn some<T>(&self, read: impl Fn(&Field<'r>) -> Option<T>) -> Option<Vec<T>> {
        let list = self.list(read)?;
        if list.is_empty() { self.fault("the list is empty", "give at least one entry") } else { Some(list) }
    }

    /// A map of text to text.
    pub(super) fn words_by_key(&self) -> Option<BTreeMap<String, String>> {
        let Value::Object(fields) = self.value else {
            return self.wrong("a map", "write key: text, one a line");
        };
        let entry = |(key, value)| {
            let path = join(&self.path, Step::Key(String::clone(key)));
            let text = Field { reader: self.reader, path, value }.text()?;
            Some((key.clone(), text.to_owned()))
        };
        fields.iter().map(entry).collect::<Vec<_>>().into_iter().collect()
    }

    pub(super) fn table<T>(&self, read: impl FnOnce(&Table<'r>) -> Option<T>) -> Option<T> {
        let Value::Object(fields) = self.value else {
            return self.wrong("a map", "write its fields below it, indented");
        };
        let table = Table { reader: self.reader, path: self.path.clone(), fields, asked: RefCell::default() };
        let value = read(&table);
        table.finish();
        value
    }

    pub(super) fn wrong<T>(&self, wanted: &str, fix: &str) -> Option<T> {
        self.fault(format!("it is {}, and {wanted} is needed", tree::kind(self.value)), fix)
    }
}

fn join(path: &[Step], step: Step) -> Vec<Step> {
    path.iter().cloned().chain([step]).collect()
}
