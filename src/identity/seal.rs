//! Signatures that outlive a connection: ours with our own key, others' by the chain that travels beside them.

use crate::identity::credentials::Credentials;
use crate::identity::leaf::{Leaf, Usage};
use crate::identity::refusal::Refusal;
use crate::identity::tls::provider;
use crate::identity::trust::Trust;
use crate::model::{Digest, Identity};
use jiff::{SignedDuration, Timestamp};
use rustls::SignatureScheme;
use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::Arc;
use webpki::EndEntityCert;

/// The schemes of the two kinds of keys that may sign: ECDSA over P-256, and Ed25519.
const SCHEMES: [SignatureScheme; 2] = [SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519];
/// Chains that are remembered; one more, and the one that was asked for longest ago is forgotten.
const MOST_SIGNERS: usize = 1_024;
/// A chain is judged again after so long: revocation lists and authorities have their ends too.
const JUDGED_FOR: SignedDuration = SignedDuration::from_secs(10);

/// A signature of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// By its number in the TLS registry (RFC 8446 §4.2.3).
    pub scheme: u16,
    /// The signature.
    pub signature: Vec<u8>,
    /// Names the chain of its signer: [`chain_digest`].
    pub signer: Digest,
}

/// Our key cannot sign what outlives a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsealed {
    /// It is RSA, or another curve.
    #[error("the key of this broker's certificate is neither P-256 nor Ed25519, which alone sign records")]
    OtherKey,
    /// The library refused.
    #[error("the key of this broker's certificate did not sign: {0}")]
    Failed(String),
}

/// Why a seal is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The chain of its signer was never learnt, or is forgotten.
    #[error("the certificates of its signer are not known")]
    UnknownSigner,
    /// The chain of its signer is not to be believed.
    #[error("its signer is not to be believed")]
    Refused(#[source] Refusal),
    /// It is not that of the signer over this message.
    #[error("its signature does not fit")]
    Signature,
}

/// A signer whose chain was judged good just now.
#[derive(Debug)]
pub struct Signatory {
    identity: Identity,
    leaf: CertificateDer<'static>,
}

/// The chains of those who sign, each judged by the bundle of the trust domain that it claims.
#[derive(Debug)]
pub struct Signatories {
    trust: Trust,
    overlap: SignedDuration,
    known: HashMap<Digest, Known>,
    /// Counts what was asked.
    turn: u64,
}

#[derive(Debug)]
struct Known {
    chain: Arc<[CertificateDer<'static>]>,
    judged: Option<Judged>,
    asked: u64,
}

#[derive(Debug)]
struct Judged {
    outcome: Result<Arc<Signatory>, Refusal>,
    revision: u64,
    at: Timestamp,
}

/// What names a chain of certificates, the leaf first.
pub fn chain_digest(chain: &[CertificateDer<'_>]) -> Digest {
    Digest::of_parts(chain.iter().map(AsRef::as_ref))
}

impl Credentials {
    /// Signs a message with the key of the certificate that we show now.
    pub fn seal(&self, message: &[u8]) -> Result<Seal, Unsealed> {
        let pair = self.pair();
        let signer = pair.key.choose_scheme(&SCHEMES).ok_or(Unsealed::OtherKey)?;
        let signature = signer.sign(message).map_err(|e| Unsealed::Failed(e.to_string()))?;
        Ok(Seal { scheme: signer.scheme().into(), signature, signer: chain_digest(&pair.cert) })
    }
}

impl Signatories {
    /// Knows nobody yet. A leaf that expired less than `overlap` ago still signs: clocks differ, and what a broker signed
    /// just before it got a new certificate is under way for a while.
    pub fn new(trust: Trust, overlap: SignedDuration) -> Self {
        Self { trust, overlap, known: HashMap::new(), turn: 0 }
    }

    /// Remembers a chain, without believing it. The caller bounds its size.
    pub fn learn(&mut self, chain: Vec<CertificateDer<'static>>) -> Digest {
        let digest = chain_digest(&chain);
        self.turn += 1;
        let asked = self.turn;
        let new = || Known { chain: chain.into(), judged: None, asked };
        self.known.entry(digest).or_insert_with(new).asked = asked;
        if self.known.len() > MOST_SIGNERS {
            let oldest = self.known.iter().min_by_key(|(_, known)| known.asked).map(|(digest, _)| *digest);
            oldest.map(|digest| self.known.remove(&digest));
        }
        digest
    }

    /// The chain of that name, if it is remembered.
    pub fn chain(&self, signer: &Digest) -> Option<Arc<[CertificateDer<'static>]>> {
        self.known.get(signer).map(|known| known.chain.clone())
    }

    /// The signer of that name, if its chain is good now. Judged anew when trust changes, and every ten seconds.
    pub fn find(&mut self, signer: &Digest, now: Timestamp) -> Result<Arc<Signatory>, Broken> {
        let revision = self.trust.revision();
        let known = self.known.get_mut(signer).ok_or(Broken::UnknownSigner)?;
        self.turn += 1;
        known.asked = self.turn;
        let stands = |judged: &&Judged| {
            judged.revision == revision && (judged.at..=judged.at + JUDGED_FOR).contains(&now)
        };
        if let Some(judged) = known.judged.as_ref().filter(stands) {
            return judged.outcome.clone().map_err(Broken::Refused);
        }
        let outcome = judge(&self.trust, &known.chain, self.overlap, now);
        known.judged = Some(Judged { outcome: outcome.clone(), revision, at: now });
        outcome.map_err(Broken::Refused)
    }
}

impl Signatory {
    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the seal is its own over this message.
    pub fn verify(&self, scheme: u16, message: &[u8], signature: &[u8]) -> Result<(), Broken> {
        let scheme = SignatureScheme::from(scheme);
        if !SCHEMES.contains(&scheme) {
            return Err(Broken::Signature);
        }
        let mapping = provider().signature_verification_algorithms.mapping;
        let algorithms =
            mapping.iter().find(|(known, _)| *known == scheme).map(|(_, algorithms)| *algorithms);
        // The first is the one that the scheme names in TLS 1.3: curve and hash.
        let algorithm = algorithms.and_then(|all| all.first()).ok_or(Broken::Signature)?;
        let leaf = EndEntityCert::try_from(&self.leaf).map_err(|_| Broken::Signature)?;
        leaf.verify_signature(*algorithm, message, signature).map_err(|_| Broken::Signature)
    }
}

/// Judges a chain now, or at the end of its leaf if that was not long ago.
fn judge(
    trust: &Trust,
    chain: &[CertificateDer<'static>],
    overlap: SignedDuration,
    now: Timestamp,
) -> Result<Arc<Signatory>, Refusal> {
    let leaf = chain.first().ok_or(Refusal::NoCertificate)?;
    let end = Leaf::read(leaf)?.not_after;
    let is_over = end < now && now.duration_since(end) < overlap;
    let at = if is_over { end } else { now };
    let claim = trust.verify(chain, Usage::Server, at)?;
    Ok(Arc::new(Signatory { identity: claim.identity, leaf: leaf.clone() }))
}
