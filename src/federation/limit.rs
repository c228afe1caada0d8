//! How often one identity may ask: a bucket of tokens for each.

use super::Error;
use crate::model::Identity;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// What a registration costs: it is screened, written and published.
pub(super) const REGISTRATION: f64 = 10.0;
/// What a renewal costs.
pub(super) const RENEWAL: f64 = 1.0;
/// Buckets kept; full ones are forgotten first.
const IDENTITIES: usize = 10_000;
/// A bucket holds so many seconds' worth.
const BURST_SECONDS: f64 = 4.0;

/// Buckets by identity.
pub(super) struct Limiter {
    per_second: f64,
    buckets: Mutex<HashMap<Identity, Bucket>>,
}

struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limiter {
    /// Room for so many registrations of one identity in a second, and ten times as many renewals.
    pub(super) fn new(registrations_per_second: u32) -> Self {
        let per_second = f64::from(registrations_per_second) * REGISTRATION;
        Self { per_second, buckets: Mutex::default() }
    }

    /// Pays, or says that it is too often.
    pub(super) fn take(&self, who: &Identity, cost: f64) -> Result<(), Error> {
        let now = Instant::now();
        let full = self.per_second * BURST_SECONDS;
        let level = |bucket: &Bucket| {
            let since = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.tokens + since * self.per_second).min(full)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let tokens = buckets.get(who).map_or(full, level);
        if tokens < cost {
            return Err(Error::TooOften);
        }
        if buckets.len() >= IDENTITIES && !buckets.contains_key(who) {
            buckets.retain(|_, bucket| level(bucket) < full);
            if buckets.len() >= IDENTITIES {
                return Err(Error::TooOften);
            }
        }
        buckets.insert(who.clone(), Bucket { tokens: tokens - cost, at: now });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn an_identity_that_asks_too_often_waits_and_others_do_not() {
        let [one, other] =
            ["spiffe://a.example/1", "spiffe://a.example/2"].map(|id| Identity::parse_spiffe(id).unwrap());
        let limiter = Limiter::new(2);
        let granted = |who| (0..100).filter(|_| limiter.take(who, REGISTRATION).is_ok()).count();
        assert_eq!(granted(&one), 8);
        assert_eq!(granted(&other), 8);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(granted(&one), 2);
    }
}
