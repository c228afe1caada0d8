//! What a producer in a process of its own shows and believes, as its command line says it.

use portolan::identity::{self, Credentials, Domain, Files, Trust};
use portolan::model::TrustDomain;
use std::path::PathBuf;
use std::sync::Arc;

/// For `CERTIFICATE KEY OWN_BUNDLE HUB_BUNDLE`.
pub(crate) fn tls([certificate, key, own, hub]: [&String; 4]) -> (Trust, Arc<rustls::ServerConfig>) {
    let domain = |name: &str, bundle: &String| Domain {
        name: TrustDomain::parse(name).unwrap(),
        bundle: PathBuf::from(bundle),
        crl: None,
        dns_suffixes: Vec::new(),
    };
    let trust = Trust::load(&[domain("payments.example", own), domain("hub.example", hub)]).unwrap();
    let files = Files { certificate: certificate.into(), key: key.into() };
    let tls = identity::server_config(&trust, &Credentials::load(&files).unwrap());
    (trust, tls)
}
