//! Records as their origins signed them: ours are sealed here, everybody's are judged here before anything else sees them.
//!
//! Never: whether a record is newer than what is known, came a good way or is wanted; that is the session's to judge.

use crate::access::Tellers;
use crate::identity::{Broken, Credentials, Refusal, Signatories, Signatory, Unsealed};
use crate::model::sync::Signer;
use crate::model::{Digest, Head, Payload, Record, RecordKey, Rejection, Signed};
use crate::wire::federation as wire;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// Stands before what is signed, so that a signature under a record is one under nothing else.
const CONTEXT: &[u8] = b"portolan record v1\0";
/// How long after its end a signer's certificate still counts.
pub const OVERLAP: SignedDuration = SignedDuration::from_mins(10);

/// Signs what this broker tells.
#[derive(Debug, Clone)]
pub struct Sealer {
    credentials: Credentials,
}

/// Which record this claims to be, if that can be read. Nobody vouches for it.
pub fn claimed(signed: &Signed) -> Option<RecordKey> {
    wire::parse_body(&signed.body).ok().map(|(head, _)| head.key)
}

/// Judges what others signed.
#[derive(Debug)]
pub struct Judge {
    signatories: Signatories,
    tellers: Tellers,
}

/// A judgement that is prepared: the signer's chain is good. What is left takes time in proportion to the record, needs
/// nothing that is shared, and may be done anywhere.
#[derive(Debug)]
pub struct Case {
    signed: Signed,
    signatory: Arc<Signatory>,
    tellers: Tellers,
}

/// A record that is its signer's to tell, with what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// The record.
    pub record: Record,
    /// What it says; `None` for a tombstone and for a kind that is not known here.
    pub payload: Option<Payload>,
}

impl Sealer {
    /// Signs with the key of the certificate that is shown at the time.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials }
    }

    /// Signs one state of one thing. `payload` is empty for a tombstone.
    pub fn seal(&self, head: Head, payload: &Bytes) -> Result<Record, Unsealed> {
        let body = wire::body(&head, payload);
        let seal = self.credentials.seal(&message(&body))?;
        let signature = seal.signature.into();
        let signed = Signed { body, signature, scheme: seal.scheme, signer: seal.signer };
        Ok(Record { head, payload: payload.clone(), signed })
    }

    /// Names the chain with which the next record is signed.
    pub fn digest(&self) -> Digest {
        crate::identity::chain_digest(&self.credentials.chain())
    }

    /// The chain with which the next record is signed.
    pub fn signer(&self) -> Signer {
        let chain = self.credentials.chain();
        Signer { chain: chain.iter().map(|der| Bytes::copy_from_slice(der)).collect() }
    }
}

impl Judge {
    /// Judges by these rules. A chain that expired counts for [`OVERLAP`] more.
    pub fn new(trust: crate::identity::Trust, tellers: Tellers) -> Self {
        Self { signatories: Signatories::new(trust, OVERLAP), tellers }
    }

    /// Remembers a chain that came before the records that it signed. Nothing is believed by that.
    pub fn learn(&mut self, signer: &Signer) -> Digest {
        let chain = signer.chain.iter().map(|der| CertificateDer::from(der.to_vec()));
        self.signatories.learn(chain.collect())
    }

    /// The chain of that name, to be handed on.
    pub fn signer(&self, digest: &Digest) -> Option<Signer> {
        let chain = self.signatories.chain(digest)?;
        Some(Signer { chain: chain.iter().map(|der| Bytes::copy_from_slice(der)).collect() })
    }

    /// Judges the signer; [`Case::judge`] the rest.
    pub fn open(&mut self, signed: Signed, now: Timestamp) -> Result<Case, Rejection> {
        let signatory = self.signatories.find(&signed.signer, now).map_err(rejection)?;
        Ok(Case { signed, signatory, tellers: self.tellers.clone() })
    }

    /// Judges all of it.
    pub fn judge(&mut self, signed: Signed, now: Timestamp) -> Result<Judged, Rejection> {
        self.open(signed, now)?.judge()
    }
}

impl Case {
    /// Judges signature, body, ownership and payload, in this order: no byte is decoded that nobody signed.
    pub fn judge(self) -> Result<Judged, Rejection> {
        let Signed { body, signature, scheme, .. } = &self.signed;
        self.signatory.verify(*scheme, &message(body), signature).map_err(rejection)?;
        let (head, bytes) = wire::parse_body(body)?;
        self.tellers.may_tell(self.signatory.identity(), &head)?;
        let payload = wire::parse_payload(&head, &bytes)?;
        match &payload {
            Some(Payload::Version(version)) => self.tellers.may_offer(version)?,
            Some(Payload::Platform(platform)) if platform.trust_domain != head.key.origin.trust_domain => {
                return Err(Rejection::BadPayload("it says that others speak for the platform".to_owned()));
            }
            _ => {}
        }
        Ok(Judged { record: Record { head, payload: bytes, signed: self.signed }, payload })
    }
}

fn message(body: &Bytes) -> Vec<u8> {
    [CONTEXT, body.as_ref()].concat()
}

fn rejection(broken: Broken) -> Rejection {
    match broken {
        Broken::UnknownSigner => Rejection::UnknownSigner,
        Broken::Refused(Refusal::Expired(_)) => Rejection::ExpiredSigner,
        Broken::Refused(refusal) => Rejection::Untrusted(refusal.to_string()),
        Broken::Signature => Rejection::BadSignature,
    }
}

#[cfg(test)]
pub(super) mod tests;
