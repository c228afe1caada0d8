//! TLS as we speak it, in both directions: 1.3 and 1.2, HTTP/2 only, both ends proven, every handshake a full one.

use crate::identity::credentials::Credentials;
use crate::identity::leaf::{Leaf, Usage};
use crate::identity::refusal::Refusal;
use crate::identity::trust::{Peer, Trust};
use crate::identity::verifier::{Callee, Callers, Expected};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};
use std::sync::{Arc, LazyLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// HTTP/2 over TLS (RFC 9113 §3.3).
const ALPN: &[u8] = b"h2";
const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));

/// How we listen. Both parts are read anew in every handshake, so the configuration outlives every reload.
pub fn server_config(trust: &Trust, credentials: &Credentials) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(VERSIONS)
        .expect("the provider has suites for TLS 1.3 and 1.2")
        .with_client_cert_verifier(Arc::new(Callers(trust.clone())))
        .with_cert_resolver(Arc::new(credentials.clone()));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session skips the client certificate, and with it revocation.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.max_early_data_size = 0;
    Arc::new(config)
}

/// How we dial. Who answers is held to `expected`, whatever name was dialled.
pub fn client_config(trust: &Trust, credentials: &Credentials, expected: Expected) -> Arc<ClientConfig> {
    let callee = Callee { trust: trust.clone(), expected };
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(VERSIONS)
        .expect("the provider has suites for TLS 1.3 and 1.2")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(callee))
        .with_client_cert_resolver(Arc::new(credentials.clone()));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// The listening end of a handshake: who is there, proven, and speaking HTTP/2. The caller sets the time limit.
pub async fn accept<IO>(
    trust: &Trust,
    config: Arc<ServerConfig>,
    io: IO,
) -> Result<(server::TlsStream<IO>, Peer), Refusal>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let revision = trust.revision();
    let stream = TlsAcceptor::from(config).accept(io).await.map_err(|e| Refusal::of_handshake(&e))?;
    let (_, session) = stream.get_ref();
    // rustls lets a client pass that offers no ALPN at all.
    is_http2(session.alpn_protocol())?;
    let chain = session.peer_certificates().ok_or(Refusal::NoCertificate)?;
    // The verifier has judged the chain in the handshake just now; here it is only named.
    let claim = trust.claim(&Leaf::read(chain.first().ok_or(Refusal::NoCertificate)?)?)?;
    let peer = Peer::new(claim, chain, Usage::Client, revision);
    Ok((stream, peer))
}

/// The dialling end of a handshake, with the chain of whoever answered as expected. The caller sets the time limit.
///
/// In TLS 1.3 a server refuses our own certificate only after this returned: the first read tells (`refusal`).
pub async fn connect<IO>(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    io: IO,
) -> Result<(client::TlsStream<IO>, Vec<CertificateDer<'static>>), Refusal>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TlsConnector::from(config).connect(name, io).await.map_err(|e| Refusal::of_handshake(&e))?;
    let (_, session) = stream.get_ref();
    is_http2(session.alpn_protocol())?;
    let chain = session.peer_certificates().ok_or(Refusal::NoCertificate)?.to_vec();
    Ok((stream, chain))
}

/// The one cryptography provider of both directions; never the process default, which anybody may set.
pub(super) fn provider() -> &'static CryptoProvider {
    &PROVIDER
}

fn is_http2(agreed: Option<&[u8]>) -> Result<(), Refusal> {
    if agreed == Some(ALPN) { Ok(()) } else { Err(Refusal::NoHttp2) }
}
