//! What one watcher is told of: what its caller may see, and its filter lets through.

use super::super::search::VersionItem;
use super::super::view::{self, View};
use crate::access::{Caller, Policy};
use crate::catalog::{Delta, Offering, Snapshot};
use crate::filter::Query;
use crate::model::{CapabilityId, Platform, PlatformName, Producer, ProducerName, VersionName};
use crate::wire::catalog as wire;
use crate::wire::pb::portolan::catalog::v1 as pb;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whose eyes, and what they look for.
#[derive(Debug)]
pub(super) struct Eyes {
    pub(super) policy: Arc<Policy>,
    pub(super) caller: Arc<Caller>,
    /// `None` lets everything through.
    pub(super) filter: Option<Query>,
}

/// The catalogue now; or, with what was touched since, as it was then.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) since: Option<&'a Delta>,
}

impl<'a> Moment<'a> {
    fn platform(self, name: &PlatformName) -> Option<&'a Platform> {
        match self.since.and_then(|delta| delta.platforms.get(name)) {
            Some(before) => before.as_deref(),
            None => self.snapshot.platform(name.as_str()).map(|entry| entry.platform.as_ref()),
        }
    }

    fn offering(self, name: &VersionName) -> Option<&'a Offering> {
        match self.since.and_then(|delta| delta.versions.get(name)) {
            Some(before) => before.as_deref(),
            None => self.snapshot.offering(name).map(Arc::as_ref),
        }
    }

    fn producer(self, name: &ProducerName) -> Option<&'a Producer> {
        match self.since.and_then(|delta| delta.producers.get(name)) {
            Some(before) => before.as_deref(),
            None => self.snapshot.producer(name).map(Arc::as_ref),
        }
    }

    /// The versions of a platform; `touched` names those of them that were touched since.
    fn offerings(
        self,
        platform: &PlatformName,
        touched: &'a [VersionName],
    ) -> impl Iterator<Item = &'a Offering> {
        let entry = self.snapshot.platform(platform.as_str());
        let standing = entry.into_iter().flat_map(|entry| entry.capabilities.values());
        let is_same =
            move |name: &VersionName| self.since.is_none_or(|delta| !delta.versions.contains_key(name));
        let standing = standing.flat_map(|capability| &capability.offerings).map(Arc::as_ref);
        let before = self
            .since
            .into_iter()
            .flat_map(move |delta| touched.iter().filter_map(|name| delta.versions.get(name)?.as_deref()));
        standing.filter(move |offering| is_same(&offering.version.name)).chain(before)
    }
}

impl Eyes {
    /// Whether the watcher is told of a version.
    pub(super) fn passes(&self, offering: &Offering) -> bool {
        let item = VersionItem { offering, status: None };
        self.sees(offering) && self.filter.as_ref().is_none_or(|filter| filter.matches(&item))
    }

    /// Whether the watcher is told of a platform although it is told of no version of it: its own people are, unless
    /// they ask for certain versions.
    pub(super) fn knows(&self, platform: &PlatformName) -> bool {
        self.filter.is_none() && self.policy.speaks_for(&self.caller, platform)
    }

    /// A platform, if the watcher is told of it; `touched` names those of its versions that were touched since.
    pub(super) fn platform(
        &self,
        moment: Moment<'_>,
        name: &PlatformName,
        touched: &[VersionName],
    ) -> Option<pb::Platform> {
        let platform = moment.platform(name)?;
        let mut told = self.knows(name);
        let mut seen: BTreeSet<&CapabilityId> = BTreeSet::new();
        for offering in moment.offerings(name, touched).filter(|offering| self.sees(offering)) {
            seen.insert(&offering.version.name.capability);
            told = told || self.passes(offering);
        }
        told.then(|| wire::platform(platform, seen.len()))
    }

    /// A version, if the watcher is told of it.
    pub(super) fn version(&self, moment: Moment<'_>, name: &VersionName) -> Option<pb::Version> {
        let offering = moment.offering(name).filter(|offering| self.passes(offering))?;
        Some(self.show(moment.snapshot, offering))
    }

    /// A producer, if the watcher is told of a version that it serves.
    pub(super) fn producer(&self, moment: Moment<'_>, name: &ProducerName) -> Option<pb::Producer> {
        let producer = moment.producer(name)?;
        let mut told = false;
        let mut seen = Vec::new();
        for name in &producer.versions {
            let Some(offering) = moment.offering(name).filter(|offering| self.sees(offering)) else {
                continue;
            };
            seen.push(name);
            told = told || self.passes(offering);
        }
        told.then(|| view::show_producer(producer, seen))
    }

    /// A version as it is shown.
    pub(super) fn show(&self, snapshot: &Snapshot, offering: &Offering) -> pb::Version {
        View { policy: &self.policy, caller: &self.caller, snapshot }.show_version(offering)
    }

    /// Whether the version exists for the caller.
    pub(super) fn sees(&self, offering: &Offering) -> bool {
        self.policy.may_see(&self.caller, &offering.version)
    }
}
