//! Certificates that no honest authority issues, and the organisations that they attack.

use portolan::cli::certs::{Authority, Request};
use portolan::identity::{Credentials, Domain, Files, Trust};
use portolan::model::TrustDomain;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

pub(super) const HOUR: Duration = Duration::from_secs(3600);

/// One organisation with its authority in a directory of its own.
pub(super) struct Org {
    pub(super) home: TempDir,
    pub(super) authority: Authority,
    pub(super) domain: Domain,
}

/// What one end of a handshake shows.
pub(super) type Shown = Arc<CertifiedKey>;

impl Org {
    pub(super) fn new(name: &str) -> Self {
        let home = TempDir::new().unwrap();
        let name = TrustDomain::parse(name).unwrap();
        let authority = Authority::create(home.path(), &name).unwrap();
        let bundle = authority.bundle();
        Self { home, authority, domain: Domain { name, bundle, crl: None, dns_suffixes: Vec::new() } }
    }

    /// An organisation whose root lets authorities be below it, as real ones do.
    pub(super) fn with_deep_root(name: &str) -> (Self, CertifiedIssuer<'static, KeyPair>) {
        let org = Self::new(name);
        let root = authority(&format!("{name} deep root"), None);
        std::fs::write(&org.domain.bundle, root.pem()).unwrap();
        (org, root)
    }

    pub(super) fn mapping(mut self, suffixes: &[&str]) -> Self {
        self.domain.dns_suffixes = suffixes.iter().map(|s| (*s).to_owned()).collect();
        self
    }

    pub(super) fn with_list(mut self, pem: &str) -> Self {
        let file = self.home.path().join("crl.pem");
        std::fs::write(&file, pem).unwrap();
        self.domain.crl = Some(file);
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// An honest workload, as files.
    pub(super) fn files(&self, name: &str) -> Files {
        let request = Request::workload(format!("/{name}")).on_this_machine();
        let written = self.authority.issue_to(self.home.path(), name, &request, true).unwrap();
        Files { certificate: written.certificate, key: written.key }
    }

    /// An honest workload.
    pub(super) fn credentials(&self, name: &str) -> Credentials {
        Credentials::load(&self.files(name)).unwrap()
    }

    /// An honest workload, as it is shown.
    pub(super) fn shown(&self, name: &str) -> Shown {
        let files = self.files(name);
        shown(
            CertificateDer::pem_file_iter(files.certificate).unwrap().map(Result::unwrap).collect(),
            PrivateKeyDer::from_pem_file(files.key).unwrap(),
        )
    }

    /// Whatever the authority is made to sign.
    pub(super) fn sign(&self, params: &CertificateParams) -> Shown {
        sign(params, self.authority.issuer(), &[])
    }
}

/// Trust in all of these.
pub(super) fn trust(orgs: &[&Org]) -> Trust {
    let domains: Vec<Domain> = orgs.iter().map(|org| org.domain.clone()).collect();
    Trust::load(&domains).unwrap()
}

/// A leaf that is good but for what the test spoils.
pub(super) fn leaf(names: &[SanType]) -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.not_before = (now - HOUR).into();
    params.not_after = (now + HOUR).into();
    params.serial_number = Some(SerialNumber::from(u64::from(fastrand::u32(1..))));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
    params
}

pub(super) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(super) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// Signs a leaf; `above` goes along in the handshake.
pub(super) fn sign(
    params: &CertificateParams,
    issuer: &Issuer<'_, KeyPair>,
    above: &[CertificateDer<'static>],
) -> Shown {
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, issuer).unwrap();
    let chain = [&[leaf.der().clone()], above].concat();
    shown(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// A leaf that nobody signed but itself.
pub(super) fn self_signed(params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let leaf = params.self_signed(&key).unwrap();
    shown(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
}

/// An authority, below another one or a root of its own.
pub(super) fn authority(
    name: &str,
    above: Option<&Issuer<'_, KeyPair>>,
) -> CertifiedIssuer<'static, KeyPair> {
    below(authority_params(name), above)
}

pub(super) fn authority_params(name: &str) -> CertificateParams {
    let mut params = leaf(&[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages.clear();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(super) fn below(
    params: CertificateParams,
    above: Option<&Issuer<'_, KeyPair>>,
) -> CertifiedIssuer<'static, KeyPair> {
    let key = KeyPair::generate().unwrap();
    match above {
        Some(above) => CertifiedIssuer::signed_by(params, key, above).unwrap(),
        None => CertifiedIssuer::self_signed(params, key).unwrap(),
    }
}

/// A revocation list that is due again at `next`.
pub(super) fn list(issuer: &Issuer<'_, KeyPair>, revoked: &[&[u8]], next: SystemTime) -> String {
    let made = SystemTime::now() - 2 * HOUR;
    let entry = |serial: &&[u8]| RevokedCertParams {
        serial_number: SerialNumber::from_slice(serial),
        revocation_time: made.into(),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: made.into(),
        next_update: next.into(),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().pem().unwrap()
}

fn shown(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Shown {
    let provider = aws_lc_rs::default_provider();
    // Unlike `from_der` this lets malformed certificates pass: that is for the other end to find out.
    Arc::new(CertifiedKey::new(chain, provider.key_provider.load_private_key(key).unwrap()))
}
