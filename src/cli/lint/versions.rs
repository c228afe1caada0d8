//! Compares versions that manifests declare with those beside them, as a registration would be.

use super::Finding;
use super::source::Declared;
use crate::descriptors::{Break, breaks, contract_digest, difference, is_beside};
use std::iter;

/// Lines of a difference that are told.
const LINES: usize = 6;

/// What breaks if `new` is declared where `old` stands.
pub(super) fn compare(old: &[Declared], new: &[Declared]) -> Vec<Finding> {
    let mut found = Vec::new();
    for declared in new {
        if let Some(before) = old.iter().find(|before| is_same(before, declared)) {
            found.extend(mutated(before, declared));
            continue;
        }
        let all = || old.iter().chain(new).filter(|other| other.version.pre.is_empty());
        let lower = all().filter(|other| is_lower(other, declared)).max_by_key(|other| &other.version);
        let upper = old.iter().filter(|other| other.version.pre.is_empty() && is_lower(declared, other));
        let upper = upper.min_by_key(|other| &other.version).filter(|_| declared.version.pre.is_empty());
        let below = lower.map(|lower| (lower, declared));
        for (lower, upper) in below.into_iter().chain(upper.map(|upper| (declared, upper))) {
            let between = format!(" (between {} and {})", lower.version, upper.version);
            let broken = breaks(lower.subject.contract(), upper.subject.contract()).into_iter();
            found.extend(broken.map(|what| {
                let message = what.message + &between;
                Finding { origin: Some(declared.origin.clone()), what: Break { message, ..what } }
            }));
        }
    }
    found
}

/// A version that stands with another contract.
fn mutated(before: &Declared, now: &Declared) -> Option<Finding> {
    let (old, new) = (before.subject.contract(), now.subject.contract());
    let digest = |c: crate::descriptors::Contract<'_>| contract_digest(c.services, c.set, c.parameter_schema);
    if digest(old) == digest(new) {
        return None;
    }
    let all = difference(old, new);
    let more = all.len().saturating_sub(LINES);
    let rest = (more > 0).then(|| format!("{more} more differences"));
    let lines: Vec<_> = all.into_iter().take(LINES).chain(iter::once(rest).flatten()).collect();
    let message = format!("a version never changes, and it differs: {}", lines.join("; "));
    let path = format!("{}/versions/{}", now.capability, now.version);
    let what = Break { path, rule: "CONTRACT_MUTATED", message };
    Some(Finding { origin: Some(now.origin.clone()), what })
}

fn is_same(a: &Declared, b: &Declared) -> bool {
    (&a.capability, &a.version) == (&b.capability, &b.version)
}

/// Whether `a` is below `b`, and a consumer of one may be given the other.
fn is_lower(a: &Declared, b: &Declared) -> bool {
    a.capability == b.capability && a.version < b.version && is_beside(&a.version, &b.version)
}
