//! What a report is made from, all of one moment, through the eyes of one caller.

use super::Certificate;
use crate::access::{Caller, Policy};
use crate::api::catalog::view::View;
use crate::api::fault::Fault;
use crate::api::list::List;
use crate::api::scope::Scope;
use crate::catalog::{Offering, Snapshot};
use crate::model::{PlatformName, ServiceName, Version, VersionName};
use crate::relay::{Intent, Relay};
use crate::status::Federation;
use crate::usage;
use crate::wire::pb::portolan::status::v1 as status;
use jiff::Timestamp;
use semver::{Comparator, Op, VersionReq};
use std::ops::Bound;
use std::sync::Arc;

/// Everything that a report reads.
pub(super) struct Ground {
    pub(super) caller: Arc<Caller>,
    pub(super) policy: Arc<Policy>,
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) status: Arc<Federation>,
    pub(super) usage: usage::Reader,
    pub(super) relay: Arc<Relay>,
    pub(super) certificates: Vec<Certificate>,
    pub(super) now: Timestamp,
}

/// What a report is asked for, as all five ask.
pub(super) struct Asked<'a> {
    pub(super) method: &'static str,
    pub(super) parent: &'a str,
    pub(super) page: (i32, &'a str),
}

impl Ground {
    /// The catalogue through the caller's eyes.
    pub(super) fn view(&self) -> View<'_> {
        View { policy: &self.policy, caller: &self.caller, snapshot: &self.snapshot }
    }

    /// Whether the offering exists for the caller.
    pub(super) fn sees(&self, offering: &Offering) -> bool {
        self.policy.may_see(&self.caller, &offering.version)
    }

    /// Whether the caller may know what only the platform's own people and operators may.
    pub(super) fn inspects(&self, platform: &PlatformName) -> bool {
        self.policy.may_inspect(&self.caller, platform)
    }

    /// How a version that the caller sees is.
    pub(super) fn condition(&self, name: &VersionName) -> Option<status::Condition> {
        self.status.version(name).map(|status| crate::wire::status::condition(&status.condition))
    }

    /// Why a call of exactly this version would not be carried now; `None` if it would.
    pub(super) fn obstacle(&self, version: &Version) -> Option<String> {
        let VersionName { platform, version: number, .. } = &version.name;
        let exact = Comparator {
            op: Op::Exact,
            major: number.major,
            minor: Some(number.minor),
            patch: Some(number.patch),
            pre: number.pre.clone(),
        };
        let range = Some(VersionReq { comparators: vec![exact] });
        let intent = Intent { platform: Some(platform.clone()), range, ..Intent::default() };
        if version.services.is_empty() {
            return Some("it has no services yet".to_owned());
        }
        let refusal = |service: &ServiceName| self.relay.refusal(&self.caller, service.as_str(), &intent);
        version.services.iter().find_map(refusal).map(|refusal| refusal.to_string())
    }

    /// One page of the caller's own versions, or of all for an operator, and the token of the next.
    pub(super) fn inspected(&self, asked: &Asked<'_>) -> Result<(Vec<Arc<Offering>>, String), Fault> {
        let scope = Scope::parse_or_all(asked.parent)?;
        scope.inspected(asked.parent, &self.policy, &self.caller)?;
        if !scope.is_in(&self.snapshot) {
            return Err(Fault::not_found(asked.parent));
        }
        self.page(asked, &scope, |offering| self.inspects(&offering.version.name.platform))
    }

    /// One page of the versions that the caller sees, and the token of the next.
    pub(super) fn visible(&self, asked: &Asked<'_>) -> Result<(Vec<Arc<Offering>>, String), Fault> {
        let scope = Scope::parse_or_all(asked.parent)?;
        let is_own = |platform: &PlatformName| self.inspects(platform) && scope.is_in(&self.snapshot);
        let exists = scope.platform.as_ref().is_none_or(is_own)
            || self.offerings(&scope, None).any(|offering| self.sees(offering));
        if !exists {
            return Err(Fault::not_found(asked.parent));
        }
        self.page(asked, &scope, |offering| self.sees(offering))
    }

    /// The offerings behind `after`, by platform and capability, then newest first.
    pub(super) fn offerings<'a>(
        &'a self,
        scope: &'a Scope,
        after: Option<&'a VersionName>,
    ) -> impl Iterator<Item = &'a Arc<Offering>> {
        let platforms = self.snapshot.platforms().filter(|entry| scope.admits_platform(&entry.platform.name));
        let is_before = move |name: &PlatformName| after.is_some_and(|after| *name < after.platform);
        let platforms = platforms.skip_while(move |entry| is_before(&entry.platform.name));
        let found = platforms.flat_map(move |entry| {
            let after = after.filter(|after| after.platform == entry.platform.name);
            let from = after.map_or(Bound::Unbounded, |after| Bound::Included(after.capability.clone()));
            let capabilities = entry.capabilities.range((from, Bound::Unbounded));
            capabilities.flat_map(move |(id, capability)| {
                let after = after.filter(|after| after.capability == *id).map(|after| &after.version);
                let is_behind = move |o: &&Arc<Offering>| after.is_none_or(|a| o.version.name.version < *a);
                capability.offerings.iter().filter(is_behind)
            })
        });
        found.filter(|offering| scope.admits(&offering.version.name))
    }

    fn page(
        &self,
        asked: &Asked<'_>,
        scope: &Scope,
        admits: impl Fn(&Offering) -> bool,
    ) -> Result<(Vec<Arc<Offering>>, String), Fault> {
        let list = List::open(asked.method, asked.parent, asked.page, &self.caller)?;
        let after = list.after(|name| VersionName::parse(name).ok())?;
        let found = self.offerings(scope, after.as_ref()).filter(|offering| admits(offering)).cloned();
        Ok(list.page(found, |offering| offering.version.name.to_string()))
    }
}
