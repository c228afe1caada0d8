//! What a certificate says of itself, read before anybody vouches for it.

use crate::identity::Refusal;
use crate::model::Validity;
use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use std::fmt;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

/// What a certificate is used for in a connection: the side on which its owner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Usage {
    /// Its owner dials.
    Client,
    /// Its owner listens.
    Server,
}

/// The names and rights in a certificate.
pub(super) struct Leaf {
    /// URI SANs, as written.
    pub(super) uris: Vec<String>,
    /// DNS SANs, as written.
    pub(super) dns: Vec<String>,
    /// The first instant at which it is valid.
    pub(super) not_before: Timestamp,
    /// The last instant at which it is valid.
    pub(super) not_after: Timestamp,
    /// How many authorities may stand below this one; unbounded if it does not say.
    pub(super) most_below: Option<u32>,
    /// Whether it may sign certificates or revocation lists.
    pub(super) is_authority: bool,
    client: bool,
    server: bool,
}

impl Leaf {
    /// Reads one certificate, strictly: what cannot be read whole is refused, because what is skipped could be a second name.
    pub(super) fn read(der: &CertificateDer<'_>) -> Result<Self, Refusal> {
        let (rest, certificate) = X509Certificate::from_der(der).map_err(malformed)?;
        if !rest.is_empty() {
            return Err(Refusal::Malformed("bytes after its end".into()));
        }
        let (uris, dns) = names(&certificate)?;
        let basic = certificate.basic_constraints().map_err(malformed)?;
        let usage = certificate.key_usage().map_err(malformed)?;
        let extended = certificate.extended_key_usage().map_err(malformed)?;
        let basic = basic.map(|extension| extension.value);
        let instant = |at: ASN1Time| Timestamp::from_second(at.timestamp()).map_err(malformed);
        Ok(Self {
            uris,
            dns,
            not_before: instant(certificate.validity().not_before)?,
            not_after: instant(certificate.validity().not_after)?,
            most_below: basic.and_then(|basic| basic.path_len_constraint),
            is_authority: basic.is_some_and(|basic| basic.ca)
                || usage.is_some_and(|u| u.value.key_cert_sign() || u.value.crl_sign()),
            client: extended.as_ref().is_some_and(|e| e.value.client_auth),
            server: extended.as_ref().is_some_and(|e| e.value.server_auth),
        })
    }

    /// When it is valid.
    pub(super) fn validity(&self) -> Validity {
        Validity { not_before: self.not_before, not_after: self.not_after }
    }

    /// Holds it to X509-SVID §4 for one side of a connection.
    pub(super) fn permit(&self, usage: Usage) -> Result<(), Refusal> {
        let permitted = match usage {
            Usage::Client => self.client,
            Usage::Server => self.server,
        };
        match (self.is_authority, permitted) {
            (true, _) => Err(Refusal::Authority),
            (false, false) => Err(Refusal::Purpose(usage)),
            (false, true) => Ok(()),
        }
    }
}

/// The URI SANs and the DNS SANs.
fn names(certificate: &X509Certificate<'_>) -> Result<(Vec<String>, Vec<String>), Refusal> {
    let (mut uris, mut dns) = (Vec::new(), Vec::new());
    let Some(names) = certificate.subject_alternative_name().map_err(malformed)? else {
        return Ok((uris, dns));
    };
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            GeneralName::Invalid(..) => return Err(Refusal::Malformed("a name in it is not text".into())),
            _ => {}
        }
    }
    Ok((uris, dns))
}

fn malformed(error: impl fmt::Display) -> Refusal {
    Refusal::Malformed(error.to_string())
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Usage::Client => "clientAuth",
            Usage::Server => "serverAuth",
        })
    }
}
