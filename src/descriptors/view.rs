//! Answers what reflection asks, for one asker: nothing of what it may not see shows in any answer.

use super::index::{Question, Snapshot};
use super::naming::Naming;
use super::outline::Kind;
use super::rank::{Rank, Sight};
use super::set::File;
use crate::model::VersionName;
use bytes::Bytes;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

/// No file and no symbol has a longer name, so a longer question is not even hashed.
const LONGEST_QUESTION: usize = 1024;
/// An answer stops taking imports along here; most clients refuse messages over 4 MiB. The rest is asked for by name.
const LARGEST_ANSWER: usize = 3 << 20;

/// The descriptors of the federation as one asker sees them. Made for one question, or for a few.
pub struct View<'a, S> {
    naming: Naming<'a, S>,
}

impl<'a, S: Sight> View<'a, S> {
    /// What `sight` sees of `index`.
    pub fn new(index: &'a Snapshot, sight: &'a S) -> Self {
        Self { naming: Naming::new(index, sight) }
    }

    /// The serialized file that has this name for the asker, followed by what it imports.
    pub fn file_by_name(&self, name: &str) -> Option<Vec<Bytes>> {
        // A file whose name was changed for this asker is found by what follows its platform, and its version.
        let below = name.split_once('/').map(|(_, below)| below);
        let below_version = below.and_then(|below| below.split_once('/')).map(|(_, below)| below);
        let registered = [Some(name), below, below_version];
        let file = registered.into_iter().flatten().find_map(|registered| {
            self.first(Question::Name(registered), |file| {
                *file.name == *registered
                    && self.naming.rank(file).is_some()
                    && *self.naming.name(file) == *name
            })
        })?;
        Some(self.answer(&file))
    }

    /// The serialized file that declares the symbol, followed by what it imports.
    pub fn file_with_symbol(&self, symbol: &str) -> Option<Vec<Bytes>> {
        self.declaring(symbol).map(|file| self.answer(&file))
    }

    /// The same, from the descriptors of one version, which the asker must see.
    pub fn file_with_symbol_of(&self, version: &VersionName, symbol: &str) -> Option<Vec<Bytes>> {
        let file = self.naming.index.files(version).iter().find(|file| file.declares(symbol))?;
        Some(self.answer(file))
    }

    /// The serialized file that declares the extension, followed by what it imports.
    pub fn file_with_extension(&self, extended: &str, number: i32) -> Option<Vec<Bytes>> {
        let declares =
            |file: &File| file.extensions().iter().any(|(name, n)| name == extended && *n == number);
        let file = self.first(Question::Extension(extended, number), declares)?;
        Some(self.answer(&file))
    }

    /// The numbers of all extensions of a message; `None` if there is no such message.
    pub fn extension_numbers(&self, extended: &str) -> Option<Vec<i32>> {
        let message = self.declaring(extended)?;
        if !message.declared().iter().any(|(name, kind)| name == extended && *kind == Kind::Message) {
            return None;
        }
        let mut numbers = BTreeSet::new();
        for file in self.naming.index.candidates(Question::Extended(extended)) {
            if self.naming.rank(file).is_some() {
                let mine = file.extensions().into_iter().filter(|(name, _)| name == extended);
                numbers.extend(mine.map(|(_, number)| number));
            }
        }
        Some(numbers.into_iter().collect())
    }

    /// The file that declares the symbol, at its top or inside.
    fn declaring(&self, symbol: &str) -> Option<Arc<File>> {
        if symbol.len() > LONGEST_QUESTION {
            return None;
        }
        let ends = symbol.match_indices('.').map(|(at, _)| at).chain([symbol.len()]);
        let mut found: Option<(Rank, Arc<File>)> = None;
        for outer in ends.map(|end| &symbol[..end]) {
            self.earlier(&mut found, Question::Symbol(outer), |file| file.declares(symbol));
        }
        found.map(|(_, file)| file)
    }

    /// The file that speaks first among those that may answer and do.
    fn first(&self, question: Question<'_>, answers: impl Fn(&File) -> bool) -> Option<Arc<File>> {
        let (Question::Name(text)
        | Question::Symbol(text)
        | Question::Extension(text, _)
        | Question::Extended(text)) = question;
        let mut found = None;
        if text.len() <= LONGEST_QUESTION {
            self.earlier(&mut found, question, answers);
        }
        found.map(|(_, file)| file)
    }

    /// Puts into `found` whoever speaks before it.
    fn earlier(
        &self,
        found: &mut Option<(Rank, Arc<File>)>,
        question: Question<'_>,
        answers: impl Fn(&File) -> bool,
    ) {
        for file in self.naming.index.candidates(question) {
            // Rank first: it is cheaper than to walk a large file.
            let Some(rank) = self.naming.rank(file) else { continue };
            let is_earlier = found.as_ref().is_none_or(|(first, _)| rank.order(first).is_lt());
            if is_earlier && answers(file) {
                *found = Some((rank, file.clone()));
            }
        }
    }

    /// The file, then its imports, nearest first, each under its name for this asker: so no client ever mixes.
    fn answer(&self, file: &Arc<File>) -> Vec<Bytes> {
        let mut answer = Vec::new();
        let mut size = 0;
        let mut seen = HashSet::from([self.naming.name(file)]);
        let mut next = VecDeque::from([file]);
        while let Some(file) = next.pop_front() {
            let bytes = self.naming.present(file);
            size += bytes.len();
            if size > LARGEST_ANSWER && !answer.is_empty() {
                break;
            }
            answer.push(bytes);
            next.extend(file.imports.iter().filter(|import| seen.insert(self.naming.name(import))));
        }
        answer
    }
}
