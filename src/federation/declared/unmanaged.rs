//! What runs and these manifests do not declare: told in a plan, and left alone.

use super::export;
use super::judge::Judged;
use super::set::Key;
use super::{Action, Changed, Options};
use crate::federation::draft::Draft;
use crate::model::{PlatformName, Source};
use std::collections::BTreeSet;

/// As many are told.
const TOLD: usize = 1000;

impl Draft<'_> {
    /// What the caller may know of, and does not declare.
    pub(super) fn unmanaged(&self, judged: &Judged, options: &Options) -> Vec<Changed> {
        let now: BTreeSet<&Key> = judged.proposals.iter().map(|proposal| &proposal.key).collect();
        let is_meant = |platform: &PlatformName| {
            (options.prune_platforms.is_empty() || options.prune_platforms.contains(platform))
                && judged.authority.may_inspect(&self.rules.policy, platform)
        };
        let declared = &self.state.declared;
        let of_folder = declared
            .iter()
            .filter(|(_, entry)| self.is_of_folder(entry) && is_meant(entry.resource.spec.platform()))
            .map(|(_, entry)| (entry.resource.clone(), Source::Manifest));
        let others = export::undeclared(&self.catalog, declared, is_meant);
        let told = of_folder.chain(others).filter(|(resource, _)| !now.contains(&Key::of(&resource.spec)));
        told.take(TOLD)
            .map(|(resource, source)| Changed {
                action: Action::Unmanaged,
                source: Some(source),
                ..Changed::of(&resource.spec, &resource.origin)
            })
            .collect()
    }
}
