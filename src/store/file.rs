//! The data directory: its lock, the birth of its file, and every reason to leave the file alone.

use super::{Error, Source, book};
use jiff::Timestamp;
use redb::{Database, DatabaseError, StorageError};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// The file in the data directory.
pub(super) const NAME: &str = "portolan.redb";
const LOCK: &str = "portolan.lock";
/// We read the file once at the start; a small cache serves the writes.
const CACHE: usize = 16 << 20;

/// Makes the directory if need be and takes it for this process; the lock falls with the returned file.
pub(super) fn lock(folder: &Path) -> Result<File, Error> {
    let unusable = |source| Error::Unusable { path: folder.to_owned(), source: Arc::new(source) };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(unusable)?;
    let mut file = private().read(true).truncate(false).open(folder.join(LOCK)).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {
            // For people only: who holds it. The lock is the operating system's.
            let noted = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            noted.map_err(unusable)?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut noted = String::new();
            let _ = file.take(20).read_to_string(&mut noted);
            let known = !noted.is_empty() && noted.bytes().all(|b| b.is_ascii_digit());
            let holder = if known { format!(" (process {noted})") } else { String::new() };
            Err(Error::InUse { path: folder.to_owned(), holder })
        }
        Err(TryLockError::Error(e)) => Err(unusable(e)),
    }
}

/// Makes a new file under another name and renames it when it is whole, so that a crash in between leaves no half file.
pub(super) fn create_if_absent(path: &Path, now: Timestamp) -> Result<(), Error> {
    let unusable = |source: Source| Error::Unusable { path: path.to_owned(), source };
    if path.try_exists().map_err(|e| unusable(Arc::new(e)))? {
        return Ok(());
    }
    let unborn = path.with_extension("redb.new");
    let epoch = u64::try_from(now.as_second()).unwrap_or_default();
    let birth = || -> Result<(), redb::Error> {
        let file = private().read(true).truncate(true).open(&unborn)?;
        let database = redb::Builder::new().set_cache_size(CACHE).create_file(file)?;
        book::lay(&database, epoch)?;
        drop(database);
        File::open(&unborn)?.sync_all()?;
        fs::rename(&unborn, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    birth().map_err(|e| unusable(Arc::new(e)))
}

/// Opens the file and reads all of it against its checksums. Nothing in a file that fails is changed.
pub(super) fn open(path: &Path) -> Result<Database, Error> {
    let damaged = |source: Source| Error::Damaged { path: path.to_owned(), source };
    let unusable = |source: Source| Error::Unusable { path: path.to_owned(), source };
    // A file that lies about its own layout may trip an assertion in redb: that is damage too.
    let opened = catch_unwind(AssertUnwindSafe(|| -> Result<Database, DatabaseError> {
        let mut database = redb::Builder::new().set_cache_size(CACHE).open(path)?;
        if !database.check_integrity()? {
            tracing::warn!(path = %path.display(), "the store's free-page list was rebuilt; no data was lost");
        }
        Ok(database)
    }));
    let database = match opened {
        Ok(Ok(database)) => database,
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => {
            return Err(Error::InUse { path: path.to_owned(), holder: String::new() });
        }
        Ok(Err(DatabaseError::Storage(StorageError::Io(e)))) if !speaks_of_content(&e) => {
            return Err(unusable(Arc::new(e)));
        }
        Ok(Err(e)) => return Err(damaged(Arc::new(e))),
        Err(_) => return Err(damaged(Arc::new(io::Error::other("its layout contradicts itself")))),
    };
    match book::format(&database).map_err(|e| damaged(Arc::new(e)))? {
        Some(format) if format == u64::from(book::FORMAT) => Ok(database),
        Some(1 | 2) => {
            book::upgrade(&database).map_err(|e| unusable(Arc::new(e)))?;
            tracing::info!(path = %path.display(), format = book::FORMAT, "the store was brought to a newer format");
            Ok(database)
        }
        Some(format) if format > u64::from(book::FORMAT) => Err(Error::NewerFormat {
            path: path.to_owned(),
            found: u32::try_from(format).unwrap_or(u32::MAX),
            known: book::FORMAT,
        }),
        _ => Err(damaged(Arc::new(io::Error::other("it is a redb file, but not one of this program")))),
    }
}

/// Whether an error is about what the file holds, not about getting at it.
fn speaks_of_content(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}
