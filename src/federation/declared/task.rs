//! What the one task does with manifests: draft, write, publish, answer; and ends overrides.

use super::folder::Rest;
use super::judge::Judged;
use super::set::Key;
use super::{Changed, Options, Outcome, record};
use crate::catalog::Change;
use crate::federation::Error;
use crate::federation::apply::Apply;
use crate::federation::draft::Draft;
use crate::model::{Platform, PlatformName};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::oneshot;

/// How many applications of manifests may wait; more are refused.
pub(in crate::federation) const QUEUE: usize = 16;

/// What somebody asks, and where the answer goes.
pub(in crate::federation) struct Request {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Outcome, Error>>,
}

/// What can be asked.
pub(super) enum Work {
    /// Take manifests that were judged.
    Apply(Judged, Options),
    /// Take what the directory says.
    Folder(Judged, Rest),
}

impl Apply {
    /// Takes manifests in one draft and one commit.
    pub(in crate::federation) async fn declare(&mut self, request: Request) {
        let Request { work, answer } = request;
        let outcome = self.work(work).await;
        if let Ok(outcome) = &outcome
            && outcome.is_changed()
        {
            tracing::info!(
                revision = outcome.revision,
                changes = outcome.changes.len(),
                "manifests were applied"
            );
        }
        let _ = answer.send(outcome);
    }

    async fn work(&mut self, work: Work) -> Result<Outcome, Error> {
        let rules = self.rules.clone();
        let mut draft = self.draft(&rules);
        let mut changes = match &work {
            Work::Apply(judged, options) => draft.apply_manifests(judged, options),
            Work::Folder(judged, rest) => draft.apply_folder(judged, rest),
        };
        changes.sort_by(|a, b| (rank(a), &a.name).cmp(&(rank(b), &b.name)));
        if matches!(&work, Work::Apply(_, options) if options.validate_only) {
            return Ok(Outcome { changes, revision: self.catalog.snapshot().revision() });
        }
        draft.tell_drifts();
        self.persist(std::mem::take(&mut draft.writes)).await?;
        let revision = draft.catalog.revision();
        self.publish(draft);
        self.tell_targets();
        Ok(Outcome { changes, revision })
    }

    /// Ends the overrides whose time is over: in force they are no longer, whatever the disk says.
    pub(in crate::federation) async fn end_overrides(&mut self) {
        let rules = self.rules.clone();
        let mut draft = self.draft(&rules);
        draft.end_overrides();
        let writes = std::mem::take(&mut draft.writes);
        self.publish(draft);
        if let Err(error) = self.persist(writes).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "ended overrides are still on the disk; the next start forgets them"
            );
        }
    }
}

impl Draft<'_> {
    fn apply_manifests(&mut self, judged: &Judged, options: &Options) -> Vec<Changed> {
        let mut changes = self.take_manifests(judged);
        if options.prune {
            let now: BTreeSet<&Key> = judged.proposals.iter().map(|proposal| &proposal.key).collect();
            let gone = self.undeclared(&judged.authority, &now, options);
            changes.extend(self.remove_manifests(gone));
        }
        if options.validate_only {
            changes.extend(self.unmanaged(judged, options));
        }
        changes
    }

    fn end_overrides(&mut self) {
        while let Some(service) = self.state.declared.ended(self.now) {
            tracing::info!(%service, "an override has ended");
            // Removing what is not there is no fault.
            if let Ok(next) = self.catalog.apply(Change::RemoveOverride(service.clone())) {
                self.catalog = next;
            }
            let key = Key::Override(service);
            self.state.declared.remove(&key);
            self.writes.push(record::delete(&key));
        }
        self.tell_drifts();
    }
}

/// What both grant: while the catalogue changes, nobody is let in who is not both before and after.
pub(in crate::federation) fn common(
    before: &BTreeMap<PlatformName, Platform>,
    after: &BTreeMap<PlatformName, Platform>,
) -> Vec<Platform> {
    let both = before.iter().filter_map(|(name, before)| {
        let after = after.get(name).filter(|after| after.trust_domain == before.trust_domain)?;
        let mut platform = after.clone();
        platform.service_prefixes.retain(|prefix| before.service_prefixes.contains(prefix));
        Some(platform)
    });
    both.collect()
}

/// The order of kinds in an answer.
fn rank(changed: &Changed) -> usize {
    const KINDS: [&str; 6] = ["Platform", "Grant", "Capability", "Version", "Producer", "Override"];
    KINDS.iter().position(|kind| *kind == changed.kind).unwrap_or(KINDS.len())
}
