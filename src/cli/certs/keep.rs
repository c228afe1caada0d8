//! Writes files of a PKI: whole or not at all, keys for their owner alone, nothing overwritten unasked.

use anyhow::{Context as _, bail};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner alone: keys.
    Owner,
    /// Everyone: certificates, bundles, revocation lists.
    Everyone,
}

/// Makes a directory that only its owner enters. One that is there stays as it is.
pub(super) fn directory(dir: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.with_context(|| format!("cannot make the directory {}", dir.display()))
}

/// Keeps what is in a directory out of git, wherever the directory stands. What is said there already stays.
pub(super) fn out_of_git(dir: &Path) -> anyhow::Result<()> {
    let file = dir.join(".gitignore");
    let made = fs::OpenOptions::new().write(true).create_new(true).open(&file);
    let written = match made {
        Ok(mut made) => made.write_all(b"# Keys are never committed.\n*\n"),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    };
    written.with_context(|| format!("cannot write {}", file.display()))
}

/// Refuses when one of the files is there already.
pub(super) fn vacant(files: &[&Path]) -> anyhow::Result<()> {
    match files.iter().find(|file| file.symlink_metadata().is_ok()) {
        Some(taken) => bail!("{} is there already; --force replaces it", taken.display()),
        None => Ok(()),
    }
}

/// Writes a file whole: a reader sees the old one or the new one. Without `replace`, a file that is there stays.
pub(super) fn write(file: &Path, text: &str, readers: Readers, replace: bool) -> anyhow::Result<()> {
    let half = half(file);
    let done = write_half(&half, text, readers).and_then(|()| {
        // A link, unlike a rename, does not replace what came in between.
        if replace { fs::rename(&half, file) } else { fs::hard_link(&half, file) }
    });
    // After a rename there is nothing left to remove.
    let _ = fs::remove_file(&half);
    match done {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => vacant(&[file]),
        done => done.with_context(|| format!("cannot write {}", file.display())),
    }
}

fn write_half(half: &Path, text: &str, readers: Readers) -> std::io::Result<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everyone => 0o644,
    };
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The place of a file that is not whole yet, beside its own place.
fn half(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", uuid::Uuid::new_v4().simple()));
    file.with_file_name(name)
}
