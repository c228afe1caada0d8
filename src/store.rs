//! Durable state: opaque bytes under keys, on the disk before anybody is told so.
//!
//! Owns: the data directory, the order of commits, epoch and sequence.
//! Never: what the bytes mean; an empty file in the place of a broken one.
//! Flow: `open` locks the directory, checks the file and reads it once → `commit` → bounded queue → writer
//! thread, which takes what is waiting into one transaction → answer.

mod book;
mod file;
#[cfg(test)]
mod tests;
mod writer;

use bytes::Bytes;
use jiff::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// The largest value, in bytes. A registration of the largest descriptor set fits with room to spare.
pub const LARGEST_VALUE: usize = 64 << 20;

/// How many commits may wait for the writer; more wait at the caller.
const QUEUE: usize = 256;

/// A handle to the one writer of a data directory. Clones are the same writer.
#[derive(Debug, Clone)]
pub struct Store {
    queue: mpsc::Sender<writer::Command>,
}

/// The tables that callers write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Registrations, by name.
    Producers,
    /// Descriptor sets, by digest.
    Descriptors,
    /// Every contract that was ever taken, by version name.
    Contracts,
    /// Since when a platform claims a service name.
    Claims,
    /// What manifests declare, by kind and name.
    Resources,
    /// Who called what.
    Usage,
    /// Records of the federation, ours and others', by origin, kind and name.
    Records,
    /// What is known of peers and origins beside their records.
    Peering,
}

/// One change; a commit holds several, and all of them or none are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a value, in the place of an earlier one.
    Put {
        /// Where.
        table: Table,
        /// Under which key.
        key: Vec<u8>,
        /// What.
        value: Bytes,
    },
    /// Takes a value away; no error if there is none.
    Delete {
        /// Where.
        table: Table,
        /// Which.
        key: Vec<u8>,
    },
}

/// What the file held when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Rises when the state was lost and begun anew: the second at which this file was created.
    pub epoch: u64,
    /// The number of the last commit of this epoch; 0 before the first.
    pub sequence: u64,
    /// All registrations, ordered by key.
    pub producers: Vec<Record>,
    /// All descriptor sets, ordered by key.
    pub descriptors: Vec<Record>,
    /// All contracts, ordered by key.
    pub contracts: Vec<Record>,
    /// All claims, ordered by key.
    pub claims: Vec<Record>,
    /// All resources, ordered by key.
    pub resources: Vec<Record>,
    /// All of the book of calls, ordered by key.
    pub usage: Vec<Record>,
    /// All records of the federation, ordered by key.
    pub records: Vec<Record>,
    /// All that is known of peers and origins, ordered by key.
    pub peering: Vec<Record>,
}

/// One stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// The number of the commit that wrote it: with the epoch, its only version (design §4).
    pub sequence: u64,
    /// The bytes.
    pub value: Bytes,
}

/// Why the store cannot be opened, or did not take a change.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another process works in the directory.
    #[error(
        "{} is in use by another process{holder}; stop that one, or set another data_dir", path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// What is known of the other process: ` (process 123)`, or nothing.
        holder: String,
    },
    /// The file was written by a newer program.
    #[error(
        "{} has format {found}, this program knows formats up to {known}; run the newer program, or restore \
         a backup made before the upgrade", path.display()
    )]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// What it has.
        found: u32,
        /// What this program knows.
        known: u32,
    },
    /// The file is not what this program wrote.
    #[error(
        "{} is damaged and was left as it is; restore it from a backup, or move it away to begin anew: \
         producers must then register again", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Source,
    },
    /// The operating system does not let us use the directory or the file.
    #[error("cannot use {}", path.display())]
    Unusable {
        /// The directory or file.
        path: PathBuf,
        /// What it said.
        #[source]
        source: Source,
    },
    /// The disk did not take the change. Whether it is there after a restart is unknown; it may be tried again.
    #[error("the disk did not take the change")]
    Refused(#[source] Source),
    /// A value over [`LARGEST_VALUE`].
    #[error("a value of {size} bytes is too large for the store, which takes {LARGEST_VALUE}")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// What lies behind an error; shared, because one failed transaction answers several callers.
pub type Source = Arc<dyn std::error::Error + Send + Sync>;

impl Store {
    /// Opens the directory, creating it and its file if they do not exist, and reads all that is there.
    /// `now` becomes the epoch of a new file.
    pub fn open(data_dir: &Path, now: Timestamp) -> Result<(Self, Contents), Error> {
        let lock = file::lock(data_dir)?;
        let path = data_dir.join(file::NAME);
        file::create_if_absent(&path, now)?;
        Self::start(move || {
            // The lock lives as long as the writer that owns this closure.
            let _ = &lock;
            file::open(&path)
        })
    }

    /// Writes all of `changes` or nothing, and answers when they are durable: with the number of the commit.
    pub async fn commit(&self, changes: Vec<Change>) -> Result<u64, Error> {
        if let Some(size) = changes.iter().map(Change::size).find(|size| *size > LARGEST_VALUE) {
            return Err(Error::TooLarge { size });
        }
        let (answer, answered) = oneshot::channel();
        let command = writer::Command::Commit { changes, answer };
        self.queue.send(command).await.map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Finishes the commits that wait, closes the file and gives the directory back.
    pub async fn close(self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(writer::Command::Close { answer }).await.is_ok() {
            let _ = answered.await;
        }
    }

    /// Starts a writer over the database that `open` gives; it is asked again after a failed transaction.
    fn start<F>(mut open: F) -> Result<(Self, Contents), Error>
    where
        F: FnMut() -> Result<redb::Database, Error> + Send + 'static,
    {
        let database = open()?;
        let contents = book::read(&database).map_err(|e| Error::Refused(Arc::new(e)))?;
        let (queue, commands) = mpsc::channel(QUEUE);
        writer::spawn(Box::new(open), database, contents.sequence, commands)?;
        Ok((Self { queue }, contents))
    }
}

impl Change {
    fn size(&self) -> usize {
        match self {
            Change::Put { value, .. } => value.len(),
            Change::Delete { .. } => 0,
        }
    }
}
