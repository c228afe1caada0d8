//! Judges manifests by themselves, off the async threads: descriptors come from strangers.

mod contract;
mod words;

pub(super) use contract::merged;

use super::set::{Declared, Entry, Key, Sealed, Via};
use super::{Authority, record};
use crate::access::Policy;
use crate::catalog::Snapshot;
use crate::federation::compare::{Known, Pair};
use crate::federation::judge::Case;
use crate::federation::offer::{Described, Screened};
use crate::federation::{ROOM, Rules};
use crate::model::{
    CapabilityName, CapabilitySpec, Digest, Identity, PlatformName, Resource, Spec, Version, VersionName,
    VersionSpec, Violation,
};
use contract::compare;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Manifests that were judged by themselves, ordered as they are applied.
#[derive(Debug)]
pub(in crate::federation) struct Judged {
    pub(super) authority: Authority,
    pub(super) proposals: Vec<Proposal>,
}

/// One manifest.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) key: Key,
    pub(super) via: Via,
    /// Without the bytes of descriptor sets.
    pub(super) resource: Resource,
    /// Digest of all that it says besides descriptor sets.
    pub(super) content: Digest,
    /// Since when it is declared, if it was before; else it begins now.
    pub(super) since: Option<jiff::Timestamp>,
    /// Of a capability: its versions that are judged beside it.
    pub(super) renewed: Vec<VersionName>,
    pub(super) made: Result<Made, Vec<Violation>>,
}

/// What was made of a manifest.
#[derive(Debug)]
pub(super) enum Made {
    /// It needs nothing more.
    Plain,
    /// It was declared word for word, and stood.
    Same,
    /// A contract.
    Version(Box<Ready>),
    /// Who serves.
    Producer(Identity),
}

/// A version that is right in itself.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) version: Version,
    pub(super) described: Option<Arc<Described>>,
    pub(super) sealed: Sealed,
    /// What the capability said when it was judged.
    pub(super) defaults: Option<CapabilitySpec>,
    /// Pairs of it and another that were found to fit together.
    pub(super) compared: HashSet<Pair>,
}

/// Judges all of them, each by itself.
pub(super) fn all(
    rules: &Rules,
    declared: &Declared,
    snapshot: &Snapshot,
    authority: Authority,
    resources: Vec<(Via, Resource)>,
) -> Judged {
    let mut resources: Vec<_> =
        resources.into_iter().map(|(via, resource)| (Key::of(&resource.spec), via, resource)).collect();
    resources.sort_by(|a, b| (&a.0, &a.2.origin).cmp(&(&b.0, &b.2.origin)));
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for (key, ..) in &resources {
        if !seen.insert(key.clone()) {
            twice.insert(key.clone());
        }
    }
    let (known, screened) = (Known::published(rules, snapshot), Screened::new());
    let mut judge = Judge { rules: rules.clone(), declared, known: &known, authority, screened };
    judge.rules.policy = judge.policy(&resources);
    let capabilities: Vec<_> = resources.iter().filter_map(|(_, _, r)| capability(r)).cloned().collect();
    let proposal = |(key, via, mut resource): (Key, Via, Resource)| {
        let made = match twice.contains(&key) {
            true => Err(vec![Violation::new("", "DUPLICATE", "it is declared more than once; keep one")]),
            false => judge.one(&key, &mut resource, &capabilities),
        };
        Proposal {
            content: record::content(&resource.spec),
            key,
            via,
            resource,
            since: None,
            renewed: Vec::new(),
            made,
        }
    };
    let mut proposals: Vec<_> = resources.into_iter().map(proposal).collect();
    compare(&known, &mut proposals);
    tell_capabilities(&mut proposals);
    Judged { authority: judge.authority, proposals }
}

/// Tells each capability which of its versions come with it.
fn tell_capabilities(proposals: &mut [Proposal]) {
    let mut renewed: BTreeMap<CapabilityName, Vec<VersionName>> = BTreeMap::new();
    for proposal in proposals.iter() {
        if let (Key::Version(name), Ok(Made::Version(_))) = (&proposal.key, &proposal.made) {
            renewed.entry(name.capability_name()).or_default().push(name.clone());
        }
    }
    for proposal in proposals {
        if let Key::Capability(name) = &proposal.key {
            proposal.renewed = renewed.remove(name).unwrap_or_default();
        }
    }
}

/// KiB that manifests take while they are under way.
pub(super) fn weight<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> u32 {
    let bytes: usize = resources
        .into_iter()
        .map(|resource| match &resource.spec {
            Spec::Version(spec) => spec.offer.descriptor_set.len() + 1024,
            _ => 1024,
        })
        .sum();
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX).clamp(1, ROOM)
}

struct Judge<'a> {
    rules: Rules,
    declared: &'a Declared,
    known: &'a Known<'a>,
    authority: Authority,
    screened: Screened,
}

impl Judge<'_> {
    /// The rules as they would be if all platforms and grants among these were taken.
    fn policy(&self, resources: &[(Key, Via, Resource)]) -> Arc<Policy> {
        let mut declared = self.declared.clone();
        let new = |key: &Key| self.authority.is_operator && matches!(key, Key::Platform(_) | Key::Grant(_));
        for (key, via, resource) in resources.iter().filter(|(key, ..)| new(key)) {
            let entry = Entry::new(resource.clone(), via.clone(), Digest::of(&[]), Default::default());
            declared.put(key.clone(), entry);
        }
        Arc::new(Policy::new(declared.platforms().values().cloned()))
    }

    fn one(
        &mut self,
        key: &Key,
        resource: &mut Resource,
        capabilities: &[CapabilitySpec],
    ) -> Result<Made, Vec<Violation>> {
        self.authorise(resource)?;
        let content = record::content(&resource.spec);
        let held = self.declared.get(key).filter(|held| held.stands && held.content == content);
        let sent = match &resource.spec {
            Spec::Version(VersionSpec { offer, .. }) if !offer.descriptor_set.is_empty() => {
                Some(Digest::of(&offer.descriptor_set))
            }
            _ => None,
        };
        if held.is_some_and(|held| held.sealed.as_ref().and_then(|sealed| sealed.descriptors) == sent) {
            if let Spec::Version(VersionSpec { offer, .. }) = &mut resource.spec {
                offer.descriptor_set = Vec::new();
            }
            return Ok(Made::Same);
        }
        match &mut resource.spec {
            Spec::Version(spec) => self.version(spec, capabilities),
            Spec::Producer(spec) => self.producer(spec),
            other => self.words(other),
        }
    }

    /// Whether the caller may apply it at all. Reads the same whether or not the platform exists.
    fn authorise(&self, resource: &Resource) -> Result<(), Vec<Violation>> {
        if self.authority.is_operator {
            return Ok(());
        }
        let refused = |reason, message: String| Err(vec![Violation::new("", reason, message)]);
        let kind = resource.spec.kind();
        if matches!(resource.spec, Spec::Platform(_) | Spec::Grant(_) | Spec::Override(_)) {
            return refused("OPERATOR_ONLY", format!("a {kind} is for operators of this broker to declare"));
        }
        let platform = resource.spec.platform();
        match &self.authority.identity {
            Some(identity) if self.rules.policy.may_register(identity, platform).is_ok() => Ok(()),
            Some(identity) => refused(
                "NOT_YOURS",
                format!(
                    "{identity} does not speak for platform {platform}; only identities of its own trust domain do"
                ),
            ),
            None => refused("NOT_YOURS", format!("nobody speaks for platform {platform} here")),
        }
    }

    fn case(&self, platform: &PlatformName) -> Result<Case<'_>, Vec<Violation>> {
        let unknown = || vec![unknown_platform(platform)];
        let platform = self.rules.policy.platform(platform).ok_or_else(unknown)?;
        Ok(Case::new(&self.rules, platform, self.known))
    }
}

impl Case<'_> {
    fn finish(mut self, made: impl FnOnce() -> Made) -> Result<Made, Vec<Violation>> {
        if self.found.is_empty() {
            return Ok(made());
        }
        for violation in &mut self.found {
            // A manifest has the fields of an offer right in its `spec`.
            let field = violation.field.strip_prefix("spec").unwrap_or(&violation.field);
            violation.field = field.trim_start_matches('.').to_owned();
        }
        Err(self.found)
    }
}

/// Nobody has declared the platform.
pub(super) fn unknown_platform(platform: &PlatformName) -> Violation {
    let message = format!("platform {platform} is neither in the configuration nor declared by a manifest");
    Violation::new("platform", "UNKNOWN_PLATFORM", message)
}

fn capability(resource: &Resource) -> Option<&CapabilitySpec> {
    match &resource.spec {
        Spec::Capability(spec) => Some(spec),
        _ => None,
    }
}
