//! Files that identities are made of, read with a bound and with every fault named.

use crate::model::TrustDomain;
use rustls::pki_types::pem::{self, PemObject};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read, in bytes: a bundle of a thousand authorities is smaller.
const LARGEST_FILE: u64 = 8 << 20;

/// Our own certificate and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The leaf first, then the authorities between it and the bundle.
    pub certificate: PathBuf,
    /// The private key of the leaf: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// One organisation that is trusted to name its own, and nobody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// Its trust domain.
    pub name: TrustDomain,
    /// Its authorities, PEM.
    pub bundle: PathBuf,
    /// Its revocation lists, PEM. With one, every issuer in a chain must be covered by it.
    pub crl: Option<PathBuf>,
    /// DNS names under these suffixes are its identities, for certificates without any URI name. Whole labels.
    pub dns_suffixes: Vec<String>,
}

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// Why, for people.
    pub reason: String,
}

impl Fault {
    pub(super) fn new(file: &Path, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), reason: reason.into() }
    }
}

/// The bytes of a file.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, Fault> {
    let fault = |e: std::io::Error| Fault::new(file, e.to_string());
    let mut bytes = Vec::new();
    File::open(file).map_err(fault)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(fault)?;
    match bytes.len() as u64 {
        0 => Err(Fault::new(file, "the file is empty")),
        n if n > LARGEST_FILE => Err(Fault::new(file, "the file is larger than 8 MiB")),
        _ => Ok(bytes),
    }
}

/// All PEM sections of one kind in a file; at least one.
pub(super) fn sections<T: PemObject>(file: &Path, kind: &str) -> Result<Vec<T>, Fault> {
    let found: Result<Vec<T>, pem::Error> = T::pem_slice_iter(&read(file)?).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(Fault::new(file, format!("there is no {kind} in PEM form in it"))),
        Err(pem::Error::MissingSectionEnd { .. }) => {
            Err(Fault::new(file, "it ends in the middle of a PEM section"))
        }
        Err(e) => Err(Fault::new(file, format!("it is not PEM: {e}"))),
    }
}
