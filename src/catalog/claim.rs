//! Who may be called by a bare service name: the owner, and those who claim it too.

use super::Offering;
use crate::model::{Platform, PlatformName, Producer, ServiceName, Source, VersionName};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::sync::Arc;

/// All claims on one service name. Never empty; the owner stands first.
///
/// The owner is the platform with the longest granted prefix; among equals, the one that claimed first; what the
/// configuration lists claims before all that registers. Recency never decides.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    claims: Vec<Claim>,
}

/// One platform's claim on a service name.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who claims it.
    pub platform: PlatformName,
    /// Since when.
    pub since: Timestamp,
    /// Its versions that hold the service, as routing prefers them. Never empty.
    pub offerings: Vec<Arc<Offering>>,
    /// The length of the granted prefix that covers the name.
    prefix: usize,
}

impl Claims {
    /// The claim that bare service names go to.
    pub fn owner(&self) -> Option<&Claim> {
        self.claims.first()
    }

    /// All claims, the owner first.
    pub fn iter(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Puts `new` in the place of the offering called `name`, as a claim of `platform`.
    pub(super) fn replace(
        &mut self,
        platform: &Platform,
        service: &ServiceName,
        name: &VersionName,
        new: Option<Arc<Offering>>,
    ) {
        let place = match self.claims.iter().position(|claim| claim.platform == platform.name) {
            Some(place) => place,
            None => {
                let Some(first) = &new else { return };
                let since = first.producers.iter().map(|p| began(p)).min().unwrap_or_default();
                let prefix = platform.service_prefixes.iter().filter(|p| p.covers(service));
                let prefix = prefix.map(|p| p.as_str().len()).max().unwrap_or(0);
                self.claims.push(Claim {
                    platform: platform.name.clone(),
                    since,
                    offerings: Vec::new(),
                    prefix,
                });
                self.claims.len() - 1
            }
        };
        let claim = &mut self.claims[place];
        let earliest = new.iter().flat_map(|new| &new.producers).map(|p| began(p)).min();
        claim.since = earliest.map_or(claim.since, |earliest| earliest.min(claim.since));
        let offerings = &mut claim.offerings;
        offerings.retain(|offering| offering.version.name != *name);
        if let Some(new) = new {
            let at = offerings.partition_point(|o| o.version.routing_order(&new.version).is_lt());
            offerings.insert(at, new);
        }
        self.claims.retain(|claim| !claim.offerings.is_empty());
        self.claims.sort_by(|a, b| {
            (Reverse(a.prefix), a.since, &a.platform).cmp(&(Reverse(b.prefix), b.since, &b.platform))
        });
    }
}

/// Since when a producer stands behind a claim. The operator's word is older than anybody's registration, whenever the
/// broker was started.
fn began(producer: &Producer) -> Timestamp {
    match producer.source {
        Source::Configuration => Timestamp::UNIX_EPOCH,
        Source::Registration => producer.created,
    }
}
