//! Our own certificate and key: shown in every handshake, swapped without dropping a connection.

use crate::identity::files::{self, Fault, Files};
use crate::identity::leaf::Leaf;
use crate::identity::tls::provider;
use crate::model::Validity;
use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

/// Reads what we show now. Clones see the same.
#[derive(Clone)]
pub struct Credentials {
    shared: Arc<Shared>,
}

/// The sole way to change what a `Credentials` shows.
pub(super) struct CredentialsWriter {
    shared: Arc<Shared>,
}

/// A certificate with its own key.
pub(super) struct Pair {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

struct Shared {
    pair: ArcSwap<Pair>,
    revision: watch::Sender<u64>,
}

impl Credentials {
    /// Reads certificate and key, once. Every fault is told, not only the first.
    pub fn load(files: &Files) -> Result<Self, Vec<Fault>> {
        Pair::load(files).map(|pair| Self::new(pair).0)
    }

    /// The chain that we show, the leaf first.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.shared.pair.load().key.cert.clone()
    }

    /// The last instant at which our leaf is valid.
    pub fn not_after(&self) -> Timestamp {
        self.validity().not_after
    }

    /// When our leaf is valid.
    pub fn validity(&self) -> Validity {
        self.shared.pair.load().validity
    }

    /// Tells of every change: the revision, which only grows.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.revision.subscribe()
    }

    /// The chain that we show, with its key.
    pub(super) fn pair(&self) -> Arc<CertifiedKey> {
        self.shared.pair.load().key.clone()
    }

    /// A reader and its writer.
    pub(super) fn new(pair: Pair) -> (Self, CredentialsWriter) {
        let shared = Arc::new(Shared { pair: ArcSwap::from_pointee(pair), revision: watch::Sender::new(1) });
        (Self { shared: shared.clone() }, CredentialsWriter { shared })
    }
}

impl CredentialsWriter {
    /// Shows another pair from the next handshake on.
    pub(super) fn replace(&mut self, pair: Pair) {
        self.shared.pair.store(Arc::new(pair));
        self.shared.revision.send_modify(|revision| *revision += 1);
    }
}

impl Pair {
    /// Reads both files and checks that they belong together.
    pub(super) fn load(files: &Files) -> Result<Self, Vec<Fault>> {
        match (chain(&files.certificate), key(&files.key)) {
            (Ok((chain, validity)), Ok(key)) => Self::join(chain, validity, key, files).map_err(|f| vec![f]),
            (chain, key) => Err(chain.err().into_iter().chain(key.err()).collect()),
        }
    }

    fn join(
        chain: Vec<CertificateDer<'static>>,
        validity: Validity,
        key: PrivateKeyDer<'static>,
        files: &Files,
    ) -> Result<Self, Fault> {
        let key = CertifiedKey::from_der(chain, key, provider()).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                let certificate = files.certificate.display();
                Fault::new(&files.key, format!("it is not the key of the certificate in {certificate}"))
            }
            other => Fault::new(&files.key, format!("the key cannot be used: {other}")),
        })?;
        Ok(Self { key: Arc::new(key), validity })
    }
}

fn chain(file: &Path) -> Result<(Vec<CertificateDer<'static>>, Validity), Fault> {
    let chain: Vec<CertificateDer<'static>> = files::sections(file, "certificate")?;
    let mut lives = Vec::new();
    for (n, der) in chain.iter().enumerate() {
        let read = Leaf::read(der);
        lives.push(read.map_err(|e| Fault::new(file, format!("certificate {}: {e}", n + 1)))?.validity());
    }
    let nothing = Validity { not_before: Timestamp::MIN, not_after: Timestamp::MIN };
    Ok((chain, lives.first().copied().unwrap_or(nothing)))
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Fault> {
    let mut keys: Vec<PrivateKeyDer<'static>> = files::sections(file, "private key")?;
    if keys.len() > 1 {
        return Err(Fault::new(file, "there is more than one private key in it"));
    }
    Ok(keys.remove(0))
}

impl ResolvesServerCert for Credentials {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shared.pair.load().key.clone())
    }
}

impl ResolvesClientCert for Credentials {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.shared.pair.load().key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("not_after", &self.not_after()).finish_non_exhaustive()
    }
}
