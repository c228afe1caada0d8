//! May I use it, and what do I owe?

use super::ground::{Asked, Ground};
use super::pb;
use crate::api::fault::Fault;
use crate::catalog::Offering;
use crate::model::Requirement;
use crate::wire::catalog as wire;

/// The versions that the caller sees.
pub(super) fn report(
    ground: &Ground,
    asked: &pb::GetConsumerReportRequest,
) -> Result<pb::GetConsumerReportResponse, Fault> {
    let page = (asked.page_size, asked.page_token.as_str());
    let asked = Asked { method: "GetConsumerReport", parent: &asked.parent, page };
    let (found, next_page_token) = ground.visible(&asked)?;
    let entries = found.iter().map(|offering| entry(ground, offering)).collect();
    Ok(pb::GetConsumerReportResponse { entries, next_page_token })
}

fn entry(ground: &Ground, offering: &Offering) -> pb::ConsumerEntry {
    let version = &offering.version;
    let obstacle = ground.obstacle(version);
    let owed = version.facts.prerequisites.iter().filter(|need| !is_met(ground, need));
    let own = ground.usage.by(&version.name, &ground.caller.identity);
    pb::ConsumerEntry {
        version: Some(ground.view().show_version(offering)),
        callable: obstacle.is_none(),
        obstacle: obstacle.unwrap_or_default(),
        condition: ground.condition(&version.name),
        missing_prerequisites: owed.map(wire::requirement).collect(),
        calls: own.map_or(0, |tally| tally.calls),
    }
}

/// Whether a version that the caller sees fulfils it.
fn is_met(ground: &Ground, need: &Requirement) -> bool {
    let capability = ground.snapshot.capability(&need.capability);
    let mut offerings = capability.into_iter().flat_map(|capability| &capability.offerings);
    offerings.any(|offering| need.takes(&offering.version.name) && ground.sees(offering))
}
