//! What a registration may ask for, and how much of it.

use crate::descriptors::Limits;
use crate::model::{Address, Network, TrustDomain, Violation};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// What the operator decides about registrations.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long registrations hold.
    pub terms: Terms,
    /// How much a platform may register.
    pub quota: Quota,
    /// Which addresses may be registered.
    pub endpoints: EndpointRules,
    /// How much of a descriptor set is taken.
    pub descriptors: Limits,
    /// The trust domains that the broker can verify; no other can own a platform.
    pub trust_domains: BTreeSet<TrustDomain>,
    /// Whether a directory of manifests is watched; what it declares cannot be changed by request.
    pub is_folder_watched: bool,
}

/// How long registrations hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// For a producer that asks for none.
    pub default: Duration,
    /// The shortest that is granted.
    pub shortest: Duration,
    /// The longest that is granted.
    pub longest: Duration,
    /// How long an unrenewed producer is still routed to, as STALE.
    pub grace: Duration,
}

/// How much a platform may register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Producers of a platform. When all are taken, the one that expired first gives way.
    pub producers: usize,
    /// Endpoints of a producer.
    pub endpoints: usize,
    /// Versions of a producer.
    pub versions: usize,
    /// Services of a version.
    pub services: usize,
    /// Services of all versions of a producer together.
    pub services_in_all: usize,
    /// Bytes of descriptor sets of a platform.
    pub descriptor_bytes: usize,
    /// Contracts of a platform that are remembered: all that were ever taken, so that none changes.
    pub contracts: usize,
    /// Capabilities, versions and producers of a platform that manifests declare.
    pub declared: usize,
    /// Bytes of service names and parameter schemas of the contracts of a platform that are remembered.
    pub contract_bytes: usize,
    /// Registrations of one identity in a second; renewals may be ten times as many.
    pub registrations_per_second: u32,
}

/// Which addresses may be registered.
#[derive(Debug, Clone, Default)]
pub struct EndpointRules {
    /// Networks that are allowed although they are loopback or link-local.
    pub allow: Vec<Network>,
    /// Where this broker listens: never an endpoint of a producer.
    pub own: Vec<SocketAddr>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            default: Duration::from_secs(30),
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(600),
            grace: Duration::from_secs(60),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            producers: 1_000,
            endpoints: 64,
            versions: 1_000,
            services: 100,
            services_in_all: 5_000,
            descriptor_bytes: 256 << 20,
            contracts: 20_000,
            declared: 25_000,
            contract_bytes: 64 << 20,
            registrations_per_second: 50,
        }
    }
}

impl EndpointRules {
    /// Whether a producer may say that it listens there (attacks.md, "Endpoint injection").
    pub(super) fn judge(&self, path: &str, address: &Address) -> Result<(), Violation> {
        let refused = |reason, why: &str| {
            let message = format!(
                "{address} {why}; register the address that other machines use, or let the operator allow the \
                 network in endpoints.allow"
            );
            Err(Violation::new(path, reason, message))
        };
        let Some(ip) = address.ip().map(|ip| ip.to_canonical()).or_else(|| loopback_name(address.host()))
        else {
            if looks_numeric(address.host()) {
                return refused(
                    "INVALID_ADDRESS",
                    "is neither an IP address nor a name, but resolves as one",
                );
            }
            return Ok(());
        };
        if self.is_own(ip, address.port()) {
            return Err(Violation::new(path, "OWN_ADDRESS", format!("{address} is this broker itself")));
        }
        if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
            return Err(Violation::new(path, "FORBIDDEN_ADDRESS", format!("{address} is no single machine")));
        }
        if !self.allow.iter().any(|network| network.contains(ip)) {
            if ip.is_loopback() {
                return refused("FORBIDDEN_ADDRESS", "is loopback, which is the broker's own machine");
            }
            if is_link_local(ip) {
                return refused("FORBIDDEN_ADDRESS", "is link-local");
            }
        }
        Ok(())
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
        rules.judge("x", &Address::parse(address).unwrap()).err().map(|v| v.reason)
    }

    #[test]
    fn addresses_that_lead_back_to_the_broker_are_refused() {
        let rules = EndpointRules { allow: vec![], own: vec!["10.0.0.9:7443".parse().unwrap()] };
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
        let rules = EndpointRules { allow, own: vec!["0.0.0.0:7443".parse().unwrap()] };
        assert_eq!(judge(&rules, "127.0.0.1:50051"), None);
        assert_eq!(judge(&rules, "localhost:50051"), None);
        assert_eq!(judge(&rules, "[::1]:50051"), Some("FORBIDDEN_ADDRESS"));
        assert_eq!(judge(&rules, "127.0.0.1:7443"), Some("OWN_ADDRESS"));
    }
}
