//! Walks the catalogue and folds what was seen into one [`Federation`]: pure, and cheap where nothing changed.
//!
//! An endpoint, by the last look at it:
//!
//! | last look                     | state                | reason              |
//! |-------------------------------|----------------------|---------------------|
//! | never                         | UNKNOWN              | `NOT_OBSERVED`      |
//! | longer ago than is believed   | UNKNOWN              | `OBSERVATION_STALE` |
//! | else                          | what it saw          | the look's own      |
//! | SERVING, and calls leave it out for a time | DEGRADED | `EJECTED`          |
//!
//! A producer, by its record and the fold of its endpoints (see `rule`):
//!
//! | record      | endpoints | state       | reason                                          |
//! |-------------|-----------|-------------|-------------------------------------------------|
//! | EXPIRED     | any       | NOT_SERVING | `LEASE_EXPIRED`                                 |
//! | PARTITIONED | any       | UNKNOWN     | `ORIGIN_PARTITIONED`                            |
//! | STALE       | SERVING   | DEGRADED    | `LEASE_STALE`: stale knowledge is never "ready" |
//! | STALE, LIVE | else      | theirs      | theirs                                          |
//!
//! A version is the fold of its producers; where an endpoint tells its services apart, those of the version count. A
//! retired version is NOT_SERVING, `RETIRED`.

use super::dependency;
use super::federation::{self, CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
use super::rule::{self, Part};
use crate::catalog::{CapabilityEntry, Offering, PlatformEntry, Snapshot};
use crate::model::{
    CapabilityName, Condition, Endpoint, Freshness, Producer, ProducerId, ServiceName, Stage, State,
};
use crate::uplink::{Observation, Seen};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The fold of `catalog` with what was `seen` of each endpoint; looks older than `believed` are stale.
pub fn fold(
    catalog: &Arc<Snapshot>,
    seen: &Seen,
    believed: SignedDuration,
    previous: Option<&Federation>,
    now: Timestamp,
) -> Federation {
    let mut walk = Walk { seen, believed, now, changed: previous.is_none() };
    let platforms = catalog.platforms().map(|entry| {
        let name = &entry.platform.name;
        let old = previous.and_then(|previous| {
            let old_entry = previous.catalog.platform(name.as_str())?;
            Some((previous.own.get(name)?, Arc::ptr_eq(old_entry, entry)))
        });
        (name.clone(), walk.platform(entry, old))
    });
    let own: BTreeMap<_, _> = platforms.collect();
    let platforms = dependency::apply(&own, previous.map(|previous| &previous.platforms), now);
    let before = previous.map(|previous| &previous.condition);
    let condition = walk.settle(federation::of_platforms(&platforms, now), before);
    walk.changed |= previous.is_some_and(|previous| previous.platforms.len() != platforms.len());
    walk.changed |= previous.is_some_and(|previous| previous.drifts != *catalog.drifts());
    // Where what is stood on changed is a change of its own: that is in the count already.
    let edition = previous.map_or(0, |previous| previous.edition) + u64::from(walk.changed);
    let drifts = catalog.drifts().clone();
    Federation { edition, catalog: catalog.clone(), condition, platforms, drifts, own: Arc::new(own) }
}

struct Walk<'a> {
    seen: &'a Seen,
    believed: SignedDuration,
    now: Timestamp,
    /// Whether something differs from the fold before that a reader would care about.
    changed: bool,
}

type Producers = BTreeMap<ProducerId, Arc<ProducerStatus>>;

impl Walk<'_> {
    /// `old` is the fold before, and whether it stood on the same entry.
    fn platform(
        &mut self,
        entry: &Arc<PlatformEntry>,
        old: Option<(&Arc<PlatformStatus>, bool)>,
    ) -> Arc<PlatformStatus> {
        let previous = old.map(|(previous, _)| previous);
        let producers: Producers = entry.producers.values().map(|p| self.producer(p, previous)).collect();
        if let Some((previous, true)) = old
            && producers.values().zip(previous.producers.values()).all(|(a, b)| Arc::ptr_eq(a, b))
        {
            return previous.clone();
        }
        let capabilities = entry.capabilities.iter().map(|(id, capability)| {
            let name = CapabilityName { platform: entry.platform.name.clone(), capability: id.clone() };
            let before = previous.and_then(|previous| previous.capabilities.get(id));
            (id.clone(), self.capability(name, capability, &producers, before))
        });
        let capabilities: BTreeMap<_, _> = capabilities.collect();
        let condition = federation::of_capabilities(&capabilities, self.now);
        let condition = self.settle(condition, previous.map(|previous| &previous.condition));
        self.changed |= previous.is_none_or(|previous| {
            (previous.capabilities.len(), previous.producers.len()) != (capabilities.len(), producers.len())
        });
        let mut offerings = entry.capabilities.values().flat_map(|capability| &capability.offerings);
        let needs = offerings.any(|offering| !offering.version.facts.depends_on.is_empty());
        Arc::new(PlatformStatus {
            name: entry.platform.name.clone(),
            condition,
            capabilities,
            producers,
            needs,
        })
    }

    fn capability(
        &mut self,
        name: CapabilityName,
        entry: &CapabilityEntry,
        producers: &Producers,
        previous: Option<&Arc<CapabilityStatus>>,
    ) -> Arc<CapabilityStatus> {
        let versions = entry.offerings.iter().map(|offering| {
            let number = &offering.version.name.version;
            let old = previous
                .and_then(|previous| previous.versions.iter().find(|v| v.version.name.version == *number));
            self.version(offering, producers, old)
        });
        let versions: Vec<_> = versions.collect();
        let before = previous.map(|previous| &previous.condition);
        let condition = self.settle(federation::of_versions(&versions, self.now), before);
        self.changed |= previous.is_none_or(|previous| previous.versions.len() != versions.len());
        Arc::new(CapabilityStatus { name, condition, versions })
    }

    fn version(
        &mut self,
        offering: &Offering,
        producers: &Producers,
        previous: Option<&Arc<VersionStatus>>,
    ) -> Arc<VersionStatus> {
        let services = &offering.version.services;
        let producers = offering.producers.iter().filter_map(|producer| {
            let whole = producers.get(&producer.name.producer)?;
            Some(self.producer_for(services, producer, whole))
        });
        let producers: Vec<_> = producers.collect();
        let parts = producers.iter().map(|p| Part { name: &p.name, condition: &p.condition });
        let mut condition = rule::fold("producers serve", parts, self.now);
        if offering.version.stage == Stage::Retired {
            condition.state = State::NotServing;
            condition.reason = "RETIRED";
            condition.message = "its owner has retired it".to_owned();
        }
        let condition = self.settle(condition, previous.map(|previous| &previous.condition));
        Arc::new(VersionStatus { version: offering.version.clone(), condition, producers })
    }

    fn producer(
        &mut self,
        producer: &Arc<Producer>,
        platform: Option<&Arc<PlatformStatus>>,
    ) -> (ProducerId, Arc<ProducerStatus>) {
        let id = producer.name.producer.clone();
        let previous = platform.and_then(|platform| platform.producers.get(&id));
        let reached =
            producer.endpoints.iter().any(|e| self.look(producer, e).is_some_and(|l| l.is_reachable));
        let condition = self.of_record(producer, &[]);
        let condition = self.settle(condition, previous.map(|previous| &previous.condition));
        let same = previous.filter(|old| old.reached == reached && old.condition == condition);
        let status = same
            .cloned()
            .unwrap_or_else(|| Arc::new(ProducerStatus { name: producer.name.clone(), condition, reached }));
        (id, status)
    }

    /// How a producer is for `services`; shared with `whole` unless an endpoint tells its services apart.
    fn producer_for(
        &self,
        services: &[ServiceName],
        producer: &Producer,
        whole: &Arc<ProducerStatus>,
    ) -> Arc<ProducerStatus> {
        let tells_apart = |look: &Observation| services.iter().any(|s| look.of(s.as_str()) != look.state);
        let mut looks = producer.endpoints.iter().filter_map(|endpoint| self.look(producer, endpoint));
        if !looks.any(|look| tells_apart(look)) {
            return whole.clone();
        }
        let mut condition = self.of_record(producer, services);
        if condition.state == whole.condition.state {
            condition.since = whole.condition.since;
        }
        Arc::new(ProducerStatus { name: producer.name.clone(), condition, reached: whole.reached })
    }

    fn of_record(&self, producer: &Producer, services: &[ServiceName]) -> Condition {
        match producer.freshness {
            Freshness::Expired => lease(producer, State::NotServing, "LEASE_EXPIRED", "its lease ran out"),
            Freshness::Partitioned => {
                lease(producer, State::Unknown, "ORIGIN_PARTITIONED", "its origin cannot be reached")
            }
            Freshness::Stale | Freshness::Live => self.of_endpoints(producer, services),
        }
    }

    fn of_endpoints(&self, producer: &Producer, services: &[ServiceName]) -> Condition {
        let named = producer.endpoints.iter().map(|e| (&e.address, self.endpoint(producer, e, services)));
        let mut named: Vec<_> = named.collect();
        named.sort_by_key(|(address, _)| *address);
        let parts = named.iter().map(|(name, condition)| Part { name, condition });
        let mut condition = rule::fold("endpoints work", parts, self.now);
        if producer.freshness == Freshness::Stale {
            condition.freshness = condition.freshness.max(Freshness::Stale);
            if condition.state == State::Serving {
                condition.state = State::Degraded;
                condition.reason = "LEASE_STALE";
                condition.message = "it answers, but has not renewed its registration".to_owned();
            }
        }
        condition
    }

    fn endpoint(&self, producer: &Producer, endpoint: &Endpoint, services: &[ServiceName]) -> Condition {
        let unknown = |reason, message: String, at: Timestamp| {
            let (state, freshness) = (State::Unknown, Freshness::Stale);
            Condition { state, reason, message, since: at, observed: at, freshness }
        };
        let Some(look) = self.seen.get(&producer.name, &endpoint.address) else {
            return unknown(
                "NOT_OBSERVED",
                "nobody has looked yet".to_owned(),
                producer.updated.min(self.now),
            );
        };
        if self.is_stale(look) {
            return unknown("OBSERVATION_STALE", format!("last seen at {:.0}", look.observed), look.observed);
        }
        let Observation { mut state, mut reason, message, since, observed, .. } = (**look).clone();
        let mut message = message;
        let of = |service: &ServiceName| look.of(service.as_str());
        if let Some(worst) = services.iter().max_by_key(|service| rule::badness(of(service)))
            && of(worst) != state
        {
            state = of(worst);
            (reason, message) = match state {
                State::Serving => ("SERVING", "it says so".to_owned()),
                _ => ("SERVICE_NOT_SERVING", format!("it says that {worst} does not serve")),
            };
        }
        let mut since = since;
        if state == State::Serving
            && let Some(ejection) = self.seen.ejection(producer, endpoint)
        {
            (state, reason, message) = (State::Degraded, "EJECTED", ejection.to_string());
            since = ejection.since;
        }
        Condition { state, reason, message, since, observed, freshness: Freshness::Live }
    }

    /// The last look at an endpoint, if it is still believed.
    fn look(&self, producer: &Producer, endpoint: &Endpoint) -> Option<&Arc<Observation>> {
        self.seen.get(&producer.name, &endpoint.address).filter(|look| !self.is_stale(look))
    }

    fn is_stale(&self, look: &Observation) -> bool {
        self.now.duration_since(look.observed) > self.believed
    }

    fn settle(&mut self, condition: Condition, previous: Option<&Condition>) -> Condition {
        let condition = rule::continued(condition, previous, self.now);
        self.changed |= previous.is_none_or(|previous| !rule::says_the_same(previous, &condition));
        condition
    }
}

fn lease(producer: &Producer, state: State, reason: &'static str, message: &str) -> Condition {
    Condition {
        state,
        reason,
        message: message.to_owned(),
        since: producer.updated,
        observed: producer.updated,
        freshness: producer.freshness,
    }
}
