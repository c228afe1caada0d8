//! Ranges of IP addresses (CIDR, RFC 4632).

use std::fmt;
use std::net::IpAddr;

/// A range of IP addresses: `127.0.0.0/8`, `fd00::/8`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// The text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network: write address/prefix without host bits, such as 127.0.0.0/8 or ::1/128")]
pub struct ParseNetworkError(String);

impl Network {
    /// Reads `address/prefix`; a bare address is the range that holds it alone.
    pub fn parse(text: &str) -> Result<Self, ParseNetworkError> {
        let wrong = || ParseNetworkError(text.chars().take(80).collect());
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let width = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        let network = Self { base, prefix };
        let exact = prefix <= width && bits(base) == bits(base) & network.mask();
        exact.then_some(network).ok_or_else(wrong)
    }

    /// Whether `address` is in the range; an IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && bits(address) & self.mask() == bits(self.base)
    }

    /// The bits that must agree; IPv4 stands in the highest 32.
    fn mask(&self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0)
    }
}

/// The address as one number, its first bit the highest.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_own_and_no_other() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("127.0.0.0/8", "127.9.9.9"));
        assert!(holds("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(!holds("127.0.0.0/8", "128.0.0.1"));
        assert!(!holds("127.0.0.0/8", "7f00::"));
        assert!(holds("::1", "::1"));
        assert!(!holds("::1", "::2"));
        assert!(holds("0.0.0.0/0", "10.0.0.1"));
        assert!(holds("fd00::/8", "fdff::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "127.0.0.1/8", "127.0.0.0/33", "x/8", "::/129", "127.0.0.0/", "127.0.0.0/-1"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(Network::parse("10.0.0.0/8").unwrap().to_string(), "10.0.0.0/8");
    }
}
