//! Compares a new contract with those beside it: whoever calls a version may be given any higher one of its major.
//!
//! Caret ranges are what consumers rely on, so for 0.x a minor is what a major is above. A pre-release promises nothing:
//! it is compared with what stands below it, and nothing is compared with it.

mod advice;

use super::Rules;
use super::offer::Described;
use crate::catalog::Snapshot;
use crate::descriptors::{self, Set};
use crate::model::{Contract, Digest, ServiceName, Version, VersionName, Violation};
use advice::{advice, uncompared};
use rpds::RedBlackTreeMapSync;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

/// Lines of a difference that a message tells.
const LINES: usize = 6;
/// Bytes of these lines.
const BYTES: usize = 320;

/// Descriptors that are not published yet.
pub(super) type Fresh = RedBlackTreeMapSync<VersionName, Arc<Described>>;

/// What stands while something is judged.
#[derive(Clone)]
pub(super) struct Known<'a> {
    pub(super) catalog: &'a Snapshot,
    pub(super) fresh: Fresh,
    pub(super) index: Arc<descriptors::Snapshot>,
    /// Whether what was stored is still on its way back.
    pub(super) is_start: bool,
    /// Versions whose contract cannot be read.
    pub(super) unreadable: &'a BTreeSet<VersionName>,
}

/// A version that is declared.
#[derive(Clone, Copy)]
pub(super) struct New<'a> {
    pub(super) version: &'a Version,
    pub(super) described: Option<&'a Arc<Described>>,
}

/// Two versions that were compared, the lower first.
pub(super) type Pair = (VersionName, VersionName);

/// The pairs in which each version is.
pub(super) fn by_version(pairs: HashSet<Pair>) -> HashMap<VersionName, HashSet<Pair>> {
    let mut own: HashMap<VersionName, HashSet<Pair>> = HashMap::new();
    for pair in pairs {
        own.entry(pair.0.clone()).or_default().insert(pair.clone());
        own.entry(pair.1.clone()).or_default().insert(pair);
    }
    own
}

/// The comparisons would take longer than they may.
#[derive(Debug)]
pub(super) struct TooMuch;

impl<'a> Known<'a> {
    /// What is published.
    pub(super) fn published(rules: &'a Rules, catalog: &'a Snapshot) -> Self {
        let (index, unreadable) = (rules.descriptors.snapshot(), &rules.unreadable);
        Self { catalog, fresh: Fresh::new_sync(), index, is_start: false, unreadable }
    }

    /// The violation of a version under which another contract was taken, whether or not anybody serves it now.
    pub(super) fn mutation(&self, path: &str, new: New<'_>) -> Option<Violation> {
        let name = &new.version.name;
        if self.unreadable.contains(name) {
            let message = format!(
                "{name} was taken, but its stored contract cannot be read, so nobody can tell whether this is the \
                 same: register a higher one, or let the operator mend the broker's store (see its log)"
            );
            return Some(Violation::new(path, "CONTRACT_MUTATED", message));
        }
        let recorded = self.catalog.contract(name).map(Side::Known);
        let standing = || self.catalog.offering(name).map(|offering| Side::Standing(&offering.version));
        let first = recorded.or_else(standing).filter(|first| first.digest() != new.version.digest)?;
        let message = format!(
            "{name} has another contract, and a version never changes: register a higher one ({})",
            self.difference(&first, new)
        );
        Some(Violation::new(path, "CONTRACT_MUTATED", message))
    }

    /// What breaks between versions that are new and their neighbours, known or new. Pairs in `compared` are passed
    /// over, and those that fit are added. `budget` is in bytes of descriptors.
    pub(super) fn breaks(
        &self,
        declared: &[New<'_>],
        path: impl Fn(usize) -> String,
        compared: &mut HashSet<Pair>,
        mut budget: usize,
    ) -> Result<Vec<Violation>, TooMuch> {
        // What is declared again brings its descriptors with it, also if they were let go.
        let mut known = self.clone();
        for New { version, described } in declared {
            let is_known = self.catalog.contract(&version.name).is_some_and(|c| c.digest == version.digest);
            if let Some(described) = described.filter(|_| is_known) {
                known.fresh.insert_mut(version.name.clone(), described.clone());
            }
        }
        known.breaks_between(declared, path, compared, &mut budget)
    }

    fn breaks_between(
        &self,
        declared: &[New<'_>],
        path: impl Fn(usize) -> String,
        compared: &mut HashSet<Pair>,
        budget: &mut usize,
    ) -> Result<Vec<Violation>, TooMuch> {
        let is_new = |new: &New<'_>| self.catalog.contract(&new.version.name).is_none();
        let numbered = declared.iter().enumerate().filter(|(_, new)| is_new(new));
        let fresh: BTreeMap<_, _> = numbered.map(|(at, new)| (&new.version.name, (at, *new))).collect();
        let mut found = Vec::new();
        for (name, (at, new)) in &fresh {
            let below = self.below(name, &fresh).into_iter().map(|lower| (lower, Side::New(*new)));
            let above = self.above(name, &fresh).into_iter().map(|upper| (Side::New(*new), upper));
            for (lower, upper) in below.chain(above) {
                let pair = (lower.name().clone(), upper.name().clone());
                if lower.digest() == upper.digest() || compared.contains(&pair) {
                    continue;
                }
                if let Some(lost) = [&lower, &upper].into_iter().find(|side| self.is_lost(side)) {
                    found.push(Violation::new(path(*at), "NOT_COMPARABLE", uncompared(name, lost.name())));
                    continue;
                }
                let (old, next) = (self.set(&lower), self.set(&upper));
                let cost = [&old, &next].into_iter().flatten().map(Set::size).sum();
                *budget = budget.checked_sub(cost).ok_or(TooMuch)?;
                let broken = descriptors::breaks(lower.contract(old.as_ref()), upper.contract(next.as_ref()));
                if broken.is_empty() {
                    compared.insert(pair);
                }
                let path = path(*at);
                found.extend(broken.into_iter().map(|b| {
                    let message = format!("{b}{}", advice(name, lower.name(), upper.name()));
                    Violation::new(path.clone(), "INCOMPATIBLE", message)
                }));
            }
        }
        Ok(found)
    }

    /// What a version is compared with below: the nearest release, and the nearest that is described.
    fn below<'s>(
        &'s self,
        name: &'s VersionName,
        fresh: &BTreeMap<&VersionName, (usize, New<'s>)>,
    ) -> Vec<Side<'s>> {
        let known = self.catalog.contracts_below(name).map(Side::Known);
        let known = first(known.filter(|side| self.counts(side)), name);
        let new = fresh.range::<VersionName, _>((Unbounded, Excluded(name))).rev();
        let new = first(new.map(|(_, (_, new))| Side::New(*new)), name);
        let mut sides: Vec<_> = known.into_iter().chain(new).collect();
        sides.sort_by(|a, b| b.name().cmp(a.name()));
        nearest(sides)
    }

    /// What a version is compared with above: the same, among what is known. What is new up there looks down itself.
    fn above<'s>(
        &'s self,
        name: &'s VersionName,
        fresh: &BTreeMap<&VersionName, (usize, New<'s>)>,
    ) -> Vec<Side<'s>> {
        if !name.version.pre.is_empty() {
            return Vec::new();
        }
        let known = self.catalog.contracts_above(name).map(Side::Known);
        let known = nearest(first(known.filter(|side| self.counts(side)), name));
        let mut between = fresh.range::<VersionName, _>((Excluded(name), Unbounded)).map(|(name, _)| *name);
        let next = between.find(|other| is_release_beside(other, name));
        known.into_iter().filter(|side| next.is_none_or(|next| side.name() < next)).collect()
    }

    /// Whether its descriptors are no longer kept, so that nothing can be compared with it.
    fn is_lost(&self, side: &Side<'_>) -> bool {
        let Side::Known(contract) = side else { return false };
        let name = &contract.name;
        contract.descriptors.is_some() && !self.fresh.contains_key(name) && !self.index.has(name)
    }

    /// Whether it is compared with. At the start not all descriptors are back when the configuration is judged; that is
    /// compared with those that are.
    fn counts(&self, side: &Side<'_>) -> bool {
        !self.is_start || !self.is_lost(side)
    }

    fn set(&self, side: &Side<'_>) -> Option<Set> {
        match side {
            Side::New(new) => new.described.map(|described| described.set.clone()),
            Side::Known(_) | Side::Standing(_) => {
                let fresh = self.fresh.get(side.name()).map(|described| described.set.clone());
                fresh.or_else(|| self.index.set(side.name()))
            }
        }
    }

    /// How a contract differs from what was first taken, in a few words.
    fn difference(&self, first: &Side<'_>, new: New<'_>) -> String {
        let set = self.set(first);
        if set.is_none() && first.is_described() {
            return format!("it was {}, this is {}", first.digest(), new.version.digest);
        }
        let new = Side::New(new);
        let all =
            descriptors::difference(first.contract(set.as_ref()), new.contract(self.set(&new).as_ref()));
        let mut told = String::new();
        for (i, line) in all.iter().enumerate() {
            if i == LINES || told.len() + line.len() > BYTES {
                return format!("{told}and {} more differences", all.len() - i);
            }
            told.push_str(line);
            told.push_str(if i + 1 == all.len() { "" } else { "; " });
        }
        told
    }
}

/// One side of a comparison.
#[derive(Clone, Copy)]
enum Side<'a> {
    Known(&'a Arc<Contract>),
    Standing(&'a Version),
    New(New<'a>),
}

impl<'a> Side<'a> {
    fn name(&self) -> &'a VersionName {
        match self {
            Side::Known(contract) => &contract.name,
            Side::Standing(version) => &version.name,
            Side::New(new) => &new.version.name,
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Side::Known(contract) => contract.digest,
            Side::Standing(version) => version.digest,
            Side::New(new) => new.version.digest,
        }
    }

    fn is_described(&self) -> bool {
        match self {
            Side::Known(contract) => contract.descriptors.is_some(),
            Side::Standing(version) => version.descriptors.is_some(),
            Side::New(new) => new.described.is_some(),
        }
    }

    fn contract(&self, set: Option<&'a Set>) -> descriptors::Contract<'a> {
        let (services, schema): (&'a [ServiceName], _) = match self {
            Side::Known(contract) => (&contract.services, &contract.parameter_schema),
            Side::Standing(version) => (&version.services, &version.parameter_schema),
            Side::New(new) => (&new.version.services, &new.version.parameter_schema),
        };
        descriptors::Contract { services, set, parameter_schema: schema.as_deref() }
    }
}

/// Of those that come nearer first: the first, and the first that is described if that is another.
fn first<'a>(sides: impl Iterator<Item = Side<'a>>, name: &VersionName) -> Vec<Side<'a>> {
    let mut found = Vec::new();
    for side in sides.take_while(|side| is_beside(side.name(), name)) {
        if !side.name().version.pre.is_empty() || (!found.is_empty() && !side.is_described()) {
            continue;
        }
        found.push(side);
        if side.is_described() {
            break;
        }
    }
    found
}

fn nearest(sides: Vec<Side<'_>>) -> Vec<Side<'_>> {
    let mut found = Vec::new();
    for side in sides {
        if found.is_empty() || side.is_described() {
            found.push(side);
        }
        if side.is_described() {
            break;
        }
    }
    found
}

/// Whether a consumer of one may be given the other by a caret range.
pub(super) fn is_beside(a: &VersionName, b: &VersionName) -> bool {
    (&a.platform, &a.capability) == (&b.platform, &b.capability)
        && descriptors::is_beside(&a.version, &b.version)
}

fn is_release_beside(other: &VersionName, name: &VersionName) -> bool {
    other.version.pre.is_empty() && is_beside(other, name)
}
