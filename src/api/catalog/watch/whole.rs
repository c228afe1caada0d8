//! Tells a whole catalogue, one small step after another: each platform, then its versions, then its producers.

use super::eyes::{Eyes, Moment};
use super::telling::Item;
use crate::catalog::{PlatformEntry, Snapshot};
use crate::model::{CapabilityId, PlatformName, ProducerId, ProducerName};
use std::ops::Bound;
use std::sync::Arc;

/// A place in a catalogue that is being told.
#[derive(Debug)]
pub(super) struct Whole {
    snapshot: Arc<Snapshot>,
    at: At,
}

#[derive(Debug)]
enum At {
    /// Behind this platform, or before all.
    Platform(Option<PlatformName>),
    /// In a platform, behind this capability, or before all; `told` if the platform itself was told.
    Capability { entry: Arc<PlatformEntry>, told: bool, after: Option<CapabilityId> },
    /// In a platform, behind this producer, or before all.
    Producer { entry: Arc<PlatformEntry>, after: Option<ProducerId> },
}

impl Whole {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, at: At::Platform(None) }
    }

    /// What the next step tells, which may be nothing; `None` at the end.
    pub(super) fn step(&mut self, eyes: &Eyes) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let moment = Moment { snapshot: &self.snapshot, since: None };
        let next = match &self.at {
            At::Platform(after) => {
                let entry = match after {
                    Some(after) => self.snapshot.platforms_after(after).next(),
                    None => self.snapshot.platforms().next(),
                };
                let entry = entry?.clone();
                let name = &entry.platform.name;
                let told = eyes.knows(name);
                if told {
                    items.extend(eyes.platform(moment, name, &[]).map(Item::Platform));
                }
                At::Capability { entry, told, after: None }
            }
            At::Capability { entry, told, after } => match behind(&entry.capabilities, after) {
                Some((id, capability)) => {
                    let passing = capability.offerings.iter().filter(|offering| eyes.passes(offering));
                    let versions = passing.map(|offering| eyes.show(&self.snapshot, offering));
                    items.extend(versions.map(|version| Item::Version(Box::new(version))));
                    if !told && !items.is_empty() {
                        let platform = eyes.platform(moment, &entry.platform.name, &[]);
                        items.splice(0..0, platform.map(Item::Platform));
                    }
                    let told = *told || !items.is_empty();
                    At::Capability { entry: entry.clone(), told, after: Some(id.clone()) }
                }
                // Who is told of no version is told of no producer.
                None if *told => At::Producer { entry: entry.clone(), after: None },
                None => At::Platform(Some(entry.platform.name.clone())),
            },
            At::Producer { entry, after } => match behind(&entry.producers, after) {
                Some((id, _)) => {
                    let name = ProducerName { platform: entry.platform.name.clone(), producer: id.clone() };
                    items.extend(eyes.producer(moment, &name).map(Item::Producer));
                    At::Producer { entry: entry.clone(), after: Some(id.clone()) }
                }
                None => At::Platform(Some(entry.platform.name.clone())),
            },
        };
        self.at = next;
        Some(items)
    }
}

/// The entry behind `after`, or the first.
fn behind<'a, K: Ord + Clone, V>(
    map: &'a rpds::RedBlackTreeMapSync<K, V>,
    after: &Option<K>,
) -> Option<(&'a K, &'a V)> {
    let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
    map.range::<K, _>((from, Bound::Unbounded)).next()
}
