//! Examines the versions of a claim, one at a time: may it be called, is it asked for, and where does it serve?

use super::look::{Look, Standing, too_old};
use super::refusal::Evidence;
use super::roster::{Draft, Roster, Seat, Terms};
use super::rosters::Rosters;
use super::trace::{Outcome, Place, Trace};
use super::{Ask, Route};
use crate::access::Permit;
use crate::catalog::{Claim, Offering};
use crate::model::{Endpoint, Freshness, Producer, Stage};
use jiff::Timestamp;
use std::sync::Arc;

/// The examination of one claim.
pub(super) struct Survey<'a, L, T> {
    pub(super) ask: &'a Ask<'a>,
    look: &'a L,
    /// Where rosters are kept; `None` where each endpoint is looked at anew, and accounted for.
    kept: Option<&'a mut Rosters>,
    pub(super) trace: &'a mut T,
    /// Why places were left out that would serve otherwise.
    pub(super) evidence: Evidence,
}

/// A version that may be called, with where it serves.
pub(super) struct Found<'a> {
    pub(super) index: usize,
    pub(super) offering: &'a Arc<Offering>,
    pub(super) permit: Permit,
    pub(super) roster: Arc<Roster>,
}

impl<'a, L: Fn(&Producer, &Endpoint) -> Look, T: Trace> Survey<'a, L, T> {
    pub(super) fn new(
        ask: &'a Ask<'a>,
        look: &'a L,
        kept: Option<&'a mut Rosters>,
        trace: &'a mut T,
    ) -> Self {
        Self { ask, look, kept, trace, evidence: Evidence::default() }
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
        let roster = match self.kept.take() {
            Some(kept) => {
                let ask = self.ask;
                let make = || self.roster(place, offering);
                let roster = kept.get(offering, ask, make);
                self.kept = Some(kept);
                roster
            }
            None => Arc::new(self.roster(place, offering)),
        };
        Some(Found { index, offering, permit, roster })
    }

    /// Looks at all endpoints of a version.
    fn roster(&mut self, place: Place<'a>, offering: &'a Arc<Offering>) -> Roster {
        let Ask { tick, rules, .. } = *self.ask;
        if offering.producers.is_empty() {
            self.evidence.nobody_serves(&offering.version.name);
            self.trace.left_out(place, Outcome::Unreachable, || "no producer serves it".to_owned());
        }
        let mut draft = Draft::default();
        for producer in &offering.producers {
            self.visit(producer, place, &mut draft);
        }
        draft.roster(&Terms {
            now: tick,
            is_sticky: !offering.version.facts.sticky_key.is_empty(),
            overprovisioning: rules.overprovisioning,
            slow_start: nanos(rules.slow_start),
        })
    }

    /// Sorts the endpoints of a producer into those that are up, left out for a time, or down, and those that get nothing.
    fn visit(&mut self, producer: &'a Arc<Producer>, place: Place<'a>, draft: &mut Draft) {
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
        for (index, at) in producer.endpoints.iter().enumerate() {
            let place = Place { endpoint: Some(index), ..place };
            let look = (self.look)(producer, at);
            let far = distance(self.ask.locality, &at.locality);
            let Look { standing, ejected, meter, .. } = &look;
            let seat = Seat { producer: producer.clone(), index, meter: meter.clone() };
            match standing {
                Standing::NotServing { since } => {
                    self.evidence.add(producer, format_args!("{} says NOT_SERVING", at.address), *since);
                    let why = || format!("it says NOT_SERVING since {since:.0}");
                    self.trace.left_out(place, Outcome::Unhealthy, why);
                    draft.lose(far, at);
                }
                _ if producer.lease_expires.is_none()
                    && let Some(known) = self.too_old(producer, Some(&look)) =>
                {
                    self.leave_stale(place, producer, "not confirmed by a probe", known);
                }
                Standing::Up => match ejected {
                    Some(_) => draft.out(far, seat, look.back()),
                    None => draft.up(far, seat),
                },
                Standing::Unreachable { why, since } => {
                    let what = format_args!("{} cannot be reached: {why}", at.address);
                    self.evidence.add(producer, what, *since);
                    draft.down(far, seat);
                }
            }
        }
    }

    /// Tells of the endpoints of a version that this call does not try: why calls do not go to the version at all, if they
    /// do not, and else why not to them.
    pub(super) fn leave(
        &mut self,
        found: &Found<'_>,
        other: Option<&'static str>,
        tried: Option<(&Route, usize)>,
    ) {
        if !T::ON {
            return;
        }
        let place = Place::version(found.index, &found.offering.version);
        let is_tried = |seat: &Seat| {
            tried.is_some_and(|(route, version)| route.targets.iter().any(|target| seat.is(target, version)))
        };
        for seat in found.roster.up().filter(|seat| !is_tried(seat)) {
            let (outcome, why) = match other {
                Some(why) => (Outcome::OtherVersion, why),
                None => (Outcome::Fallback, "it serves too, and was not drawn this time"),
            };
            self.trace.left_out(place.seat(seat), outcome, || why.to_owned());
        }
        for seat in &found.roster.out {
            let look = (self.look)(&seat.producer, seat.endpoint());
            let why = || look.ejected.map(|ejection| ejection.to_string()).unwrap_or_default();
            self.trace.left_out(place.seat(seat), Outcome::Ejected, why);
        }
        for seat in found.roster.down.iter().filter(|seat| !is_tried(seat)) {
            let look = (self.look)(&seat.producer, seat.endpoint());
            self.trace.left_out(place.seat(seat), Outcome::Unreachable, || match look.standing {
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

/// How many steps of `region/zone/…` two places do not share, seen from `here`.
fn distance(here: &str, there: &str) -> usize {
    if here == there {
        return 0;
    }
    let steps = |place| str::split(place, '/').filter(|step| !step.is_empty());
    let shared = steps(here).zip(steps(there)).take_while(|(a, b)| a == b).count();
    steps(here).count() - shared
}

pub(super) fn nanos(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
