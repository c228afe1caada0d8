//! A page for people about what is in a PEM file.

use super::authority::domain_of;
use crate::client::{Identity, Subject};
use anyhow::{Context as _, bail};
use jiff::Timestamp;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::time::ASN1Time;

type Lines = Vec<(&'static str, String)>;

/// Everything in one file.
pub(super) fn page(file: &Path, now: Timestamp) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let sections: Result<Vec<(SectionKind, Vec<u8>)>, _> =
        <(SectionKind, Vec<u8>)>::pem_slice_iter(&bytes).collect();
    let sections = sections.with_context(|| format!("{} is not whole PEM", file.display()))?;
    if sections.is_empty() {
        bail!(
            "{} is not PEM: no line in it begins a section (-----BEGIN CERTIFICATE-----){}",
            file.display(),
            if bytes.first() == Some(&0x30) {
                "; it looks like DER: openssl x509 -inform der turns it into PEM"
            } else {
                ""
            }
        );
    }
    let mut page = format!("{}\n", file.display());
    for (n, (kind, der)) in sections.iter().enumerate() {
        let place = || format!("section {} of {}", n + 1, file.display());
        let (title, lines) = match kind {
            SectionKind::Certificate => certificate(der, now).with_context(place)?,
            SectionKind::Crl => ("revocation list", list(der, now).with_context(place)?),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                ("private key", vec![("note", "a secret; its content is not shown".to_owned())])
            }
            other => ("section", vec![("note", format!("{other:?}, which is not looked into"))]),
        };
        writeln!(page, "  {title}")?;
        for (name, value) in lines {
            writeln!(page, "    {name:<12} {value}")?;
        }
    }
    Ok(page)
}

fn certificate(der: &[u8], now: Timestamp) -> anyhow::Result<(&'static str, Lines)> {
    let (_, read) = X509Certificate::from_der(der).context("it is not a certificate")?;
    let is_authority = read.is_ca();
    let (from, to) = (instant(read.validity().not_before)?, instant(read.validity().not_after)?);
    let names = names(&read);
    let mut problems = Vec::new();
    problems.extend((now < from).then(|| format!("not valid before {from}")));
    problems.extend((now > to).then(|| format!("expired {} ago", age(now, to))));
    let mut lines: Lines = Vec::new();
    if is_authority {
        let domain = domain_of(&read);
        lines.push(("authority", domain.map_or("of no trust domain by name".into(), |d| format!("of {d}"))));
    } else {
        lines.push(("identity", identity(&names.uris, &names.dns, &mut problems)));
        lines.push(("use", usage(&read, &mut problems)));
    }
    let others: Vec<String> = names.dns.iter().map(|n| format!("DNS {n}")).chain(names.others).collect();
    if !others.is_empty() {
        lines.push(("also", others.join(", ")));
    }
    let left = if now > to { String::new() } else { format!(" ({} left)", age(to, now)) };
    lines.push(("subject", read.subject().to_string()));
    lines.push(("issuer", issuer(&read)));
    lines.push(("valid", format!("{from} to {to}{left}")));
    lines.push(("serial", read.raw_serial_as_string()));
    lines.push(("fingerprint", format!("SHA-256 {}", hex(&Sha256::digest(der)))));
    lines.extend(problems.into_iter().map(|problem| ("PROBLEM", problem)));
    Ok((if is_authority { "certificate of an authority" } else { "certificate" }, lines))
}

struct Names {
    uris: Vec<String>,
    dns: Vec<String>,
    others: Vec<String>,
}

fn names(read: &X509Certificate<'_>) -> Names {
    let mut names = Names { uris: Vec::new(), dns: Vec::new(), others: Vec::new() };
    let extension = read.subject_alternative_name().ok().flatten();
    for name in extension.iter().flat_map(|e| &e.value.general_names) {
        match name {
            GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
            GeneralName::DNSName(name) => names.dns.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => names.others.push(address(bytes)),
            other => names.others.push(other.to_string()),
        }
    }
    names
}

/// Who a broker takes this certificate for.
fn identity(uris: &[String], dns: &[String], problems: &mut Vec<String>) -> String {
    match (uris, dns) {
        ([uri], _) => {
            match Identity::parse_spiffe(uri) {
                Ok(Identity { subject: Subject::Spiffe(path), .. }) if path.is_empty() => {
                    problems
                        .push("the SPIFFE id has no path: it names a trust domain, not a workload".into());
                }
                Ok(_) => {}
                Err(e) => problems.push(e.to_string()),
            }
            uri.clone()
        }
        ([], []) => {
            problems.push("it names nobody: no SPIFFE id and no DNS name".into());
            "none".into()
        }
        ([], [first, ..]) => format!("by DNS name, where a broker maps it to a trust domain: {first}"),
        (several, _) => {
            problems.push(format!("{} URI names; an identity has exactly one", several.len()));
            several.join(", ")
        }
    }
}

fn usage(read: &X509Certificate<'_>, problems: &mut Vec<String>) -> String {
    let extended = read.extended_key_usage().ok().flatten();
    let (dials, listens) = extended.map_or((false, false), |e| (e.value.client_auth, e.value.server_auth));
    match (dials, listens) {
        (true, true) => "to dial and to listen".into(),
        (true, false) => "to dial only (no serverAuth)".into(),
        (false, true) => "to listen only (no clientAuth)".into(),
        (false, false) => {
            problems.push("neither clientAuth nor serverAuth among its extended key usages".into());
            "none".into()
        }
    }
}

fn issuer(read: &X509Certificate<'_>) -> String {
    if read.issuer() == read.subject() { "itself".into() } else { read.issuer().to_string() }
}

fn list(der: &[u8], now: Timestamp) -> anyhow::Result<Lines> {
    let (_, read) = CertificateRevocationList::from_der(der).context("it is not a revocation list")?;
    let mut lines = vec![
        ("issuer", read.issuer().to_string()),
        ("made", instant(read.last_update())?.to_string()),
        ("revoked", read.iter_revoked_certificates().count().to_string()),
    ];
    lines.extend(read.iter_revoked_certificates().map(|entry| ("serial", entry.raw_serial_as_string())));
    match read.next_update().map(instant).transpose()? {
        Some(next) if next < now => {
            lines.push((
                "PROBLEM",
                format!("expired {} ago; nobody of this issuer is let in", age(now, next)),
            ));
        }
        Some(next) => lines.push(("valid", format!("until {next} ({} left)", age(next, now)))),
        None => lines.push(("valid", "for ever".into())),
    }
    Ok(lines)
}

fn instant(at: ASN1Time) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_second(at.timestamp())?)
}

/// How far apart, in the largest unit that says something.
fn age(later: Timestamp, earlier: Timestamp) -> String {
    let seconds = later.duration_since(earlier).as_secs();
    match seconds {
        s if s >= 2 * 86_400 => format!("{} days", s / 86_400),
        s if s >= 2 * 3_600 => format!("{} hours", s / 3_600),
        s if s >= 120 => format!("{} minutes", s / 60),
        s => format!("{s} seconds"),
    }
}

fn address(bytes: &[u8]) -> String {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
    address.map_or_else(|_| format!("an IP address of {} bytes", bytes.len()), |ip| format!("IP {ip}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}
