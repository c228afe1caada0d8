//! All descriptors of the federation by what may be asked of them: one Writer, many Readers.

use super::set::{File, Set};
use super::table::Table;
use super::well_known;
use crate::model::{Digest, VersionName};
use arc_swap::ArcSwap;
use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// The only handle that changes the index.
#[derive(Debug)]
pub struct Writer {
    state: Snapshot,
    published: Arc<ArcSwap<Snapshot>>,
}

/// Reads the index; cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    published: Arc<ArcSwap<Snapshot>>,
}

/// The index at one moment. Cloning is cheap: parts are shared with other moments.
#[derive(Debug, Clone)]
pub struct Snapshot {
    hash: RandomState,
    /// Files by what may be asked: a name, a symbol at the top of a file, an extension, an extended type.
    asked: Table<Arc<File>>,
    /// Files by their key, with who carries them.
    places: Table<Arc<Place>>,
    versions: RedBlackTreeMapSync<Arc<VersionName>, Arc<Carried>>,
}

/// A file with the versions that carry it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<File>,
    /// Whether we ourselves carry it.
    pub(super) own: bool,
    /// Ordered by name, so by platform.
    pub(super) carriers: RedBlackTreeSetSync<Arc<VersionName>>,
}

/// What a version carries.
#[derive(Debug)]
struct Carried {
    /// The content address of the bytes that it was sent in.
    digest: Digest,
    files: Vec<Arc<File>>,
}

/// A question with exactly one kind of answer; what is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Question<'a> {
    /// The file of that name.
    Name(&'a str),
    /// The file that declares that symbol at its top.
    Symbol(&'a str),
    /// The file that declares that extension.
    Extension(&'a str, i32),
    /// A file that extends that type.
    Extended(&'a str),
}

/// An index that holds the well-known files and `own`: what this broker itself implements, visible to everyone and
/// never overruled.
pub fn index(own: &Set) -> (Writer, Reader) {
    let state = Snapshot::new(own);
    let published = Arc::new(ArcSwap::from_pointee(state.clone()));
    (Writer { state, published: published.clone() }, Reader { published })
}

impl Writer {
    /// Publishes the descriptors of a version, in place of those it had.
    pub fn put(&mut self, version: VersionName, set: &Set) {
        self.put_all([(version, set)]);
    }

    /// Publishes the descriptors of many versions at once.
    pub fn put_all<'a>(&mut self, sets: impl IntoIterator<Item = (VersionName, &'a Set)>) {
        for (version, set) in sets {
            self.state.remove(&version);
            self.state.put(Arc::new(version), set);
        }
        self.publish();
    }

    /// Takes the descriptors of a version out. Without descriptors, nothing happens.
    pub fn remove(&mut self, version: &VersionName) {
        if self.state.remove(version) {
            self.publish();
        }
    }

    /// Reads the index that this handle changes.
    pub fn reader(&self) -> Reader {
        Reader { published: self.published.clone() }
    }

    fn publish(&self) {
        self.published.store(Arc::new(self.state.clone()));
    }
}

/// Files in the form of a `google.protobuf.FileDescriptorSet`, imports before importers, each name once.
#[derive(Default)]
struct Packed {
    names: BTreeSet<Box<str>>,
    bytes: Vec<u8>,
}

impl Packed {
    fn add(&mut self, file: &File) {
        if self.names.insert(file.name.clone()) {
            file.imports.iter().for_each(|import| self.add(import));
            prost::encoding::bytes::encode(1, &file.bytes, &mut self.bytes);
        }
    }
}

impl Reader {
    /// The index now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.published.load_full()
    }
}

impl Snapshot {
    fn new(own: &Set) -> Self {
        let mut new = Self {
            hash: RandomState::new(),
            asked: Table::new(),
            places: Table::new(),
            versions: RedBlackTreeMapSync::new_sync(),
        };
        for file in well_known::files().iter().chain(own.files()) {
            new.add(Place { file: file.clone(), own: true, carriers: RedBlackTreeSetSync::new_sync() });
        }
        new
    }

    /// Whether the version has descriptors.
    pub fn has(&self, version: &VersionName) -> bool {
        self.versions.contains_key(version)
    }

    /// The sound files of a version; none if it has no descriptors.
    pub(super) fn files(&self, version: &VersionName) -> &[Arc<File>] {
        self.versions.get(version).map(|carried| &carried.files[..]).unwrap_or_default()
    }

    /// The sound descriptors of a version; `None` if it has none.
    pub fn set(&self, version: &VersionName) -> Option<Set> {
        let carried = self.versions.get(version)?;
        Some(Set::new(carried.digest, carried.files.clone(), Vec::new()))
    }

    /// The sound files of a version and all that they import, as a serialized `google.protobuf.FileDescriptorSet`;
    /// `None` if it has no descriptors.
    pub fn bytes(&self, version: &VersionName) -> Option<Vec<u8>> {
        let files = self.files(version);
        let mut packed = Packed::default();
        files.iter().for_each(|file| packed.add(file));
        (!files.is_empty()).then_some(packed.bytes)
    }

    /// The files that may answer a question, whoever carries them; the asker checks for hash collisions.
    pub(super) fn candidates(&self, question: Question<'_>) -> impl Iterator<Item = &Arc<File>> {
        self.asked.get(self.hash.hash_one(question))
    }

    /// Who carries a file.
    pub(super) fn place(&self, key: &Digest) -> Option<&Arc<Place>> {
        self.places.get(self.hash.hash_one(key)).find(|place| place.file.key == *key)
    }

    fn put(&mut self, version: Arc<VersionName>, set: &Set) {
        // Files that are here already are shared, and so are the imports of new ones. Imports come first.
        let mut shared: HashMap<Digest, Arc<File>> = HashMap::new();
        let mut files = Vec::with_capacity(set.files().len());
        for file in set.files() {
            let mut place = match self.place(&file.key) {
                Some(place) => Place::clone(place),
                None => {
                    let import = |i: &Arc<File>| shared.get(&i.key).unwrap_or(i).clone();
                    let file = Arc::new(file.with_imports(file.imports.iter().map(import).collect()));
                    let new = Place { file, own: false, carriers: RedBlackTreeSetSync::new_sync() };
                    self.add(new.clone());
                    new
                }
            };
            place.carriers.insert_mut(version.clone());
            shared.insert(file.key, place.file.clone());
            files.push(place.file.clone());
            self.replace(place);
        }
        self.versions.insert_mut(version, Arc::new(Carried { digest: set.digest(), files }));
    }

    fn remove(&mut self, version: &VersionName) -> bool {
        let Some(carried) = self.versions.get(version).cloned() else { return false };
        self.versions.remove_mut(version);
        for file in &carried.files {
            let Some(place) = self.place(&file.key) else { continue };
            let mut place = Place::clone(place);
            place.carriers.remove_mut(version);
            if place.own || !place.carriers.is_empty() {
                self.replace(place);
            } else {
                self.forget(&place);
            }
        }
        true
    }

    fn add(&mut self, place: Place) {
        for hash in self.hashes(&place.file) {
            self.asked.insert(hash, place.file.clone());
        }
        let hash = self.hash.hash_one(place.file.key);
        self.places.insert(hash, Arc::new(place));
    }

    fn replace(&mut self, place: Place) {
        let hash = self.hash.hash_one(place.file.key);
        self.places.remove(hash, |other| other.file.key == place.file.key);
        self.places.insert(hash, Arc::new(place));
    }

    fn forget(&mut self, place: &Place) {
        for hash in self.hashes(&place.file) {
            self.asked.remove(hash, |other| other.key == place.file.key);
        }
        self.places.remove(self.hash.hash_one(place.file.key), |other| other.file.key == place.file.key);
    }

    /// Under what a file is asked for. A symbol inside another is found through the outermost.
    fn hashes(&self, file: &File) -> Vec<u64> {
        let hash = |question: Question<'_>| self.hash.hash_one(question);
        let mut hashes = vec![hash(Question::Name(&file.name))];
        let above = match file.package() {
            "" => 0,
            package => package.len() + 1,
        };
        let declared = file.declared();
        let at_top = declared.iter().map(|(name, _)| name).filter(|name| !name[above..].contains('.'));
        hashes.extend(at_top.map(|name| hash(Question::Symbol(name))));
        for (extendee, number) in &file.extensions() {
            hashes.extend([hash(Question::Extension(extendee, *number)), hash(Question::Extended(extendee))]);
        }
        hashes.sort_unstable();
        hashes.dedup();
        hashes
    }
}
