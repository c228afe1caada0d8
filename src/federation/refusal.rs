//! A registration that is not taken: what is wrong, and whose word it clashes with.

use super::Rules;
use super::judge::Declaration;
use crate::catalog::Snapshot;
use crate::model::{ClashKind, ProducerName, Source, Version, Violation};

/// A registration that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// All that is wrong.
    pub(super) violations: Vec<Violation>,
    /// What clashes with what stands.
    pub(super) rivals: Vec<Rival>,
    pub(super) by: Origin,
}

/// Who declared something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) producer: ProducerName,
    pub(super) source: Source,
    /// The identity, if it is known.
    pub(super) origin: String,
}

/// A claim on what somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rival {
    pub(super) subject: String,
    pub(super) kind: ClashKind,
    pub(super) claim: String,
    pub(super) message: String,
}

impl Declaration {
    /// Who declared it.
    pub(super) fn origin(&self) -> Origin {
        let (producer, source) = (self.producer.clone(), self.source);
        Origin { producer, source, origin: self.registrant.to_string() }
    }
}

impl Refusal {
    /// Finds among what is wrong what clashes with somebody else's word.
    pub(super) fn new(violations: Vec<Violation>, versions: &[Version], by: Origin) -> Self {
        let rival = |violation: &Violation| {
            let message = violation.message.clone();
            match violation.reason {
                "CONTRACT_MUTATED" => {
                    let at = violation.field.strip_prefix("versions[")?.strip_suffix(']')?;
                    let version = versions.get(at.parse::<usize>().ok()?)?;
                    let (subject, claim) = (version.name.to_string(), version.digest.to_string());
                    Some(Rival { subject, kind: ClashKind::Contract, claim, message })
                }
                "CONFIGURED" | "DECLARED" => {
                    let (subject, claim) = (by.producer.to_string(), by.origin.clone());
                    Some(Rival { subject, kind: ClashKind::Producer, claim, message })
                }
                _ => None,
            }
        };
        Self { rivals: violations.iter().filter_map(rival).collect(), violations, by }
    }
}

/// A name that the configuration holds.
pub(super) fn taken_by_configuration(name: &ProducerName) -> Violation {
    let message = format!("{name} is in the broker's configuration, which wins; take another id");
    Violation::new("producer", "CONFIGURED", message)
}

/// The violation of a registration under a name that the operator gave to another source.
pub(super) fn taken(
    rules: &Rules,
    catalog: &Snapshot,
    name: &ProducerName,
    source: Source,
) -> Option<Violation> {
    if source != Source::Registration {
        return None;
    }
    if rules.configured.contains(name) {
        return Some(taken_by_configuration(name));
    }
    let by = match catalog.producer(name)?.source {
        // Whoever stands here says so itself; what comes from far away stands back.
        Source::Configuration | Source::Registration | Source::Federation => return None,
        Source::Manifest => "declared by a manifest",
        Source::Discovery => "discovered, as the operator wished",
    };
    Some(declared(name, by))
}

/// A name that the operator gave to another source.
pub(super) fn declared(name: &ProducerName, by: &str) -> Violation {
    Violation::new("producer", "DECLARED", format!("{name} is {by}; take another id"))
}
