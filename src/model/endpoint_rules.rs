//! Which addresses a producer may name: none that lead back into the broker's own machine or network.

use super::{Address, Network, Place};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Which addresses a producer may name.
#[derive(Debug, Clone, Default)]
pub struct EndpointRules {
    /// Networks that are allowed although they are loopback or link-local.
    pub allow: Vec<Network>,
    /// Folders whose Unix sockets are allowed.
    pub unix: Vec<PathBuf>,
    /// Where this broker listens: never an endpoint of a producer.
    pub own: Vec<SocketAddr>,
}

/// Why an address is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A way to write an address that only resolvers read as one.
    #[error("is neither an IP address nor a name, but resolves as one{REMEDY}")]
    Disguised,
    /// The broker listens there.
    #[error("is this broker itself")]
    Own,
    /// Unspecified, multicast or broadcast.
    #[error("is no single machine")]
    NoMachine,
    /// The broker's own machine.
    #[error("is loopback, which is the broker's own machine{REMEDY}")]
    Loopback,
    /// The broker's own link.
    #[error("is link-local{REMEDY}")]
    LinkLocal,
    /// A socket outside of the folders that are allowed.
    #[error("is a Unix socket of the broker's machine; let the operator allow its folder in endpoints.unix")]
    Socket,
}

const REMEDY: &str = "; register the address that other machines use, or let the operator allow the network in \
                      endpoints.allow";

impl Forbidden {
    /// The reason for programs: `UPPER_SNAKE_CASE`.
    pub fn reason(&self) -> &'static str {
        match self {
            Forbidden::Disguised => "INVALID_ADDRESS",
            Forbidden::Own => "OWN_ADDRESS",
            _ => "FORBIDDEN_ADDRESS",
        }
    }
}

impl EndpointRules {
    /// Whether a producer may say that it listens there. A host name is taken at its word: what it leads to is judged
    /// by [`admit`](Self::admit) whenever it is looked up.
    pub fn judge(&self, address: &Address) -> Result<(), Forbidden> {
        let (host, port) = match address.place() {
            Place::Host(host, port) => (host, port),
            Place::Unix(path) if self.holds(Path::new(path)) => return Ok(()),
            Place::Unix(_) => return Err(Forbidden::Socket),
        };
        match address.ip().or_else(|| loopback_name(host)) {
            Some(ip) => self.admit(SocketAddr::new(ip, port)),
            None if looks_numeric(host) => Err(Forbidden::Disguised),
            None => Ok(()),
        }
    }

    /// Whether a producer may be dialled there.
    pub fn admit(&self, address: SocketAddr) -> Result<(), Forbidden> {
        let ip = address.ip().to_canonical();
        if self.is_own(ip, address.port()) {
            return Err(Forbidden::Own);
        }
        if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Forbidden::NoMachine);
        }
        match self.allow.iter().any(|network| network.contains(ip)) {
            false if ip.is_loopback() => Err(Forbidden::Loopback),
            false if is_link_local(ip) => Err(Forbidden::LinkLocal),
            _ => Ok(()),
        }
    }

    /// Whether a path, which has no `..`, lies in a folder that is allowed.
    fn holds(&self, path: &Path) -> bool {
        self.unix.iter().any(|folder| path.starts_with(folder))
    }

    fn is_own(&self, ip: IpAddr, port: u16) -> bool {
        self.own.iter().filter(|own| own.port() == port).any(|own| {
            let listens = own.ip().to_canonical();
            // Who listens on every address listens on these.
            listens == ip || (listens.is_unspecified() && (ip.is_loopback() || ip.is_unspecified()))
        })
    }
}

/// `localhost` and all below it are loopback (RFC 6761).
fn loopback_name(host: &str) -> Option<IpAddr> {
    let last = host.rsplit('.').next()?;
    last.eq_ignore_ascii_case("localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// `127.1`, `0x7f.0.0.1`, `2130706433`: resolvers read them as addresses, and nobody writes them in good faith.
fn looks_numeric(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    last.bytes().all(|b| b.is_ascii_digit()) || hex.is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || is_v4_in_v6(v6),
    }
}

/// Ways to write an IPv4 address in IPv6 that `to_canonical` leaves alone: compatible, NAT64, 6to4.
fn is_v4_in_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    s[..6] == [0; 6] || s[..6] == [0x64, 0xff9b, 0, 0, 0, 0] || s[0] == 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rules: &EndpointRules, address: &str) -> Option<&'static str> {
        rules.judge(&Address::parse(address).unwrap()).err().map(|why| why.reason())
    }

    #[test]
    fn addresses_that_lead_back_to_the_broker_are_refused() {
        let rules = EndpointRules { own: vec!["10.0.0.9:7443".parse().unwrap()], ..EndpointRules::default() };
        for good in [
            "10.0.0.1:1",
            "10.0.0.9:7444",
            "ledger.svc:1",
            "[fd00::1]:1",
            "8.8.8.8:53",
            "localhost.example:1",
        ] {
            assert_eq!(judge(&rules, good), None, "{good}");
        }
        for bad in [
            "127.0.0.1:1",
            "127.9.9.9:1",
            "[::1]:1",
            "[::ffff:127.0.0.1]:1",
            "localhost:1",
            "a.LocalHost:1",
            "169.254.169.254:80",
            "[fe80::1]:1",
            "0.0.0.0:1",
            "[::]:1",
            "224.0.0.1:1",
            "[ff02::1]:1",
            "255.255.255.255:1",
            "[::7f00:1]:1",
            "[64:ff9b::7f00:1]:1",
            "[2002:7f00:1::]:1",
        ] {
            assert_eq!(judge(&rules, bad), Some("FORBIDDEN_ADDRESS"), "{bad}");
        }
        for trick in ["127.1:1", "2130706433:1", "0x7f.0.0.1:1", "0x7f000001:1", "127.0.0.01:1"] {
            assert_eq!(judge(&rules, trick), Some("INVALID_ADDRESS"), "{trick}");
        }
        assert_eq!(judge(&rules, "10.0.0.9:7443"), Some("OWN_ADDRESS"));
    }

    #[test]
    fn what_the_operator_allows_is_allowed_but_the_broker_itself_is_not() {
        let allow = vec![Network::parse("127.0.0.0/8").unwrap()];
        let rules =
            EndpointRules { allow, own: vec!["0.0.0.0:7443".parse().unwrap()], ..EndpointRules::default() };
        assert_eq!(judge(&rules, "127.0.0.1:50051"), None);
        assert_eq!(judge(&rules, "localhost:50051"), None);
        assert_eq!(judge(&rules, "[::1]:50051"), Some("FORBIDDEN_ADDRESS"));
        assert_eq!(judge(&rules, "127.0.0.1:7443"), Some("OWN_ADDRESS"));
    }

    #[test]
    fn a_socket_is_refused_but_in_a_folder_that_is_allowed() {
        let rules = EndpointRules { unix: vec!["/run/portolan".into()], ..EndpointRules::default() };
        assert_eq!(judge(&rules, "unix:/run/portolan/ledger.sock"), None);
        assert_eq!(judge(&rules, "unix:/run/portolan-else/ledger.sock"), Some("FORBIDDEN_ADDRESS"));
        assert_eq!(judge(&EndpointRules::default(), "unix:/run/docker.sock"), Some("FORBIDDEN_ADDRESS"));
    }
}
