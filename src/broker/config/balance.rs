//! How calls are shared among the endpoints of a version, who is left out, and how much one endpoint carries.

use super::reader::Table;
use super::schema;
use crate::uplink;
use schemars::JsonSchema;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// How calls are shared among the endpoints that serve a version.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Balance {
    /// In this time what is known of an endpoint's latency fades to a third when nothing is heard of it.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "10s"))]
    pub decay: Duration,
    /// For so long an endpoint that is new, or back, takes less than its share, growing; `0s`: at once the whole.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "10s"))]
    pub slow_start: Duration,
    /// So many times a healthy endpoint may carry its share before a nearer locality overflows into the next, in per cent.
    #[schemars(default, range(min = 100, max = 1000), extend("default" = 140))]
    pub overprovisioning: u16,
}

/// When an endpoint is left out for a time.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Outliers {
    /// Failures in a row at one worker that eject at once; 0 never.
    #[schemars(default, range(max = 1000), extend("default" = 5))]
    pub consecutive_failures: u32,
    /// From one comparison of success rate and latency to the next.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5s"))]
    pub interval: Duration,
    /// The first ejection lasts as long; each further one as much longer.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "15s"))]
    pub base_ejection: Duration,
    /// The longest ejection.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5m"))]
    pub max_ejection: Duration,
    /// At most this share of a version's endpoints is ejected, in per cent; one of several always may, the last never. 0: nobody is ejected.
    #[schemars(default, range(max = 100), extend("default" = 50))]
    pub max_share: u8,
    /// At least so many endpoints are compared with each other.
    #[schemars(default, range(min = 2, max = 1000), extend("default" = 3))]
    pub minimum_hosts: usize,
    /// At least so many calls in one interval make an endpoint comparable.
    #[schemars(default, range(min = 1, max = 1_000_000), extend("default" = 20))]
    pub minimum_requests: u64,
    /// So many points of success rate below the others, in per cent, are too many; 0: success rates are not compared.
    #[schemars(default, range(max = 100), extend("default" = 20))]
    pub success_gap: u8,
    /// So many times the latency of the others is too much; 0: latencies are not compared.
    #[schemars(default, range(max = 1000), extend("default" = 5))]
    pub latency_factor: u32,
}

/// How much one endpoint carries, all workers together.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Breaker {
    /// Connections to it.
    #[schemars(default, range(min = 1, max = 100_000), extend("default" = 1024))]
    pub connections: usize,
    /// Calls under way there.
    #[schemars(default, range(min = 1, max = 10_000_000), extend("default" = 10_000))]
    pub concurrent: usize,
    /// Calls under way there that are repeated.
    #[schemars(default, range(max = 10_000_000), extend("default" = 256))]
    pub retries: usize,
    /// Calls that wait for a place there.
    #[schemars(default, range(max = 10_000_000), extend("default" = 1024))]
    pub pending: usize,
    /// How long a call waits for a place; then it is UNAVAILABLE.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "1s"))]
    pub pending_timeout: Duration,
}

impl Default for Balance {
    fn default() -> Self {
        let uplink::Balance { decay, slow_start, overprovisioning } = uplink::Balance::default();
        Self { decay, slow_start, overprovisioning }
    }
}

impl Default for Outliers {
    fn default() -> Self {
        let or = uplink::Outliers::default();
        Self {
            consecutive_failures: or.consecutive_failures,
            interval: or.interval,
            base_ejection: or.base_ejection,
            max_ejection: or.max_ejection,
            max_share: or.max_share,
            minimum_hosts: or.minimum_hosts,
            minimum_requests: or.minimum_requests,
            success_gap: or.success_gap,
            latency_factor: or.latency_factor,
        }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        let uplink::Breaker { connections, pending, pending_timeout, concurrent, retries } =
            uplink::Breaker::default();
        Self { connections, concurrent, retries, pending, pending_timeout }
    }
}

/// All three as the outbound edge knows them.
pub(in crate::broker) fn rules(balance: &Balance, outliers: &Outliers, breaker: &Breaker) -> uplink::Rules {
    let Balance { decay, slow_start, overprovisioning } = *balance;
    uplink::Rules {
        balance: uplink::Balance { decay, slow_start, overprovisioning },
        outliers: uplink::Outliers {
            consecutive_failures: outliers.consecutive_failures,
            interval: outliers.interval,
            base_ejection: outliers.base_ejection,
            max_ejection: outliers.max_ejection,
            max_share: outliers.max_share,
            minimum_hosts: outliers.minimum_hosts,
            minimum_requests: outliers.minimum_requests,
            success_gap: outliers.success_gap,
            latency_factor: outliers.latency_factor,
        },
        breaker: uplink::Breaker {
            connections: breaker.connections,
            pending: breaker.pending,
            pending_timeout: breaker.pending_timeout,
            concurrent: breaker.concurrent,
            retries: breaker.retries,
        },
    }
}

pub(super) fn balance(table: &Table<'_>) -> Option<Balance> {
    let or = Balance::default();
    let decay = table.get("decay").map_or(Some(or.decay), |field| field.duration(100 * MS..=HOUR));
    let slow_start =
        table.get("slow_start").map_or(Some(or.slow_start), |field| field.duration(Duration::ZERO..=HOUR));
    let overprovisioning = whole(table, "overprovisioning", i64::from(or.overprovisioning), 100, 1000);
    Some(Balance { decay: decay?, slow_start: slow_start?, overprovisioning: overprovisioning? as u16 })
}

pub(super) fn outliers(table: &Table<'_>) -> Option<Outliers> {
    let or = Outliers::default();
    let wait = |name, or| table.get(name).map_or(Some(or), |field| field.duration(100 * MS..=24 * HOUR));
    let consecutive_failures = whole(table, "consecutive_failures", or.consecutive_failures.into(), 0, 1000);
    let interval = wait("interval", or.interval);
    let (base_ejection, max_ejection) =
        (wait("base_ejection", or.base_ejection), wait("max_ejection", or.max_ejection));
    let max_share = whole(table, "max_share", or.max_share.into(), 0, 100);
    let minimum_hosts = whole(table, "minimum_hosts", or.minimum_hosts as i64, 2, 1000);
    let minimum_requests = whole(table, "minimum_requests", or.minimum_requests as i64, 1, 1_000_000);
    let success_gap = whole(table, "success_gap", or.success_gap.into(), 0, 100);
    let latency_factor = whole(table, "latency_factor", or.latency_factor.into(), 0, 1000);
    let outliers = Outliers {
        consecutive_failures: consecutive_failures? as u32,
        interval: interval?,
        base_ejection: base_ejection?,
        max_ejection: max_ejection?,
        max_share: max_share? as u8,
        minimum_hosts: minimum_hosts? as usize,
        minimum_requests: minimum_requests? as u64,
        success_gap: success_gap? as u8,
        latency_factor: latency_factor? as u32,
    };
    if outliers.base_ejection > outliers.max_ejection {
        table.fault("the first ejection is longer than the longest", "choose base_ejection ≤ max_ejection");
        return None;
    }
    Some(outliers)
}

pub(super) fn breaker(table: &Table<'_>) -> Option<Breaker> {
    let or = Breaker::default();
    const MOST: i64 = 10_000_000;
    let connections = whole(table, "connections", or.connections as i64, 1, 100_000);
    let concurrent = whole(table, "concurrent", or.concurrent as i64, 1, MOST);
    let retries = whole(table, "retries", or.retries as i64, 0, MOST);
    let pending = whole(table, "pending", or.pending as i64, 0, MOST);
    let pending_timeout = table
        .get("pending_timeout")
        .map_or(Some(or.pending_timeout), |field| field.duration(MS..=60 * SECOND));
    Some(Breaker {
        connections: connections? as usize,
        concurrent: concurrent? as usize,
        retries: retries? as usize,
        pending: pending? as usize,
        pending_timeout: pending_timeout?,
    })
}

fn whole(table: &Table<'_>, name: &'static str, or: i64, least: i64, most: i64) -> Option<i64> {
    table.get(name).map_or(Some(or), |field| field.whole(least..=most))
}
