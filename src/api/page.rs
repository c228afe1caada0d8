//! Pages of a list (AIP-158): a token says after which name to go on, and holds for one query of one caller.

use super::fault::Fault;
use crate::access::Caller;
use crate::model::Digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;

const DEFAULT_SIZE: usize = 50;
const LARGEST_SIZE: usize = 1000;
/// How much of the digest a token carries.
const SEAL: usize = 16;
/// No name of ours is longer; what is longer is not looked at.
const LONGEST_TOKEN: usize = 2048;

/// Where a page begins, and how long it is at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// The last name of the page before; `None` at the beginning.
    pub(super) after: Option<String>,
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
            return Ok(Self { after: None, size });
        }
        let wrong = || {
            let message = "page_token is not one that this broker gave to you for this query";
            Fault::invalid("INVALID_PAGE_TOKEN", message)
        };
        let token = Some(token).filter(|token| token.len() <= LONGEST_TOKEN).ok_or_else(wrong)?;
        let bytes = BASE64.decode(token).map_err(|_| wrong())?;
        let (sealed, name) = bytes.split_at_checked(SEAL).ok_or_else(wrong)?;
        let name = std::str::from_utf8(name).map_err(|_| wrong())?;
        if sealed != seal(name, query, caller) {
            return Err(wrong());
        }
        Ok(Self { after: Some(name.to_owned()), size })
    }
}

/// The token that goes on after `last`.
pub(super) fn token(last: &str, query: &str, caller: &Caller) -> String {
    let mut bytes = seal(last, query, caller).to_vec();
    bytes.extend_from_slice(last.as_bytes());
    BASE64.encode(bytes)
}

/// Ties a name to a query and a caller. It guards against mistakes, not against the caller: whatever the token says,
/// each page shows only what its caller may see.
fn seal(last: &str, query: &str, caller: &Caller) -> [u8; SEAL] {
    let identity = caller.identity.to_string();
    let domain = caller.identity.trust_domain.as_str();
    let parts = [last, query, identity.as_str(), domain];
    let digest = Digest::of_parts(parts.iter().map(|part| part.as_bytes()));
    let mut seal = [0; SEAL];
    seal.copy_from_slice(&digest.as_bytes()[..SEAL]);
    seal
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
        let token = token("platforms/p", "ListPlatforms", &a);
        let page = Page::parse(7, &token, "ListPlatforms", &a).unwrap();
        assert_eq!(page, Page { after: Some("platforms/p".into()), size: 7 });
        assert!(Page::parse(7, &token, "ListProducers", &a).is_err());
        assert!(Page::parse(7, &token, "ListPlatforms", &b).is_err());
        let mut forged = BASE64.decode(&token).unwrap();
        *forged.last_mut().unwrap() ^= 1;
        for bad in ["x", "!!", "AAAA", &"A".repeat(4000), &BASE64.encode(forged)] {
            assert!(Page::parse(7, bad, "ListPlatforms", &a).is_err(), "{bad:.20}");
        }
    }

    #[test]
    fn a_page_has_a_bounded_size() {
        let size = |n| Page::parse(n, "", "q", &caller("spiffe://a.example/x")).map(|page| page.size);
        assert_eq!([size(0).unwrap(), size(3).unwrap(), size(i32::MAX).unwrap()], [50, 3, 1000]);
        assert!(size(-1).is_err());
    }
}
