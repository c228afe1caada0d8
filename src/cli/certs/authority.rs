//! The development authority of one trust domain, and the certificates that it issues.

use super::keep::{self, Readers};
use crate::client::{Identity, Subject, TrustDomain};
use anyhow::{Context as _, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _,
    RevocationReason, RevokedCertParams, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// The bundle of an authority, in its directory.
pub(super) const BUNDLE: &str = "ca.pem";
/// The key of an authority, in its directory.
pub(super) const KEY: &str = "ca.key";
/// Clocks of other machines may be behind ours.
const BACKDATED: Duration = Duration::from_secs(300);
const CRL_TTL: Duration = Duration::from_secs(30 * 86_400);
const AUTHORITY_TTL: Duration = Duration::from_secs(365 * 86_400);

/// Signs for one trust domain.
#[derive(Debug)]
pub struct Authority {
    dir: PathBuf,
    domain: TrustDomain,
    issuer: Issuer<'static, KeyPair>,
    not_after: SystemTime,
}

/// What a certificate is to say.
#[derive(Debug, Clone)]
pub struct Request {
    /// A SPIFFE id of the authority's trust domain, whole or its path alone: `/ledger`.
    pub id: Option<String>,
    /// DNS names at which it listens.
    pub dns: Vec<String>,
    /// IP addresses at which it listens.
    pub ips: Vec<IpAddr>,
    /// How long it lives; never longer than its authority.
    pub ttl: Duration,
    /// Whether it listens, dials or does both.
    pub purpose: Purpose,
}

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Purpose {
    /// To dial and to listen.
    Both,
    /// To dial.
    Client,
    /// To listen.
    Server,
}

/// A certificate with its key.
#[derive(Debug)]
pub struct Issued {
    /// The leaf, PEM.
    pub certificate_pem: String,
    /// Its private key, PKCS#8 in PEM. A secret.
    pub key_pem: String,
    /// The serial number, big-endian; what `Authority::crl` takes.
    pub serial: Vec<u8>,
}

/// Where a certificate and its key were written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, mode 0600.
    pub key: PathBuf,
}

impl Request {
    /// A workload that dials and listens, for 30 days.
    pub fn workload(id: impl Into<String>) -> Self {
        let ttl = Duration::from_secs(30 * 86_400);
        Self { id: Some(id.into()), dns: Vec::new(), ips: Vec::new(), ttl, purpose: Purpose::Both }
    }

    /// The same, listening on this machine: `localhost`, 127.0.0.1 and ::1.
    pub fn on_this_machine(mut self) -> Self {
        self.dns.push("localhost".into());
        self.ips.extend([IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])]);
        self
    }

    /// The last part of the id, or the first DNS name.
    pub(super) fn file_name(&self) -> Option<String> {
        let path = self.id.as_deref().and_then(|id| id.rsplit('/').next());
        path.or_else(|| self.dns.first().map(String::as_str)).map(str::to_owned)
    }
}

impl Authority {
    /// Makes a new authority in a directory of its own, for a year. Refuses to replace one.
    pub fn create(dir: &Path, domain: &TrustDomain) -> anyhow::Result<Self> {
        Self::create_with(dir, domain, AUTHORITY_TTL, false)
    }

    /// Makes a new authority; `replace` takes the place of one that is there.
    pub fn create_with(
        dir: &Path,
        domain: &TrustDomain,
        ttl: Duration,
        replace: bool,
    ) -> anyhow::Result<Self> {
        let (bundle, key_file) = (dir.join(BUNDLE), dir.join(KEY));
        keep::directory(dir)?;
        keep::out_of_git(dir)?;
        if !replace {
            keep::vacant(&[&bundle, &key_file])?;
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let now = SystemTime::now();
        let mut params = CertificateParams::default();
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + ttl).into();
        params.serial_number = Some(serial());
        // Leaves only: an authority below this one would be a second place to lose keys.
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.subject_alt_names = vec![SanType::URI(format!("spiffe://{domain}").try_into()?)];
        params.distinguished_name.push(DnType::CommonName, format!("{domain} development authority"));
        let certificate = params.self_signed(&key)?;
        keep::write(&key_file, &key.serialize_pem(), Readers::Owner, replace)?;
        keep::write(&bundle, &certificate.pem(), Readers::Everyone, replace)?;
        let issuer = Issuer::new(params, key);
        Ok(Self { dir: dir.to_owned(), domain: domain.clone(), issuer, not_after: now + ttl })
    }

    /// Opens an authority that `create` made.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let bundle = dir.join(BUNDLE);
        let key =
            KeyPair::from_pem(&text(&dir.join(KEY))?).context("the key of the authority cannot be read")?;
        let der = CertificateDer::from_pem_slice(text(&bundle)?.as_bytes())
            .with_context(|| format!("{} holds no certificate", bundle.display()))?;
        let (_, read) = X509Certificate::from_der(&der)
            .with_context(|| format!("the certificate in {} cannot be read", bundle.display()))?;
        ensure!(
            read.public_key().raw == key.subject_public_key_info(),
            "{} is not the key of {}",
            dir.join(KEY).display(),
            bundle.display()
        );
        let domain = domain_of(&read)
            .with_context(|| format!("{} is not the authority of a trust domain", bundle.display()))?;
        let not_after = u64::try_from(read.validity().not_after.timestamp())?;
        let not_after = SystemTime::UNIX_EPOCH + Duration::from_secs(not_after);
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { dir: dir.to_owned(), domain, issuer, not_after })
    }

    /// Whose authority it is.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.domain
    }

    /// The bundle that others need to trust what is issued here, PEM.
    pub fn bundle(&self) -> PathBuf {
        self.dir.join(BUNDLE)
    }

    /// The signing part, to sign what `issue` would not.
    pub fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// Issues a certificate with a new key.
    pub fn issue(&self, request: &Request) -> anyhow::Result<Issued> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = self.params(request)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let serial = params.serial_number.map(|serial| serial.to_bytes()).unwrap_or_default();
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), serial })
    }

    /// Issues a certificate into `dir/name.pem` and `dir/name.key`.
    pub fn issue_to(
        &self,
        dir: &Path,
        name: &str,
        request: &Request,
        replace: bool,
    ) -> anyhow::Result<Written> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*');
        ensure!(
            !name.is_empty() && !name.starts_with('.') && name.chars().all(plain),
            "{name:?} is not a file name: use letters, digits, dots, dashes and underscores"
        );
        let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
        keep::directory(dir)?;
        keep::out_of_git(dir)?;
        if certificate == self.bundle() {
            bail!("{} is the authority itself", certificate.display());
        }
        if !replace {
            keep::vacant(&[&certificate, &key])?;
        }
        let issued = self.issue(request)?;
        keep::write(&key, &issued.key_pem, Readers::Owner, replace)?;
        keep::write(&certificate, &issued.certificate_pem, Readers::Everyone, replace)?;
        Ok(Written { certificate, key })
    }

    /// A revocation list over these serial numbers, valid for 30 days, PEM. An empty one revokes nobody.
    pub fn crl(&self, revoked: &[Vec<u8>]) -> anyhow::Result<String> {
        let now = SystemTime::now();
        let age = now.duration_since(SystemTime::UNIX_EPOCH)?;
        let entry = |serial: &Vec<u8>| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: now.into(),
            reason_code: Some(RevocationReason::Unspecified),
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: (now - BACKDATED).into(),
            next_update: (now + CRL_TTL).into(),
            crl_number: SerialNumber::from(age.as_secs()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }

    fn params(&self, request: &Request) -> anyhow::Result<CertificateParams> {
        let now = SystemTime::now();
        ensure!(now < self.not_after, "the authority of {} has expired; make a new one", self.domain);
        let mut params = CertificateParams::default();
        params.not_before = (now - BACKDATED).into();
        params.not_after = (now + request.ttl).min(self.not_after).into();
        params.serial_number = Some(serial());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match request.purpose {
            Purpose::Both => vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Purpose::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        };
        params.use_authority_key_identifier_extension = true;
        if let Some(id) = &request.id {
            params.subject_alt_names.push(SanType::URI(self.workload(id)?.try_into()?));
        }
        for name in &request.dns {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(request.ips.iter().map(|ip| SanType::IpAddress(*ip)));
        let name = request.file_name().context("a certificate needs a SPIFFE id or a DNS name")?;
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params)
    }

    /// The whole SPIFFE id of a workload of this trust domain.
    fn workload(&self, id: &str) -> anyhow::Result<String> {
        let whole = if id.starts_with('/') { format!("spiffe://{}{id}", self.domain) } else { id.to_owned() };
        let identity = Identity::parse_spiffe(&whole)?;
        ensure!(
            identity.trust_domain == self.domain,
            "{whole} is not of {}; its own authority must sign it",
            self.domain
        );
        ensure!(
            !matches!(&identity.subject, Subject::Spiffe(path) if path.is_empty()),
            "{whole} names a trust domain; a workload has a path: {whole}/NAME"
        );
        Ok(whole)
    }
}

/// The trust domain that an authority carries as its name.
pub(super) fn domain_of(authority: &X509Certificate<'_>) -> Option<TrustDomain> {
    let names = authority.subject_alternative_name().ok().flatten()?;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Identity::parse_spiffe(uri).ok().map(|identity| identity.trust_domain),
        _ => None,
    })
}

fn text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Sixteen bytes that nobody guesses; positive, and without a leading zero.
fn serial() -> SerialNumber {
    let mut bytes = uuid::Uuid::new_v4().into_bytes();
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}
