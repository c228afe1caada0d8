//! Every handshake is a full one, so that every handshake judges the certificate (T7).

use super::hostile::*;
use super::wire::*;
use portolan::identity::server_config;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind, ServerConfig};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How both ends say that the handshake went.
async fn shaken(
    theirs: &Arc<ClientConfig>,
    ours: &Arc<ServerConfig>,
    name: &'static str,
) -> [HandshakeKind; 2] {
    let (near, far) = tokio::io::duplex(64 << 10);
    let name = rustls::pki_types::ServerName::try_from(name).unwrap();
    let connector = TlsConnector::from(theirs.clone());
    let dial = async {
        let mut stream = connector.connect(name, far).await.unwrap();
        // Tickets come after the handshake; a read takes them in.
        stream.read_u8().await.unwrap();
        stream.get_ref().1.handshake_kind().unwrap()
    };
    let listen = async {
        let mut stream = TlsAcceptor::from(ours.clone()).accept(near).await.unwrap();
        stream.write_u8(1).await.unwrap();
        stream.flush().await.unwrap();
        stream.get_ref().1.handshake_kind().unwrap()
    };
    let (dialled, listened) = timely(async { tokio::join!(dial, listen) }).await;
    [dialled, listened]
}

#[tokio::test]
async fn a_client_that_resumes_gets_a_full_handshake() {
    let (a, broker) = (Org::new("a.example"), Org::new("broker.example"));
    let ours = server_config(&trust(&[&a]), &broker.credentials("broker"));
    for version in BOTH {
        let mut theirs = dialler(version, Some(a.shown("ledger")), &[b"h2"]);
        theirs.resumption = Resumption::in_memory_sessions(16);
        let theirs = Arc::new(theirs);
        for name in ["localhost", "localhost", "other.example", "localhost"] {
            for kind in shaken(&theirs, &ours, name).await {
                let full = matches!(kind, HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest);
                assert!(full, "{version:?}: {kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_same_client_resumes_with_a_server_that_lets_it() {
    // The control: without it, the test above could pass with a client that never tries.
    let broker = Org::new("broker.example");
    let mut ours = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&BOTH)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(broker.credentials("broker")));
    ours.alpn_protocols = vec![b"h2".to_vec()];
    let ours = Arc::new(ours);
    for version in BOTH {
        let mut theirs = dialler(version, None, &[b"h2"]);
        theirs.resumption = Resumption::in_memory_sessions(16);
        let theirs = Arc::new(theirs);
        shaken(&theirs, &ours, "localhost").await;
        assert_eq!(shaken(&theirs, &ours, "localhost").await, [HandshakeKind::Resumed; 2]);
    }
}
