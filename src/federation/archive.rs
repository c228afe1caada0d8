//! What of the federation is durable, and in which form: records with the ways to them, origins, positions, signers' chains
//! and evidence.
//!
//! Owns: keys and forms of the tables `records` and `peering`. Never: I/O; it makes changes, and reads what was stored.
//! What cannot be read is told and left out, never an end of the start: one bad record harms no other.

mod form;

use super::signing::claimed;
use crate::model::sync::{Position, Signer};
use crate::model::{BrokerId, Digest, Origin, Record, RecordKey, Signed, Stamp, Travel};
use crate::store::{self, Change, Table};
use crate::wire::federation::parse_body;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Chains of signers that are kept; more are refused until some are no longer needed.
pub const MOST_SIGNERS: usize = 4_096;

/// One record with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its newest state.
    pub record: Arc<Record>,
    /// The ways to it; none to our own.
    pub ways: Vec<Way>,
    /// Its place in our order of changes.
    pub revision: u64,
    /// Whom it is told.
    pub told: Vec<BrokerId>,
    /// Who was told once, and may not know yet that it is out of scope.
    pub gone: Vec<BrokerId>,
    /// Since when it is deleted, or told by nobody: time since the Unix epoch.
    pub retired: Option<Duration>,
}

/// One way to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Over whom.
    pub peer: BrokerId,
    /// How it came, as it was imported.
    pub travel: Travel,
    /// Which state was told.
    pub stamp: Stamp,
}

/// What is kept of an origin beside its records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Past {
    /// The newest stamp that was ever seen; of ourselves, the newest that was ever given out.
    pub newest: Stamp,
    /// The newest stamp of what was forgotten.
    pub floor: Stamp,
    /// The newest revision of what was forgotten.
    pub horizon: u64,
    /// Whether all that was ever offered to us of it is here.
    pub is_whole: bool,
}

/// An origin that said two things under one stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was believed first.
    pub kept: Signed,
    /// What else was said.
    pub refused: Signed,
    /// Who handed that over.
    pub from: BrokerId,
}

/// All that was stored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Contents {
    /// Names the life of the ledger: another number for each that began empty; 0 if there was none.
    pub incarnation: u64,
    /// Records, ours and others', tombstones included.
    pub entries: Vec<Entry>,
    /// Origins.
    pub origins: Vec<(Origin, Past)>,
    /// Where we left off, by peer and origin.
    pub positions: Vec<(BrokerId, Origin, Position)>,
    /// Chains of those who signed what is kept.
    pub signers: Vec<Signer>,
    /// Who equivocated.
    pub evidence: Vec<Evidence>,
}

/// Knows which chains are stored, so that none is missing under a record and none is stored twice.
#[derive(Debug, Default)]
pub struct Archive {
    signers: BTreeSet<Digest>,
}

/// Too many signers have something to say that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_SIGNERS} certificates sign what is kept here")]
pub struct TooManySigners;

impl Archive {
    /// Reads what was stored. Chains that sign nothing any more are forgotten, by the changes that come with it.
    pub fn open(contents: &store::Contents) -> (Self, Contents, Vec<Change>) {
        let mut read = Contents::default();
        for stored in &contents.records {
            match form::read_entry(&stored.value) {
                Ok(entry) => read.entries.push(entry),
                Err(reason) => unreadable(&stored.key, &reason),
            }
        }
        for stored in &contents.peering {
            if let Err(reason) = form::read_peering(&mut read, &stored.key, &stored.value) {
                unreadable(&stored.key, &reason);
            }
        }
        let mut archive = Self { signers: read.signers.iter().map(digest).collect() };
        let changes = archive.sweep(read.entries.iter().map(|entry| entry.record.signed.signer));
        read.signers.retain(|signer| archive.signers.contains(&digest(signer)));
        (archive, read, changes)
    }

    /// Keeps a record, and the chain of its signer with the first that it signs. `chain` finds that by its name.
    pub fn put(
        &mut self,
        entry: &Entry,
        chain: impl FnOnce(&Digest) -> Option<Signer>,
    ) -> Result<Vec<Change>, TooManySigners> {
        let mut changes = Vec::new();
        let signer = entry.record.signed.signer;
        if !self.signers.contains(&signer)
            && let Some(chain) = chain(&signer)
        {
            if self.signers.len() >= MOST_SIGNERS {
                return Err(TooManySigners);
            }
            self.signers.insert(signer);
            changes.push(put(Table::Peering, form::signer_key(&signer), form::signer(&chain)));
        }
        changes.push(put(Table::Records, form::record_key(&entry.record.head.key), form::entry(entry)));
        Ok(changes)
    }

    /// Forgets the chains that sign none of what is kept.
    pub fn sweep(&mut self, used: impl IntoIterator<Item = Digest>) -> Vec<Change> {
        let used: BTreeSet<_> = used.into_iter().collect();
        let gone: Vec<_> = self.signers.difference(&used).copied().collect();
        self.signers.retain(|signer| used.contains(signer));
        gone.iter().map(|signer| delete(Table::Peering, form::signer_key(signer))).collect()
    }
}

/// Forgets a record.
pub fn forget(key: &RecordKey) -> Change {
    delete(Table::Records, form::record_key(key))
}

/// Keeps what is known of an origin.
pub fn put_origin(origin: &Origin, past: &Past) -> Change {
    put(Table::Peering, form::origin_key(origin), form::past(past))
}

/// Keeps where we left off with an origin at a peer; `None` forgets it.
pub fn put_position(peer: &BrokerId, origin: &Origin, position: Option<Position>) -> Change {
    let key = form::position_key(peer, origin);
    match position {
        Some(position) => put(Table::Peering, key, form::position(position)),
        None => delete(Table::Peering, key),
    }
}

/// Keeps what an origin said twice. The caller bounds how many.
pub fn put_evidence(evidence: &Evidence) -> Change {
    put(Table::Peering, form::evidence_key(evidence), form::evidence(evidence))
}

/// Keeps the number that names the life of the ledger.
pub fn put_incarnation(incarnation: u64) -> Change {
    put(Table::Peering, form::INCARNATION.to_vec(), Bytes::copy_from_slice(&incarnation.to_be_bytes()))
}

impl Evidence {
    /// Of which record, if that can be read.
    pub fn key(&self) -> Option<RecordKey> {
        claimed(&self.kept)
    }
}

fn put(table: Table, key: Vec<u8>, value: Bytes) -> Change {
    Change::Put { table, key, value }
}

fn delete(table: Table, key: Vec<u8>) -> Change {
    Change::Delete { table, key }
}

fn digest(signer: &Signer) -> Digest {
    Digest::of_parts(signer.chain.iter().map(AsRef::as_ref))
}

fn record(signed: Signed) -> Result<Record, String> {
    let (head, payload) = parse_body(&signed.body).map_err(|e| e.to_string())?;
    Ok(Record { head, payload, signed })
}

fn unreadable(key: &[u8], reason: &str) {
    let key: String =
        String::from_utf8_lossy(key).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    tracing::error!(
        key,
        reason,
        "something that is stored of the federation cannot be read, and is left as it is"
    );
}

#[cfg(test)]
mod tests;
