//! The handshake's questions to `Trust`, in the words of rustls.

use crate::identity::bundle::{Roots, timestamp};
use crate::identity::leaf::{Leaf, Usage};
use crate::identity::refusal::Refusal;
use crate::identity::tls::provider;
use crate::identity::trust::Trust;
use crate::model::{Identity, TrustDomain};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// Whom a dialler will talk to.
#[derive(Debug, Clone)]
pub enum Expected {
    /// Exactly this one, vouched for by its own trust domain.
    Identity(Identity),
    /// Any workload of this trust domain.
    Domain(TrustDomain),
    /// Any workload at this host, vouched for by these authorities; for clients that know no identities.
    Host(ServerName<'static>, Roots),
}

/// Judges those who dial us.
#[derive(Debug)]
pub(super) struct Callers(pub(super) Trust);

/// Judges the one that we dial.
#[derive(Debug)]
pub(super) struct Callee {
    pub(super) trust: Trust,
    pub(super) expected: Expected,
}

impl Callee {
    fn judge(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Refusal> {
        let now = timestamp(now);
        let (domain, one) = match &self.expected {
            Expected::Identity(identity) => (&identity.trust_domain, Some(identity)),
            Expected::Domain(domain) => (domain, None),
            Expected::Host(host, roots) => return roots.verify(chain, host, now),
        };
        let leaf = Leaf::read(chain.first().ok_or(Refusal::NoCertificate)?)?;
        let found = self.trust.claim(&leaf)?.identity.trust_domain;
        if found != *domain {
            return Err(Refusal::WrongDomain { expected: domain.clone(), found });
        }
        let claim = self.trust.verify(chain, Usage::Server, now)?;
        match one {
            Some(expected) if !claim.is(expected) => {
                Err(Refusal::WrongIdentity { expected: expected.clone(), found: claim.identity })
            }
            _ => Ok(()),
        }
    }
}

impl ClientCertVerifier for Callers {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A list of everyone's authorities would tell strangers who our partners are.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.0.verify(&chain(leaf, above), Usage::Client, timestamp(now))?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed12(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed13(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Callee {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        // The name is how the address was found; who must answer there is `expected`.
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.judge(&chain(leaf, above), now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed12(message, leaf, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        signed13(message, leaf, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn chain<'a>(leaf: &'a CertificateDer<'_>, above: &'a [CertificateDer<'_>]) -> Vec<CertificateDer<'a>> {
    std::iter::once(leaf).chain(above).map(|der| CertificateDer::from_slice(der)).collect()
}

fn signed12(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let algorithms = &provider().signature_verification_algorithms;
    rustls::crypto::verify_tls12_signature(message, leaf, signature, algorithms)
}

fn signed13(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signature: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let algorithms = &provider().signature_verification_algorithms;
    rustls::crypto::verify_tls13_signature(message, leaf, signature, algorithms)
}
