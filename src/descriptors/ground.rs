//! Files that stand, and the rules by which one more may stand beside them.

use super::fault::{Fault, excerpt};
use super::header::Header;
use super::outline::{self, Kind};
use super::raw;
use super::reach::Reach;
use super::set::File;
use crate::model::Digest;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Files that stand, and what they declare: the ground that more files are judged on.
#[derive(Debug, Default)]
pub(super) struct Ground {
    /// What it grew on; its files come first in `files`.
    under: Option<&'static Ground>,
    files: Vec<Arc<File>>,
    /// By file: which files see its declarations through it.
    reach: Vec<Reach>,
    names: HashMap<Box<str>, usize>,
    symbols: HashMap<Box<str>, (usize, Kind)>,
}

/// A file that is well-formed in itself.
pub(super) struct Draft<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) header: Header<'a>,
    pub(super) declared: Vec<(String, Kind)>,
    pub(super) uses: Vec<Use<'a>>,
    pub(super) content: OnceCell<Digest>,
}

/// A type name as written.
pub(super) struct Use<'a> {
    pub(super) name: &'a str,
    /// Empty where the name is absolute.
    pub(super) scope: String,
    pub(super) message: bool,
}

impl Draft<'_> {
    /// What its content is called, comments aside; worked out once, however many files have its name.
    pub(super) fn content(&self) -> Digest {
        *self.content.get_or_init(|| Digest::of(&raw::without_source_info(self.bytes)))
    }
}

impl Ground {
    /// Nothing but what stands already.
    pub(super) fn on(under: Option<&'static Ground>) -> Self {
        let (files, reach) = under.map(|g| (g.files.clone(), g.reach.clone())).unwrap_or_default();
        Self { under, files, reach, ..Self::default() }
    }

    /// All files, imports before importers.
    pub(super) fn files(&self) -> &[Arc<File>] {
        &self.files
    }

    /// Adds a file whose imports have all been judged, if it is sound.
    pub(super) fn accept(
        &mut self,
        draft: &Draft<'_>,
        drafts: &HashMap<&str, Option<usize>>,
    ) -> Result<(), Fault> {
        let header = &draft.header;
        let imports = self.imports(header, drafts)?;
        let own = self.files.len();
        let mut visible = Reach::of(own);
        let mut reach = Reach::of(own);
        for import in &imports {
            visible.add(&self.reach[*import]);
        }
        for import in header.public.iter().filter_map(|position| imports.get(*position)) {
            reach.add(&self.reach[*import]);
        }
        let mine = self.declare(draft)?;
        for used in &draft.uses {
            if !self.resolves(used, &mine, &visible) {
                return Err(Fault::UnknownType { symbol: excerpt(used.name) });
            }
        }

        let mut all: Vec<_> = imports.iter().map(|import| self.files[*import].clone()).collect();
        all.extend(header.for_options.iter().filter_map(|name| Some(self.files[self.file(name)?].clone())));
        self.symbols.extend(mine.into_iter().map(|(name, kind)| (name.into(), (own, kind))));
        self.files.push(Arc::new(File::new(header.name, draft.bytes, all, self.under.is_none())));
        self.reach.push(reach);
        self.names.insert(header.name.into(), own);
        Ok(())
    }

    fn imports(
        &self,
        header: &Header<'_>,
        drafts: &HashMap<&str, Option<usize>>,
    ) -> Result<Vec<usize>, Fault> {
        let mut seen = HashSet::new();
        let mut found = Vec::with_capacity(header.imports.len());
        for name in &header.imports {
            let import = excerpt(name);
            if !seen.insert(*name) {
                return Err(Fault::RepeatedImport { import });
            }
            match self.file(name) {
                Some(at) => found.push(at),
                None if drafts.contains_key(name) => return Err(Fault::RefusedImport { import }),
                None => return Err(Fault::MissingImport { import }),
            }
        }
        Ok(found)
    }

    /// The draft's own symbols and packages, if nobody else declares them otherwise.
    fn declare<'d>(&self, draft: &'d Draft<'_>) -> Result<HashMap<&'d str, Kind>, Fault> {
        let taken = |symbol: &str| Fault::DuplicateSymbol { symbol: excerpt(symbol) };
        let mut mine = HashMap::with_capacity(draft.declared.len());
        let package = draft.header.package;
        let ends = package.match_indices('.').map(|(at, _)| at).chain([package.len()]);
        for prefix in ends.map(|end| &package[..end]).filter(|prefix| !prefix.is_empty()) {
            match self.symbol(prefix) {
                None => drop(mine.insert(prefix, Kind::Package)),
                Some((_, Kind::Package)) => {}
                Some(_) => return Err(taken(prefix)),
            }
        }
        for (name, kind) in &draft.declared {
            if self.symbol(name).is_some() || mine.insert(name, *kind).is_some() {
                return Err(taken(name));
            }
        }
        Ok(mine)
    }

    /// The file of that name.
    pub(super) fn file(&self, name: &str) -> Option<usize> {
        let under = || self.under.and_then(|ground| ground.file(name));
        self.names.get(name).copied().or_else(under)
    }

    fn symbol(&self, name: &str) -> Option<(usize, Kind)> {
        let under = || self.under.and_then(|ground| ground.symbol(name));
        self.symbols.get(name).copied().or_else(under)
    }

    fn resolves(&self, used: &Use<'_>, mine: &HashMap<&str, Kind>, visible: &Reach) -> bool {
        let is_type = |name: &str| {
            let seen = self.symbol(name).filter(|(file, _)| visible.has(*file)).map(|(_, kind)| kind);
            match mine.get(name).copied().or(seen) {
                Some(Kind::Message) => true,
                Some(Kind::Enum) => !used.message,
                _ => false,
            }
        };
        match used.name.strip_prefix('.') {
            Some(full) => is_type(full),
            None => outline::scopes(&used.scope, used.name).any(|name| is_type(&name)),
        }
    }
}
