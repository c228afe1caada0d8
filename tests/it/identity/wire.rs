//! Handshakes over a pipe in memory: our end against an end that does what the test wants.

use super::hostile::Shown;
use portolan::identity::{
    Credentials, Expected, Peer, Refusal, Trust, accept, client_config, connect, server_config,
};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme, SupportedProtocolVersion,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub(super) const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
const LONGEST: Duration = Duration::from_secs(20);

/// A dialler that believes every server, shows what it is given and speaks `alpn`.
pub(super) fn dialler(
    version: &'static SupportedProtocolVersion,
    shows: Option<Shown>,
    alpn: &[&[u8]],
) -> ClientConfig {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut config = match shows {
        Some(shown) => config.with_client_cert_resolver(Arc::new(Always(shown))),
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|a| a.to_vec()).collect();
    config
}

/// What our listening end makes of somebody who shows `shown`; the same over TLS 1.3 and 1.2.
pub(super) async fn judge(trust: &Trust, ours: &Credentials, shown: Option<Shown>) -> Result<Peer, Refusal> {
    let [modern, old] = BOTH.map(|version| dialler(version, shown.clone(), &[b"h2"]));
    let modern = Box::pin(dialled(trust, ours, modern)).await;
    let old = Box::pin(dialled(trust, ours, old)).await;
    match (&modern, &old) {
        (Ok(modern), Ok(old)) => assert_eq!(modern.identity, old.identity),
        (Err(modern), Err(old)) => assert_eq!(modern, old),
        other => panic!("TLS 1.3 and TLS 1.2 do not agree: {other:?}"),
    }
    modern
}

/// What our listening end makes of one dialler.
pub(super) async fn dialled(
    trust: &Trust,
    ours: &Credentials,
    theirs: ClientConfig,
) -> Result<Peer, Refusal> {
    let (near, far) = tokio::io::duplex(64 << 10);
    let dial = async move {
        let connector = TlsConnector::from(Arc::new(theirs));
        let mut stream = connector.connect(localhost(), far).await?;
        // TLS 1.3 tells a refused client on its first read.
        stream.read_u8().await
    };
    let listen = async {
        let (mut stream, peer) = accept(trust, server_config(trust, ours), near).await?;
        stream.write_u8(1).await.map_err(|e| Refusal::Handshake(e.to_string()))?;
        stream.flush().await.map_err(|e| Refusal::Handshake(e.to_string()))?;
        Ok(peer)
    };
    let (listened, dialled) = timely(async { tokio::join!(listen, dial) }).await;
    assert_eq!(listened.is_ok(), dialled.is_ok(), "both ends know: {listened:?} {dialled:?}");
    listened
}

/// What our dialling end makes of a server that shows `shown`.
pub(super) async fn answered(
    trust: &Trust,
    ours: &Credentials,
    expected: Expected,
    shown: Shown,
) -> Result<(), Refusal> {
    let (near, far) = tokio::io::duplex(64 << 10);
    let mut theirs = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&BOTH)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(shown)));
    theirs.alpn_protocols = vec![b"h2".to_vec()];
    let listen = TlsAcceptor::from(Arc::new(theirs)).accept(far);
    let dial = connect(client_config(trust, ours, expected), localhost(), near);
    let (dialled, listened) = timely(async { tokio::join!(dial, listen) }).await;
    assert_eq!(dialled.is_ok(), listened.is_ok(), "both ends know");
    dialled.map(drop)
}

/// What our listening end makes of these bytes.
pub(super) async fn told(trust: &Trust, ours: &Credentials, bytes: &[u8]) -> Refusal {
    let (near, mut far): (DuplexStream, DuplexStream) = tokio::io::duplex(64 << 10);
    far.write_all(bytes).await.unwrap();
    let refused = timely(accept(trust, server_config(trust, ours), near)).await;
    refused.map(drop).expect_err("such a hello is refused")
}

pub(super) async fn timely<F: Future>(work: F) -> F::Output {
    // On the heap: two handshakes at once are large.
    tokio::time::timeout(LONGEST, Box::pin(work)).await.expect("done in time")
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

pub(super) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Shows one certificate to everybody.
#[derive(Debug)]
pub(super) struct Always(pub(super) Shown);

impl rustls::client::ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl rustls::server::ResolvesServerCert for Always {
    fn resolve(&self, _: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

/// Believes every server: the tests that use it look at the other end.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
