//! Why something is as it is: its parts, the rule that folds them, and what was seen.

use crate::api::fault::Fault;
use crate::model::{
    CapabilityName, Condition, PlatformName, Producer, ProducerName, Stage, State, VersionName,
};
use crate::status::{CapabilityStatus, Federation, PlatformStatus, ProducerStatus, VersionStatus};
use crate::uplink::Seen;
use crate::wire::pb::portolan::status::v1 as pb;
use crate::wire::status::condition;
use jiff::Timestamp;
use std::cell::Cell;

/// Parts that are shown of one thing.
const PARTS: usize = 20;
/// Things that are explained in one answer.
pub(super) const THINGS: usize = 500;
/// Lines of evidence for one thing.
const LINES: usize = 64;

/// What one caller may see of the status, and what stands behind it.
pub(super) struct Eyes<'a> {
    /// The status as the caller may see it.
    pub(super) view: &'a Federation,
    /// What probes saw.
    pub(super) seen: &'a Seen,
    /// Whether a version exists for the caller.
    pub(super) may_see: &'a (dyn Fn(&VersionName) -> bool + Sync),
    /// Whether the caller may know what the platform keeps to itself.
    pub(super) may_inspect: &'a (dyn Fn(&PlatformName) -> bool + Sync),
    /// How many more things may be explained in this answer.
    pub(super) left: Cell<usize>,
}

impl Eyes<'_> {
    /// Explains what `name` names; empty is the federation. `None` if there is no such thing for the caller.
    pub(super) fn explain(&self, name: &str) -> Result<Option<pb::StatusExplanation>, Fault> {
        if name.is_empty() {
            return Ok(Some(self.federation()));
        }
        if let Ok(name) = VersionName::parse(name) {
            return Ok(self.view.version(&name).map(|version| self.version(version)));
        }
        if let Ok(name) = CapabilityName::parse(name) {
            let platform = self.view.platforms.get(&name.platform);
            let capability = platform.and_then(|platform| platform.capabilities.get(&name.capability));
            return Ok(capability.map(|capability| self.capability(capability)));
        }
        if let Ok(name) = ProducerName::parse(name) {
            let platform = self.view.platforms.get(&name.platform);
            let producer = platform.and_then(|platform| platform.producers.get(&name.producer));
            return Ok(producer.map(|producer| self.producer(producer)));
        }
        let platform = name.strip_prefix("platforms/").and_then(|name| PlatformName::parse(name).ok());
        let wrong = || {
            let message = "name is written platforms/{platform}, with /capabilities/{capability}, /versions/{version} or \
                           /producers/{producer} behind it, or is empty for the federation";
            Fault::invalid("INVALID_NAME", message)
        };
        let platform = self.view.platforms.get(&platform.ok_or_else(wrong)?);
        Ok(platform.map(|platform| self.platform(platform)))
    }

    fn federation(&self) -> pb::StatusExplanation {
        let offering = self.view.platforms.values().filter(|platform| !platform.capabilities.is_empty());
        let parts = offering.map(|platform| (platform.condition.state, platform));
        let rule = "the platforms that offer something, folded: SERVING if all are, DEGRADED if some are not";
        let drifts =
            self.view.drifts.iter().map(|drift| format!("drift: {}: {}", drift.subject, drift.message));
        let (parts, omitted_parts) = self.worst(parts, |platform| self.platform(platform));
        let evidence = drifts.take(LINES).collect();
        self.node(String::new(), &self.view.condition, rule, evidence, (parts, omitted_parts))
    }

    fn platform(&self, status: &PlatformStatus) -> pb::StatusExplanation {
        let parts = status.capabilities.values().map(|capability| (capability.condition.state, capability));
        let rule = "its capabilities that you may see, folded: SERVING if all are, DEGRADED if some are not";
        let drifts = self.view.drifts.iter().filter(|drift| drift.platform.as_ref() == Some(&status.name));
        let evidence = drifts.map(|drift| format!("drift: {}: {}", drift.subject, drift.message)).take(LINES);
        let parts = self.worst(parts, |capability| self.capability(capability));
        self.node(format!("platforms/{}", status.name), &status.condition, rule, evidence.collect(), parts)
    }

    fn capability(&self, status: &CapabilityStatus) -> pb::StatusExplanation {
        let parts = status.versions.iter().map(|version| (version.condition.state, version));
        let rule = "its versions, folded; a retired one does not count, nor a deprecated one where a newer stable one \
                    serves, nor alpha and beta where any stable one serves";
        let parts = self.worst(parts, |version| self.version(version));
        self.node(status.name.to_string(), &status.condition, rule, Vec::new(), parts)
    }

    fn version(&self, status: &VersionStatus) -> pb::StatusExplanation {
        let version = &status.version;
        let mut evidence = vec![format!("stage {:?}", version.stage).to_lowercase()];
        for need in &version.facts.depends_on {
            let fulfilled = self.view.need(&version.name.platform, need);
            let is_known = (self.may_inspect)(&version.name.platform) || self.sees(&need.capability);
            // Who may not see what it stands on learns that it stands on something, and no name.
            let name = if is_known {
                need.capability.to_string()
            } else {
                "a capability that you may not see".into()
            };
            evidence.push(format!("stands on {name} ({}): {}", need.range, word(fulfilled)));
        }
        evidence.truncate(LINES);
        let rule = match status.condition.reason {
            "DEPENDENCY" | "DEPENDENCY_UNKNOWN" => {
                "its producers serve; what it stands on does not, by itself: that is told one step up, and no further"
            }
            _ if version.stage == Stage::Retired => "retired by its owner, however its producers are",
            _ => {
                "the producers that serve it, folded; where an endpoint tells its services apart, those of the version count"
            }
        };
        let parts = status.producers.iter().map(|producer| (producer.condition.state, producer));
        let parts = self.worst(parts, |producer| self.producer(producer));
        self.node(version.name.to_string(), &status.condition, rule, evidence, parts)
    }

    fn producer(&self, status: &ProducerStatus) -> pb::StatusExplanation {
        let record = self.view.catalog.producer(&status.name);
        let mut evidence = record.map(|producer| self.evidence(producer)).unwrap_or_default();
        let name = status.name.to_string();
        let drifts = self.view.drifts.iter().filter(|drift| drift.subject == name);
        evidence
            .extend(drifts.map(|drift| format!("drift: {}: {}", drift.reason, drift.message)).take(LINES));
        let rule = match status.condition.reason {
            "LEASE_EXPIRED" => "its lease ended and nobody renewed it, whatever its endpoints answer",
            "LEASE_STALE" => {
                "its endpoints answer, but its lease was not renewed: stale knowledge is never ready"
            }
            "ORIGIN_PARTITIONED" => "the broker that knows of it cannot be reached",
            _ => "its endpoints, by the last look at each, folded; a look too old is not believed",
        };
        self.node(status.name.to_string(), &status.condition, rule, evidence, (Vec::new(), 0))
    }

    fn evidence(&self, producer: &Producer) -> Vec<String> {
        let lease = match producer.lease_expires {
            Some(expires) => format!("record {:?}, lease until {}", producer.freshness, second(expires)),
            None => format!("record {:?}, without a lease", producer.freshness),
        };
        let looks = producer.endpoints.iter().map(|endpoint| {
            let Some(look) = self.seen.get(&producer.name, &endpoint.address) else {
                return format!("{}: nobody has looked yet", endpoint.address);
            };
            let (state, since, at) = (word(look.state), second(look.since), second(look.observed));
            format!(
                "{}: {state} ({}: {}) since {since}, seen at {at}",
                endpoint.address, look.reason, look.message
            )
        });
        [lease].into_iter().chain(looks).take(LINES).collect()
    }

    /// Whether any version of the capability exists for the caller.
    fn sees(&self, name: &CapabilityName) -> bool {
        let capability = self.view.catalog.capability(name);
        capability.is_some_and(|c| c.offerings.iter().any(|offering| (self.may_see)(&offering.version.name)))
    }

    /// The worst parts first; those that serve are of the least interest.
    fn worst<T>(
        &self,
        parts: impl Iterator<Item = (State, T)>,
        explain: impl Fn(T) -> pb::StatusExplanation,
    ) -> (Vec<pb::StatusExplanation>, i32) {
        let mut parts: Vec<_> = parts.collect();
        parts.sort_by_key(|(state, _)| match state {
            State::NotServing => 0,
            State::Unknown => 1,
            State::Degraded => 2,
            State::Serving => 3,
        });
        let all = parts.len();
        let mut shown = Vec::new();
        for (_, part) in parts.into_iter().take(PARTS) {
            let Some(left) = self.left.get().checked_sub(1) else { break };
            self.left.set(left);
            shown.push(explain(part));
        }
        let omitted = i32::try_from(all - shown.len()).unwrap_or(i32::MAX);
        (shown, omitted)
    }

    fn node(
        &self,
        name: String,
        status: &Condition,
        rule: &str,
        evidence: Vec<String>,
        (parts, omitted_parts): (Vec<pb::StatusExplanation>, i32),
    ) -> pb::StatusExplanation {
        let (condition, rule) = (Some(condition(status)), rule.to_owned());
        pb::StatusExplanation { name, condition, rule, evidence, parts, omitted_parts }
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Serving => "SERVING",
        State::Degraded => "DEGRADED",
        State::NotServing => "NOT_SERVING",
        State::Unknown => "UNKNOWN",
    }
}

fn second(time: Timestamp) -> String {
    format!("{time:.0}")
}
