//! A ring of hashes: the same key finds the same endpoint while it is there, at every worker and every broker alike.

use crate::model::Endpoint;
use http::HeaderMap;

/// Points of all endpoints together, as far as few and many endpoints allow.
const POINTS: usize = 4096;
/// Fewer points of one endpoint would share keys too unevenly, more would only cost.
const OF_ONE: (usize, usize) = (4, 160);

/// A ring of hashes (Karger et al. 1997): of `n` endpoints the keys of one move when it goes, and come back with it.
#[derive(Debug)]
pub(super) struct Ring(Vec<(u64, u32)>);

impl Ring {
    /// A ring on which each endpoint has points by its weight.
    pub(super) fn of<'a>(endpoints: impl ExactSizeIterator<Item = &'a Endpoint>, mean: u32) -> Self {
        let usual = (POINTS / endpoints.len().max(1)).clamp(OF_ONE.0, OF_ONE.1);
        let mut points = Vec::with_capacity(usual * endpoints.len());
        for (index, endpoint) in endpoints.enumerate() {
            let own = usual * usize::from(endpoint.weight.max(1)) / mean.max(1) as usize;
            let seed = hash(endpoint.address.to_string().as_bytes());
            points.extend((0..own.clamp(1, 8 * usual)).map(|nth| (mixed(seed, nth as u64), index as u32)));
        }
        points.sort_unstable();
        Self(points)
    }

    /// Endpoints as they follow a key; each may come several times.
    pub(super) fn from(&self, key: u64) -> impl Iterator<Item = usize> {
        let begin = self.0.partition_point(|(point, _)| *point < key);
        let (before, after) = self.0.split_at(begin);
        after.iter().chain(before).map(|(_, index)| *index as usize)
    }
}

/// The hash of a call's key: of the first value of that name, as it was sent. Empty values are none.
pub(super) fn key(metadata: &HeaderMap, name: &str) -> Option<u64> {
    let value = metadata.get(name)?.as_bytes();
    (!value.is_empty()).then(|| mixed(hash(value), 0))
}

/// FNV-1a, 64 bits: the same everywhere and for ever, which the hashes of the standard library are not.
fn hash(bytes: &[u8]) -> u64 {
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, fold)
}

/// SplitMix64's finalizer over both.
fn mixed(seed: u64, nth: u64) -> u64 {
    let mut x = seed.wrapping_add((nth + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Address;

    fn endpoints(count: usize) -> Vec<Endpoint> {
        let address = |n| Address::parse(&format!("10.0.0.{n}:443")).unwrap();
        (0..count).map(|n| Endpoint { address: address(n), locality: "".into(), weight: 1 }).collect()
    }

    fn owner(ring: &Ring, key: u64) -> usize {
        ring.from(mixed(key, 0)).next().unwrap()
    }

    #[test]
    fn keys_are_shared_about_evenly_and_by_weight() {
        let mut five = endpoints(5);
        five[4].weight = 6;
        let ring = Ring::of(five.iter(), 2);
        let mut share = [0usize; 5];
        (0..10_000).for_each(|key| share[owner(&ring, key)] += 1);
        assert!(share[..4].iter().all(|n| (700..1400).contains(n)), "{share:?}");
        assert!((5000..7000).contains(&share[4]), "{share:?}");
    }

    #[test]
    fn only_the_keys_of_the_one_that_left_move() {
        let all = endpoints(6);
        let (before, after) = (Ring::of(all.iter(), 1), Ring::of(all[..5].iter(), 1));
        for key in 0..5000 {
            let old = owner(&before, key);
            assert!(old == 5 || old == owner(&after, key), "{key}");
        }
    }

    #[test]
    fn a_key_is_what_was_sent_and_nothing_is_none() {
        let headers: HeaderMap = [("session", "abc"), ("empty", "")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect();
        assert!(key(&headers, "session").is_some());
        assert_eq!(key(&headers, "session"), key(&headers, "session"));
        assert_eq!((key(&headers, "empty"), key(&headers, "other")), (None, None));
    }
}
