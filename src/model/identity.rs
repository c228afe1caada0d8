//! Who somebody is: a trust domain and a name inside it (SPIFFE ID specification).

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest SPIFFE id, in bytes (SPIFFE ID §2.3).
const LONGEST_ID: usize = 2048;
/// The longest trust domain name, in bytes (SPIFFE ID §2.1).
const LONGEST_DOMAIN: usize = 255;

/// A SPIFFE trust domain: one owner of trust, one bundle.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustDomain(Arc<str>);

/// A verified name inside a trust domain.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Identity {
    /// Whose bundle vouches for it.
    pub trust_domain: TrustDomain,
    /// Its name in there.
    pub subject: Subject,
}

/// A name inside a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The path of a SPIFFE id, with its leading slash; empty for the trust domain itself.
    Spiffe(Arc<str>),
    /// A DNS SAN of an organisation without SPIFFE, mapped by configuration.
    Dns(Arc<str>),
}

/// An identity that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an identity: {rule}")]
pub struct ParseIdentityError {
    text: String,
    rule: &'static str,
}

impl TrustDomain {
    /// Reads a trust domain name: lower-case letters, digits, dots, dashes, underscores.
    pub fn parse(text: &str) -> Result<Self, ParseIdentityError> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
        if text.is_empty() || text.len() > LONGEST_DOMAIN || !text.bytes().all(good) {
            return Err(wrong(
                text,
                "a trust domain has 1 to 255 lower-case letters, digits, dots, dashes or underscores",
            ));
        }
        // Stricter than SPIFFE: it becomes the name of a folder, and `..` is no name.
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
            return Err(wrong(text, "a trust domain begins with a letter or a digit"));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Identity {
    /// Reads a SPIFFE id as the specification writes it, and nothing looser.
    pub fn parse_spiffe(uri: &str) -> Result<Self, ParseIdentityError> {
        if uri.len() > LONGEST_ID {
            return Err(wrong(uri, "a SPIFFE id has at most 2048 bytes"));
        }
        let rest =
            uri.strip_prefix("spiffe://").ok_or_else(|| wrong(uri, "a SPIFFE id begins with spiffe://"))?;
        let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let trust_domain = TrustDomain::parse(domain).map_err(|e| wrong(uri, e.rule))?;
        let is_segment = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        if !path.is_empty() && !path[1..].split('/').all(is_segment) {
            return Err(wrong(
                uri,
                "path segments are letters, digits, dots, dashes and underscores, none empty, . or ..",
            ));
        }
        Ok(Self { trust_domain, subject: Subject::Spiffe(path.into()) })
    }

    /// An identity of an organisation without SPIFFE: a DNS name under its trust domain.
    pub fn parse_dns(name: &str, trust_domain: TrustDomain) -> Result<Self, ParseIdentityError> {
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(wrong(name, "a DNS name is lower-case labels joined by dots"));
        }
        Ok(Self { trust_domain, subject: Subject::Dns(name.into()) })
    }

    /// Reads what a user writes: a SPIFFE id, or `dns:NAME` for an identity of `home`.
    pub fn parse(text: &str, home: &TrustDomain) -> Result<Self, ParseIdentityError> {
        match text.strip_prefix("dns:") {
            Some(name) => Self::parse_dns(name, home.clone()),
            None => Self::parse_spiffe(text),
        }
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Subject::Spiffe(path) => write!(f, "spiffe://{}{path}", self.trust_domain),
            Subject::Dns(name) => write!(f, "dns:{name}"),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Borrow<str> for TrustDomain {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for TrustDomain {
    type Error = ParseIdentityError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<&super::BrokerId> for TrustDomain {
    /// A broker's id is always written as a trust domain may be.
    fn from(id: &super::BrokerId) -> Self {
        Self(id.as_str().into())
    }
}

impl From<TrustDomain> for String {
    fn from(domain: TrustDomain) -> Self {
        domain.0.as_ref().to_owned()
    }
}

/// How an identity is stored: a DNS name does not say its trust domain by itself.
#[derive(Serialize, Deserialize)]
struct Written {
    trust_domain: TrustDomain,
    name: String,
}

impl TryFrom<Written> for Identity {
    type Error = ParseIdentityError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        Self::parse(&written.name, &written.trust_domain)
    }
}

impl From<Identity> for Written {
    fn from(identity: Identity) -> Self {
        Self { name: identity.to_string(), trust_domain: identity.trust_domain }
    }
}

fn wrong(text: &str, rule: &'static str) -> ParseIdentityError {
    ParseIdentityError { text: text.chars().take(120).collect(), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spiffe_id_reads_back() {
        for good in ["spiffe://a.example", "spiffe://a.example/ns/x/sa/Ledger_1"] {
            assert_eq!(Identity::parse_spiffe(good).unwrap().to_string(), good);
        }
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        let long = format!("spiffe://a.example/{}", "x".repeat(2030));
        for bad in [
            "https://a.example/x",
            "spiffe://",
            "spiffe:///x",
            "spiffe://a.example/",
            "spiffe://a.example//x",
            "spiffe://a.example/x/",
            "spiffe://a.example/../x",
            "spiffe://A.example/x",
            "spiffe://../x",
            "spiffe://-a/x",
            "spiffe://a.example:443/x",
            "spiffe://u@a.example/x",
            "spiffe://a.example/x?q",
            "spiffe://a.example/x#f",
            "spiffe://a.example/%41",
            long.as_str(),
        ] {
            assert!(Identity::parse_spiffe(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_dns_identity_keeps_its_trust_domain_when_stored() {
        let home = TrustDomain::parse("legacy.example").unwrap();
        let identity = Identity::parse("dns:ledger.svc.legacy.internal", &home).unwrap();
        let stored = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&stored).unwrap(), identity);
    }
}
