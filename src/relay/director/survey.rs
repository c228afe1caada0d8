//! Examines the versions of a claim, one at a time: may it be called, is it asked for, and where does it serve?

use super::look::{Look, Standing, too_old};
use super::refusal::Evidence;
use super::trace::{Outcome, Place, Trace};
use super::{Ask, Target};
use crate::access::Permit;
use crate::catalog::{Claim, Offering};
use crate::model::{Endpoint, Freshness, Producer, Stage};
use jiff::Timestamp;
use std::sync::Arc;

/// The examination of one claim.
pub(super) struct Survey<'a, L, T> {
    pub(super) ask: &'a Ask<'a>,
    look: L,
    pub(super) trace: &'a mut T,
    /// Why places were left out that would serve otherwise.
    pub(super) evidence: Evidence,
}

/// A version that may be called, with where it serves.
pub(super) struct Found<'a> {
    pub(super) index: usize,
    pub(super) offering: &'a Arc<Offering>,
    pub(super) permit: Permit,
    /// Endpoints that serve, as far as is known.
    pub(super) up: Vec<Target>,
    /// Endpoints that could not be reached.
    pub(super) down: Vec<Target>,
}

impl<'a, L: Fn(&Producer, &Endpoint) -> Look, T: Trace> Survey<'a, L, T> {
    pub(super) fn new(ask: &'a Ask<'a>, look: L, trace: &'a mut T) -> Self {
        Self { ask, look, trace, evidence: Evidence::default() }
    }

    /// Whether traffic is split: at least two versions that may be called say a weight, and none was asked for exactly.
    pub(super) fn is_split(&self, claim: &Claim) -> bool {
        let Ask { policy, caller, intent, .. } = *self.ask;
        let takes_part = |offering: &&Arc<Offering>| {
            let version = &offering.version;
            version.traffic_weight.is_some()
                && version.stage != Stage::Retired
                && intent.takes(&version.name.version)
                && policy.may_call(caller, version)
        };
        claim.weighted >= 2
            && !intent.is_exact()
            && claim.offerings.iter().filter(takes_part).nth(1).is_some()
    }

    /// Where a version serves, if it may be called and is asked for.
    pub(super) fn examine(&mut self, index: usize, offering: &'a Arc<Offering>) -> Option<Found<'a>> {
        let Ask { policy, caller, intent, .. } = *self.ask;
        let version = &offering.version;
        let place = Place::version(index, version);
        let Ok(permit) = policy.permit_call(caller, version) else {
            let why = || "its visibility names no platform of the caller".to_owned();
            self.trace.left_out(place, Outcome::NotVisible, why);
            return None;
        };
        if !intent.takes(&version.name.version) {
            self.trace
                .left_out(place, Outcome::WrongVersion, || "it is not in the range asked for".to_owned());
            return None;
        }
        if version.stage == Stage::Retired {
            self.trace.left_out(place, Outcome::Retired, || "it is retired".to_owned());
            return None;
        }
        if offering.producers.is_empty() {
            self.evidence.nobody_serves(&version.name);
            self.trace.left_out(place, Outcome::Unreachable, || "no producer serves it".to_owned());
        }
        let mut found = Found { index, offering, permit, up: Vec::new(), down: Vec::new() };
        for producer in &offering.producers {
            self.visit(producer, place, &mut found);
        }
        Some(found)
    }

    /// Sorts the endpoints of a producer into those that are up, those that are down, and those that are left out.
    fn visit(&mut self, producer: &'a Arc<Producer>, place: Place<'a>, found: &mut Found<'a>) {
        let place = place.producer(producer);
        if !producer.freshness.is_routable() {
            let word = if producer.freshness == Freshness::Expired { "lease expired" } else { "partitioned" };
            let since = producer.lease_expires.unwrap_or(producer.updated);
            self.evidence.add(producer, word, since);
            self.trace.left_out(place, Outcome::Stale, || format!("{word} since {since:.0}"));
            return;
        }
        if producer.lease_expires.is_some()
            && let Some(known) = self.too_old(producer, None)
        {
            return self.leave_stale(place, producer, "not renewed", known);
        }
        for (endpoint, at) in producer.endpoints.iter().enumerate() {
            let target = || Target { producer: producer.clone(), endpoint, version: 0 };
            let place = Place { endpoint: Some(endpoint), ..place };
            let look = (self.look)(producer, at);
            match look.standing {
                Standing::NotServing { since } => {
                    self.evidence.add(producer, format_args!("{} says NOT_SERVING", at.address), since);
                    let why = || format!("it says NOT_SERVING since {since:.0}");
                    self.trace.left_out(place, Outcome::Unhealthy, why);
                }
                _ if producer.lease_expires.is_none()
                    && let Some(known) = self.too_old(producer, Some(&look)) =>
                {
                    self.leave_stale(place, producer, "not confirmed by a probe", known);
                }
                Standing::Up => found.up.push(target()),
                Standing::Unreachable { why, since } => {
                    let what = format_args!("{} cannot be reached: {why}", at.address);
                    self.evidence.add(producer, what, since);
                    found.down.push(target());
                }
            }
        }
    }

    /// Tells of the endpoints of a version that calls do not go to: those that are up, unless calls do go there, and
    /// those that are down.
    pub(super) fn leave(&mut self, found: &Found<'_>, up: Option<&'static str>) {
        if !T::ON {
            return;
        }
        let place = Place::version(found.index, &found.offering.version);
        if let Some(why) = up {
            for target in &found.up {
                self.trace.left_out(place.target(target), Outcome::OtherVersion, || why.to_owned());
            }
        }
        for target in &found.down {
            let look = (self.look)(&target.producer, target.endpoint());
            self.trace.left_out(place.target(target), Outcome::Unreachable, || match look.standing {
                Standing::Unreachable { why, since } => format!("{why} since {since:.0}"),
                _ => String::new(),
            });
        }
    }

    fn too_old(&self, producer: &Producer, look: Option<&Look>) -> Option<Timestamp> {
        too_old(producer, look, self.ask.intent.max_staleness?, self.ask.now)
    }

    fn leave_stale(&mut self, place: Place<'_>, producer: &Producer, word: &'static str, known: Timestamp) {
        self.evidence.add_stale(producer, word, known);
        self.trace
            .left_out(place, Outcome::Stale, || format!("{word} since {known:.0}, older than asked for"));
    }
}
