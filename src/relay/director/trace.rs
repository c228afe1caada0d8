//! What a decision tells of itself, to whom it may concern; nothing where nobody listens.

use super::roster::Seat;
use super::{Route, Share};
use crate::catalog::{Claim, Claims};
use crate::model::{Producer, Version};
use std::sync::Arc;

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Calls go there first.
    Chosen,
    /// Calls go there if nothing can reach those before, or the next draw says so.
    Fallback,
    /// The version's visibility does not name the caller.
    NotVisible,
    /// Another platform was asked for, or owns the name.
    OtherPlatform,
    /// Outside of the range asked for.
    WrongVersion,
    /// A better version serves, or the split chose another.
    OtherVersion,
    /// Retired.
    Retired,
    /// It says that it does not serve.
    Unhealthy,
    /// It cannot be reached.
    Unreachable,
    /// Calls failed there, or were far slower than elsewhere: it is left out for a time.
    Ejected,
    /// Its lease ended, or what is known of it is older than asked for.
    Stale,
}

/// What decided between the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionRule {
    /// The newest stable one that serves.
    NewestStable,
    /// Its owner splits the traffic, and it was drawn.
    Split,
    /// No other can be called.
    OnlyRoutable,
    /// None can be reached, as far as is known: the call will tell.
    LastResort,
    /// It was asked for, exactly.
    AskedFor,
}

impl Outcome {
    /// The outcome for programs: `UPPER_SNAKE_CASE`.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Chosen => "CHOSEN",
            Outcome::Fallback => "FALLBACK",
            Outcome::NotVisible => "NOT_VISIBLE",
            Outcome::OtherPlatform => "OTHER_PLATFORM",
            Outcome::WrongVersion => "WRONG_VERSION",
            Outcome::OtherVersion => "OTHER_VERSION",
            Outcome::Retired => "RETIRED",
            Outcome::Unhealthy => "UNHEALTHY",
            Outcome::Unreachable => "UNREACHABLE",
            Outcome::Ejected => "EJECTED",
            Outcome::Stale => "STALE",
        }
    }
}

impl VersionRule {
    /// The rule for programs: `UPPER_SNAKE_CASE`.
    pub fn word(self) -> &'static str {
        match self {
            VersionRule::NewestStable => "NEWEST_STABLE",
            VersionRule::Split => "SPLIT",
            VersionRule::OnlyRoutable => "ONLY_ROUTABLE",
            VersionRule::LastResort => "LAST_RESORT",
            VersionRule::AskedFor => "ASKED_FOR",
        }
    }
}

/// A place that a call might go to: a version, a producer of it, or one endpoint of that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Where its version stands among those of the claim.
    pub(super) index: usize,
    pub(super) version: &'a Arc<Version>,
    pub(super) producer: Option<&'a Arc<Producer>>,
    pub(super) endpoint: Option<usize>,
}

/// Listens to a decision. Each candidate is told once.
pub(super) trait Trace {
    /// Whether it listens at all; what only explains is left out otherwise.
    const ON: bool;

    /// Who claims the service, and whose claim is looked at.
    fn claim(&mut self, claims: &Claims, chosen: Option<&Claim>);

    /// A place that calls do not go to.
    fn left_out(&mut self, place: Place<'_>, outcome: Outcome, why: impl FnOnce() -> String);

    /// Where the call goes, and by which rule; the shares of the split that decided.
    fn chosen(&mut self, route: &Route, rule: VersionRule, split: Vec<Share>);
}

/// Nobody listens.
pub(super) struct Off;

impl Trace for Off {
    const ON: bool = false;

    fn claim(&mut self, _: &Claims, _: Option<&Claim>) {}

    fn left_out(&mut self, _: Place<'_>, _: Outcome, _: impl FnOnce() -> String) {}

    fn chosen(&mut self, _: &Route, _: VersionRule, _: Vec<Share>) {}
}

impl<'a> Place<'a> {
    pub(super) fn version(index: usize, version: &'a Arc<Version>) -> Self {
        Self { index, version, producer: None, endpoint: None }
    }

    pub(super) fn producer(self, producer: &'a Arc<Producer>) -> Self {
        Self { producer: Some(producer), ..self }
    }

    pub(super) fn seat(self, seat: &'a Seat) -> Self {
        Self { producer: Some(&seat.producer), endpoint: Some(seat.index), ..self }
    }
}
