//! What of the declared is not what runs, for people to read in the status of platforms.

use super::Changed;
use super::folder::{Kept, Rest};
use super::set::{Entry, Via};
use crate::catalog::Change;
use crate::federation::draft::Draft;
use crate::model::{Drift, PlatformName, Source};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// Drifts that are kept; more are not told.
const KEPT: usize = 1000;
/// Faults of one file that are told.
const OF_FILE: usize = 20;

/// One thing that is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Where: `payments/ledger.yaml:12`.
    pub origin: String,
    /// What is wrong and how to mend it, for people; names the field.
    pub message: String,
}

impl Draft<'_> {
    /// Remembers what is wrong with the directory until it is read again.
    pub(super) fn note_folder(&mut self, rest: &Rest, refused: &[Changed], kept: Option<Kept>) {
        let mut noted = Vec::new();
        if let Some(why) = &rest.unreadable {
            noted.push(self.of_folder("DIRECTORY_UNREADABLE", why.clone()));
        } else if self.is_lost(rest) {
            let message = "it holds no manifest any more; what they declared stays. To take it out, leave its \
                           files there without resources";
            noted.push(self.of_folder("DIRECTORY_EMPTY", message.to_owned()));
        } else if let Some(Kept { absent, held }) = kept {
            let message = format!(
                "the files of {absent} of its {held} resources are gone at once; these stay. Bring the files back, or, \
                 to take the resources out, leave the files there without them"
            );
            noted.push(self.of_folder("MASS_REMOVAL", message));
        }
        for (path, faults) in &rest.bad {
            let platforms = self.platforms_of(path);
            for fault in faults.iter().take(OF_FILE) {
                noted.extend(platforms.iter().map(|platform| Drift {
                    platform: platform.clone(),
                    source: Source::Manifest,
                    subject: path.to_string(),
                    origin: fault.origin.clone(),
                    reason: "MANIFEST_INVALID",
                    message: format!("{}; the file's last good content stays in force", fault.message),
                    since: self.time,
                }));
            }
        }
        for changed in refused {
            let Some(fault) = changed.faults.first() else { continue };
            noted.push(Drift {
                platform: Some(changed.platform.clone()),
                source: Source::Manifest,
                subject: changed.name.clone(),
                origin: changed.origin.clone(),
                reason: fault.reason,
                message: format!("{} is not as declared: {fault}", changed.kind),
                since: self.time,
            });
        }
        self.state.declared.noted = noted.into();
    }

    /// Shows all that differs in the catalogue.
    pub(in crate::federation) fn tell_drifts(&mut self) {
        let troubled = self.state.declared.iter().filter_map(|(_, entry)| self.of_entry(entry));
        let noted = self.state.declared.noted.iter().cloned();
        let mut drifts: Vec<Drift> = noted.chain(troubled).take(KEPT).collect();
        let known: HashMap<_, _> =
            self.catalog.drifts().iter().map(|drift| ((&drift.subject, drift.reason), drift.since)).collect();
        for drift in &mut drifts {
            if let Some(since) = known.get(&(&drift.subject, drift.reason)) {
                drift.since = *since;
            }
        }
        let change = Change::SetDrifts { source: Source::Manifest, drifts };
        if let Ok(next) = self.catalog.apply(change) {
            self.catalog = next;
        }
    }

    fn of_entry(&self, entry: &Entry) -> Option<Drift> {
        let (reason, message) = entry.trouble.clone()?;
        Some(Drift {
            platform: Some(entry.resource.spec.platform().clone()),
            source: Source::Manifest,
            subject: entry.resource.spec.name(),
            origin: entry.resource.origin.clone(),
            reason,
            message,
            since: self.time,
        })
    }

    fn of_folder(&self, reason: &'static str, message: String) -> Drift {
        Drift {
            platform: None,
            source: Source::Manifest,
            subject: "the directory of manifests".to_owned(),
            origin: String::new(),
            reason,
            message,
            since: self.time,
        }
    }

    /// Whose resources a file held when it was good; nobody's if it never was.
    fn platforms_of(&self, path: &Arc<str>) -> Vec<Option<PlatformName>> {
        let is_there = |entry: &&Arc<Entry>| entry.via == Via::File(path.clone());
        let entries = self.state.declared.iter().map(|(_, entry)| entry).filter(is_there);
        let platforms: BTreeSet<_> = entries.map(|entry| entry.resource.spec.platform().clone()).collect();
        match platforms.is_empty() {
            true => vec![None],
            false => platforms.into_iter().map(Some).collect(),
        }
    }
}
