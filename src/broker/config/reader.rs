//! Takes fields out of a tree of values and collects every fault on the way.

mod list;

use super::fault::{ABSENT, Fault, Place};
use super::tree::{Node, Value};
use super::unit;
use crate::model::nearest;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Collects faults; relative paths begin at its folder.
pub(super) struct Reader {
    folder: PathBuf,
    faults: RefCell<Vec<Fault>>,
}

/// A table whose fields are taken one by one; those that nobody asked for are faults.
pub(super) struct Table<'r> {
    reader: &'r Reader,
    path: String,
    place: Place,
    fields: Option<&'r BTreeMap<String, Node>>,
    asked: RefCell<Vec<&'static str>>,
}

/// One value, with its path.
pub(super) struct Field<'r> {
    reader: &'r Reader,
    path: String,
    node: &'r Node,
}

impl Reader {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), faults: RefCell::default() }
    }

    /// Reads the table at the root.
    pub(super) fn root<'r, T>(&'r self, node: &'r Node, read: impl FnOnce(&Table<'r>) -> T) -> Option<T> {
        Field { reader: self, path: String::new(), node }.table(|table| Some(read(table)))
    }

    /// All that was found.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    fn report(&self, place: &Place, field: &str, problem: String, fix: String) {
        self.faults.borrow_mut().push(Fault { place: place.clone(), field: field.to_owned(), problem, fix });
    }
}

impl<'r> Table<'r> {
    /// The field, if it is there.
    pub(super) fn get(&self, name: &'static str) -> Option<Field<'r>> {
        self.asked.borrow_mut().push(name);
        let node = self.fields?.get(name)?;
        Some(Field { reader: self.reader, path: join(&self.path, name), node })
    }

    /// The field, which must be there.
    pub(super) fn need(&self, name: &'static str, fix: &str) -> Option<Field<'r>> {
        let field = self.get(name);
        if field.is_none() {
            self.missing(name, fix);
        }
        field
    }

    /// A section; without it, all its fields have their defaults.
    pub(super) fn section<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Table<'r>) -> Option<T>,
    ) -> Option<T> {
        match self.get(name) {
            Some(field) => field.table(read),
            None => {
                let path = join(&self.path, name);
                let table = Table {
                    reader: self.reader,
                    path,
                    place: self.place.clone(),
                    fields: None,
                    asked: RefCell::default(),
                };
                read(&table)
            }
        }
    }

    /// Every table of a list of tables; those at fault are left out.
    pub(super) fn entries<T>(&self, name: &'static str, read: impl Fn(&Table<'r>) -> Option<T>) -> Vec<T> {
        let entries = self.get(name).and_then(|field| field.items(|entry| entry.table(&read)));
        entries.into_iter().flatten().flatten().collect()
    }

    /// Says that a field is missing.
    pub(super) fn missing(&self, name: &str, fix: &str) {
        self.reader.report(&self.place, &join(&self.path, name), ABSENT.into(), fix.into());
    }

    /// A path that was not written.
    pub(super) fn default_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.reader.folder.join(path))
    }

    /// Says what is wrong with the table as a whole.
    pub(super) fn fault(&self, problem: impl Into<String>, fix: impl Into<String>) {
        self.reader.report(&self.place, &self.path, problem.into(), fix.into());
    }

    /// Every field that nobody asked for is unknown.
    fn finish(&self) {
        let asked = self.asked.borrow();
        for (name, node) in self.fields.into_iter().flatten() {
            if !asked.contains(&name.as_str()) {
                let fix = match nearest(name, asked.iter().copied()) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("the fields here are: {}", asked.join(", ")),
                };
                self.reader.report(
                    &node.place,
                    &join(&self.path, name),
                    "no such field is known".into(),
                    fix,
                );
            }
        }
    }
}

impl<'r> Field<'r> {
    /// Says what is wrong with the value.
    pub(super) fn fault<T>(&self, problem: impl Into<String>, fix: impl Into<String>) -> Option<T> {
        self.reader.report(&self.node.place, &self.path, problem.into(), fix.into());
        None
    }

    pub(super) fn text(&self) -> Option<&'r str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => self.wrong("text", "put it in double quotes"),
        }
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

    pub(super) fn whole(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let fix = format!("write a whole number from {} to {}", range.start(), range.end());
        match &self.node.value {
            Value::Integer(number) if range.contains(number) => Some(*number),
            Value::Integer(number) => self.fault(format!("{number} is out of range"), fix),
            Value::Unreadable(number) => self.fault(format!("{number} is out of range"), fix),
            _ => self.wrong("a whole number", &fix),
        }
    }

    pub(super) fn switch(&self) -> Option<bool> {
        match &self.node.value {
            Value::Boolean(value) => Some(*value),
            _ => self.wrong("true or false", "write true or false, without quotes"),
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match &self.node.value {
            Value::Float(number) => Some(*number),
            Value::Integer(number) => Some(*number as f64),
            _ => self.wrong("a number", "write it without quotes"),
        }
    }

    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let [low, high] = [*range.start(), *range.end()].map(unit::show_duration);
        let fix = format!("write a duration from {low} to {high}, such as \"500ms\", \"30s\" or \"1m30s\"");
        let Value::Text(text) = &self.node.value else { return self.wrong("a duration", &fix) };
        match unit::duration(text) {
            Some(duration) if range.contains(&duration) => Some(duration),
            Some(_) => self.fault(format!("{text:?} is out of range"), fix),
            None => self.fault(format!("{text:?} is not a duration"), fix),
        }
    }

    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let [low, high] = [*range.start(), *range.end()].map(unit::show_size);
        let fix = format!("write a size from {low} to {high}, such as \"512B\", \"64KiB\" or \"4MiB\"");
        let Value::Text(text) = &self.node.value else { return self.wrong("a size", &fix) };
        match unit::size(text) {
            Some(size) if range.contains(&size) => Some(size),
            Some(_) => self.fault(format!("{text:?} is out of range"), fix),
            None => self.fault(format!("{text:?} is not a size"), fix),
        }
    }

    /// A moment: a TOML time with an offset, or the same as text (RFC 3339).
    pub(super) fn time(&self) -> Option<jiff::Timestamp> {
        let fix = "write a time with its offset, such as 2026-11-20T00:00:00Z";
        let (Value::Text(text) | Value::Time(text)) = &self.node.value else {
            return self.wrong("a time", fix);
        };
        text.parse().map_or_else(|_| self.fault(format!("{text:?} is not a moment"), fix), Some)
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        let names = choices.iter().map(|(name, _)| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let text = self.text()?;
        match choices.iter().find(|(name, _)| *name == text) {
            Some((_, choice)) => Some(*choice),
            None => self
                .fault(format!("{text:?} is none of the words known here"), format!("write one of {names}")),
        }
    }

    /// A path, which begins at the folder of the configuration file.
    pub(super) fn path(&self) -> Option<PathBuf> {
        let text = self.text()?;
        if text.is_empty() {
            self.fault("it is empty", "write a path")
        } else {
            Some(self.reader.folder.join(text))
        }
    }

    /// The path of a file that is there and can be read.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let path = self.path()?;
        let readable = std::fs::File::open(&path).and_then(|file| file.metadata());
        let problem = match readable {
            Ok(metadata) if metadata.is_dir() => "it is a folder".to_owned(),
            Ok(_) => return Some(path),
            Err(error) => error.to_string(),
        };
        let fix = "write the path of a file that the broker may read; a relative path begins at the folder of the configuration file";
        self.fault(format!("the file {} cannot be read: {problem}", path.display()), fix)
    }

    pub(super) fn table<T>(&self, read: impl FnOnce(&Table<'r>) -> Option<T>) -> Option<T> {
        let Value::Table(fields) = &self.node.value else {
            return self.wrong("a table", "write its fields below a [header], or inside { }");
        };
        let table = Table {
            reader: self.reader,
            path: self.path.clone(),
            place: self.node.place.clone(),
            fields: Some(fields),
            asked: RefCell::default(),
        };
        let value = read(&table);
        table.finish();
        value
    }

    fn wrong<T>(&self, wanted: &str, fix: &str) -> Option<T> {
        self.fault(format!("it is {}, and {wanted} is needed", self.node.value.kind()), fix)
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
