//! Judges manifests by themselves, off the async threads: descriptors come from strangers.

use super::set::{Declared, Entry, Key, Sealed, Via};
use super::{Authority, record};
use crate::access::Policy;
use crate::catalog::Snapshot;
use crate::federation::compare::{self, Known, New, Pair};
use crate::federation::discovery::INTERVALS;
use crate::federation::facts;
use crate::federation::judge::{COMPARED, Case, LINE};
use crate::federation::offer::{self, DESCRIPTION, Described, Screened};
use crate::federation::{ROOM, Rules};
use crate::model::{
    CapabilityName, CapabilitySpec, Digest, Facts, Identity, Offer, PlatformName, ProducerSpec, Resource,
    ServiceName, ServicePrefix, Spec, Version, VersionName, VersionSpec, Violation,
};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Prefixes of a grant.
const PREFIXES: usize = 100;

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

/// Compares contracts with what stands beside them and with each other; who comes later in a line is at fault.
fn compare(known: &Known<'_>, proposals: &mut [Proposal]) {
    let (mut places, mut new, mut compared) = (Vec::new(), Vec::new(), HashSet::new());
    for (at, proposal) in proposals.iter().enumerate() {
        if let Ok(Made::Version(ready)) = &proposal.made {
            places.push(at);
            new.push(New { version: &ready.version, described: ready.described.as_ref() });
        }
    }
    let broken = known.breaks(&new, |at| places[at].to_string(), &mut compared, COMPARED);
    let too_much = |at: &usize| {
        let message = "these are too many large descriptor sets to compare at once; apply fewer at once";
        Violation::new(at.to_string(), "QUOTA", message)
    };
    let broken = broken.unwrap_or_else(|_| places.iter().map(too_much).collect());
    // Each gets its own: it is taken by the one task, which has no time to search all.
    let mut own = compare::by_version(compared);
    for place in places {
        if let Ok(Made::Version(ready)) = &mut proposals[place].made {
            ready.compared = own.remove(&ready.version.name).unwrap_or_default();
        }
    }
    for violation in broken {
        let Some(proposal) = violation.field.parse().ok().and_then(|at: usize| proposals.get_mut(at)) else {
            continue;
        };
        let mut found = std::mem::replace(&mut proposal.made, Ok(Made::Plain)).err().unwrap_or_default();
        found.push(Violation { field: "descriptor_set".to_owned(), ..violation });
        proposal.made = Err(found);
    }
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

/// What a version says, with what its capability says where it is silent.
pub(super) fn merged(offer: &Offer, defaults: Option<&CapabilitySpec>) -> Offer {
    let mut offer = offer.clone();
    let Some(defaults) = defaults else { return offer };
    let fill = |own: &mut String, common: &String| {
        if own.is_empty() {
            own.clone_from(common);
        }
    };
    fill(&mut offer.description, &defaults.description);
    fill(&mut offer.owner, &defaults.owner);
    fill(&mut offer.contact, &defaults.contact);
    let mut facts = Facts::clone(&offer.facts);
    fill(&mut facts.on_call, &defaults.on_call);
    fill(&mut facts.support_tier, &defaults.support_tier);
    fill(&mut facts.cost_unit, &defaults.cost_unit);
    for (label, value) in &defaults.labels {
        facts.labels.entry(label.clone()).or_insert_with(|| value.clone());
    }
    offer.facts = facts.shared();
    if !offer.visibility.everyone && offer.visibility.platforms.is_empty() {
        offer.visibility = defaults.visibility.clone();
    }
    offer
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

    fn version(
        &mut self,
        spec: &mut VersionSpec,
        capabilities: &[CapabilitySpec],
    ) -> Result<Made, Vec<Violation>> {
        let bytes = std::mem::take(&mut spec.offer.descriptor_set);
        let name = spec.name().capability_name();
        let common = capabilities.iter().find(|common| common.name == name);
        let defaults = common.or_else(|| self.declared.defaults(&name)).cloned();
        let mut offer = merged(&spec.offer, defaults.as_ref());
        let mut case = self.case(&spec.platform)?;
        if spec.offer.discover {
            offer::said(&mut case, "spec", &offer);
            if !bytes.is_empty() {
                case.refuse("spec.descriptor_set", "INCONSISTENT", "discover reads it from the producers");
            }
            return case.finish(|| Made::Plain);
        }
        offer.descriptor_set = bytes;
        let screened = std::mem::take(&mut self.screened);
        let mut case = Case { screened, ..self.case(&spec.platform)? };
        let (version, described) = offer::judge(&mut case, "spec", offer);
        let screened = std::mem::take(&mut case.screened);
        let sealed = Sealed {
            descriptors: version.descriptors,
            bytes: described.as_ref().map_or(0, |described| described.bytes.len()),
            files: described.as_ref().map(|described| described.set.files_digest()),
            digest: version.digest,
        };
        let made = case.finish(|| {
            Made::Version(Box::new(Ready { version, described, sealed, defaults, compared: HashSet::new() }))
        });
        self.screened = screened;
        made
    }

    fn producer(&self, spec: &ProducerSpec) -> Result<Made, Vec<Violation>> {
        let mut case = self.case(&spec.name.platform)?;
        let identity = case.serving_identity(Some(&spec.identity), None);
        case.endpoints(&spec.endpoints, !self.authority.is_operator);
        if spec.versions.is_empty() {
            case.refuse("versions", "REQUIRED", "say what it serves: {capability}/{version}");
        }
        case.limit("versions", spec.versions.len(), self.rules.settings.quota.versions, "versions");
        if spec.discovery_interval.is_some_and(|interval| !INTERVALS.contains(&interval)) {
            let message = format!("a contract is read again every {INTERVALS:?}");
            case.refuse("discovery_interval", "OUT_OF_RANGE", message);
        }
        let mut seen = BTreeSet::new();
        for (i, version) in spec.versions.iter().enumerate() {
            if !seen.insert(version) {
                case.refuse(&format!("versions[{i}]"), "DUPLICATE", "it is named above already");
            }
        }
        if !case.found.is_empty() {
            return Err(case.found);
        }
        identity.map(Made::Producer).ok_or(case.found)
    }

    fn words(&self, spec: &Spec) -> Result<Made, Vec<Violation>> {
        let mut case = self.case(spec.platform())?;
        match spec {
            Spec::Platform(spec) => case.text("display_name", &spec.display_name, LINE),
            Spec::Grant(spec) => prefixes(&mut case, &spec.service_prefixes),
            Spec::Capability(spec) => common(&mut case, spec),
            Spec::Override(spec) => {
                case.text("reason", &spec.reason, DESCRIPTION);
                if spec.service.is_reserved() {
                    case.refuse(
                        "service",
                        "RESERVED_NAME",
                        format!("{} belongs to no platform", spec.service),
                    );
                }
            }
            Spec::Version(_) | Spec::Producer(_) => {}
        }
        case.finish(|| Made::Plain)
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

fn prefixes(case: &mut Case<'_>, prefixes: &[ServicePrefix]) {
    if prefixes.is_empty() {
        case.refuse("service_prefixes", "REQUIRED", "name at least one prefix");
    }
    case.limit("service_prefixes", prefixes.len(), PREFIXES, "prefixes of one grant");
    for (i, prefix) in prefixes.iter().enumerate() {
        if ServiceName::parse(prefix.as_str()).is_ok_and(|name| name.is_reserved()) {
            let message = format!("{prefix}: grpc, google and portolan are granted to no platform");
            case.refuse(&format!("service_prefixes[{i}]"), "RESERVED_NAME", message);
        }
    }
}

fn common(case: &mut Case<'_>, spec: &CapabilitySpec) {
    case.text("description", &spec.description, DESCRIPTION);
    let lines = [
        ("owner", &spec.owner),
        ("contact", &spec.contact),
        ("on_call", &spec.on_call),
        ("support_tier", &spec.support_tier),
        ("cost_unit", &spec.cost_unit),
    ];
    for (path, text) in lines {
        case.text(path, text, LINE);
    }
    facts::labels(case, "labels", &spec.labels);
    offer::audience(case, "visibility", &spec.visibility);
}

fn capability(resource: &Resource) -> Option<&CapabilitySpec> {
    match &resource.spec {
        Spec::Capability(spec) => Some(spec),
        _ => None,
    }
}
