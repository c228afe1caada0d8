//! Screens descriptors from strangers: sound files stay, unsound ones and what imports them are left out.
//!
//! No file is handed to a descriptor pool here: pools panic on syntaxes that they do not know.

use super::fault::{Error, Fault, Limits, Warning, excerpt};
use super::outline::{self, Event, Header, Kind, Stop};
use super::raw::{self, Fields};
use super::reach::Reach;
use super::set::{File, Set};
use super::well_known;
use crate::model::Digest;
use prost::Message;
use std::collections::{HashMap, HashSet, VecDeque};
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
struct Draft<'a> {
    bytes: &'a [u8],
    header: Header<'a>,
    declared: Vec<(String, Kind)>,
    uses: Vec<Use<'a>>,
}

/// A type name as written.
struct Use<'a> {
    name: &'a str,
    /// Empty where the name is absolute.
    scope: String,
    message: bool,
}

/// Screens a set on the ground of the well-known files.
pub(super) fn screen(bytes: &[u8], limits: &Limits) -> Result<Set, Error> {
    let ground = well_known::ground();
    let (grown, warnings) = screen_on(Some(ground), bytes, limits)?;
    let files = grown.files[ground.files.len()..].to_vec();
    Ok(Set::new(Digest::of(bytes), files, warnings))
}

/// Screens a set on any ground; what it returns holds that ground as well.
pub(super) fn screen_on(
    under: Option<&'static Ground>,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(Ground, Vec<Warning>), Error> {
    let mut grown = Ground::on(under);
    let mut screening = Screening::default();
    for file in cut(bytes, limits)? {
        screening.draft(file, &grown, limits)?;
    }
    screening.settle(&mut grown);
    Ok((grown, screening.warnings))
}

/// Cuts the outer message by hand, so that each file keeps its own bytes.
fn cut<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Vec<&'a [u8]>, Error> {
    if bytes.len() > limits.bytes {
        return Err(Error::TooLarge { bytes: bytes.len(), limit: limits.bytes });
    }
    let mut files = Vec::new();
    for field in Fields::of(bytes) {
        let field = field.map_err(|_| Error::Malformed)?;
        if field.number == 1 {
            files.push(field.bytes().map_err(|_| Error::Malformed)?);
        }
        if files.len() > limits.files {
            return Err(Error::TooManyFiles { limit: limits.files });
        }
    }
    Ok(files)
}

#[derive(Default)]
struct Screening<'a> {
    drafts: Vec<Draft<'a>>,
    /// The drafts by name, and the names of files that were refused (`None`).
    names: HashMap<&'a str, Option<usize>>,
    warnings: Vec<Warning>,
    symbols: usize,
    parts: usize,
}

impl<'a> Screening<'a> {
    /// Judges a file by itself. An error is one of the whole set.
    fn draft(&mut self, bytes: &'a [u8], ground: &Ground, limits: &Limits) -> Result<(), Error> {
        let header = match outline::header(bytes) {
            Ok(header) => header,
            Err(fault) => {
                self.warn("", fault);
                return Ok(());
            }
        };
        let name = header.name;
        if ground.file(name).is_some() {
            return Ok(()); // We hold the well-known files ourselves.
        }
        let draft = match self.outline(bytes, header, limits)? {
            Ok(draft) => draft,
            Err(fault) => {
                self.warn(name, fault);
                self.names.entry(name).or_insert(None);
                return Ok(());
            }
        };
        match self.names.get(name) {
            Some(Some(other)) => {
                let known = raw::without_source_info(self.drafts[*other].bytes);
                if known != raw::without_source_info(bytes) {
                    self.warn(name, Fault::NameTaken);
                }
            }
            _ => {
                self.names.insert(name, Some(self.drafts.len()));
                self.drafts.push(draft);
            }
        }
        Ok(())
    }

    /// Reads a file's declarations, counting as it goes; the outer error is one of the whole set.
    fn outline(
        &mut self,
        bytes: &'a [u8],
        header: Header<'a>,
        limits: &Limits,
    ) -> Result<Result<Draft<'a>, Fault>, Error> {
        if let Err(fault) = judge_header(&header, limits) {
            return Ok(Err(fault));
        }
        let (mut declared, mut uses) = (Vec::new(), Vec::new());
        let (symbols, parts, part_limit) = (&mut self.symbols, &mut self.parts, limits.bytes / 8);
        let walked = outline::walk(bytes, header.package, limits, &mut |event| {
            match event {
                Event::Declared(name, kind) => {
                    *symbols += 1;
                    declared.push((name.to_owned(), kind));
                }
                Event::Uses { scope, name, message } => {
                    let scope = if name.starts_with('.') { String::new() } else { scope.to_owned() };
                    uses.push(Use { name, scope, message });
                }
                Event::Parts(count) => *parts += count,
                Event::Extends { .. } | Event::Method(_) => {}
            }
            match () {
                () if *symbols > limits.symbols => Err(Error::TooManySymbols { limit: limits.symbols }),
                () if *parts > part_limit => Err(Error::TooManyParts { limit: part_limit }),
                () => Ok(()),
            }
        });
        match walked {
            Err(Stop::Visitor(error)) => return Err(error),
            Err(Stop::Fault(fault)) => return Ok(Err(fault)),
            Ok(()) => {}
        }
        // What is left to check is what clients check: wire types, UTF-8, well-formed options. Its cost is bounded by now.
        if prost_types::FileDescriptorProto::decode(bytes).is_err() {
            return Ok(Err(Fault::Malformed));
        }
        Ok(Ok(Draft { bytes, header, declared, uses }))
    }

    /// Judges the files by each other, imports first, and adds the sound ones to `ground`.
    fn settle(&mut self, ground: &mut Ground) {
        let mut waits = vec![0_usize; self.drafts.len()];
        let mut importers = vec![Vec::new(); self.drafts.len()];
        for (at, draft) in self.drafts.iter().enumerate() {
            for import in draft.header.imports.iter().chain(&draft.header.for_options) {
                if let Some(Some(other)) = self.names.get(import) {
                    waits[at] += 1;
                    importers[*other].push(at);
                }
            }
        }
        let mut ready: VecDeque<usize> = (0..waits.len()).filter(|at| waits[*at] == 0).collect();
        let mut refusals = Vec::new();
        let mut settled = 0;
        while let Some(at) = ready.pop_front() {
            settled += 1;
            let draft = &self.drafts[at];
            if let Err(fault) = ground.accept(draft, &self.names) {
                refusals.push((draft.header.name, fault));
            }
            for importer in &importers[at] {
                waits[*importer] -= 1;
                if waits[*importer] == 0 {
                    ready.push_back(*importer);
                }
            }
        }
        if settled < self.drafts.len() {
            let stuck = (0..waits.len()).filter(|at| waits[*at] > 0);
            refusals.extend(stuck.map(|at| (self.drafts[at].header.name, Fault::Cycle)));
        }
        for (name, fault) in refusals {
            self.warn(name, fault);
        }
    }

    fn warn(&mut self, file: &str, fault: Fault) {
        self.warnings.push(Warning { file: excerpt(file), fault });
    }
}

impl Ground {
    fn on(under: Option<&'static Ground>) -> Self {
        let (files, reach) = under.map(|g| (g.files.clone(), g.reach.clone())).unwrap_or_default();
        Self { under, files, reach, ..Self::default() }
    }

    pub(super) fn files(&self) -> &[Arc<File>] {
        &self.files
    }

    /// Adds a file whose imports have all been judged, if it is sound.
    fn accept(&mut self, draft: &Draft<'_>, drafts: &HashMap<&str, Option<usize>>) -> Result<(), Fault> {
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

    fn file(&self, name: &str) -> Option<usize> {
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

fn judge_header(header: &Header<'_>, limits: &Limits) -> Result<(), Fault> {
    let too_long = |name: &str, limit| Fault::NameTooLong { name: excerpt(name), limit };
    if header.name.len() > limits.file_name {
        return Err(too_long(header.name, limits.file_name));
    }
    // Tools write files under these names, so a name must not climb out of a directory.
    let is_segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && !segment.contains(|c: char| c.is_control() || matches!(c, '\\' | ':'))
    };
    if !header.name.split('/').all(is_segment) {
        return Err(Fault::BadFileName);
    }
    if header.package.len() > limits.symbol_name {
        return Err(too_long(header.package, limits.symbol_name));
    }
    match header.package.split('.').find(|part| !outline::is_identifier(part)) {
        Some(part) if !header.package.is_empty() => Err(Fault::BadIdentifier { name: excerpt(part) }),
        _ => Ok(()),
    }
}
