//! What a registration looks like in the store: JSON with its own version, beside descriptor sets by digest.

use super::Error;
use crate::model::{Digest, Lease, Producer, ProducerName, Version};
use crate::store::{self, Change, Table};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// The forms that were ever written; a new form is a new variant, and the old ones stay readable.
#[derive(Serialize, Deserialize)]
#[serde(tag = "form")]
enum Form {
    #[serde(rename = "1")]
    One(One),
}

#[derive(Serialize, Deserialize)]
struct One {
    lease: String,
    term: Duration,
    producer: Producer,
    versions: Vec<Version>,
}

/// A registration as it was stored.
pub(super) struct Stored {
    pub(super) lease: Lease,
    pub(super) producer: Producer,
    pub(super) versions: Vec<Version>,
}

/// The change that keeps a registration.
pub(super) fn put(lease: &Lease, producer: Producer, versions: &[Version]) -> Result<Change, Error> {
    let key = key(&producer.name);
    let form =
        Form::One(One { lease: lease.id.clone(), term: lease.term, producer, versions: versions.to_vec() });
    Ok(Change::Put { table: Table::Producers, key, value: json(&form)?.into() })
}

/// Digest of all that a registration says, whenever and for however long it says it.
pub(super) fn content(producer: &Producer, versions: &[Version]) -> Result<Digest, Error> {
    let mut versions: Vec<_> = versions.iter().collect();
    versions.sort_by(|a, b| a.name.cmp(&b.name));
    let said = (&producer.identity, &producer.registrant, &producer.endpoints, versions);
    Ok(Digest::of(&json(&said)?))
}

/// The descriptor sets that versions need, each once.
pub(super) fn sets(versions: &[Version]) -> Arc<[Digest]> {
    versions.iter().filter_map(|version| version.descriptors).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The change that forgets a registration.
pub(super) fn delete(name: &ProducerName) -> Change {
    Change::Delete { table: Table::Producers, key: key(name) }
}

/// The change that keeps a descriptor set.
pub(super) fn put_descriptors(digest: Digest, bytes: Bytes) -> Change {
    Change::Put { table: Table::Descriptors, key: digest.as_bytes().to_vec(), value: bytes }
}

/// The change that forgets a descriptor set.
pub(super) fn delete_descriptors(digest: Digest) -> Change {
    Change::Delete { table: Table::Descriptors, key: digest.as_bytes().to_vec() }
}

/// Reads what [`put`] wrote.
pub(super) fn read(bytes: &[u8]) -> Result<Stored, serde_json::Error> {
    let Form::One(One { lease, term, producer, versions }) = serde_json::from_slice(bytes)?;
    let lease =
        Lease { id: lease, producer: producer.name.clone(), holder: producer.registrant.clone(), term };
    Ok(Stored { lease, producer, versions })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(value).map_err(|e| store::Error::Refused(Arc::new(e)))?)
}

fn key(name: &ProducerName) -> Vec<u8> {
    name.to_string().into_bytes()
}
