//! Who may be called by a bare service name: the owner, and those who claim it too.

use super::Offering;
use crate::model::{OverrideSpec, Platform, PlatformName, ServiceName, Source};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::sync::Arc;

/// All claims on one service name. Never empty; the owner stands first.
///
/// The owner is the platform with the longest granted prefix; among equals, the one that claimed first; what the
/// configuration lists claims before all that registers. Recency never decides; an operator may, for a time.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    claims: Vec<Claim>,
    overridden: Option<Arc<OverrideSpec>>,
}

/// What made the first claim the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nobody else claims it.
    OnlyClaim,
    /// The operator said so, for a time.
    Override,
    /// Its granted prefix is the longest.
    LongestPrefix,
    /// Its granted prefix is as long as another's, and it claimed first.
    FirstClaim,
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
    /// How many of them carry a traffic weight: kept here, so that a call need not look at each to know.
    pub weighted: usize,
    /// How many of them a producer of the configuration serves.
    configured: usize,
    /// The length of the granted prefix that covers the name.
    prefix: usize,
    /// Whether `since` was recorded, so that no producer's times move it.
    recorded: bool,
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

    /// The claim of one platform.
    pub fn of(&self, platform: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.platform.as_str() == platform)
    }

    /// What decided between the first claim and the others.
    pub fn rule(&self) -> Rule {
        self.rule_among(|_| true)
    }

    /// What decided between the first claim and the others, as far as somebody sees any: who sees one claim must not
    /// learn by the rule that there are more.
    pub fn rule_among(&self, is_seen: impl Fn(&Claim) -> bool) -> Rule {
        let Some((first, others)) = self.claims.split_first() else { return Rule::OnlyClaim };
        let Some(second) = others.iter().find(|claim| is_seen(claim)) else { return Rule::OnlyClaim };
        if self.overridden.as_ref().is_some_and(|spec| spec.platform == first.platform) {
            return Rule::Override;
        }
        if first.prefix > second.prefix { Rule::LongestPrefix } else { Rule::FirstClaim }
    }

    /// The operator's decision, if there is one; it counts while its platform claims the name.
    pub fn overridden(&self) -> Option<&Arc<OverrideSpec>> {
        self.overridden.as_ref()
    }

    /// Puts or takes away the operator's decision.
    pub(super) fn decide(&mut self, overridden: Option<Arc<OverrideSpec>>) {
        self.overridden = overridden;
        self.sort();
    }

    /// Notes since when the platform claims the name.
    pub(super) fn record(&mut self, platform: &PlatformName, since: Timestamp) {
        for claim in self.claims.iter_mut().filter(|claim| claim.platform == *platform) {
            (claim.since, claim.recorded) = (since, true);
        }
        self.sort();
    }

    /// Notes that the platform holds other prefixes now.
    pub(super) fn regrant(&mut self, platform: &Platform, service: &ServiceName) {
        for claim in self.claims.iter_mut().filter(|claim| claim.platform == platform.name) {
            claim.prefix = longest_prefix(platform, service);
        }
        self.sort();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Puts `new` in the place of `old`, as a claim of `platform`.
    pub(super) fn replace(
        &mut self,
        platform: &Platform,
        service: &ServiceName,
        old: Option<&Arc<Offering>>,
        new: Option<Arc<Offering>>,
    ) {
        let place = match self.claims.iter().position(|claim| claim.platform == platform.name) {
            Some(place) => place,
            None => {
                let Some(first) = &new else { return };
                let (since, prefix) = (first.since(), longest_prefix(platform, service));
                self.claims.push(Claim {
                    platform: platform.name.clone(),
                    since,
                    offerings: Vec::new(),
                    weighted: 0,
                    configured: 0,
                    prefix,
                    recorded: false,
                });
                self.claims.len() - 1
            }
        };
        let claim = &mut self.claims[place];
        if let Some(new) = new.as_ref().filter(|_| !claim.recorded) {
            claim.since = new.since().min(claim.since);
        }
        if let Some(old) = old {
            claim.take_out(old);
        }
        if let Some(new) = new {
            claim.put_in(new);
        }
        self.claims.retain(|claim| !claim.offerings.is_empty());
        self.sort();
    }

    fn sort(&mut self) {
        let chosen = self.overridden.as_ref().map(|spec| spec.platform.clone());
        self.claims.sort_by(|a, b| {
            let place = |claim: &Claim| {
                let is_chosen = Some(&claim.platform) == chosen.as_ref();
                (!is_chosen, Reverse(claim.prefix), !claim.is_configured(), claim.since)
            };
            place(a).cmp(&place(b)).then_with(|| a.platform.cmp(&b.platform))
        });
    }
}

impl Claim {
    /// Whether the operator's configuration lists it: that is older than anybody's word, whenever the broker began.
    pub fn is_configured(&self) -> bool {
        self.configured > 0
    }

    fn put_in(&mut self, new: Arc<Offering>) {
        self.weighted += usize::from(new.version.traffic_weight.is_some());
        self.configured += usize::from(is_configured(&new));
        let at = self.offerings.partition_point(|o| o.version.routing_order(&new.version).is_lt());
        self.offerings.insert(at, new);
    }

    fn take_out(&mut self, old: &Offering) {
        // By the order of what stands there: what is said of a version moves it.
        let place = self.offerings.binary_search_by(|o| o.version.routing_order(&old.version));
        if let Ok(place) = place {
            let gone = self.offerings.remove(place);
            self.weighted -= usize::from(gone.version.traffic_weight.is_some());
            self.configured -= usize::from(is_configured(&gone));
        }
    }
}

fn is_configured(offering: &Offering) -> bool {
    offering.producers.iter().any(|producer| producer.source == Source::Configuration)
}

fn longest_prefix(platform: &Platform, service: &ServiceName) -> usize {
    let prefixes = platform.service_prefixes.iter().filter(|prefix| prefix.covers(service));
    prefixes.map(|prefix| prefix.as_str().len()).max().unwrap_or(0)
}
