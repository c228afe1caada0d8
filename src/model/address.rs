//! Where somebody listens: a host and a port, or a Unix socket.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The longest path of a Unix socket, in bytes (`sun_path` of unix(7), without its last zero).
const LONGEST_PATH: usize = 107;

/// A host (a name, an IPv4 address, an IPv6 address) with a port, or the path of a Unix socket.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(Kind);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Host(Arc<str>, u16),
    Unix(Arc<str>),
}

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// To a host (without brackets) and a port.
    Host(&'a str, u16),
    /// To the socket at this absolute path, on the same machine.
    Unix(&'a str),
}

/// The text is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not an address: write host:port, an IPv6 host in brackets, the port 1 to 65535; or unix:/absolute/path"
)]
pub struct ParseAddressError(String);

impl Address {
    /// Reads `host:port`, an IPv6 host in brackets; or `unix:/path`, also as `unix:///path` (gRPC name resolution).
    pub fn parse(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError(text.chars().take(80).collect());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return is_plain(path).then(|| Self(Kind::Unix(path.into()))).ok_or_else(wrong);
        }
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
        Ok(Self(Kind::Host(host.into(), port)))
    }

    /// Where it leads.
    pub fn place(&self) -> Place<'_> {
        match &self.0 {
            Kind::Host(host, port) => Place::Host(host, *port),
            Kind::Unix(path) => Place::Unix(path),
        }
    }

    /// The host's name without brackets; of a Unix socket `localhost`.
    pub fn host(&self) -> &str {
        match &self.0 {
            Kind::Host(host, _) => host,
            Kind::Unix(_) => "localhost",
        }
    }

    /// The host as an IP address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match &self.0 {
            Kind::Host(host, _) => host.parse().ok(),
            Kind::Unix(_) => None,
        }
    }

    /// What stands in `:authority` of a request to it; a Unix socket is `localhost`, as gRPC's own clients say.
    pub fn authority(&self) -> String {
        match &self.0 {
            Kind::Host(..) => self.to_string(),
            Kind::Unix(_) => "localhost".to_owned(),
        }
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

/// An absolute path that says where it leads: without `.`, `..`, empty steps and characters that hide.
fn is_plain(path: &str) -> bool {
    let is_step = |step: &str| !matches!(step, "" | "." | "..") && step.bytes().all(|b| b.is_ascii_graphic());
    path.len() <= LONGEST_PATH && path.strip_prefix('/').is_some_and(|path| path.split('/').all(is_step))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place() {
            Place::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Host(host, port) => write!(f, "{host}:{port}"),
            Place::Unix(path) => write!(f, "unix:{path}"),
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
        for good in ["127.0.0.1:1", "ledger.payments.svc:50051", "[::1]:443", "unix:/run/ledger/grpc.sock"] {
            assert_eq!(Address::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(Address::parse("unix:///run/x").unwrap().to_string(), "unix:/run/x");
        for bad in ["", "x", "x:", "x:0", "x:70000", "::1:443", "[x]:1", "a b:1", ":1"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        for bad in
            ["unix:", "unix:run/x", "unix:/", "unix:/run/../etc/x", "unix:/run//x", "unix:/a b", "unix://x/y"]
        {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        assert!(Address::parse(&format!("unix:/{}", "x".repeat(107))).is_err());
    }
}
