//! How calls are shared among the endpoints of a version, when one of them is left out, and how much one may carry.

use std::time::Duration;

/// How endpoints are treated for what calls have shown of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rules {
    /// How calls are shared.
    pub balance: Balance,
    /// Who is left out for a time.
    pub outliers: Outliers,
    /// How much one endpoint may carry.
    pub breaker: Breaker,
}

/// How calls are shared among the endpoints that serve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balance {
    /// In this time an estimate fades to a third when nothing is heard of an endpoint.
    pub decay: Duration,
    /// For so long an endpoint that is new, or back, takes less than its share, growing; zero: at once the whole.
    pub slow_start: Duration,
    /// So many times a healthy endpoint may carry its share before a nearer locality overflows into the next, in per
    /// cent (Envoy's overprovisioning factor).
    pub overprovisioning: u16,
}

/// When an endpoint is left out for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outliers {
    /// Failures in a row at one worker that eject at once; 0 never.
    pub consecutive_failures: u32,
    /// From one comparison of success rate and latency to the next.
    pub interval: Duration,
    /// The first ejection lasts as long; each further one as much longer.
    pub base_ejection: Duration,
    /// The longest ejection.
    pub max_ejection: Duration,
    /// At most this share of a version's endpoints is ejected, in per cent; never the last.
    pub max_share: u8,
    /// At least so many endpoints are compared with each other.
    pub minimum_hosts: usize,
    /// At least so many calls in one interval make an endpoint comparable.
    pub minimum_requests: u64,
    /// So many points of success rate below the others, in per cent, are too many; 0 never ejects.
    pub success_gap: u8,
    /// So many times the latency of the others is too much; 0 never ejects.
    pub latency_factor: u32,
}

/// How much one endpoint may carry, all workers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Breaker {
    /// Connections to it.
    pub connections: usize,
    /// Calls that wait for a place there.
    pub pending: usize,
    /// How long a call waits for a place.
    pub pending_timeout: Duration,
    /// Calls under way there.
    pub concurrent: usize,
    /// Calls under way there that are repeated.
    pub retries: usize,
}

impl Default for Balance {
    fn default() -> Self {
        Self { decay: Duration::from_secs(10), slow_start: Duration::from_secs(10), overprovisioning: 140 }
    }
}

impl Default for Outliers {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            interval: Duration::from_secs(5),
            base_ejection: Duration::from_secs(15),
            max_ejection: Duration::from_secs(300),
            max_share: 50,
            minimum_hosts: 3,
            minimum_requests: 20,
            success_gap: 20,
            latency_factor: 5,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            connections: 1024,
            pending: 1024,
            pending_timeout: Duration::from_secs(1),
            concurrent: 10_000,
            retries: 256,
        }
    }
}
