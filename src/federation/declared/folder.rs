//! What the watched directory says: each file whole or not at all, and absence is not deletion.

use super::drift::Unreadable;
use super::judge::Judged;
use super::set::{Entry, Key, Via};
use super::{Action, Changed};
use crate::federation::draft::Draft;
use crate::model::Resource;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So many resources may go with their files at any time; more only if they are not most of all.
const HANDFUL: usize = 5;

/// The watched directory at one moment.
#[derive(Debug, Clone)]
pub enum Folder {
    /// Its files, by path below it.
    Read(BTreeMap<String, File>),
    /// It is gone, or cannot be read; why, for people. Nothing is deleted for that.
    Unreadable(String),
}

/// What a file says, or what is wrong with it; then its last good content stays.
pub type File = Result<Vec<Resource>, Vec<Unreadable>>;

/// What a directory says besides manifests.
#[derive(Debug, Clone)]
pub(in crate::federation) struct Rest {
    /// Files that were read.
    good: BTreeSet<Arc<str>>,
    /// Files that could not be read, with what is wrong.
    pub(super) bad: BTreeMap<Arc<str>, Vec<Unreadable>>,
    /// Why the directory itself could not be read.
    pub(super) unreadable: Option<String>,
}

/// Resources that stay although their files are gone: most of all at once is a loss, not a wish (design, law 5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub(super) absent: usize,
    /// All that files declare.
    pub(super) held: usize,
}

impl Folder {
    /// The manifests, and what else is to be known.
    pub(super) fn split(self) -> (Vec<(Via, Resource)>, Rest) {
        let mut rest = Rest { good: BTreeSet::new(), bad: BTreeMap::new(), unreadable: None };
        let mut resources = Vec::new();
        match self {
            Folder::Unreadable(why) => rest.unreadable = Some(why),
            Folder::Read(files) => {
                for (path, file) in files {
                    let path: Arc<str> = path.into();
                    match file {
                        Ok(said) => {
                            resources.extend(said.into_iter().map(|said| (Via::File(path.clone()), said)));
                            rest.good.insert(path);
                        }
                        Err(faults) => {
                            rest.bad.insert(path, faults);
                        }
                    }
                }
            }
        }
        (resources, rest)
    }
}

impl Draft<'_> {
    /// Takes what the directory says, and takes out what its files no longer do.
    pub(super) fn apply_folder(&mut self, judged: &Judged, rest: &Rest) -> Vec<Changed> {
        if rest.unreadable.is_some() || self.is_lost(rest) {
            self.note_folder(rest, &[], None);
            return Vec::new();
        }
        let mut changes = self.take_manifests(judged);
        let now: BTreeSet<&Key> = judged.proposals.iter().map(|proposal| &proposal.key).collect();
        let is_gone = |key: &Key, via: &Via| match via {
            Via::File(path) => !rest.bad.contains_key(path) && !now.contains(key),
            Via::Call(_) => false,
        };
        let entries = self.state.declared.iter().filter(|(key, entry)| is_gone(key, &entry.via));
        let is_absent = |entry: &Entry| matches!(&entry.via, Via::File(path) if !rest.good.contains(path));
        let (absent, mut gone): (Vec<_>, Vec<_>) = entries.partition(|(_, entry)| is_absent(entry));
        let held = self.state.declared.iter().filter(|(_, entry)| matches!(entry.via, Via::File(_))).count();
        let kept = (absent.len() > HANDFUL && absent.len() * 2 > held)
            .then_some(Kept { absent: absent.len(), held });
        if kept.is_none() {
            gone.extend(absent);
        }
        let gone: Vec<Key> = gone.into_iter().map(|(key, _)| key.clone()).collect();
        changes.extend(self.remove_manifests(gone));
        let refused: Vec<_> = changes.iter().filter(|c| c.action == Action::Refused).cloned().collect();
        self.note_folder(rest, &refused, kept);
        changes
    }

    /// Whether all files are gone at once: that is a disk that is not there, not somebody's wish (design, law 5).
    pub(super) fn is_lost(&self, rest: &Rest) -> bool {
        let is_empty = rest.good.is_empty() && rest.bad.is_empty();
        is_empty && self.state.declared.iter().any(|(_, entry)| matches!(entry.via, Via::File(_)))
    }
}
