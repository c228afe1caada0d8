//! The folded status on the wire.

use crate::model::{BrokerId, PlatformName, State};
use crate::status::{CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
use crate::wire::pb::portolan::status::v1 as pb;
use crate::wire::status::{condition, drift};

/// Drifts that are told of one platform: they are for people to mend, and come back with the next answer.
const DRIFTS: usize = 100;

/// The whole with its capabilities.
pub(super) fn whole(broker: &BrokerId, status: &Federation) -> pb::WatchStatusResponse {
    let capabilities = status.platforms.values().flat_map(|platform| platform.capabilities.values());
    pb::WatchStatusResponse {
        status: Some(federation(broker, status)),
        capabilities: capabilities.map(|status| capability(status)).collect(),
    }
}

/// The whole without its capabilities.
pub(super) fn federation(broker: &BrokerId, status: &Federation) -> pb::FederationStatus {
    let unreachable = status.platforms.values().flat_map(|platform| platform.unreachable());
    pb::FederationStatus {
        broker: broker.to_string(),
        revision: status.catalog.revision(),
        condition: Some(condition(&status.condition)),
        platforms: status.platforms.values().map(|platform| self::platform(status, platform)).collect(),
        unreachable: unreachable.map(ToString::to_string).collect(),
        conditions: drifts(status, None),
    }
}

/// A capability with its versions and their producers.
pub(super) fn capability(status: &CapabilityStatus) -> pb::CapabilityStatus {
    pb::CapabilityStatus {
        name: status.name.to_string(),
        condition: Some(condition(&status.condition)),
        versions: status.versions.iter().map(|status| version(status)).collect(),
    }
}

fn platform(whole: &Federation, status: &PlatformStatus) -> pb::PlatformStatus {
    let count = |state| i32::try_from(status.count(state)).unwrap_or(i32::MAX);
    pb::PlatformStatus {
        name: format!("platforms/{}", status.name),
        condition: Some(condition(&status.condition)),
        serving: count(State::Serving),
        degraded: count(State::Degraded),
        not_serving: count(State::NotServing),
        unknown: count(State::Unknown),
        conditions: drifts(whole, Some(&status.name)),
    }
}

/// What is declared of a platform, or of none that is known, and does not run so.
fn drifts(whole: &Federation, platform: Option<&PlatformName>) -> Vec<pb::Condition> {
    let of = whole.drifts.iter().filter(|drift| match (&drift.platform, platform) {
        (Some(its), Some(platform)) => its == platform,
        (Some(its), None) => !whole.platforms.contains_key(its),
        (None, platform) => platform.is_none(),
    });
    of.take(DRIFTS).map(drift).collect()
}

fn version(status: &VersionStatus) -> pb::VersionStatus {
    pb::VersionStatus {
        name: status.version.name.to_string(),
        condition: Some(condition(&status.condition)),
        producers: status.producers.iter().map(|status| producer(status)).collect(),
    }
}

fn producer(status: &ProducerStatus) -> pb::ProducerStatus {
    pb::ProducerStatus { name: status.name.to_string(), condition: Some(condition(&status.condition)) }
}
