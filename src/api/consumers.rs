//! Who called what in the last 30 days, for those who may know: the version's own platform, and operators.

use super::fault::Fault;
use super::list::List;
use super::scope::Scope;
use crate::access::{Caller, Policy};
use crate::catalog::Snapshot;
use crate::model::{Identity, TrustDomain, VersionName};
use crate::usage::{Consumption, Reader};
use crate::wire::pb::portolan::catalog::v1 as pb;
use crate::wire::time::timestamp;
use std::cmp::Reverse;
use std::sync::Arc;

/// At most so many consumers are named where a change affects them; the rest is counted.
const MOST_AFFECTED: usize = 100;

/// The consumers of versions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Consumers {
    usage: Reader,
    policy: Arc<Policy>,
}

/// The consumers whom a change affects.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Affected {
    /// The busiest first, at most 100.
    pub consumers: Vec<pb::Consumer>,
    /// How many are not named.
    pub omitted: i32,
}

impl Consumers {
    /// Over a book, as far as policy allows.
    pub fn new(usage: Reader, policy: Arc<Policy>) -> Self {
        Self { usage, policy }
    }

    /// Who called these versions, as far as the caller may know: to others nobody did.
    pub fn affected<'a>(
        &self,
        caller: &Caller,
        versions: impl IntoIterator<Item = &'a VersionName>,
    ) -> Affected {
        let inspected = versions.into_iter().filter(|name| self.policy.may_inspect(caller, &name.platform));
        busiest(inspected.flat_map(|name| self.usage.used(name).consumers).collect())
    }

    /// The book itself.
    pub(super) fn usage(&self) -> &Reader {
        &self.usage
    }

    /// Answers `ListConsumers`.
    pub(super) fn list(
        &self,
        caller: &Caller,
        snapshot: &Snapshot,
        asked: &pb::ListConsumersRequest,
    ) -> Result<pb::ListConsumersResponse, Fault> {
        let scope = Scope::parse(&asked.parent)?;
        scope.inspected(&asked.parent, &self.policy, caller)?;
        let page = (asked.page_size, asked.page_token.as_str());
        let list = List::open("ListConsumers", &asked.parent, page, caller)?;
        let after = list.after(parse_place)?;

        let admits =
            |name: &VersionName| self.policy.may_inspect(caller, &name.platform) && scope.admits(name);
        let is_there = scope.is_in(snapshot) || self.usage.knows(admits);
        if !is_there {
            return Err(Fault::not_found(&asked.parent));
        }
        let found = self.usage.page(admits, after.as_ref(), list.size + 1);
        let (found, next_page_token) = list.page(found.into_iter(), place);
        // Of which versions the rest was, nobody knows: who may know of all is told of it.
        let beyond = if caller.is_operator && scope == Scope::default() { self.usage.beyond() } else { 0 };
        let other_calls = self.usage.other_calls(admits).saturating_add(beyond);
        Ok(pb::ListConsumersResponse {
            consumers: found.iter().map(show).collect(),
            next_page_token,
            other_calls,
        })
    }
}

/// Where in a list a consumer stands.
pub(super) fn place(one: &Consumption) -> String {
    format!("{} {} {}", one.version, one.consumer.trust_domain, one.consumer)
}

/// Reads a place again.
pub(super) fn parse_place(text: &str) -> Option<(VersionName, Identity)> {
    let mut parts = text.splitn(3, ' ');
    let (version, domain, name) = (parts.next()?, parts.next()?, parts.next()?);
    let identity = Identity::parse(name, &TrustDomain::parse(domain).ok()?).ok()?;
    Some((VersionName::parse(version).ok()?, identity))
}

/// The busiest of them, and how many there are besides.
pub(super) fn busiest(mut found: Vec<Consumption>) -> Affected {
    found.sort_by(|a, b| {
        let place = |one: &Consumption| Reverse(one.tally.calls);
        place(a).cmp(&place(b)).then_with(|| (&a.version, &a.consumer).cmp(&(&b.version, &b.consumer)))
    });
    let omitted = i32::try_from(found.len().saturating_sub(MOST_AFFECTED)).unwrap_or(i32::MAX);
    found.truncate(MOST_AFFECTED);
    Affected { consumers: found.iter().map(show).collect(), omitted }
}

/// A consumer as it is shown.
pub(super) fn show(one: &Consumption) -> pb::Consumer {
    pb::Consumer {
        identity: one.consumer.to_string(),
        version: one.version.to_string(),
        calls: one.tally.calls,
        failed_calls: one.tally.failed,
        first_call_time: Some(timestamp(one.tally.first)),
        last_call_time: Some(timestamp(one.tally.last)),
    }
}
