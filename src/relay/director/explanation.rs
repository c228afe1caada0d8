//! A decision with every candidate that its caller may see, and what became of it.

use super::survey::Found;
use super::trace::{Outcome, Place, Trace, VersionRule};
use super::{Ask, Look, Refusal, Route, decide, ring};
use crate::catalog::{Claim, Claims, Rule};
use crate::model::{Endpoint, Producer, Version};
use std::sync::Arc;

/// Why a call goes where it goes. It holds only what the caller may see.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The catalogue's revision that was read.
    pub revision: u64,
    /// The best place first, then the others in the order in which versions are preferred; those of other platforms last.
    pub candidates: Vec<Candidate>,
    /// How many more there are.
    pub omitted: usize,
    /// What made the claim the one that is looked at; `None` if the caller may see nothing of it.
    pub owner_rule: Option<OwnerRule>,
    /// What decided between the versions; `None` if the call goes nowhere.
    pub version_rule: Option<VersionRule>,
    /// The shares of the split that decided; empty without.
    pub split: Vec<Share>,
    /// The clause of policy that allowed the call, for people; empty if it goes nowhere.
    pub policy: String,
    /// Why the call goes nowhere.
    pub refusal: Option<Refusal>,
}

/// One place that a call might go to: an endpoint, or a whole producer or version that is left out.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The version.
    pub version: Arc<Version>,
    /// Who serves it; `None` where the whole version is left out.
    pub producer: Option<Arc<Producer>>,
    /// Which of its endpoints; `None` where the whole producer is left out.
    pub endpoint: Option<usize>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for people.
    pub reason: String,
}

/// What made a claim the one that calls go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerRule {
    /// It owns the name, by this rule.
    Owner(Rule),
    /// Its platform was asked for.
    AskedFor,
}

/// One version's share of the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which version.
    pub version: semver::Version,
    /// How much, relative to the others.
    pub weight: u16,
}

/// Decides as a call would be decided, and tells all of it; at most `limit` candidates are kept.
pub fn explain(
    ask: &Ask<'_>,
    look: impl Fn(&Producer, &Endpoint) -> Look,
    limit: usize,
) -> (Result<Route, Refusal>, Explanation) {
    let mut recorder =
        Recorder { ask, limit, left_out: Vec::new(), chosen: Vec::new(), told: Explanation::of(ask) };
    let decided = decide(ask, &look, None, &mut recorder);
    let mut told = recorder.told();
    told.refusal = decided.as_ref().err().cloned();
    (decided, told)
}

struct Recorder<'a> {
    ask: &'a Ask<'a>,
    limit: usize,
    /// With the place of each one's version among those of its claim.
    left_out: Vec<(usize, Candidate)>,
    chosen: Vec<Candidate>,
    told: Explanation,
}

impl Trace for Recorder<'_> {
    const ON: bool = true;

    fn claim(&mut self, claims: &Claims, chosen: Option<&Claim>) {
        let Ask { policy, caller, intent, .. } = *self.ask;
        let is_seen = |claim: &Claim| claim.offerings.iter().any(|o| policy.may_see(caller, &o.version));
        self.told.owner_rule = chosen.filter(|claim| is_seen(claim)).map(|_| match intent.platform {
            Some(_) => OwnerRule::AskedFor,
            None => OwnerRule::Owner(claims.rule_among(is_seen)),
        });
    }

    fn left_out(&mut self, place: Place<'_>, outcome: Outcome, why: impl FnOnce() -> String) {
        if !self.ask.policy.may_see(self.ask.caller, place.version) {
            return;
        }
        if self.left_out.len() >= self.limit {
            self.told.omitted += 1;
            return;
        }
        let candidate = Candidate {
            version: place.version.clone(),
            producer: place.producer.cloned(),
            endpoint: place.endpoint,
            outcome,
            reason: why(),
        };
        self.left_out.push((place.index, candidate));
    }

    fn chosen(&mut self, route: &Route, rule: VersionRule, split: Vec<Share>) {
        self.told.version_rule = Some(rule);
        self.told.split = split;
        self.told.policy = route.permit.clause();
        for (nth, target) in route.targets.iter().enumerate() {
            let (outcome, reason) = match nth {
                0 => (Outcome::Chosen, self.keeper(route.permit_at(target).version(), rule)),
                _ => (Outcome::Fallback, format!("place {}", nth + 1)),
            };
            self.chosen.push(Candidate {
                version: route.permit_at(target).version().clone(),
                producer: Some(target.producer.clone()),
                endpoint: Some(target.endpoint),
                outcome,
                reason,
            });
        }
    }
}

impl Recorder<'_> {
    /// What keeps the call with its endpoint, if anything does.
    fn keeper(&self, version: &Version, rule: VersionRule) -> String {
        let name = &version.facts.sticky_key;
        let is_kept = !name.is_empty()
            && rule != VersionRule::LastResort
            && self.ask.metadata.is_some_and(|metadata| ring::key(metadata, name).is_some());
        if is_kept { format!("its {name} keeps it there") } else { String::new() }
    }

    /// The candidates in order, and what was decided.
    fn told(mut self) -> Explanation {
        self.left_out.sort_by_key(|(index, _)| *index);
        let mut told = self.told;
        told.candidates = self.chosen;
        told.candidates.extend(self.left_out.into_iter().map(|(_, candidate)| candidate));
        told.omitted += told.candidates.len().saturating_sub(self.limit);
        told.candidates.truncate(self.limit);
        told
    }
}

impl Explanation {
    fn of(ask: &Ask<'_>) -> Self {
        Self {
            revision: ask.snapshot.revision(),
            candidates: Vec::new(),
            omitted: 0,
            owner_rule: None,
            version_rule: None,
            split: Vec::new(),
            policy: String::new(),
            refusal: None,
        }
    }
}

impl Candidate {
    /// The endpoint, where it is one.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        self.producer.as_ref()?.endpoints.get(self.endpoint?)
    }
}

impl OwnerRule {
    /// The rule for programs: `UPPER_SNAKE_CASE`.
    pub fn word(self) -> &'static str {
        match self {
            OwnerRule::Owner(Rule::OnlyClaim) => "ONLY_CLAIM",
            OwnerRule::Owner(Rule::Override) => "OVERRIDE",
            OwnerRule::Owner(Rule::LongestPrefix) => "LONGEST_PREFIX",
            OwnerRule::Owner(Rule::FirstClaim) => "FIRST_CLAIM",
            OwnerRule::AskedFor => "ASKED_FOR",
        }
    }
}

impl Share {
    pub(super) fn of(found: &Found<'_>) -> Self {
        let version = &found.offering.version;
        Self { version: version.name.version.clone(), weight: version.traffic_weight.unwrap_or(1).max(1) }
    }
}
