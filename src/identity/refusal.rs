//! Why a peer is not let in: one reason each, fit for one log line.

use crate::identity::Usage;
use crate::model::{Identity, ParseIdentityError, TrustDomain};
use jiff::Timestamp;
use std::error::Error;
use std::io;

/// Why the other end was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// TLS without a client certificate.
    #[error("it presented no certificate")]
    NoCertificate,
    /// Not an X.509 certificate that can be read whole.
    #[error("its certificate cannot be read: {0}")]
    Malformed(String),
    /// Neither a URI SAN nor a DNS SAN that is mapped to a trust domain.
    #[error("its certificate names nobody: no SPIFFE id, and no DNS name that is mapped to a trust domain")]
    NoName,
    /// More than one URI SAN (X509-SVID §2 allows exactly one).
    #[error("its certificate carries {0} URI names; an identity has exactly one")]
    SeveralNames(usize),
    /// A name that is not an identity.
    #[error("its certificate carries a name that is not an identity: {0}")]
    BadName(#[source] ParseIdentityError),
    /// A SPIFFE id without a path: the name of an authority, not of a workload (X509-SVID §3.1).
    #[error("its SPIFFE id spiffe://{0} names a trust domain, not a workload in it")]
    NoPath(TrustDomain),
    /// DNS SANs that belong to different trust domains.
    #[error("its DNS names belong to two trust domains, {0} and {1}")]
    TwoDomains(TrustDomain, TrustDomain),
    /// A trust domain that has no bundle here.
    #[error("trust domain {0} is not known here")]
    UnknownDomain(TrustDomain),
    /// No path to the bundle of the trust domain that the leaf claims.
    #[error("its chain does not lead to an authority of {0}")]
    Untrusted(String),
    /// An authority of one trust domain signed for another.
    #[error("an authority of {issuer} signed an identity of {claimed}")]
    ForeignIssuer {
        /// The trust domain of the leaf.
        claimed: TrustDomain,
        /// The name that the authority carries.
        issuer: String,
    },
    /// Before its time.
    #[error("its certificate, or one above it, is not valid before {0}")]
    NotYetValid(Timestamp),
    /// After its time.
    #[error("its certificate, or one above it, expired at {0}")]
    Expired(Timestamp),
    /// Named by a revocation list of its issuer.
    #[error("its certificate, or one above it, was revoked")]
    Revoked,
    /// Revocation lists are configured, and none of them speaks for the issuer.
    #[error("no revocation list of {0} covers its issuer")]
    RevocationUnknown(String),
    /// The revocation list is older than it allows itself to be.
    #[error("the revocation list of {domain} expired at {at}")]
    RevocationListExpired {
        /// Whose list.
        domain: String,
        /// Its next update.
        at: Timestamp,
    },
    /// The revocation list was not made by the issuer, or cannot be used.
    #[error("the revocation list of {domain} cannot be used: {reason}")]
    RevocationListInvalid {
        /// Whose list.
        domain: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate that may sign others.
    #[error("its certificate is that of an authority, not of a workload")]
    Authority,
    /// Not made for this side of TLS.
    #[error("its certificate lacks the extended key usage {0}")]
    Purpose(Usage),
    /// Outside of what an authority above it may name, or a constraint that we cannot judge.
    #[error("its names break a name constraint of an authority above it")]
    NameConstraint,
    /// More authorities in the chain than one of them allows.
    #[error("its chain is longer than an authority in it allows")]
    PathLength,
    /// A valid certificate of somebody else in the right trust domain.
    #[error("it is {found}, not {expected}")]
    WrongIdentity {
        /// Whom we dialled.
        expected: Identity,
        /// Who answered.
        found: Identity,
    },
    /// A certificate that claims another trust domain than the one that we dialled.
    #[error("it claims trust domain {found}, not {expected}")]
    WrongDomain {
        /// Whose workload we dialled.
        expected: TrustDomain,
        /// What the answer claims.
        found: TrustDomain,
    },
    /// A valid certificate that is not for this host.
    #[error("its certificate is not for the host {0}")]
    WrongHost(String),
    /// Any other fault of the chain.
    #[error("its chain was rejected: {0}")]
    Rejected(String),
    /// HTTP/2 was not agreed on (ALPN, RFC 7301).
    #[error("it did not agree on HTTP/2 (ALPN h2)")]
    NoHttp2,
    /// It left before the handshake ended.
    #[error("it left during the TLS handshake")]
    Left,
    /// Any other fault of the handshake: versions, cipher suites, nonsense.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

/// Finds the refusal in an error of a handshake or of a later read: that of our verifier, or what rustls says of the peer.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<Refusal> {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        return Some(refusal.clone());
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(of_tls(tls));
    }
    // An io::Error hides what it wraps from `source`.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map(|e| e as &(dyn Error + 'static)).or_else(|| error.source()).and_then(refusal)
}

impl Refusal {
    /// The reason for programs: `UPPER_SNAKE_CASE`.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::NoCertificate => "NO_CERTIFICATE",
            Refusal::Malformed(_) => "MALFORMED",
            Refusal::NoName => "NO_NAME",
            Refusal::SeveralNames(_) => "SEVERAL_NAMES",
            Refusal::BadName(_) => "BAD_NAME",
            Refusal::NoPath(_) => "NO_PATH",
            Refusal::TwoDomains(..) => "TWO_DOMAINS",
            Refusal::UnknownDomain(_) => "UNKNOWN_DOMAIN",
            Refusal::Untrusted(_) => "UNTRUSTED",
            Refusal::ForeignIssuer { .. } => "FOREIGN_ISSUER",
            Refusal::NotYetValid(_) => "NOT_YET_VALID",
            Refusal::Expired(_) => "EXPIRED",
            Refusal::Revoked => "REVOKED",
            Refusal::RevocationUnknown(_) => "REVOCATION_UNKNOWN",
            Refusal::RevocationListExpired { .. } => "REVOCATION_LIST_EXPIRED",
            Refusal::RevocationListInvalid { .. } => "REVOCATION_LIST_INVALID",
            Refusal::Authority => "AUTHORITY",
            Refusal::Purpose(_) => "PURPOSE",
            Refusal::NameConstraint => "NAME_CONSTRAINT",
            Refusal::PathLength => "PATH_LENGTH",
            Refusal::WrongIdentity { .. } => "WRONG_IDENTITY",
            Refusal::WrongDomain { .. } => "WRONG_DOMAIN",
            Refusal::WrongHost(_) => "WRONG_HOST",
            Refusal::Rejected(_) => "REJECTED",
            Refusal::NoHttp2 => "NO_HTTP2",
            Refusal::Left => "LEFT",
            Refusal::Handshake(_) => "HANDSHAKE",
        }
    }

    /// What an I/O error of a handshake means.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        match refusal(error) {
            Some(refusal) => refusal,
            None if matches!(
                error.kind(),
                UnexpectedEof | ConnectionReset | ConnectionAborted | BrokenPipe
            ) =>
            {
                Refusal::Left
            }
            None => Refusal::Handshake(error.to_string()),
        }
    }
}

fn of_tls(error: &rustls::Error) -> Refusal {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) => {
            let ours = other.0.downcast_ref::<Refusal>().cloned();
            ours.unwrap_or_else(|| Refusal::Rejected(other.to_string()))
        }
        rustls::Error::NoCertificatesPresented => Refusal::NoCertificate,
        rustls::Error::NoApplicationProtocol => Refusal::NoHttp2,
        other => Refusal::Handshake(other.to_string()),
    }
}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        let other = rustls::OtherError(std::sync::Arc::new(refusal));
        rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))
    }
}
