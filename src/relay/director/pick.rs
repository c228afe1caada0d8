//! Picks among the versions that were found: the split's draw, else the best that serves, else the last resort.

use super::order::{self, Lot};
use super::survey::{Found, Survey, nanos};
use super::trace::{Trace, VersionRule};
use super::{Ask, Look, MOST_TARGETS, Route, Share, ring};
use crate::model::{Endpoint, Producer};
use crate::relay::Intent;
use fastrand::Rng;

/// What was found so far, in the order in which routing prefers versions.
pub(super) struct Pick<'a> {
    splits: bool,
    /// Those that serve and take part in the split.
    shares: Vec<Found<'a>>,
    /// The first of the others that serves.
    best: Option<Found<'a>>,
    /// The first that may serve, though nobody could reach it.
    resort: Option<Found<'a>>,
    /// All others.
    rest: Vec<Found<'a>>,
}

impl<'a> Pick<'a> {
    pub(super) fn new(splits: bool) -> Self {
        Self { splits, shares: Vec::new(), best: None, resort: None, rest: Vec::new() }
    }

    pub(super) fn take(&mut self, found: Found<'a>) {
        if !found.roster.serves() {
            match self.resort {
                None if !found.roster.down.is_empty() => self.resort = Some(found),
                _ => self.rest.push(found),
            }
        } else if self.splits && found.offering.version.traffic_weight.is_some() {
            self.shares.push(found);
        } else if self.best.is_none() {
            self.best = Some(found);
        } else {
            self.rest.push(found);
        }
    }

    /// Whether no later version can change where the call goes.
    pub(super) fn is_settled(&self) -> bool {
        !self.splits && self.best.is_some()
    }

    /// Where the call goes; `None` if it can go nowhere.
    pub(super) fn route<L, T>(mut self, survey: &mut Survey<'_, L, T>) -> Option<Route>
    where
        L: Fn(&Producer, &Endpoint) -> Look,
        T: Trace,
    {
        let mut draw = Rng::with_seed(survey.ask.draw);
        let split: Vec<_> = self.shares.iter().map(Share::of).collect();
        let rule = self.rule(survey.ask.intent)?;
        let first = match rule {
            VersionRule::Split => self.shares.remove(drawn(&split, &mut draw)),
            VersionRule::LastResort => self.resort.take()?,
            _ => self.best.take()?,
        };
        let why = match rule {
            VersionRule::Split => "the traffic is split among others",
            _ => "a better version serves",
        };
        for left in self.best.iter().chain(&self.resort).chain(&self.rest) {
            survey.leave(left, Some(why), None);
        }
        let route = compose(&first, &self.shares, survey.ask, &mut draw);
        survey.leave(&first, None, Some((&route, 0)));
        for (nth, other) in self.shares.iter().enumerate() {
            survey.leave(other, None, Some((&route, nth + 1)));
        }
        survey.trace.chosen(&route, rule, split);
        Some(route)
    }

    fn rule(&self, intent: &Intent) -> Option<VersionRule> {
        let rest = self.rest.iter().filter(|found| found.roster.serves());
        match (self.shares.len(), &self.best, &self.resort) {
            (0, None, None) => None,
            (0, None, Some(_)) => Some(VersionRule::LastResort),
            _ if intent.is_exact() => Some(VersionRule::AskedFor),
            (1.., ..) => Some(VersionRule::Split),
            _ if rest.count() == 0 => Some(VersionRule::OnlyRoutable),
            _ => Some(VersionRule::NewestStable),
        }
    }
}

/// One of the shares, each as often as its weight says.
fn drawn(split: &[Share], draw: &mut Rng) -> usize {
    let all: u32 = split.iter().map(|share| u32::from(share.weight)).sum();
    let mut left = draw.u32(..all.max(1));
    for (index, share) in split.iter().enumerate() {
        match left.checked_sub(share.weight.into()) {
            Some(rest) => left = rest,
            None => return index,
        }
    }
    0
}

/// The chosen version's endpoints, then those of the others in their order.
fn compose(first: &Found<'_>, others: &[Found<'_>], ask: &Ask<'_>, draw: &mut Rng) -> Route {
    let mut route = Route {
        permit: first.permit.clone(),
        others: others.iter().map(|other| other.permit.clone()).collect(),
        targets: Vec::with_capacity(first.roster.up().take(MOST_TARGETS).count().max(1)),
    };
    for (version, found) in [first].into_iter().chain(others).enumerate() {
        let key = ask.metadata.and_then(|metadata| key(found, metadata));
        let mut lot = Lot { draw, key, now: ask.tick, slow_start: nanos(ask.rules.slow_start) };
        order::draw(&found.roster, &mut lot, version, &mut route.targets);
    }
    if route.targets.is_empty() {
        // The prober may be behind the times: what nobody could reach a moment ago is tried before giving up.
        let begin = draw.usize(..first.roster.down.len().max(1));
        let (before, after) = first.roster.down.split_at(begin);
        route.targets.extend(after.iter().chain(before).take(MOST_TARGETS).map(|seat| seat.target(0)));
    }
    route
}

/// What keeps this call with one endpoint, if the version is sticky and the call says it.
fn key(found: &Found<'_>, metadata: &http::HeaderMap) -> Option<u64> {
    let name = found.offering.version.facts.sticky_key.as_str();
    if name.is_empty() { None } else { ring::key(metadata, name) }
}
