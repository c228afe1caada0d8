//! Organisations with an authority, a broker and a platform each.

use super::super::{Judge, Sealer};
use crate::access::{Policy, Tellers};
use crate::identity::{Credentials, Domain, Files, Trust};
use crate::model::*;
use crate::wire::federation as wire;
use bytes::Bytes;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, SignatureAlgorithm,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

/// An organisation, with one broker of it.
pub(in crate::federation) struct Org {
    home: Arc<TempDir>,
    bundle: String,
    issuer: Arc<Issuer<'static, KeyPair>>,
    domain: TrustDomain,
    credentials: Credentials,
}

impl Org {
    pub(in crate::federation) fn new(domain: &str) -> Self {
        Self::with_key(domain, &PKCS_ECDSA_P256_SHA256)
    }

    /// One that many tests may share.
    pub(in crate::federation) fn shared() -> &'static Self {
        static SHARED: LazyLock<Org> = LazyLock::new(|| Org::new("a.example"));
        &SHARED
    }

    /// An organisation whose broker has a key of this kind.
    pub(in crate::federation) fn with_key(domain: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.subject_alt_names = vec![uri(&format!("spiffe://{domain}"))];
        let key = KeyPair::generate().unwrap();
        let bundle = params.self_signed(&key).unwrap().pem();
        let issuer = Arc::new(Issuer::new(params, key));
        let credentials = issue(&home, &issuer, &format!("spiffe://{domain}/broker"), algorithm);
        Self { home, bundle, issuer, domain: TrustDomain::parse(domain).unwrap(), credentials }
    }

    /// The same authority with another workload in the broker's place, whatever it calls itself.
    pub(in crate::federation) fn workload_called(&self, id: &str) -> Self {
        Self {
            home: self.home.clone(),
            bundle: self.bundle.clone(),
            issuer: self.issuer.clone(),
            domain: self.domain.clone(),
            credentials: issue(&self.home, &self.issuer, id, &PKCS_ECDSA_P256_SHA256),
        }
    }

    /// The first, in the middle of a change to the authority of the second: both are in its bundle.
    pub(in crate::federation) fn joined(first: &Self, second: &Self) -> Self {
        let whole = first.workload_called("spiffe://a.example/broker");
        Self { bundle: format!("{}{}", first.bundle, second.bundle), ..whole }
    }

    pub(in crate::federation) fn domain(&self) -> TrustDomain {
        self.domain.clone()
    }

    pub(in crate::federation) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    pub(in crate::federation) fn sealer(&self) -> Sealer {
        Sealer::new(self.credentials.clone())
    }

    /// `a` of `a.example`: what its services begin with.
    fn prefix(&self) -> &str {
        self.domain.as_str().split('.').next().unwrap()
    }

    pub(in crate::federation) fn platform(&self) -> Platform {
        Platform {
            name: PlatformName::parse(self.domain.as_str()).unwrap(),
            display_name: String::new(),
            trust_domain: self.domain.clone(),
            service_prefixes: vec![ServicePrefix::parse(self.prefix()).unwrap()],
        }
    }

    fn trusted(&self) -> Domain {
        let bundle = self.home.path().join(format!("bundle-{}.pem", uuid::Uuid::new_v4()));
        std::fs::write(&bundle, &self.bundle).unwrap();
        Domain { name: self.domain.clone(), bundle, crl: None, dns_suffixes: Vec::new() }
    }
}

/// Judges for somebody who knows these organisations and their platforms.
pub(in crate::federation) fn judge(orgs: &[&Org]) -> Judge {
    judge_with(orgs, BTreeMap::new(), BTreeSet::new())
}

pub(in crate::federation) fn judge_with(
    orgs: &[&Org],
    brokers: BTreeMap<TrustDomain, BTreeSet<Identity>>,
    introducers: BTreeSet<TrustDomain>,
) -> Judge {
    let domains: Vec<_> = orgs.iter().map(|org| org.trusted()).collect();
    let policy = Policy::new(orgs.iter().map(|org| org.platform()));
    Judge::new(Trust::load(&domains).unwrap(), Tellers::new(policy, brokers, introducers))
}

/// A version of the organisation's own platform, under its own prefix.
pub(in crate::federation) fn a_version(org: &Org) -> Payload {
    let name = format!("platforms/{}/capabilities/ledger/versions/1.0.0", org.domain);
    Payload::Version(Box::new(Version {
        services: vec![ServiceName::parse(&format!("{}.v1.Own", org.prefix())).unwrap()],
        digest: Digest::of(b"contract"),
        owner: "team".into(),
        contact: "team@example".into(),
        ..Version::plain(&name)
    }))
}

pub(in crate::federation) fn head(org: &Org, payload: &Payload) -> Head {
    let origin = Origin { trust_domain: org.domain(), broker: BrokerId::parse("hub-1").unwrap() };
    let topic = payload.topic();
    Head {
        key: RecordKey { origin, kind: topic.kind(), name: topic.name().unwrap() },
        stamp: Stamp { epoch: 1, sequence: 1 },
        is_deleted: false,
        scope: Scope { stage: Some(Stage::Stable), labels: BTreeMap::new() },
        written: Timestamp::UNIX_EPOCH,
    }
}

pub(in crate::federation) fn payload_of(payload: &Payload) -> Bytes {
    wire::payload(payload)
}

pub(in crate::federation) fn seal(org: &Org, payload: &Payload) -> Record {
    org.sealer().seal(head(org, payload), &payload_of(payload)).unwrap()
}

pub(in crate::federation) fn now() -> Timestamp {
    Timestamp::now()
}

fn issue(
    home: &TempDir,
    issuer: &Issuer<'static, KeyPair>,
    id: &str,
    algorithm: &'static SignatureAlgorithm,
) -> Credentials {
    let hour = std::time::Duration::from_secs(3600);
    let now = std::time::SystemTime::now();
    let mut params = CertificateParams::default();
    (params.not_before, params.not_after) = ((now - hour).into(), (now + hour).into());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = vec![uri(id)];
    let key = KeyPair::generate_for(algorithm).unwrap();
    let name = uuid::Uuid::new_v4();
    let file = |end: &str| home.path().join(format!("{name}.{end}"));
    let files = Files { certificate: file("pem"), key: file("key") };
    std::fs::write(&files.certificate, params.signed_by(&key, issuer).unwrap().pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    Credentials::load(&files).unwrap()
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}
