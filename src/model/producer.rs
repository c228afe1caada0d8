//! Workloads that serve versions, and where they listen.

use super::{Freshness, Identity, ProducerName, VersionName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// A workload that serves versions at one or more endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Platform and id.
    pub name: ProducerName,
    /// The identity its certificate must carry when it is dialled.
    pub identity: Identity,
    /// The identity that registered it; only that one renews.
    pub registrant: Identity,
    /// Where it listens. At least one.
    pub endpoints: Vec<Endpoint>,
    /// What it serves, sorted.
    pub versions: Vec<VersionName>,
    /// How it came into the catalogue.
    pub source: Source,
    /// How far this record may be believed now.
    pub freshness: Freshness,
    /// When its lease ends unless renewed; `None` without a lease.
    pub lease_expires: Option<Timestamp>,
    /// When it was first registered.
    pub created: Timestamp,
    /// When it was last registered or renewed.
    pub updated: Timestamp,
}

/// How a fact came into the catalogue.
///
/// Where two sources say different things of one version, the lesser in this order is in force: what the operator
/// wrote down before what a program said, and what a server was seen to say last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From the broker's configuration file.
    Configuration,
    /// From manifests: platform as code.
    Manifest,
    /// By `RegisterProducer`.
    Registration,
    /// Read from the server itself, by reflection.
    Discovery,
}

/// Where a producer listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host and port.
    pub address: Address,
    /// Where it stands, from the widest to the narrowest: `region/zone`. May be empty.
    pub locality: Arc<str>,
    /// Share of the traffic among endpoints of one locality: 1 to 1000.
    pub weight: u16,
}

/// A host (a name, an IPv4 address, an IPv6 address) and a port.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    host: Arc<str>,
    port: u16,
}

/// The text is not `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: write host:port, an IPv6 host in brackets, the port 1 to 65535")]
pub struct ParseAddressError(String);

impl Address {
    /// Reads `host:port`; an IPv6 host stands in brackets.
    pub fn parse(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError(text.chars().take(80).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let host = match host.strip_prefix('[') {
            Some(v6) => {
                let v6 = v6.strip_suffix(']').ok_or_else(wrong)?;
                v6.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
                v6
            }
            None => Some(host).filter(|host| is_host(host)).ok_or_else(wrong)?,
        };
        Ok(Self { host: host.into(), port })
    }

    /// The host without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host as an IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Address {
    type Error = ParseAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back() {
        for good in ["127.0.0.1:1", "ledger.payments.svc:50051", "[::1]:443"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "x", "x:", "x:0", "x:70000", "::1:443", "[x]:1", "unix:/tmp/s", "a b:1", ":1"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
