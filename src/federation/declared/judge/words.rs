//! Judges what manifests say besides contracts: who serves, who may offer what, and words for people.

use super::{Judge, Made};
use crate::federation::discovery::INTERVALS;
use crate::federation::facts;
use crate::federation::judge::{Case, LINE};
use crate::federation::offer::{self, DESCRIPTION};
use crate::model::{CapabilitySpec, ProducerSpec, ServiceName, ServicePrefix, Spec, Violation};
use std::collections::BTreeSet;

/// Prefixes of a grant.
const PREFIXES: usize = 100;

impl Judge<'_> {
    pub(super) fn producer(&self, spec: &ProducerSpec) -> Result<Made, Vec<Violation>> {
        let mut case = self.case(&spec.name.platform)?;
        let identity = case.serving_identity(Some(&spec.identity), None);
        case.endpoints(&spec.endpoints, !self.authority.is_operator);
        if spec.versions.is_empty() {
            case.refuse("versions", "REQUIRED", "say what it serves: {capability}/{version}");
        }
        case.limit("versions", spec.versions.len(), self.rules.settings.quota.versions, "versions");
        if spec.discovery_interval.is_some_and(|interval| !INTERVALS.contains(&interval)) {
            let message = format!("a contract is read again every {INTERVALS:?}");
            case.refuse("discovery_interval", "OUT_OF_RANGE", message);
        }
        let mut seen = BTreeSet::new();
        for (i, version) in spec.versions.iter().enumerate() {
            if !seen.insert(version) {
                case.refuse(&format!("versions[{i}]"), "DUPLICATE", "it is named above already");
            }
        }
        if !case.found.is_empty() {
            return Err(case.found);
        }
        identity.map(Made::Producer).ok_or(case.found)
    }

    pub(super) fn words(&self, spec: &Spec) -> Result<Made, Vec<Violation>> {
        let mut case = self.case(spec.platform())?;
        match spec {
            Spec::Platform(spec) => case.text("display_name", &spec.display_name, LINE),
            Spec::Grant(spec) => prefixes(&mut case, &spec.service_prefixes),
            Spec::Capability(spec) => common(&mut case, spec),
            Spec::Override(spec) => {
                case.text("reason", &spec.reason, DESCRIPTION);
                if spec.service.is_reserved() {
                    case.refuse(
                        "service",
                        "RESERVED_NAME",
                        format!("{} belongs to no platform", spec.service),
                    );
                }
            }
            Spec::Version(_) | Spec::Producer(_) => {}
        }
        case.finish(|| Made::Plain)
    }
}

fn prefixes(case: &mut Case<'_>, prefixes: &[ServicePrefix]) {
    if prefixes.is_empty() {
        case.refuse("service_prefixes", "REQUIRED", "name at least one prefix");
    }
    case.limit("service_prefixes", prefixes.len(), PREFIXES, "prefixes of one grant");
    for (i, prefix) in prefixes.iter().enumerate() {
        if ServiceName::parse(prefix.as_str()).is_ok_and(|name| name.is_reserved()) {
            let message = format!("{prefix}: grpc, google and portolan are granted to no platform");
            case.refuse(&format!("service_prefixes[{i}]"), "RESERVED_NAME", message);
        }
    }
}

fn common(case: &mut Case<'_>, spec: &CapabilitySpec) {
    case.text("description", &spec.description, DESCRIPTION);
    let lines = [
        ("owner", &spec.owner),
        ("contact", &spec.contact),
        ("on_call", &spec.on_call),
        ("support_tier", &spec.support_tier),
        ("cost_unit", &spec.cost_unit),
    ];
    for (path, text) in lines {
        case.text(path, text, LINE);
    }
    facts::labels(case, "labels", &spec.labels);
    offer::audience(case, "visibility", &spec.visibility);
}
