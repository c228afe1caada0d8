//! Takes manifests one by one: each is as declared, is made so, or is refused and harms only itself.

use super::field::Fields;
use super::judge::{Judged, Made, Proposal, merged};
use super::place::of_catalog;
use super::set::{Entry, Key, Via};
use super::{Action, Changed, FieldChange, export, record};
use crate::catalog::Change;
use crate::federation::Error;
use crate::federation::draft::Draft;
use crate::model::{Clash, ClashKind, Freshness, ProducerSpec, Source, Spec, Stage, VersionSpec, Violation};

/// Why a manifest is not taken.
pub(super) type Faults = Vec<Violation>;

impl Draft<'_> {
    /// Takes all of them; what was done to each, in their order.
    pub(super) fn take_manifests(&mut self, judged: &Judged) -> Vec<Changed> {
        judged.proposals.iter().map(|proposal| self.take_manifest(proposal)).collect()
    }

    fn take_manifest(&mut self, proposal: &Proposal) -> Changed {
        let mut changed = Changed::of(&proposal.resource.spec, &proposal.resource.origin);
        let before = self.stage(&proposal.key);
        let taken = match &proposal.made {
            Ok(made) => self.take_judged(proposal, made),
            Err(faults) => self.show_clash(proposal, Some(faults)).and(Err(faults.clone())),
        };
        match taken {
            Ok((action, fields, source)) => {
                (changed.action, changed.fields, changed.source) = (action, fields, source);
                if let (Key::Version(name), Some(before)) = (&proposal.key, before) {
                    let ends = |stage| matches!(stage, Stage::Deprecated | Stage::Retired);
                    let now = self.stage(&proposal.key);
                    changed.loses = now.filter(|now| ends(*now) && *now != before).map(|_| name.clone());
                }
            }
            Err(faults) => (changed.action, changed.faults) = (Action::Refused, faults),
        }
        changed
    }

    fn take_judged(
        &mut self,
        proposal: &Proposal,
        made: &Made,
    ) -> Result<(Action, Vec<FieldChange>, Option<Source>), Faults> {
        let key = &proposal.key;
        let held = self.state.declared.get(key).filter(|held| held.stands).cloned();
        let is_same = match (&held, made) {
            (Some(held), Made::Same) if held.content == proposal.content => true,
            (_, Made::Same) => return Err(meanwhile()),
            _ => false,
        };
        let before = match &held {
            Some(held) => Some(Fields::of(&held.resource.spec, held.sealed.as_ref())),
            None => export::standing(&self.catalog, &proposal.resource.spec)
                .map(|(spec, sealed)| Fields::of(&spec, sealed.as_ref())),
        };
        let after = after(proposal, made, held.is_none());
        let is_same = is_same || before.as_ref() == Some(&after);
        if let Some(held) = held.as_ref().filter(|held| self.is_of_folder(held))
            && matches!(proposal.via, Via::Call(_))
        {
            return if is_same { Ok((Action::Unchanged, Vec::new(), None)) } else { Err(in_folder(held)) };
        }
        match (&held, is_same) {
            (Some(held), true) => {
                self.retell(held, proposal)?;
                return Ok((Action::Unchanged, Vec::new(), None));
            }
            // "No changes" must change nothing: what runs so by another source stays that source's.
            (None, true) if self.runs(key) => {
                return Ok((Action::Unchanged, Vec::new(), export::source(&self.catalog, key)));
            }
            _ => {}
        }
        let source = held.is_none().then(|| export::source(&self.catalog, key)).flatten();
        self.place_whole(proposal, made)?;
        Ok(match before {
            None => (Action::Create, Vec::new(), None),
            Some(_) if is_same => (Action::Unchanged, Vec::new(), source),
            Some(before) => (Action::Update, before.changes(&after), source),
        })
    }

    /// Puts it in force, or nothing has changed but that a clash is shown.
    fn place_whole(&mut self, proposal: &Proposal, made: &Made) -> Result<(), Faults> {
        let mark = self.mark();
        let placed = self.place(proposal, made);
        if placed.is_err() {
            self.go_back(mark);
        }
        self.show_clash(proposal, placed.as_ref().err())?;
        placed
    }

    /// Shows that somebody else holds the name or has another contract, or that it is no longer so.
    fn show_clash(&mut self, proposal: &Proposal, faults: Option<&Faults>) -> Result<(), Faults> {
        let (kind, producer, claim) = match (&proposal.resource.spec, &proposal.made) {
            (Spec::Producer(spec), _) => {
                (ClashKind::Producer, Some(spec.name.clone()), spec.identity.clone())
            }
            (Spec::Version(_), Ok(Made::Version(ready))) => {
                (ClashKind::Contract, None, ready.sealed.digest.to_string())
            }
            (Spec::Version(_), Err(_)) => (ClashKind::Contract, None, String::new()),
            _ => return Ok(()),
        };
        let (platform, subject) = (proposal.resource.spec.platform().clone(), proposal.resource.spec.name());
        let (origin, source) = (proposal.resource.origin.clone(), Source::Manifest);
        let is_clash =
            |fault: &&Violation| matches!(fault.reason, "CONTRACT_MUTATED" | "PRODUCER_REGISTERED");
        let change = match faults.map(|faults| faults.iter().find(is_clash)) {
            None => Change::SettleClash { platform, subject, kind, source },
            Some(None) => return Ok(()),
            Some(Some(fault)) => {
                let (message, since) = (fault.message.clone(), self.time);
                Change::PutClash(Clash {
                    subject,
                    kind,
                    platform,
                    source,
                    producer,
                    origin,
                    claim,
                    message,
                    since,
                })
            }
        };
        self.make(change)
    }

    /// Changes the catalogue.
    pub(super) fn make(&mut self, change: Change) -> Result<(), Faults> {
        self.apply(change).map_err(|error| match error {
            Error::Catalog(error) => of_catalog(error),
            other => unwritable(other),
        })
    }

    /// Notes that what stands is written somewhere else now.
    fn retell(&mut self, held: &Entry, proposal: &Proposal) -> Result<(), Faults> {
        if held.resource.origin == proposal.resource.origin && held.via == proposal.via {
            return Ok(());
        }
        let mut entry = held.clone();
        entry.resource.origin.clone_from(&proposal.resource.origin);
        entry.via.clone_from(&proposal.via);
        self.writes.push(record::put(&proposal.key, &entry).map_err(unwritable)?);
        self.state.declared.put(proposal.key.clone(), entry);
        Ok(())
    }

    /// Whether it runs, whoever said so; a producer whose lease ended does not.
    fn runs(&self, key: &Key) -> bool {
        match key {
            Key::Producer(name) => {
                self.catalog.producer(name).is_some_and(|producer| producer.freshness != Freshness::Expired)
            }
            _ => true,
        }
    }

    /// Whether the watched directory holds it; what one held that is watched no more is free to be taken.
    pub(super) fn is_of_folder(&self, entry: &Entry) -> bool {
        matches!(entry.via, Via::File(_)) && self.rules.settings.is_folder_watched
    }

    fn stage(&self, key: &Key) -> Option<Stage> {
        match key {
            Key::Version(name) => self.catalog.offering(name).map(|offering| offering.version.stage),
            _ => None,
        }
    }
}

impl Changed {
    /// Nothing was done yet.
    pub(super) fn of(spec: &Spec, origin: &str) -> Self {
        Self {
            kind: spec.kind(),
            name: spec.name(),
            platform: spec.platform().clone(),
            origin: origin.to_owned(),
            action: Action::Unchanged,
            fields: Vec::new(),
            faults: Vec::new(),
            loses: None,
            source: None,
        }
    }
}

/// The disk takes no such thing.
pub(super) fn unwritable(error: Error) -> Faults {
    vec![Violation::new("", "UNWRITABLE", error.to_string())]
}

/// Somebody was faster.
pub(super) fn meanwhile() -> Faults {
    let message = "what it builds on was changed by somebody else while it was judged; apply it again";
    vec![Violation::new("", "CHANGED_MEANWHILE", message)]
}

/// What the manifest says: by itself where it was declared before, else with what it takes from its capability, as it
/// is compared with what runs.
fn after(proposal: &Proposal, made: &Made, is_effective: bool) -> Fields {
    match (&proposal.resource.spec, made) {
        (Spec::Version(spec), Made::Version(ready)) if is_effective => {
            let offer = merged(&spec.offer, ready.defaults.as_ref());
            let spec = VersionSpec { platform: spec.platform.clone(), offer };
            Fields::of(
                &Spec::Version(spec),
                Some(&super::set::Sealed { files: None, ..ready.sealed.clone() }),
            )
        }
        (spec, Made::Version(ready)) => Fields::of(spec, Some(&ready.sealed)),
        (Spec::Producer(spec), Made::Producer(identity)) => {
            // As it is written in one way only.
            let spec = ProducerSpec { identity: identity.to_string(), ..spec.clone() };
            Fields::of(&Spec::Producer(spec), None)
        }
        (spec, _) => Fields::of(spec, None),
    }
}

fn in_folder(held: &Entry) -> Faults {
    let message = format!(
        "{} of the broker's own directory declares it, which wins; change it there",
        held.resource.origin
    );
    vec![Violation::new("", "IN_DIRECTORY", message)]
}
