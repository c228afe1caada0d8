//! The authorities and revocation lists of one owner of trust, and the verification against them alone.

use crate::identity::files::{self, Fault};
use crate::identity::leaf::{Leaf, Usage};
use crate::identity::refusal::Refusal;
use crate::identity::tls::provider;
use crate::model::{Identity, TrustDomain, Validity};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, TrustAnchor, UnixTime};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, VerifiedPath,
};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;

/// Authorities that vouch for hosts, for a client that knows its server by an ordinary host name.
#[derive(Debug, Clone)]
pub struct Roots(Arc<Bundle>);

impl Roots {
    /// Reads a PEM file of authorities.
    pub fn load(file: &Path) -> Result<Self, Fault> {
        Ok(Self(Arc::new(Bundle::load(file, None)?)))
    }

    /// Checks that a chain leads here and was made for this host.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.0.verify(chain, Usage::Server, now)?;
        let der = chain.first().ok_or(Refusal::NoCertificate)?;
        Leaf::read(der)?.permit(Usage::Server)?;
        let leaf = EndEntityCert::try_from(der).map_err(|e| Refusal::Malformed(e.to_string()))?;
        let is_for = leaf.verify_is_valid_for_subject_name(host);
        is_for.map_err(|_| Refusal::WrongHost(host.to_str().into_owned()))
    }
}

/// What one owner of trust vouches with.
pub(super) struct Bundle {
    /// Whose authorities, for messages.
    owner: String,
    /// Set for a trust domain, not for plain roots.
    domain: Option<TrustDomain>,
    anchors: Vec<TrustAnchor<'static>>,
    /// What each anchor says of itself; webpki knows no more of an anchor than its name and key.
    limits: Vec<Limits>,
    lists: Lists,
}

/// Revocation lists of one owner of trust.
#[derive(Default)]
pub(super) struct Lists {
    lists: Vec<CertRevocationList<'static>>,
    /// When each of them is too old.
    until: Vec<Timestamp>,
}

struct Limits {
    not_before: Timestamp,
    not_after: Timestamp,
    most_below: Option<u32>,
}

impl Lists {
    /// Reads a PEM file of revocation lists.
    pub(super) fn load(file: &Path) -> Result<Self, Fault> {
        let fault =
            |e: &dyn fmt::Display| Fault::new(file, format!("a revocation list in it cannot be read: {e}"));
        let mut read = Self::default();
        for der in files::sections::<CertificateRevocationListDer<'static>>(file, "revocation list")? {
            let list = OwnedCertRevocationList::from_der(&der).map_err(|e| fault(&e))?;
            let (_, says) = CertificateRevocationList::from_der(&der).map_err(|e| fault(&e))?;
            if let Some(next) = says.next_update() {
                read.until.push(Timestamp::from_second(next.timestamp()).map_err(|e| fault(&e))?);
            }
            read.lists.push(list.into());
        }
        Ok(read)
    }
}

impl Bundle {
    /// Reads a PEM file of authorities. Those of a trust domain may speak for no other, and may not say that they do.
    pub(super) fn load(file: &Path, domain: Option<&TrustDomain>) -> Result<Self, Fault> {
        let (mut anchors, mut limits) = (Vec::new(), Vec::new());
        for (n, (der, says)) in authorities(file)?.iter().enumerate() {
            let fault = |reason: String| Fault::new(file, format!("certificate {} in it {reason}", n + 1));
            let names = || says.uris.iter().map(String::as_str);
            if let Some((domain, other)) = domain.and_then(|domain| Some((domain, foreign(names(), domain)?)))
            {
                return Err(fault(format!("is an authority of {other}, not of {domain}")));
            }
            let anchor = webpki::anchor_from_trusted_cert(der);
            anchors.push(anchor.map_err(|e| fault(format!("cannot be read: {e}")))?.to_owned());
            let Leaf { not_before, not_after, most_below, .. } = *says;
            limits.push(Limits { not_before, not_after, most_below });
        }
        let owner = domain.map_or_else(|| file.display().to_string(), ToString::to_string);
        Ok(Self { owner, domain: domain.cloned(), anchors, limits, lists: Lists::default() })
    }

    /// The same, with revocation lists.
    pub(super) fn with(self, lists: Lists) -> Self {
        Self { lists, ..self }
    }

    /// Verifies a chain, the leaf first, against these authorities and no others. What the leaf says of itself is judged
    /// by `Leaf`.
    pub(super) fn verify(
        &self,
        chain: &[CertificateDer<'_>],
        usage: Usage,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (der, above) = chain.split_first().ok_or(Refusal::NoCertificate)?;
        let leaf = EndEntityCert::try_from(der).map_err(|e| Refusal::Malformed(e.to_string()))?;
        let lists: Vec<&CertRevocationList<'_>> = self.lists.lists.iter().collect();
        // The defaults of the builder are the strict ones: the whole chain, and no answer is a refusal.
        let revocation = RevocationOptionsBuilder::new(&lists)
            .ok()
            .map(|b| b.with_expiration_policy(ExpirationPolicy::Enforce).build());
        let key_usage = match usage {
            Usage::Client => KeyUsage::client_auth(),
            Usage::Server => KeyUsage::server_auth(),
        };
        let algorithms = provider().signature_verification_algorithms.all;
        let path = leaf
            .verify_for_usage(algorithms, &self.anchors, above, unix(now), key_usage, revocation, None)
            .map_err(|e| self.refused(e, usage))?;
        self.hold(&path, now)
    }

    /// When each of its authorities is valid.
    pub(super) fn validities(&self) -> impl Iterator<Item = Validity> {
        let of = |limits: &Limits| Validity { not_before: limits.not_before, not_after: limits.not_after };
        self.limits.iter().map(of)
    }

    /// When a judgement by this bundle may change by itself.
    pub(super) fn ends(&self) -> impl Iterator<Item = Timestamp> {
        self.lists.until.iter().copied().chain(self.limits.iter().map(|limits| limits.not_after))
    }

    /// Holds a path to what webpki leaves out: the anchor's own limits, and the names of the authorities on it.
    fn hold(&self, path: &VerifiedPath<'_>, now: Timestamp) -> Result<(), Refusal> {
        let anchors = self.anchors.iter().zip(&self.limits);
        let limits =
            anchors.filter(|(anchor, _)| std::ptr::eq(*anchor, path.anchor())).map(|(_, limits)| limits);
        for limits in limits {
            if now < limits.not_before {
                return Err(Refusal::NotYetValid(limits.not_before));
            }
            if now > limits.not_after {
                return Err(Refusal::Expired(limits.not_after));
            }
            let below = path.intermediate_certificates().count();
            if limits.most_below.is_some_and(|most| below > most as usize) {
                return Err(Refusal::PathLength);
            }
        }
        let Some(claimed) = &self.domain else { return Ok(()) };
        let issuers = path.intermediate_certificates();
        match issuers.into_iter().find_map(|authority| foreign(authority.valid_uri_names(), claimed)) {
            Some(issuer) => Err(Refusal::ForeignIssuer { claimed: claimed.clone(), issuer }),
            None => Ok(()),
        }
    }

    fn refused(&self, error: webpki::Error, usage: Usage) -> Refusal {
        use webpki::Error as E;
        match error {
            E::BadDer | E::BadDerTime | E::TrailingData(_) => Refusal::Malformed(error.to_string()),
            E::CertNotValidYet { not_before, .. } => Refusal::NotYetValid(timestamp(not_before)),
            E::CertExpired { not_after, .. } => Refusal::Expired(timestamp(not_after)),
            E::UnknownIssuer | E::InvalidSignatureForPublicKey => Refusal::Untrusted(self.owner.clone()),
            E::CertRevoked => Refusal::Revoked,
            E::UnknownRevocationStatus => Refusal::RevocationUnknown(self.owner.clone()),
            E::CrlExpired { next_update, .. } => {
                Refusal::RevocationListExpired { domain: self.owner.clone(), at: timestamp(next_update) }
            }
            E::IssuerNotCrlSigner | E::InvalidCrlSignatureForPublicKey => {
                Refusal::RevocationListInvalid { domain: self.owner.clone(), reason: error.to_string() }
            }
            E::CaUsedAsEndEntity => Refusal::Authority,
            E::RequiredEkuNotFoundContext(_) | E::EmptyEkuExtension => Refusal::Purpose(usage),
            E::NameConstraintViolation => Refusal::NameConstraint,
            E::PathLenConstraintViolated => Refusal::PathLength,
            other => Refusal::Rejected(other.to_string()),
        }
    }
}

/// The certificates of a bundle, each of an authority: a leaf in a bundle would vouch for itself.
fn authorities(file: &Path) -> Result<Vec<(CertificateDer<'static>, Leaf)>, Fault> {
    let mut authorities = Vec::new();
    for der in files::sections::<CertificateDer<'static>>(file, "certificate")? {
        let n = authorities.len() + 1;
        let says = Leaf::read(&der).map_err(|e| Fault::new(file, format!("certificate {n}: {e}")))?;
        if !says.is_authority {
            return Err(Fault::new(file, format!("certificate {n} in it is not that of an authority")));
        }
        authorities.push((der, says));
    }
    Ok(authorities)
}

/// The first SPIFFE name that is not of this trust domain.
fn foreign<'a>(mut names: impl Iterator<Item = &'a str>, domain: &TrustDomain) -> Option<String> {
    let ours = |name: &str| Identity::parse_spiffe(name).is_ok_and(|id| id.trust_domain == *domain);
    names.find(|name| name.starts_with("spiffe:") && !ours(name)).map(|name| name.chars().take(120).collect())
}

pub(super) fn unix(at: Timestamp) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0)))
}

pub(super) fn timestamp(at: UnixTime) -> Timestamp {
    let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authorities, lists) = (self.anchors.len(), self.lists.lists.len());
        f.debug_struct("Bundle")
            .field("owner", &self.owner)
            .field("authorities", &authorities)
            .field("lists", &lists)
            .finish()
    }
}
