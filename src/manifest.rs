//! Platforms as code: YAML files to and from [`Resource`], their schema, and a directory of them that is watched.
//!
//! Owns: how a manifest is written, and what is wrong with one: every fault at once, with file, line and column.
//! Never: what a manifest does. Whether a platform may say it, the broker judges.
//! Flow: text → documents → trees of values → fields read and judged → [`Resource`]s, or [`Faults`];
//! and back by [`print`].

mod directory;
mod document;
mod fault;
mod kind;
mod place;
mod print;
mod reader;
mod schema;
mod set;
mod tree;
mod unit;
mod version;
mod watch;

pub use crate::model::{Resource, Spec};
pub use directory::{Directory, LoadError, Loaded, load_bytes, load_file};
pub use fault::{Fault, Faults};
pub use print::{print, stream};
pub use schema::schema;
pub use set::resolve;
pub use watch::{Look, Watcher};

use std::io;
use std::path::Path;

/// The most bytes of one file.
pub const LARGEST: usize = 4 << 20;
/// The most documents of one file.
pub const MOST_DOCUMENTS: usize = 10_000;
/// When so many faults are found in a file, the rest of it is not read.
const ENOUGH: usize = 100;

/// Reads the text of the file at `path`; `files` reads what it names, by paths that begin at its folder.
pub fn parse(
    path: &Path,
    text: &str,
    files: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
) -> Result<Vec<Resource>, Faults> {
    if text.len() > LARGEST {
        let fault = Fault::of_file(
            format!("the file has {} bytes, and {LARGEST} is the most", text.len()),
            "put what it declares into several files",
        );
        return Err(Faults::new(path, [fault]));
    }
    let documents = document::split(text);
    if documents.len() > MOST_DOCUMENTS {
        let fault = Fault::of_file(
            format!("the file has {} documents, and {MOST_DOCUMENTS} is the most", documents.len()),
            "put what it declares into several files",
        );
        return Err(Faults::new(path, [fault]));
    }
    let mut resources = Vec::new();
    let mut faults = Vec::new();
    for document in &documents {
        let origin = format!("{}:{}", path.display(), document.line());
        match tree::parse(document) {
            Ok(Some(value)) => {
                let reader = reader::Reader::new(files);
                let spec = reader.root(&value, kind::read);
                faults.extend(reader.into_faults(document, ENOUGH));
                resources.extend(spec.map(|spec| Resource { origin, spec }));
            }
            Ok(None) => {}
            Err(fault) => faults.push(fault),
        }
        if faults.len() > ENOUGH {
            break;
        }
    }
    faults.extend(set::twice(&resources));
    if faults.is_empty() { Ok(resources) } else { Err(Faults::new(path, faults)) }
}

#[cfg(test)]
mod tests;
