//! Is it healthy, and who uses it?

use super::ground::{Asked, Ground};
use super::pb;
use crate::api::consumers::{Affected, busiest};
use crate::api::fault::Fault;
use crate::model::{CapabilityName, VersionName};
use crate::wire::catalog::stage;
use semver::VersionReq;
use std::collections::HashMap;

/// At most so many dependants are named; the rest is counted.
const MOST_DEPENDANTS: usize = 100;

/// The caller's own versions, or all for an operator.
pub(super) fn report(
    ground: &Ground,
    asked: &pb::GetProducerReportRequest,
) -> Result<pb::GetProducerReportResponse, Fault> {
    let page = (asked.page_size, asked.page_token.as_str());
    let asked = Asked { method: "GetProducerReport", parent: &asked.parent, page };
    let (found, next_page_token) = ground.inspected(&asked)?;
    let needs = needs(ground);
    let entries = found.iter().map(|offering| {
        let name = &offering.version.name;
        let used = ground.usage.used(name);
        let other_calls = used.other.map_or(0, |tally| tally.calls);
        let Affected { consumers, omitted } = busiest(used.consumers);
        let takes = |(range, _): &&(&VersionReq, &VersionName)| range.matches(&name.version);
        let mut dependants: Vec<_> = needs
            .get(&name.capability_name())
            .into_iter()
            .flatten()
            .filter(takes)
            .map(|(_, by)| *by)
            .collect();
        dependants.sort();
        dependants.dedup();
        pb::ProducerEntry {
            version: name.to_string(),
            stage: stage(offering.version.stage).into(),
            condition: ground.condition(name),
            producers: offering.producers.iter().map(|producer| producer.name.to_string()).collect(),
            consumers,
            omitted_consumers: omitted,
            omitted_dependants: i32::try_from(dependants.len().saturating_sub(MOST_DEPENDANTS))
                .unwrap_or(i32::MAX),
            dependants: dependants.iter().take(MOST_DEPENDANTS).map(ToString::to_string).collect(),
            other_calls,
        }
    });
    Ok(pb::GetProducerReportResponse { entries: entries.collect(), next_page_token })
}

/// Who needs what, as far as the caller sees who.
fn needs(ground: &Ground) -> HashMap<CapabilityName, Vec<(&VersionReq, &VersionName)>> {
    let mut needs: HashMap<CapabilityName, Vec<_>> = HashMap::new();
    let entries = ground.snapshot.platforms().flat_map(|entry| entry.capabilities.values());
    for offering in entries.flat_map(|capability| &capability.offerings) {
        let needed = &offering.version.facts.depends_on;
        if needed.is_empty() || !ground.sees(offering) {
            continue;
        }
        for need in needed {
            needs.entry(need.capability.clone()).or_default().push((&need.range, &offering.version.name));
        }
    }
    needs
}
