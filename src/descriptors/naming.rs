//! Gives each file one name for one asker, where several platforms registered other files under the same name.
//!
//! The file that speaks first keeps its name. Another becomes `{platform}/{file}`, or, where the platform has several,
//! `{platform}/{capability}@{version}/{file}`, and imports follow; not a byte changes besides. A name that looks like
//! one of these is changed too, so that nobody can take the name that somebody else's file would get.

use super::index::{Question, Snapshot};
use super::rank::{Rank, Sight};
use super::raw;
use super::set::File;
use crate::model::Digest;
use bytes::Bytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// The names that files have for one asker, worked out as they are needed.
pub(super) struct Naming<'a, S> {
    pub(super) index: &'a Snapshot,
    pub(super) sight: &'a S,
    /// By content: copies that differ in comments share a name.
    names: RefCell<HashMap<Digest, Arc<str>>>,
}

impl<'a, S: Sight> Naming<'a, S> {
    pub(super) fn new(index: &'a Snapshot, sight: &'a S) -> Self {
        Self { index, sight, names: RefCell::default() }
    }

    /// The rank of a file; `None` if it does not exist for the asker.
    pub(super) fn rank(&self, file: &File) -> Option<Rank> {
        Rank::of(file, self.index, self.sight)
    }

    /// The file's bytes under its name for this asker; the very bytes that were registered wherever no name changes.
    pub(super) fn present(&self, file: &File) -> Bytes {
        let name = self.name(file);
        let names = file.imports.iter().map(|import| (&*import.name, self.name(import)));
        let moved: HashMap<&str, Arc<str>> =
            names.filter(|(registered, name)| **registered != **name).collect();
        if *name == *file.name && moved.is_empty() {
            return file.bytes.clone();
        }
        raw::rename(&file.bytes, &name, |import| moved.get(import).map(|name| name.to_string())).into()
    }

    /// The file's name for this asker.
    pub(super) fn name(&self, file: &File) -> Arc<str> {
        if let Some(name) = self.names.borrow().get(&file.content) {
            return name.clone();
        }
        let name: Arc<str> = match self.other_name(file) {
            Some(name) => name.into(),
            None => (&*file.name).into(),
        };
        self.names.borrow_mut().insert(file.content, name.clone());
        name
    }

    /// The name that it must have in place of its own.
    fn other_name(&self, file: &File) -> Option<String> {
        let rivals = self.rivals(file);
        let at = rivals.iter().position(|(content, _)| *content == file.content)?;
        let keeps = |at: usize| at == 0 && !self.is_reserved(&file.name, &rivals[at].1);
        if keeps(at) {
            return None;
        }
        let version = rivals[at].1.version()?;
        let short = format!("{}/{}", version.platform, file.name);
        let is_second =
            (0..at).any(|before| !keeps(before) && rivals[before].1.platform() == Some(&version.platform));
        let is_it = |other: &Arc<File>| *other.name == *short && self.rank(other).is_some();
        let is_taken = || self.index.candidates(Question::Name(&short)).any(is_it);
        if is_second || begins_with_version(&file.name) || is_taken() {
            let (capability, number) = (&version.capability, &version.version);
            return Some(format!("{}/{capability}@{number}/{}", version.platform, file.name));
        }
        Some(short)
    }

    /// All contents under the file's name that the asker sees, in the order in which they speak.
    fn rivals(&self, file: &File) -> Vec<(Digest, Rank)> {
        let mut rivals: Vec<(Digest, Rank)> = Vec::new();
        for rival in self.index.candidates(Question::Name(&file.name)).filter(|rival| rival.name == file.name)
        {
            let Some(rank) = self.rank(rival) else { continue };
            match rivals.iter_mut().find(|(content, _)| *content == rival.content) {
                Some((_, known)) if rank.order(known).is_lt() => *known = rank,
                Some(_) => {}
                None => rivals.push((rival.content, rank)),
            }
        }
        rivals.sort_by(|(_, a), (_, b)| a.order(b));
        rivals
    }

    /// Whether a name could be taken for one that a file was given here: below another platform's name, or in the long
    /// form.
    fn is_reserved(&self, name: &str, rank: &Rank) -> bool {
        let (Some(own), Some((first, below))) = (rank.platform(), name.split_once('/')) else { return false };
        (own.as_str() != first || begins_with_version(below)) && self.sight.sees_platform(first)
    }
}

/// Whether the first segment of a path looks like `{capability}@{version}`.
fn begins_with_version(path: &str) -> bool {
    path.split_once('/').is_some_and(|(first, _)| first.contains('@'))
}
