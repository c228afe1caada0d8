//! A screened descriptor set: the sound files of one contract, each with the bytes that were sent.

use super::fault::{Error, Limits, Warning};
use super::outline::{self, Event, Kind, Stop};
use super::{header, json, raw, screen};
use crate::model::{Digest, ServiceName};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The sound files of one contract. Cloning is cheap where the files are shared.
#[derive(Debug, Clone)]
pub struct Set {
    digest: Digest,
    files: Vec<Arc<File>>,
    services: Vec<(ServiceName, Arc<File>)>,
    warnings: Vec<Warning>,
}

/// A method as its service declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// Its name in the service.
    pub name: String,
    /// Full name of the request message.
    pub input: String,
    /// Full name of the response message.
    pub output: String,
    /// Whether the client sends a stream.
    pub client_streaming: bool,
    /// Whether the server sends a stream.
    pub server_streaming: bool,
    /// Whether its options say that it may run more than once (`idempotency_level`).
    pub is_idempotent: bool,
}

/// One sound file, tied to the very files that it imports.
#[derive(Debug)]
pub(super) struct File {
    /// Its name, as registered.
    pub(super) name: Box<str>,
    /// The serialized `FileDescriptorProto`, as registered.
    pub(super) bytes: Bytes,
    /// What these bytes and the bytes of all they import are called.
    pub(super) key: Digest,
    /// The same without comments: files of one content need no second name.
    pub(super) content: Digest,
    /// What it imports, in order.
    pub(super) imports: Box<[Arc<File>]>,
    /// One of `google/protobuf/*`, from ourselves and never from a stranger.
    pub(super) well_known: bool,
}

impl Set {
    /// Screens a serialized `google.protobuf.FileDescriptorSet` from a stranger: any bytes, any syntax, any edition.
    ///
    /// Takes time in proportion to `bytes` (tens of milliseconds for the largest).
    ///
    /// # Errors
    /// The set as a whole is no set, or beyond the limits. A single unsound file is left out with a warning instead,
    /// and so is what imports it.
    pub fn screen(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        screen::screen(bytes, limits)
    }

    pub(super) fn new(digest: Digest, files: Vec<Arc<File>>, warnings: Vec<Warning>) -> Self {
        let mut services = Vec::new();
        for file in &files {
            let found = file.declared().into_iter().filter(|(_, kind)| *kind == Kind::Service);
            services
                .extend(found.filter_map(|(name, _)| Some((ServiceName::parse(&name).ok()?, file.clone()))));
        }
        services.sort_by(|a, b| a.0.cmp(&b.0));
        Self { digest, files, services, warnings }
    }

    /// The content address of the bytes that were screened.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What was left out, and why.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The services that its sound files declare, sorted.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.iter().map(|(name, _)| name)
    }

    /// Whether a sound file declares the service.
    pub fn has_service(&self, service: &ServiceName) -> bool {
        self.service(service).is_some()
    }

    /// The methods of a service, in the order of its file; `None` if no sound file declares it.
    pub fn methods(&self, service: &ServiceName) -> Option<Vec<Method>> {
        let file = self.service(service)?;
        let mut methods = Vec::new();
        let mut inside = false;
        file.walk(|event| {
            match event {
                Event::Declared(name, Kind::Service) => inside = name == service.as_str(),
                Event::Method(method) if inside => methods.push(Method {
                    name: method.name.to_owned(),
                    input: method.input.trim_start_matches('.').to_owned(),
                    output: method.output.trim_start_matches('.').to_owned(),
                    client_streaming: method.client_streaming,
                    server_streaming: method.server_streaming,
                    is_idempotent: method.is_idempotent,
                }),
                _ => {}
            }
            true
        });
        Some(methods)
    }

    /// The bytes of its sound files.
    pub fn size(&self) -> usize {
        self.files.iter().map(|file| file.bytes.len()).sum()
    }

    /// What its sound files are, with their comments, however they were packed.
    pub fn files_digest(&self) -> Digest {
        let files: BTreeMap<_, _> =
            self.files.iter().filter(|file| !file.well_known).map(|file| (&file.name, &file.bytes)).collect();
        Digest::of_parts(files.into_iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]))
    }

    /// Its sound files, imports before importers.
    pub(super) fn files(&self) -> &[Arc<File>] {
        &self.files
    }

    fn service(&self, service: &ServiceName) -> Option<&Arc<File>> {
        let at = self.services.binary_search_by(|(name, _)| name.cmp(service)).ok()?;
        Some(&self.services[at].1)
    }
}

/// The digest of a contract: its service names, the files that these need, by name and without comments, and its
/// parameter schema, whatever the order of its keys.
///
/// `google/protobuf/*` counts by name only, so that a newer broker finds the same digest.
pub fn contract_digest(
    services: &[ServiceName],
    set: Option<&Set>,
    parameter_schema: Option<&str>,
) -> Digest {
    let mut names: Vec<&ServiceName> = services.iter().collect();
    names.sort();
    names.dedup();
    let needed = needed(services, set);
    let contents: Vec<Vec<u8>> = needed.values().map(|file| file.canonical()).collect();
    let schema = parameter_schema.map(json::canonical);

    let mut parts: Vec<&[u8]> = vec![b"services"];
    parts.extend(names.iter().map(|name| name.as_str().as_bytes()));
    parts.push(b"files/");
    for (name, content) in needed.keys().zip(&contents) {
        parts.extend([name.as_bytes(), content]);
    }
    if let Some(schema) = &schema {
        // No file is called so: a name has no empty segment.
        parts.extend([b"parameter_schema/", schema.as_bytes()]);
    }
    Digest::of_parts(parts)
}

/// The files that these services need, by name: those that declare them, and all that they import.
pub(super) fn needed<'a>(services: &[ServiceName], set: Option<&'a Set>) -> BTreeMap<&'a str, &'a File> {
    let mut needed: BTreeMap<&str, &File> = BTreeMap::new();
    let roots = services.iter().filter_map(|name| set?.service(name));
    let mut next: Vec<&File> = roots.map(Arc::as_ref).collect();
    while let Some(file) = next.pop() {
        if needed.insert(&file.name, file).is_none() {
            next.extend(file.imports.iter().map(Arc::as_ref));
        }
    }
    needed
}

impl File {
    /// A sound file; `imports` are those of its header, in order.
    pub(super) fn new(name: &str, bytes: &[u8], imports: Vec<Arc<File>>, well_known: bool) -> Self {
        let file = Self {
            name: name.into(),
            bytes: Bytes::copy_from_slice(bytes),
            key: Digest::of_parts([bytes].into_iter().chain(imports.iter().map(|i| &i.key.as_bytes()[..]))),
            content: Digest::of(&[]),
            imports: imports.into(),
            well_known,
        };
        let canonical = file.canonical();
        let contents = file.imports.iter().map(|import| &import.content.as_bytes()[..]);
        let content = Digest::of_parts([name.as_bytes(), &canonical].into_iter().chain(contents));
        Self { content, ..file }
    }

    /// The same file, tied to other copies of the same imports.
    pub(super) fn with_imports(&self, imports: Box<[Arc<File>]>) -> Self {
        // A copy of its own, so that what is kept never hangs on what was sent.
        let (name, bytes) = (self.name.clone(), Bytes::copy_from_slice(&self.bytes));
        Self { name, bytes, imports, key: self.key, content: self.content, well_known: self.well_known }
    }

    /// What counts of it: all but comments, and of a well-known file only the name.
    pub(super) fn canonical(&self) -> Vec<u8> {
        if self.well_known { Vec::new() } else { raw::without_source_info(&self.bytes) }
    }

    /// Its package; may be empty.
    pub(super) fn package(&self) -> &str {
        header::read(&self.bytes).map(|header| header.package).unwrap_or_default()
    }

    /// All that it declares, by full name.
    pub(super) fn declared(&self) -> Vec<(String, Kind)> {
        let mut declared = Vec::new();
        self.walk(|event| {
            if let Event::Declared(name, kind) = event {
                declared.push((name.to_owned(), kind));
            }
            true
        });
        declared
    }

    /// Whether it declares `symbol`.
    pub(super) fn declares(&self, symbol: &str) -> bool {
        let mut found = false;
        self.walk(|event| {
            found |= matches!(event, Event::Declared(name, _) if name == symbol);
            !found
        });
        found
    }

    /// The extensions that it declares: the full name of what they extend, and their numbers.
    pub(super) fn extensions(&self) -> Vec<(String, i32)> {
        let mut extensions = Vec::new();
        self.walk(|event| {
            if let Event::Extends { extendee, number } = event {
                // Compilers write absolute names; no other is worth a search.
                extensions.extend(extendee.strip_prefix('.').map(|name| (name.to_owned(), number)));
            }
            true
        });
        extensions
    }

    /// Walks its declarations while `visit` says so.
    fn walk<'a>(&'a self, mut visit: impl FnMut(Event<'a, '_>) -> bool) {
        let limits = Limits { symbol_name: usize::MAX, ..Limits::default() };
        let mut step = |event: Event<'a, '_>| if visit(event) { Ok(()) } else { Err(()) };
        // A stored file was sound when it was screened, so the only end is the visitor's.
        let _: Result<(), Stop<()>> = outline::walk(&self.bytes, self.package(), &limits, &mut step);
    }
}
