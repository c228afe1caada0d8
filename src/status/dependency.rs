//! What becomes of a version when what it stands on does not serve: DEGRADED, once, and no cascade.
//!
//! | what the version stands on                         | the version, if SERVING by itself |
//! |----------------------------------------------------|-----------------------------------|
//! | each has a version in range that serves or is DEGRADED | as it is                      |
//! | one has only versions that do not serve, or none   | DEGRADED, `DEPENDENCY`            |
//! | else: of one nobody knows                          | DEGRADED, `DEPENDENCY_UNKNOWN`    |
//!
//! Only the *own* condition of what is stood on counts: who is degraded by a dependency degrades nobody. So a fault is
//! told where it is and one step above, and circles end. Prerequisites are the consumer's and do not count.

use super::federation::{self, CapabilityStatus, PlatformStatus, VersionStatus};
use super::rule;
use crate::model::{Condition, PlatformName, Requirement, Stage, State, Version};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) type Platforms = BTreeMap<PlatformName, Arc<PlatformStatus>>;

/// The platforms with what their versions stand on taken into account; shared with `own`, or with the fold before, where
/// that changes nothing.
pub(super) fn apply(own: &Platforms, previous: Option<&Platforms>, now: Timestamp) -> Platforms {
    let settled = own.iter().map(|(name, platform)| {
        let before = previous.and_then(|previous| previous.get(name));
        (
            name.clone(),
            if platform.needs { of_platform(platform, own, before, now) } else { platform.clone() },
        )
    });
    settled.collect()
}

fn of_platform(
    platform: &Arc<PlatformStatus>,
    own: &Platforms,
    before: Option<&Arc<PlatformStatus>>,
    now: Timestamp,
) -> Arc<PlatformStatus> {
    let mut touched = false;
    let capabilities = platform.capabilities.iter().map(|(id, capability)| {
        let before = before.and_then(|before| before.capabilities.get(id));
        let settled = of_capability(capability, own, before, now);
        touched |= !Arc::ptr_eq(&settled, capability);
        (id.clone(), settled)
    });
    let capabilities: BTreeMap<_, _> = capabilities.collect();
    if !touched {
        return platform.clone();
    }
    let condition = federation::of_capabilities(&capabilities, now);
    let condition = rule::continued(condition, before.map(|before| &before.condition), now);
    Arc::new(PlatformStatus { condition, capabilities, ..PlatformStatus::clone(platform) })
}

fn of_capability(
    capability: &Arc<CapabilityStatus>,
    own: &Platforms,
    before: Option<&Arc<CapabilityStatus>>,
    now: Timestamp,
) -> Arc<CapabilityStatus> {
    let versions = capability.versions.iter().map(|version| {
        let number = &version.version.name.version;
        let before = before.and_then(|b| b.versions.iter().find(|v| v.version.name.version == *number));
        of_version(version, own, before, now).unwrap_or_else(|| version.clone())
    });
    let versions: Vec<_> = versions.collect();
    if versions.iter().zip(&capability.versions).all(|(a, b)| Arc::ptr_eq(a, b)) {
        return capability.clone();
    }
    let condition = federation::of_versions(&versions, now);
    let condition = rule::continued(condition, before.map(|before| &before.condition), now);
    Arc::new(CapabilityStatus { name: capability.name.clone(), condition, versions })
}

/// The version as what it stands on leaves it; `None` if that is as it is by itself.
fn of_version(
    status: &VersionStatus,
    own: &Platforms,
    before: Option<&Arc<VersionStatus>>,
    now: Timestamp,
) -> Option<Arc<VersionStatus>> {
    if status.version.facts.depends_on.is_empty() {
        return None;
    }
    let condition = judged(status, own).unwrap_or_else(|| status.condition.clone());
    let condition = rule::continued(condition, before.map(|before| &before.condition), now);
    (condition != status.condition).then(|| Arc::new(VersionStatus { condition, ..status.clone() }))
}

/// How what it stands on leaves the version; `None` if as it is by itself.
fn judged(status: &VersionStatus, own: &Platforms) -> Option<Condition> {
    let needs = &status.version.facts.depends_on;
    if status.condition.state != State::Serving {
        return None;
    }
    let platform = &status.version.name.platform;
    let states: Vec<State> = needs.iter().map(|need| of_need(platform, need, own)).collect();
    let count = |state| states.iter().filter(|found| **found == state).count();
    let (reason, word, missing) = match (count(State::NotServing), count(State::Unknown)) {
        (0, 0) => return None,
        (0, unknown) => ("DEPENDENCY_UNKNOWN", "nobody knows of", unknown),
        (down, _) => ("DEPENDENCY", "nothing serves", down),
    };
    // Which they are is for those who may see them: `ExplainStatus` and the dependency graph tell.
    let message =
        format!("it answers, but {word} {missing} of the {} capabilities it stands on", states.len());
    Some(Condition { state: State::Degraded, reason, message, ..status.condition.clone() })
}

/// How well a need of `platform` is met by what is by itself: SERVING if any version will do, else what is the least bad
/// to say. What the platform may not see is not there for it: whoever names a hidden capability learns nothing of it.
pub(super) fn of_need(platform: &PlatformName, need: &Requirement, own: &Platforms) -> State {
    let shows = |version: &Version| {
        let visibility = &version.visibility;
        version.name.platform == *platform || visibility.everyone || visibility.platforms.contains(platform)
    };
    let capability = own
        .get(&need.capability.platform)
        .and_then(|platform| platform.capabilities.get(&need.capability.capability));
    let versions = capability.into_iter().flat_map(|capability| &capability.versions);
    let fit = versions.filter(|v| v.version.stage != Stage::Retired && need.takes(&v.version.name));
    let fit = fit.filter(|v| shows(&v.version));
    let states: Vec<State> = fit.map(|version| version.condition.state).collect();
    if states.iter().any(|state| matches!(state, State::Serving | State::Degraded)) {
        State::Serving
    } else if states.contains(&State::Unknown) {
        State::Unknown
    } else {
        State::NotServing
    }
}
