//! Walks the catalogue and folds what was seen into one [`Federation`]: pure, and cheap where nothing changed.
//!
//! An endpoint, by what a probe last saw of it:
//!
//! | last look                     | state                | reason              |
//! |-------------------------------|----------------------|---------------------|
//! | never                         | UNKNOWN              | `NOT_OBSERVED`      |
//! | longer ago than is believed   | UNKNOWN              | `OBSERVATION_STALE` |
//! | else                          | what it saw          | the probe's own     |
//!
//! A producer, by its record and its endpoints ("best" of them folded by [`rule`]):
//!
//! | record      | endpoints | state       | reason                                         |
//! |-------------|-----------|-------------|------------------------------------------------|
//! | EXPIRED     | any       | NOT_SERVING | `LEASE_EXPIRED`                                |
//! | PARTITIONED | any       | UNKNOWN     | `ORIGIN_PARTITIONED`                           |
//! | STALE       | SERVING   | DEGRADED    | `LEASE_STALE`: stale knowledge is never "ready" |
//! | STALE, LIVE | else      | the fold of its endpoints                                    ||
//!
//! A retired version is NOT_SERVING, `RETIRED`; any other is the fold of its producers.

use super::federation::{self, CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
use super::rule::{self, Part};
use crate::catalog::{CapabilityEntry, Offering, PlatformEntry, Snapshot};
use crate::model::{CapabilityName, Condition, Endpoint, Freshness, Producer, ProducerId, Stage, State};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a probe last saw of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Whether it answered at all.
    pub reached: bool,
    /// What it said, or what its silence means; its freshness is for the fold to say.
    pub condition: Condition,
}

/// The fold of `catalog` with what `seen` tells of each endpoint; looks older than `believed` are stale.
pub fn fold(
    catalog: &Arc<Snapshot>,
    seen: &dyn Fn(&Producer, &Endpoint) -> Option<Sight>,
    believed: SignedDuration,
    previous: Option<&Federation>,
    now: Timestamp,
) -> Federation {
    let mut walk = Walk { seen, believed, now, changed: previous.is_none() };
    let platforms = catalog.platforms().map(|entry| {
        let name = &entry.platform.name;
        let old = previous.and_then(|previous| {
            let old_entry = previous.catalog.platform(name.as_str())?;
            Some((previous.platforms.get(name)?, Arc::ptr_eq(old_entry, entry)))
        });
        (name.clone(), walk.platform(entry, old))
    });
    let platforms: BTreeMap<_, _> = platforms.collect();
    let before = previous.map(|previous| &previous.condition);
    let condition = walk.settle(federation::of_platforms(&platforms, now), before);
    walk.changed |= previous.is_some_and(|previous| previous.platforms.len() != platforms.len());
    let edition = previous.map_or(0, |previous| previous.edition) + u64::from(walk.changed);
    Federation { edition, catalog: catalog.clone(), condition, platforms }
}

struct Walk<'a> {
    seen: &'a dyn Fn(&Producer, &Endpoint) -> Option<Sight>,
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
        Arc::new(PlatformStatus { name: entry.platform.name.clone(), condition, capabilities, producers })
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
        let producers = offering.producers.iter().filter_map(|p| producers.get(&p.name.producer).cloned());
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
        let sights: Vec<_> = producer.endpoints.iter().map(|e| self.endpoint(producer, e)).collect();
        let reached = sights.iter().any(|sight| sight.reached);
        let condition = match producer.freshness {
            Freshness::Expired => lease(producer, State::NotServing, "LEASE_EXPIRED", "its lease ran out"),
            Freshness::Partitioned => {
                lease(producer, State::Unknown, "ORIGIN_PARTITIONED", "its origin cannot be reached")
            }
            Freshness::Stale | Freshness::Live => self.of_endpoints(producer, &sights),
        };
        let condition = self.settle(condition, previous.map(|previous| &previous.condition));
        let same = previous.filter(|old| old.reached == reached && old.condition == condition);
        let status = same
            .cloned()
            .unwrap_or_else(|| Arc::new(ProducerStatus { name: producer.name.clone(), condition, reached }));
        (id, status)
    }

    fn of_endpoints(&self, producer: &Producer, sights: &[Sight]) -> Condition {
        let mut named: Vec<_> = producer.endpoints.iter().map(|e| &e.address).zip(sights).collect();
        named.sort_by_key(|(address, _)| *address);
        let parts = named.iter().map(|(name, sight)| Part { name, condition: &sight.condition });
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

    fn endpoint(&self, producer: &Producer, endpoint: &Endpoint) -> Sight {
        let unknown = |reason, message: String, since, observed| {
            let freshness = Freshness::Stale;
            let condition = Condition { state: State::Unknown, reason, message, since, observed, freshness };
            Sight { reached: false, condition }
        };
        match (self.seen)(producer, endpoint) {
            None => {
                let since = producer.updated.min(self.now);
                unknown("NOT_OBSERVED", "nobody has looked yet".to_owned(), since, since)
            }
            Some(sight) if self.now.duration_since(sight.condition.observed) > self.believed => {
                let observed = sight.condition.observed;
                let message = format!("last seen at {observed:.0}");
                unknown("OBSERVATION_STALE", message, observed, observed)
            }
            Some(mut sight) => {
                sight.condition.freshness = Freshness::Live;
                sight
            }
        }
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
