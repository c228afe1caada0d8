//! Everything that the files of one contract declare, by full name, as the raw bytes of each declaration.

use super::features::{Features, number, parts, text};
use crate::descriptors::outline;
use crate::descriptors::set::{File, Set, needed};
use crate::model::ServiceName;
use std::collections::{BTreeMap, HashMap};

/// The declarations of the files that a contract's services need.
pub(super) struct Declarations<'a> {
    pub(super) files: BTreeMap<&'a str, &'a File>,
    names: HashMap<String, Declared<'a>>,
    /// By the full name of what they extend.
    extensions: HashMap<String, Vec<(&'a [u8], Place<'a>)>>,
}

/// One declaration.
#[derive(Clone, Copy)]
pub(super) struct Declared<'a> {
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
    /// Those in force inside it.
    pub(super) features: Features,
    pub(super) file: &'a File,
    /// It is the message that stands for the entries of a map.
    pub(super) map_entry: bool,
    /// The value of an enum that a field has without a default.
    pub(super) first_value: Option<&'a str>,
}

/// What is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    Enum,
    Service,
}

/// Where a field is declared.
pub(super) struct Place<'a> {
    /// The full name of what it stands in.
    pub(super) scope: String,
    pub(super) features: Features,
    pub(super) file: &'a File,
}

impl<'a> Declarations<'a> {
    /// Those of the files that these services need.
    pub(super) fn of(services: &[ServiceName], set: Option<&'a Set>) -> Self {
        let files = needed(services, set);
        let mut reader = Reader::default();
        files.values().for_each(|file| reader.file(file));
        let mut all = Self { files, names: reader.names, extensions: HashMap::new() };
        for (bytes, place) in reader.extensions {
            let (extendee, _) = all.resolve(&place.scope, text(bytes, 2).unwrap_or_default());
            all.extensions.entry(extendee).or_default().push((bytes, place));
        }
        all
    }

    /// The declaration of that full name.
    pub(super) fn get(&self, name: &str) -> Option<Declared<'a>> {
        self.names.get(name).copied()
    }

    /// All declarations.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, Declared<'a>)> {
        self.names.iter().map(|(name, declared)| (name.as_str(), *declared))
    }

    /// The extensions of a message.
    pub(super) fn extensions(&self, extendee: &str) -> &[(&'a [u8], Place<'a>)] {
        self.extensions.get(extendee).map(Vec::as_slice).unwrap_or_default()
    }

    /// The full name and the declaration of a type as it is written inside `scope`.
    pub(super) fn resolve(&self, scope: &str, written: &str) -> (String, Option<Declared<'a>>) {
        let is_type = |declared: &Declared<'_>| declared.kind != Kind::Service;
        let found = |name: &str| self.get(name).filter(is_type);
        match written.strip_prefix('.') {
            Some(full) => (full.to_owned(), found(full)),
            None => outline::scopes(scope, written)
                .find_map(|name| found(&name).map(|declared| (name, Some(declared))))
                .unwrap_or_else(|| (written.to_owned(), None)),
        }
    }
}

#[derive(Default)]
struct Reader<'a> {
    names: HashMap<String, Declared<'a>>,
    /// What they extend is known only when every name is.
    extensions: Vec<(&'a [u8], Place<'a>)>,
}

impl<'a> Reader<'a> {
    fn file(&mut self, file: &'a File) {
        let bytes: &'a [u8] = &file.bytes;
        let place = Place { scope: file.package().to_owned(), features: Features::of_file(bytes), file };
        parts(bytes, 4).for_each(|message| self.message(&place, message));
        parts(bytes, 5).for_each(|enumeration| self.enumeration(&place, enumeration));
        for service in parts(bytes, 6) {
            self.add(&place, Kind::Service, service, place.features.inside(service, 3, 34));
        }
        parts(bytes, 7).for_each(|extension| self.extension(&place, extension));
    }

    /// As deep as screening lets messages nest.
    fn message(&mut self, outer: &Place<'a>, message: &'a [u8]) {
        let place = self.add(outer, Kind::Message, message, outer.features.inside(message, 7, 12));
        parts(message, 3).for_each(|inner| self.message(&place, inner));
        parts(message, 4).for_each(|inner| self.enumeration(&place, inner));
        parts(message, 6).for_each(|extension| self.extension(&place, extension));
    }

    fn enumeration(&mut self, outer: &Place<'a>, enumeration: &'a [u8]) {
        self.add(outer, Kind::Enum, enumeration, outer.features.inside(enumeration, 3, 7));
    }

    fn extension(&mut self, place: &Place<'a>, bytes: &'a [u8]) {
        self.extensions.push((bytes, Place { scope: place.scope.clone(), ..*place }));
    }

    /// Adds a declaration, and returns the place inside it.
    fn add(&mut self, outer: &Place<'a>, kind: Kind, bytes: &'a [u8], features: Features) -> Place<'a> {
        let scope = join(&outer.scope, text(bytes, 1).unwrap_or_default());
        // Found once: a thousand fields may have one type.
        let map_entry = kind == Kind::Message && parts(bytes, 7).any(|options| number(options, 7) == Some(1));
        let first = parts(bytes, 2).next().filter(|_| kind == Kind::Enum);
        let first_value = first.and_then(|value| text(value, 1));
        let declared = Declared { kind, bytes, features, file: outer.file, map_entry, first_value };
        self.names.insert(scope.clone(), declared);
        Place { scope, features, file: outer.file }
    }
}

/// A name inside a scope.
pub(super) fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}
