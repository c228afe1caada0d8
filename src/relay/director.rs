//! Decides where a call goes: one snapshot, no waiting, no I/O.

use crate::access::{Caller, Denial, Permit, Policy};
use crate::catalog::{Claim, Offering, Snapshot};
use crate::model::{Endpoint, Freshness, PlatformName, Producer, Stage};
use jiff::Timestamp;
use std::sync::Arc;

/// The longest reason that is passed on for one producer, in characters: a status has to fit into headers.
const LONGEST_REASON: usize = 160;

/// How an endpoint looked when it was last probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It serves, or nobody has looked yet.
    Up,
    /// It cannot be reached.
    Unreachable {
        /// What the dialler said.
        why: String,
        /// Since when.
        since: Timestamp,
    },
    /// It answers that it does not serve.
    NotServing {
        /// Since when.
        since: Timestamp,
    },
}

/// Where a call may go, the best place first.
#[derive(Debug, Clone)]
pub struct Route {
    /// Proof that the caller may call it.
    pub permit: Permit,
    /// Endpoints to try in this order; the next only while nothing reached the one before. Never empty.
    pub targets: Vec<Target>,
}

/// One place that serves the call.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who serves there.
    pub producer: Arc<Producer>,
    /// Which of its endpoints.
    pub endpoint: usize,
}

/// Why a call goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody offers the service.
    #[error("no platform offers service {0}")]
    NoOwner(String),
    /// The owner does not let the caller in.
    #[error(transparent)]
    Denied(Denial),
    /// Every version of it is retired.
    #[error("every version of {service} at {platform} is retired")]
    Retired {
        /// What was called.
        service: String,
        /// Who owned it.
        platform: PlatformName,
    },
    /// The owner is known, and none of its producers can be reached.
    #[error("{service} is owned by {platform}, and none of its producers can be reached: {why}")]
    Unreachable {
        /// What was called.
        service: String,
        /// Who owns it.
        platform: PlatformName,
        /// Each producer with its reason.
        why: String,
        /// The producers, by resource name.
        producers: Vec<String>,
        /// Since when the first of them is gone.
        since: Option<Timestamp>,
    },
}

impl Target {
    /// The endpoint to dial.
    pub fn endpoint(&self) -> &Endpoint {
        &self.producer.endpoints[self.endpoint]
    }
}

/// Chooses the owner's newest stable healthy version that the caller may see, and its endpoints, the nearest first.
pub fn choose(
    snapshot: &Snapshot,
    policy: &Policy,
    caller: &Arc<Caller>,
    service: &str,
    locality: &str,
    standing: impl Fn(&Producer, &Endpoint) -> Standing,
) -> Result<Route, Refusal> {
    let no_owner = || Refusal::NoOwner(service.chars().take(255).collect());
    let claim = snapshot.service(service).and_then(|claims| claims.owner()).ok_or_else(no_owner)?;
    let mut last_resort: Option<Route> = None;
    let mut evidence = Evidence::default();
    let mut denial = None;
    for offering in &claim.offerings {
        if offering.version.stage == Stage::Retired {
            continue;
        }
        match policy.permit_call(caller, &offering.version) {
            Err(denied) => denial = denial.or(Some(denied)),
            Ok(permit) => {
                let (up, down) = sort_out(offering, &standing, &mut evidence);
                if !up.is_empty() {
                    return Ok(Route { permit, targets: nearest_first(up, locality) });
                }
                if last_resort.is_none() && !down.is_empty() {
                    last_resort = Some(Route { permit, targets: nearest_first(down, locality) });
                }
            }
        }
    }
    // The prober may be behind the times: what nobody could reach a moment ago is tried before giving up.
    last_resort.ok_or_else(|| refusal(claim, service, denial, evidence))
}

#[derive(Default)]
struct Evidence {
    why: Vec<String>,
    producers: Vec<String>,
    since: Option<Timestamp>,
}

impl Evidence {
    fn add(&mut self, producer: &Producer, why: impl std::fmt::Display, since: Timestamp) {
        // A caller learns which producers; a thousand of them would not be read.
        if self.why.len() < 8 {
            let why: String = why.to_string().chars().take(LONGEST_REASON).collect();
            self.why.push(format!("{}: {why} since {since:.0}", producer.name));
            self.producers.push(producer.name.to_string());
        }
        self.since = Some(self.since.map_or(since, |earlier| earlier.min(since)));
    }
}

fn refusal(claim: &Claim, service: &str, denial: Option<Denial>, evidence: Evidence) -> Refusal {
    let (service, platform) = (service.to_owned(), claim.platform.clone());
    match denial {
        Some(denial) if evidence.why.is_empty() => Refusal::Denied(denial),
        _ if evidence.why.is_empty() => Refusal::Retired { service, platform },
        _ => Refusal::Unreachable {
            service,
            platform,
            why: evidence.why.join("; "),
            producers: evidence.producers,
            since: evidence.since,
        },
    }
}

/// The endpoints that are up, and those that could not be reached.
fn sort_out(
    offering: &Offering,
    standing: &impl Fn(&Producer, &Endpoint) -> Standing,
    evidence: &mut Evidence,
) -> (Vec<Target>, Vec<Target>) {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for producer in &offering.producers {
        if !producer.freshness.is_routable() {
            let word = if producer.freshness == Freshness::Expired { "lease expired" } else { "partitioned" };
            evidence.add(producer, word, producer.lease_expires.unwrap_or(producer.updated));
            continue;
        }
        for (endpoint, at) in producer.endpoints.iter().enumerate() {
            let target = Target { producer: producer.clone(), endpoint };
            match standing(producer, at) {
                Standing::Up => up.push(target),
                Standing::Unreachable { why, since } => {
                    evidence.add(producer, format_args!("{} cannot be reached: {why}", at.address), since);
                    down.push(target);
                }
                Standing::NotServing { since } => {
                    evidence.add(producer, format_args!("{} says NOT_SERVING", at.address), since);
                }
            }
        }
    }
    (up, down)
}

/// Orders by locality, and within one locality at random by weight.
fn nearest_first(mut targets: Vec<Target>, locality: &str) -> Vec<Target> {
    if targets.len() < 2 {
        return targets;
    }
    // Weighted order without replacement: the smallest -ln(u)/w comes first (Efraimidis and Spirakis 2006).
    let mut keyed: Vec<_> = targets
        .drain(..)
        .map(|target| {
            let endpoint = target.endpoint();
            let far = distance(locality, &endpoint.locality);
            let draw = -(fastrand::f64().max(f64::MIN_POSITIVE).ln()) / f64::from(endpoint.weight.max(1));
            (far, draw, target)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    keyed.into_iter().map(|(_, _, target)| target).collect()
}

/// How many steps of `region/zone/…` two places do not share, seen from `here`.
fn distance(here: &str, there: &str) -> usize {
    if here == there {
        return 0;
    }
    let steps = |place| str::split(place, '/').filter(|step| !step.is_empty());
    let shared = steps(here).zip(steps(there)).take_while(|(a, b)| a == b).count();
    steps(here).count() - shared
}

#[cfg(test)]
mod tests;
