//! What the last changes touched, and how it was before them: where a watcher goes on without having kept anything.

use super::{Offering, Snapshot};
use crate::model::{Platform, PlatformName, Producer, ProducerName, Requirement, Version, VersionName};
use rpds::ListSync;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many touched names are remembered at least, and twice as many at most.
pub const RETAINED: usize = 5_000;
/// The old states that are remembered take at most about twice so many bytes.
const RETAINED_BYTES: usize = 8 << 20;

/// The touched things, the newest first, in two generations: the older falls as a whole. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Log {
    recent: ListSync<Entry>,
    older: ListSync<Entry>,
    /// The bytes that `recent` holds on to.
    bytes: usize,
    /// Before this revision something was forgotten.
    floor: u64,
}

#[derive(Debug)]
struct Entry {
    /// The first revision that shows what the change made.
    revision: u64,
    before: Before,
}

/// A thing as it was before a change; `None` if it was not there.
#[derive(Debug)]
pub(super) enum Before {
    /// A platform itself, without what it offers.
    Platform(PlatformName, Option<Arc<Platform>>),
    /// A version with its producers.
    Version(VersionName, Option<Arc<Offering>>),
    /// A producer.
    Producer(ProducerName, Option<Arc<Producer>>),
}

/// What happened since a revision.
#[derive(Debug, Clone)]
pub enum Since {
    /// This was touched.
    Delta(Delta),
    /// It is no longer known what was touched.
    TooOld,
    /// The catalogue has not come that far.
    Future,
}

/// All that was touched since a revision, as it was at that revision; `None` if it was not there.
///
/// What is not named here is now as it was then.
#[derive(Debug, Clone, Default)]
pub struct Delta {
    /// Platforms themselves, without what they offer.
    pub platforms: BTreeMap<PlatformName, Option<Arc<Platform>>>,
    /// Versions with their producers.
    pub versions: BTreeMap<VersionName, Option<Arc<Offering>>>,
    /// Producers; a renewed lease alone is not told.
    pub producers: BTreeMap<ProducerName, Option<Arc<Producer>>>,
}

impl Snapshot {
    /// What happened between `revision` and this snapshot.
    pub fn since(&self, revision: u64) -> Since {
        if revision > self.revision {
            return Since::Future;
        }
        if revision < self.log.floor {
            return Since::TooOld;
        }
        let mut delta = Delta::default();
        let entries = self.log.recent.iter().chain(self.log.older.iter());
        // The oldest entry of a name comes last, and tells how it was at that revision.
        for entry in entries.take_while(|entry| entry.revision > revision) {
            match &entry.before {
                Before::Platform(name, before) => drop(delta.platforms.insert(name.clone(), before.clone())),
                Before::Version(name, before) => drop(delta.versions.insert(name.clone(), before.clone())),
                Before::Producer(name, before) => drop(delta.producers.insert(name.clone(), before.clone())),
            }
        }
        Since::Delta(delta)
    }

    /// Notes what the change that is being made touches.
    pub(super) fn touch(&mut self, before: Before) {
        self.log.push(Entry { revision: self.revision + 1, before });
    }
}

impl Delta {
    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.platforms.is_empty() && self.versions.is_empty() && self.producers.is_empty()
    }
}

impl Log {
    fn push(&mut self, entry: Entry) {
        if self.recent.len() >= RETAINED || self.bytes >= RETAINED_BYTES {
            let forgotten = std::mem::replace(&mut self.older, std::mem::take(&mut self.recent));
            self.floor = forgotten.first().map_or(self.floor, |newest| newest.revision);
            self.bytes = 0;
        }
        self.bytes += entry.before.bytes();
        self.recent.push_front_mut(entry);
    }
}

impl Before {
    /// About how much it holds on to, if nothing else does.
    fn bytes(&self) -> usize {
        match self {
            Self::Version(_, Some(offering)) => {
                let beneath = offering.beneath.iter().map(|statement| of_version(&statement.version));
                of_version(&offering.version) + beneath.sum::<usize>()
            }
            Self::Platform(_, Some(platform)) => {
                let prefixes = platform.service_prefixes.iter().map(|prefix| text(prefix.as_str()));
                platform.display_name.len() + prefixes.sum::<usize>()
            }
            Self::Producer(_, Some(producer)) => {
                let endpoints =
                    producer.endpoints.iter().map(|endpoint| size_of_val(endpoint) + endpoint.locality.len());
                endpoints.sum::<usize>() + producer.versions.len() * size_of::<VersionName>()
            }
            Self::Platform(_, None) | Self::Version(_, None) | Self::Producer(_, None) => 0,
        }
    }
}

fn of_version(version: &Version) -> usize {
    let facts = &version.facts;
    let schema = version.parameter_schema.as_ref().map_or(0, |schema| schema.len());
    let words = [&version.description, &version.owner, &version.contact];
    let more = [&facts.on_call, &facts.support_tier, &facts.cost_unit, &facts.sticky_key];
    let texts = words.into_iter().chain(more).map(String::len).sum::<usize>();
    let services = version.services.iter().map(|service| text(service.as_str()));
    let seen_by = version.visibility.platforms.iter().map(|name| text(name.as_str()));
    let labels = facts.labels.iter().map(|(key, value)| text(key) + text(value));
    let obligations = facts.obligations.iter().map(|obligation| text(obligation));
    let needs = facts.depends_on.iter().chain(&facts.prerequisites).map(of_need);
    let lists = services.chain(seen_by).chain(labels).chain(obligations).chain(needs);
    let config = facts.service_config.as_ref().map_or(0, |config| text(config.as_str()));
    let idempotent = facts.idempotent.iter().map(|method| text(&method.path)).sum::<usize>();
    schema + texts + config + idempotent + lists.sum::<usize>()
}

fn of_need(need: &Requirement) -> usize {
    size_of_val(need) + size_of_val(need.range.comparators.as_slice())
}

/// A text in a list, with its place there.
fn text(text: &str) -> usize {
    size_of::<String>() + text.len()
}
