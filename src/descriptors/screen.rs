//! Screens descriptors from strangers: sound files stay, unsound ones and what imports them are left out.
//!
//! No file is handed to a descriptor pool here: pools panic on syntaxes that they do not know.

use super::fault::{Error, Fault, Limits, Warning, excerpt};
use super::ground::{Draft, Ground, Use};
use super::header::{self, Header};
use super::outline::{self, Event, Stop};
use super::raw::Fields;
use super::set::Set;
use super::well_known;
use crate::model::Digest;
use prost::Message;
use std::cell::OnceCell;
use std::collections::{HashMap, VecDeque};

/// Screens a set on the ground of the well-known files.
pub(super) fn screen(bytes: &[u8], limits: &Limits) -> Result<Set, Error> {
    let ground = well_known::ground();
    let (grown, warnings) = screen_on(Some(ground), bytes, limits)?;
    let files = grown.files()[ground.files().len()..].to_vec();
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
        let header = match header::read(bytes) {
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
                if self.drafts[*other].content() != draft.content() {
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
        if let Err(fault) = header::judge(&header, limits) {
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
                    // Compilers write absolute names; another is looked for in each scope, and that has a price.
                    let scope = if name.starts_with('.') { "" } else { scope };
                    *parts += scope.matches('.').count();
                    let scope = scope.to_owned();
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
        Ok(Ok(Draft { bytes, header, declared, uses, content: OnceCell::new() }))
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
