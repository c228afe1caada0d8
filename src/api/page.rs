//! Pages of a list (AIP-158): a token says after which name to go on, signed for one query of one caller.

use super::fault::Fault;
use crate::access::Caller;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use std::sync::LazyLock;

const DEFAULT_SIZE: usize = 50;
const LARGEST_SIZE: usize = 1000;
/// How long a signature is.
const SEAL: usize = 32;
/// No name of ours is longer; what is longer is not looked at.
const LONGEST_TOKEN: usize = 2048;

/// Signs the tokens of this process, so that each of them ends with it. What a token names is not secret: its caller
/// has just read it.
static KEY: LazyLock<hmac::Key> = LazyLock::new(|| {
    let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
    key.expect("the TLS session that a caller came through took its random numbers from the same source")
});

/// Where a page begins, and how long it is at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The last name of the page before; `None` at the beginning.
    pub(super) after: Option<String>,
    /// The moment that the list is pinned to; `None` at the beginning, or where lists are not pinned.
    pub(super) pin: Option<u64>,
    /// At most so many items.
    pub(super) size: usize,
}

impl Page {
    /// Reads what the caller asks for. `query` is the method with all else that it filters by.
    pub(super) fn parse(size: i32, token: &str, query: &str, caller: &Caller) -> Result<Self, Fault> {
        let wrong = || Fault::invalid("INVALID_PAGE_SIZE", "page_size must not be negative");
        let size = match usize::try_from(size).map_err(|_| wrong())? {
            0 => DEFAULT_SIZE,
            size => size.min(LARGEST_SIZE),
        };
        if token.is_empty() {
            return Ok(Self { after: None, pin: None, size });
        }
        let (pin, after) = open(token, query, caller).ok_or_else(|| {
            let message =
                "page_token is not one that this broker, since it started, gave to you for this query";
            Fault::invalid("INVALID_PAGE_TOKEN", message)
        })?;
        Ok(Self { after: Some(after), pin: Some(pin).filter(|pin| *pin != 0), size })
    }
}

/// The token that goes on after `last`.
pub(super) fn token(last: &str, query: &str, caller: &Caller) -> String {
    pinned_token(0, last, query, caller)
}

/// The token that goes on after `last` in the moment that `pin` names; 0 is whatever moment it is then.
pub(super) fn pinned_token(pin: u64, last: &str, query: &str, caller: &Caller) -> String {
    let pin = pin.to_be_bytes();
    let seal = hmac::sign(&KEY, &signed(&pin, last, query, caller));
    BASE64.encode([seal.as_ref(), &pin, last.as_bytes()].concat())
}

fn open(token: &str, query: &str, caller: &Caller) -> Option<(u64, String)> {
    let token = Some(token).filter(|token| token.len() <= LONGEST_TOKEN)?;
    let bytes = BASE64.decode(token).ok()?;
    let (seal, rest) = bytes.split_at_checked(SEAL)?;
    let (pin, last) = rest.split_first_chunk()?;
    let last = std::str::from_utf8(last).ok()?;
    hmac::verify(&KEY, &signed(pin, last, query, caller), seal).ok()?;
    Some((u64::from_be_bytes(*pin), last.to_owned()))
}

/// What a signature stands for. Each part is led by its length, so that none can pass for another.
fn signed(pin: &[u8; 8], last: &str, query: &str, caller: &Caller) -> Vec<u8> {
    let identity = caller.identity.to_string();
    let domain = caller.identity.trust_domain.as_str();
    let mut signed = pin.to_vec();
    for part in [last, query, &identity, domain] {
        signed.extend_from_slice(&(part.len() as u64).to_be_bytes());
        signed.extend_from_slice(part.as_bytes());
    }
    signed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Policy;
    use crate::model::Identity;

    fn caller(id: &str) -> Caller {
        Policy::default().caller(Identity::parse_spiffe(id).unwrap())
    }

    #[test]
    fn a_token_goes_on_for_its_own_query_and_caller_only() {
        let (a, b) = (caller("spiffe://a.example/x"), caller("spiffe://b.example/x"));
        let token = pinned_token(9, "platforms/p", "ListPlatforms", &a);
        let page = Page::parse(7, &token, "ListPlatforms", &a).unwrap();
        assert_eq!(page, Page { after: Some("platforms/p".into()), pin: Some(9), size: 7 });
        assert!(Page::parse(7, &token, "ListProducers", &a).is_err());
        assert!(Page::parse(7, &token, "ListPlatforms", &b).is_err());
        for bad in ["x", "!!", "AAAA", &"A".repeat(4000), &format!("{token}AAAA")] {
            assert!(Page::parse(7, bad, "ListPlatforms", &a).is_err(), "{bad:.20}");
        }
        let bytes = BASE64.decode(&token).unwrap();
        for place in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[place] ^= 1;
            assert!(Page::parse(7, &BASE64.encode(forged), "ListPlatforms", &a).is_err(), "{place}");
        }
    }

    #[test]
    fn a_token_of_another_process_is_refused() {
        let caller = caller("spiffe://a.example/x");
        let other = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).unwrap();
        let (pin, last) = ([0; 8], "platforms/p");
        let seal = hmac::sign(&other, &signed(&pin, last, "q", &caller));
        let token = BASE64.encode([seal.as_ref(), &pin, last.as_bytes()].concat());
        assert!(Page::parse(7, &token, "q", &caller).is_err());
    }

    #[test]
    fn a_page_has_a_bounded_size() {
        let size = |n| Page::parse(n, "", "q", &caller("spiffe://a.example/x")).map(|page| page.size);
        assert_eq!([size(0).unwrap(), size(3).unwrap(), size(i32::MAX).unwrap()], [50, 3, 1000]);
        assert!(size(-1).is_err());
    }
}
