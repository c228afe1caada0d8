//! What does it cost whom? Calls by consumer; instances will be counted when there are any.

use super::ground::Ground;
use super::pb;
use crate::api::consumers::{parse_place, place};
use crate::api::fault::Fault;
use crate::api::list::List;
use crate::api::scope::Scope;
use crate::model::VersionName;
use crate::usage::Consumption;

/// Who took how much of the caller's own versions, or of all for an operator.
pub(super) fn report(
    ground: &Ground,
    asked: &pb::GetFinanceReportRequest,
) -> Result<pb::GetFinanceReportResponse, Fault> {
    let scope = Scope::parse_or_all(&asked.parent)?;
    scope.inspected(&asked.parent, &ground.policy, &ground.caller)?;
    let admits = |name: &VersionName| ground.inspects(&name.platform) && scope.admits(name);
    if !scope.is_in(&ground.snapshot) && !ground.usage.knows(admits) {
        return Err(Fault::not_found(&asked.parent));
    }
    let page = (asked.page_size, asked.page_token.as_str());
    let list = List::open("GetFinanceReport", &asked.parent, page, &ground.caller)?;
    let after = list.after(parse_place)?;
    let found = ground.usage.page(admits, after.as_ref(), list.size + 1);
    let (found, next_page_token) = list.page(found.into_iter(), place);
    Ok(pb::GetFinanceReportResponse {
        entries: found.iter().map(|one| entry(ground, one)).collect(),
        next_page_token,
        other_calls: ground.usage.other_calls(admits),
    })
}

fn entry(ground: &Ground, one: &Consumption) -> pb::FinanceEntry {
    let offering = ground.snapshot.offering(&one.version);
    let platforms = ground.policy.platforms_of(&one.consumer.trust_domain);
    pb::FinanceEntry {
        version: one.version.to_string(),
        consumer: one.consumer.to_string(),
        consumer_platforms: platforms.iter().map(|name| format!("platforms/{name}")).collect(),
        cost_unit: offering.map(|o| o.version.facts.cost_unit.clone()).unwrap_or_default(),
        calls: one.tally.calls,
    }
}
