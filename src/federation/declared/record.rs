//! What a declared resource looks like in the store: JSON with its own version, beside descriptor sets by digest.

use super::set::{Entry, Key, Sealed, Via};
use crate::federation::Error;
use crate::model::{Digest, Resource, Spec};
use crate::store::{self, Change, Table};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The forms that were ever written; a new form is a new variant, and the old ones stay readable.
#[derive(Serialize, Deserialize)]
#[serde(tag = "form")]
enum Form {
    #[serde(rename = "1")]
    One(One),
}

#[derive(Serialize, Deserialize)]
struct One {
    origin: String,
    via: Via,
    since: Timestamp,
    spec: Spec,
    sealed: Option<Sealed>,
}

/// The change that keeps a declared resource.
pub(super) fn put(key: &Key, entry: &Entry) -> Result<Change, Error> {
    let Entry { resource, via, since, sealed, .. } = entry;
    let (origin, via, spec) = (resource.origin.clone(), via.clone(), resource.spec.clone());
    let form = Form::One(One { origin, via, since: *since, spec, sealed: sealed.clone() });
    let value = serde_json::to_vec(&form).map_err(|e| store::Error::Refused(Arc::new(e)))?;
    Ok(Change::Put { table: Table::Resources, key: key.to_string().into_bytes(), value: value.into() })
}

/// The change that forgets a declared resource.
pub(super) fn delete(key: &Key) -> Change {
    Change::Delete { table: Table::Resources, key: key.to_string().into_bytes() }
}

/// Digest of all that a resource says besides descriptor sets, wherever it is written.
pub(super) fn content(spec: &Spec) -> Digest {
    // What cannot be written down is like nothing else, and is refused when it is to be kept.
    Digest::of(&serde_json::to_vec(spec).unwrap_or_default())
}

/// Reads what [`put`] wrote.
pub(super) fn read(bytes: &[u8]) -> Result<(Key, Entry), serde_json::Error> {
    let Form::One(One { origin, via, since, spec, sealed }) = serde_json::from_slice(bytes)?;
    let (key, content) = (Key::of(&spec), content(&spec));
    let entry = Entry { sealed, ..Entry::new(Resource { origin, spec }, via, content, since) };
    Ok((key, entry))
}
