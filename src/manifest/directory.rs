//! A directory of manifests: every file on its own, in a stable order, and nothing from outside of it.

use super::fault::{Fault, Faults};
use super::{LARGEST, set};
use crate::model::Resource;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The most files below a directory, manifests and those that they name.
const MOST_FILES: usize = 10_000;
/// The deepest that folders stand in folders.
const DEEPEST: usize = 16;
/// The most bytes of a file that a manifest names.
const LARGEST_NAMED: usize = 16 << 20;

/// A directory of manifests, `*.yaml` and `*.yml` in it and in the folders below it. Hidden names are left out, and
/// links to folders are not followed; a link to a file must stay inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    root: PathBuf,
}

/// What a directory declared when it was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// By the path below the directory: what the file declares, or why nothing of it counts.
    pub files: BTreeMap<PathBuf, Result<Vec<Resource>, Faults>>,
}

/// A directory that cannot be read whole. Nothing may be concluded from what is missing in it.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A folder cannot be read.
    #[error("the folder {} cannot be read", path.display())]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is more than is read.
    #[error("there are more than {MOST_FILES} files below {}, or folders more than {DEEPEST} deep", path.display())]
    TooMuch {
        /// The directory.
        path: PathBuf,
    },
}

impl Loaded {
    /// All that is declared, in the order of the files.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.files.values().flatten().flatten()
    }

    /// The files of which nothing counts.
    pub fn faults(&self) -> impl Iterator<Item = &Faults> {
        self.files.values().filter_map(|read| read.as_ref().err())
    }
}

impl Directory {
    /// The directory at `root`, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads all of it. Blocks.
    pub fn load(&self) -> Result<Loaded, LoadError> {
        let root = self.canonical()?;
        let mut files = BTreeMap::new();
        for path in self.walk(&root)?.into_keys().filter(|path| is_manifest(path)) {
            let read = read(&root, &path);
            files.insert(path, read);
        }
        set::unique(&mut files);
        Ok(Loaded { files })
    }

    /// Length and time of every file below, also of those that manifests name: other stamps, other content. Blocks.
    pub(super) fn stamps(&self) -> Result<BTreeMap<PathBuf, Stamp>, LoadError> {
        self.walk(&self.canonical()?)
    }

    fn canonical(&self) -> Result<PathBuf, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: self.root.clone(), source };
        self.root.canonicalize().map_err(unreadable)
    }

    fn walk(&self, root: &Path) -> Result<BTreeMap<PathBuf, Stamp>, LoadError> {
        let mut found = BTreeMap::new();
        let mut folders = vec![(PathBuf::new(), 0)];
        let too_much = || LoadError::TooMuch { path: self.root.clone() };
        while let Some((folder, depth)) = folders.pop() {
            let unreadable = |source| LoadError::Unreadable { path: self.root.join(&folder), source };
            for entry in fs::read_dir(root.join(&folder)).map_err(unreadable)? {
                let entry = entry.map_err(unreadable)?;
                let name = entry.file_name();
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let path = folder.join(name);
                if entry.file_type().map_err(unreadable)?.is_dir() {
                    folders.push((path, depth + 1));
                } else {
                    found.insert(path, Stamp::of(&entry.path()));
                }
                if found.len() + folders.len() > MOST_FILES || depth > DEEPEST {
                    return Err(too_much());
                }
            }
        }
        Ok(found)
    }
}

/// Reads one file of manifests; what it names must lie below its folder. Blocks.
pub fn load_file(path: &Path) -> Result<Vec<Resource>, Faults> {
    let bytes = contents(path, LARGEST).map_err(|error| Faults::new(path, [unreadable(&error)]))?;
    load_bytes(path, bytes)
}

/// Reads what stands or could stand in the file at `path`. Blocks.
pub fn load_bytes(path: &Path, bytes: Vec<u8>) -> Result<Vec<Resource>, Faults> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let root = folder.canonicalize().map_err(|error| Faults::new(path, [unreadable(&error)]))?;
    text(path, bytes, &|named| inside(&root, &root.join(named), LARGEST_NAMED))
}

fn read(root: &Path, path: &Path) -> Result<Vec<Resource>, Faults> {
    let bytes = inside(root, &root.join(path), LARGEST);
    let bytes = bytes.map_err(|error| Faults::new(path, [unreadable(&error)]))?;
    let folder = root.join(path.parent().unwrap_or(Path::new("")));
    text(path, bytes, &|named| inside(root, &folder.join(named), LARGEST_NAMED))
}

fn text(
    path: &Path,
    bytes: Vec<u8>,
    files: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<Vec<Resource>, Faults> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let fault = Fault::of_file("this is not UTF-8", "save the file as UTF-8 text");
        Faults::new(path, [Fault { line, ..fault }])
    })?;
    super::parse(path, &text, files)
}

fn unreadable(error: &io::Error) -> Fault {
    Fault::of_file(format!("the file cannot be read: {error}"), "make it a readable file of this directory")
}

/// The bytes of a file that lies below `root`, wherever links lead.
fn inside(root: &Path, path: &Path, most: usize) -> io::Result<Vec<u8>> {
    if !path.canonicalize()?.starts_with(root) {
        return Err(io::Error::other("it lies outside of the directory"));
    }
    contents(path, most)
}

/// One byte more than `most` says that there is more.
fn contents(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // A pipe would be waited for, and a device has no end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// How a file looks from outside; nothing where it cannot be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, Option<SystemTime>)>);

impl Stamp {
    fn of(path: &Path) -> Self {
        let metadata = fs::metadata(path).ok();
        Self(metadata.map(|metadata| (metadata.len(), metadata.modified().ok())))
    }
}
