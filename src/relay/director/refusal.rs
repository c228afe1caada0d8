//! Why a call goes nowhere, told without what its caller may not see.

use super::Ask;
use crate::access::Denial;
use crate::catalog::{Claim, Offering};
use crate::model::{PlatformName, Producer, Stage, VersionName};
use jiff::Timestamp;
use semver::VersionReq;
use std::sync::Arc;

/// The longest reason that is passed on for one producer, in characters: a status has to fit into headers.
const LONGEST_REASON: usize = 160;
/// So many producers and versions are named: a thousand of them would not be read.
const MOST_NAMED: usize = 8;

/// Why a call goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody offers the service.
    #[error("no platform offers service {0}")]
    NoOwner(String),
    /// The platform that was asked for does not offer the service, or not to this caller: both read the same.
    #[error("{platform} does not offer service {service}, or not to your platform")]
    NotOffered {
        /// What was called.
        service: String,
        /// Who was asked for.
        platform: PlatformName,
    },
    /// The owner does not let the caller in.
    #[error(transparent)]
    Denied(Denial),
    /// No version is in the range that was asked for.
    #[error("{platform} offers no version of {service} in the range {range}; it offers {}", versions.join(", "))]
    NoVersion {
        /// What was called.
        service: String,
        /// Whose it is.
        platform: PlatformName,
        /// What was asked for.
        range: VersionReq,
        /// What there is, as far as the caller may see it.
        versions: Vec<String>,
    },
    /// Every version of it is retired.
    #[error("every version of {service} at {platform} that you ask for is retired{}", use_instead(replacement.as_ref()))]
    Retired {
        /// What was called.
        service: String,
        /// Who owned it.
        platform: PlatformName,
        /// What to use instead, if the owner says so and the caller may see it.
        replacement: Option<VersionName>,
    },
    /// What is known of its producers is older than the caller asks for.
    #[error(
        "{service} is offered by {platform}, and all that is known of its producers is older than asked for: {why}"
    )]
    TooStale {
        /// What was called.
        service: String,
        /// Who owns it.
        platform: PlatformName,
        /// Each producer with the age of what is known of it.
        why: String,
    },
    /// The owner is known, and none of its producers can be reached.
    #[error("{service} is offered by {platform}, and none of its producers can be reached: {why}")]
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

impl Refusal {
    /// The reason for programs: `UPPER_SNAKE_CASE`, as in `ErrorInfo`.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::NoOwner(_) => "NO_OWNER",
            Refusal::NotOffered { .. } => "NOT_OFFERED",
            Refusal::Denied(_) => "NOT_VISIBLE",
            Refusal::NoVersion { .. } => "NO_VERSION_IN_RANGE",
            Refusal::Retired { .. } => "RETIRED",
            Refusal::TooStale { .. } => "TOO_STALE",
            Refusal::Unreachable { .. } => "NO_PRODUCER_REACHABLE",
        }
    }
}

/// Why places were left out that would serve otherwise.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    why: Vec<String>,
    producers: Vec<String>,
    since: Option<Timestamp>,
    stale: usize,
    other: usize,
}

impl Evidence {
    pub(super) fn add(&mut self, producer: &Producer, why: impl std::fmt::Display, since: Timestamp) {
        self.other += 1;
        self.put(producer, why, since);
    }

    /// A producer that would serve, if its knowledge were not too old for the caller.
    pub(super) fn add_stale(&mut self, producer: &Producer, why: &str, known: Timestamp) {
        self.stale += 1;
        self.put(producer, why, known);
    }

    pub(super) fn nobody_serves(&mut self, version: &VersionName) {
        self.other += 1;
        if self.why.len() < MOST_NAMED {
            self.why.push(format!("no producer serves {version}"));
        }
    }

    fn put(&mut self, producer: &Producer, why: impl std::fmt::Display, since: Timestamp) {
        if self.why.len() < MOST_NAMED {
            let why: String = why.to_string().chars().take(LONGEST_REASON).collect();
            self.why.push(format!("{}: {why} since {since:.0}", producer.name));
            self.producers.push(producer.name.to_string());
        }
        self.since = Some(self.since.map_or(since, |earlier| earlier.min(since)));
    }
}

/// Nobody claims the service, or not the platform that was asked for.
pub(super) fn nobody(ask: &Ask<'_>) -> Refusal {
    let service = ask.service.chars().take(255).collect();
    match &ask.intent.platform {
        None => Refusal::NoOwner(service),
        Some(platform) => Refusal::NotOffered { service, platform: platform.clone() },
    }
}

/// Why a call goes to none of a claim's versions. Of those that the caller may not see nothing is said.
pub(super) fn of_claim(ask: &Ask<'_>, claim: &Claim, evidence: Evidence) -> Refusal {
    let (service, platform) = (ask.service.to_owned(), claim.platform.clone());
    let visible =
        || claim.offerings.iter().filter(|offering| ask.policy.may_call(ask.caller, &offering.version));
    let in_range = || visible().filter(|offering| ask.intent.takes(&offering.version.name.version));
    if visible().next().is_none() {
        let denials =
            claim.offerings.iter().filter_map(|o| ask.policy.permit_call(ask.caller, &o.version).err());
        return match denials.into_iter().next() {
            Some(denial) if ask.intent.platform.is_none() => Refusal::Denied(denial),
            _ => nobody(ask),
        };
    }
    if let (Some(range), None) = (&ask.intent.range, in_range().next()) {
        let versions = visible().take(MOST_NAMED).map(|o| o.version.name.version.to_string()).collect();
        return Refusal::NoVersion { service, platform, range: range.clone(), versions };
    }
    if in_range().all(|offering| offering.version.stage == Stage::Retired) {
        let replacement = in_range().find_map(|offering| replacement(ask, offering));
        return Refusal::Retired { service, platform, replacement };
    }
    let why = evidence.why.join("; ");
    if evidence.stale > 0 && evidence.other == 0 {
        return Refusal::TooStale { service, platform, why };
    }
    let Evidence { producers, since, .. } = evidence;
    Refusal::Unreachable { service, platform, why, producers, since }
}

/// What to use instead of a retired version, if the caller may see it.
fn replacement(ask: &Ask<'_>, retired: &Arc<Offering>) -> Option<VersionName> {
    let name = retired.version.facts.replacement.as_ref()?;
    let known = ask.snapshot.offering(name)?;
    ask.policy.may_see(ask.caller, &known.version).then(|| name.clone())
}

fn use_instead(replacement: Option<&VersionName>) -> String {
    replacement.map(|name| format!("; use {name}")).unwrap_or_default()
}
