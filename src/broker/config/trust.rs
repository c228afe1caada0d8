//! Who is believed: the broker's own certificate, and one bundle for each organisation.

use super::reader::Table;
use crate::model;
use schemars::JsonSchema;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The broker's own certificate. The files are watched: new content is taken without a restart.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tls {
    /// PEM file: the broker's certificate, then the intermediates of its chain.
    pub certificate: PathBuf,
    /// PEM file: the private key of the certificate (PKCS#8, SEC1 or PKCS#1).
    pub key: PathBuf,
}

/// An organisation: its identities are verified against its own bundle and no other.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TrustDomain {
    /// The SPIFFE trust domain: `payments.example`.
    #[schemars(with = "String")]
    pub name: model::TrustDomain,
    /// PEM file with the root certificates of the organisation. Watched.
    pub bundle: PathBuf,
    /// PEM or DER file with certificate revocation lists of the organisation. Watched.
    pub crl: Option<PathBuf>,
    /// For an organisation without SPIFFE: DNS names under these suffixes, in certificates of this bundle, are identities of this trust domain.
    #[schemars(default)]
    pub dns_suffixes: Vec<String>,
}

/// The trust domains that were read, and the names of all, also of those at fault.
pub(super) struct Domains {
    pub(super) read: Vec<TrustDomain>,
    pub(super) names: BTreeSet<model::TrustDomain>,
}

pub(super) fn tls(table: &Table<'_>) -> Option<Tls> {
    let certificate = table.need(
        "certificate",
        "give the PEM file of the broker's certificate: certificate = \"certs/broker.pem\"",
    );
    let certificate = certificate.and_then(|file| file.file());
    let key = table
        .need("key", "give the PEM file of the broker's private key: key = \"certs/broker-key.pem\"")
        .and_then(|file| file.file());
    Some(Tls { certificate: certificate?, key: key? })
}

pub(super) fn domains(root: &Table<'_>) -> Domains {
    let names = RefCell::new(BTreeSet::new());
    let suffixes = RefCell::new(BTreeSet::new());
    let read = root.entries("trust_domains", |table| domain(table, &names, &suffixes));
    let names = names.into_inner();
    root.need("trust_domains", "name at least one organisation: [[trust_domains]] with name and bundle")
        .and_then(|list| list.some(|_| Some(())));
    Domains { read, names }
}

fn domain(
    table: &Table<'_>,
    names: &RefCell<BTreeSet<model::TrustDomain>>,
    suffixes: &RefCell<BTreeSet<String>>,
) -> Option<TrustDomain> {
    let name = table.need("name", "name the trust domain: name = \"payments.example\"").and_then(|field| {
        let name =
            field.parsed(model::TrustDomain::parse, "write the name as it stands in the SPIFFE ids")?;
        if names.borrow_mut().insert(name.clone()) {
            return Some(name);
        }
        field.fault(
            format!("the trust domain {name} is already there"),
            "put all its roots into one bundle, and name it once",
        )
    });
    let bundle = table
        .need("bundle", "give the PEM file with the organisation's root certificates")
        .and_then(|file| file.file());
    let crl = table.get("crl").map_or(Some(None), |file| file.file().map(Some));
    let dns_suffixes = table.get("dns_suffixes").map_or(Some(Vec::new()), |field| {
        field.list(|item| {
            let suffix = item.parsed(suffix, "write a DNS name such as \"legacy.internal\"")?;
            if suffixes.borrow_mut().insert(suffix.clone()) {
                return Some(suffix);
            }
            item.fault(format!("{suffix:?} is already given"), "one suffix belongs to one trust domain")
        })
    });
    Some(TrustDomain { name: name?, bundle: bundle?, crl: crl?, dns_suffixes: dns_suffixes? })
}

fn suffix(text: &str) -> Result<String, String> {
    // A platform name has exactly the form of a lower-case DNS name.
    match model::PlatformName::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => {
            Err(format!("{text:?} is not a DNS suffix: lower-case labels joined by dots, no leading dot"))
        }
    }
}
