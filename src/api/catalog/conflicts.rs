//! What is claimed twice, as far as the caller may know of it.
//!
//! Two platforms that claim one service name are the business of both, and of whoever sees the one that lost. What the
//! sources of one platform say differently is the business of its own people and of operators.

mod show;

use super::view::{Level, View};
use super::{Catalog, pb};
use crate::access::Caller;
use crate::api::fault::Fault;
use crate::api::page::{self, Page};
use crate::catalog::{Claim, Claims, Offering};
use crate::model::{Clash, ClashKind, PlatformName, ServiceName};
use pb::ConflictKind;
use std::sync::Arc;

/// One conflict before it is shown; ordered by subject, then kind.
struct Found<'a> {
    subject: String,
    kind: ConflictKind,
    what: What<'a>,
}

enum What<'a> {
    /// With the claims that the caller sees.
    Service(&'a Claims, Vec<&'a Claim>),
    /// Those of one subject and kind.
    Clashes(Vec<&'a Arc<Clash>>),
    Statement(&'a Offering),
}

impl Catalog {
    /// Conflicts. It reads all services, and whole versions: not for a thread that carries calls.
    pub(super) fn conflicts(
        &self,
        caller: &Caller,
        asked: &pb::ListConflictsRequest,
    ) -> Result<pb::ListConflictsResponse, Fault> {
        let snapshot = self.reader.snapshot();
        let view = self.view(caller, &snapshot);
        let platform = view.parent_platform(&asked.parent)?;
        let query = format!("ListConflicts {}", asked.parent);
        let page = Page::parse(asked.page_size, &asked.page_token, &query, caller)?;
        let mut found = view.services(&platform);
        found.extend(view.clashes(&platform));
        found.extend(view.statements(&platform));
        found.retain(|conflict| page.after.as_ref().is_none_or(|after| conflict.key() > *after));
        found.sort_by_cached_key(Found::key);
        let is_cut = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| is_cut);
        let next_page_token = last.map(|last| page::token(&last.key(), &query, caller));
        Ok(pb::ListConflictsResponse {
            conflicts: found.iter().map(|conflict| view.show_conflict(conflict)).collect(),
            next_page_token: next_page_token.unwrap_or_default(),
        })
    }
}

impl Found<'_> {
    /// No subject holds a space.
    fn key(&self) -> String {
        format!("{} {}", self.subject, self.kind as i32)
    }
}

impl<'a> View<'a> {
    /// Names that several platforms claim.
    fn services(self, platform: &Level<PlatformName>) -> Vec<Found<'a>> {
        let claimed = self.snapshot.services().filter(|(_, claims)| claims.iter().nth(1).is_some());
        claimed.filter_map(|(service, claims)| self.service(service, claims, platform)).collect()
    }

    fn service(
        self,
        service: &ServiceName,
        claims: &'a Claims,
        platform: &Level<PlatformName>,
    ) -> Option<Found<'a>> {
        let is_seen = |claim: &&Claim| {
            let mut versions = claim.offerings.iter().map(|offering| &offering.version);
            self.policy.may_inspect(self.caller, &claim.platform)
                || versions.any(|version| self.policy.may_see(self.caller, version))
        };
        let seen: Vec<&Claim> = claims.iter().filter(is_seen).collect();
        let is_owner = |claim: &Claim| claims.owner().is_some_and(|owner| owner.platform == claim.platform);
        let takes_part = claims.iter().any(|claim| self.policy.may_inspect(self.caller, &claim.platform));
        // Whoever sees only the winner is not to learn that there is somebody else.
        let is_known = takes_part || seen.iter().any(|claim| !is_owner(claim));
        let is_asked_for = seen.iter().any(|claim| platform.admits(&claim.platform));
        (is_known && is_asked_for).then(|| Found {
            subject: service.to_string(),
            kind: ConflictKind::Service,
            what: What::Service(claims, seen),
        })
    }

    /// Declarations that were refused because something else stands.
    fn clashes(self, platform: &Level<PlatformName>) -> Vec<Found<'a>> {
        let mut found: Vec<Found<'a>> = Vec::new();
        for clash in self.snapshot.clashes().filter(|clash| self.is_inside(&clash.platform, platform)) {
            let kind = match clash.kind {
                ClashKind::Contract => ConflictKind::Contract,
                ClashKind::Producer => ConflictKind::Producer,
            };
            let same = found.last_mut().filter(|last| last.kind == kind && last.subject == clash.subject);
            match same.map(|last| &mut last.what) {
                Some(What::Clashes(known)) => known.push(clash),
                _ => found.push(Found {
                    subject: clash.subject.clone(),
                    kind,
                    what: What::Clashes(vec![clash]),
                }),
            }
        }
        found
    }

    /// Versions of which several sources say different things.
    fn statements(self, platform: &Level<PlatformName>) -> Vec<Found<'a>> {
        let entries =
            self.snapshot.platforms().filter(|entry| self.is_inside(&entry.platform.name, platform));
        let offerings = entries.flat_map(|entry| entry.capabilities.values()).flat_map(|c| &c.offerings);
        let differing = offerings.filter(|o| o.beneath.iter().any(|said| said.version != o.version));
        let found = differing.map(|offering| Found {
            subject: offering.version.name.to_string(),
            kind: ConflictKind::Statement,
            what: What::Statement(offering),
        });
        found.collect()
    }

    /// Whether it is asked for, and the caller may know what goes on inside the platform.
    fn is_inside(self, name: &PlatformName, platform: &Level<PlatformName>) -> bool {
        platform.admits(name) && self.policy.may_inspect(self.caller, name)
    }
}
