//! Is it worth keeping?

use super::ground::{Asked, Ground};
use super::pb;
use crate::api::fault::Fault;
use crate::catalog::Offering;
use crate::usage::Used;
use crate::wire::catalog::stage;
use crate::wire::time::timestamp;
use std::collections::BTreeSet;

/// Adoption, errors and age of the caller's own versions, or of all for an operator.
pub(super) fn report(
    ground: &Ground,
    asked: &pb::GetOperatorReportRequest,
) -> Result<pb::GetOperatorReportResponse, Fault> {
    let page = (asked.page_size, asked.page_token.as_str());
    let asked = Asked { method: "GetOperatorReport", parent: &asked.parent, page };
    let (found, next_page_token) = ground.inspected(&asked)?;
    let entries = found.iter().map(|offering| entry(ground, offering)).collect();
    Ok(pb::GetOperatorReportResponse { entries, next_page_token })
}

fn entry(ground: &Ground, offering: &Offering) -> pb::OperatorEntry {
    let name = &offering.version.name;
    let used = ground.usage.used(name);
    let total = used.total();
    let created =
        ground.snapshot.contract(name).map_or_else(|| offering.since(), |contract| contract.created);
    pb::OperatorEntry {
        version: name.to_string(),
        stage: stage(offering.version.stage).into(),
        create_time: Some(timestamp(created)),
        consumers: count(used.consumers.len()),
        consumer_platforms: count(platforms(ground, &used)),
        calls: total.map_or(0, |total| total.calls),
        failed_calls: total.map_or(0, |total| total.failed),
        last_call_time: total.map(|total| timestamp(total.last)),
        condition: ground.condition(name),
    }
}

/// How many platforms the consumers belong to.
fn platforms(ground: &Ground, used: &Used) -> usize {
    let domains: BTreeSet<_> = used.consumers.iter().map(|one| &one.consumer.trust_domain).collect();
    let platforms: BTreeSet<_> =
        domains.into_iter().flat_map(|domain| ground.policy.platforms_of(domain).to_vec()).collect();
    platforms.len()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
