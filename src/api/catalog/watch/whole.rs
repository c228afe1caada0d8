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
    /// In a capability, behind so many of its versions: many of them, each with a schema, are too much to hold at once.
    Version { entry: Arc<PlatformEntry>, told: bool, within: CapabilityId, behind: usize },
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
                Some((id, _)) => {
                    At::Version { entry: entry.clone(), told: *told, within: id.clone(), behind: 0 }
                }
                // Who is told of no version is told of no producer.
                None if *told => At::Producer { entry: entry.clone(), after: None },
                None => At::Platform(Some(entry.platform.name.clone())),
            },
            At::Version { entry, told, within, behind } => {
                let offerings = entry.capabilities.get(within).map_or(&[][..], |c| &c.offerings);
                let mut left = offerings.iter().enumerate().skip(*behind);
                match left.find(|(_, offering)| eyes.passes(offering)) {
                    Some((index, offering)) => {
                        if !told {
                            items
                                .extend(eyes.platform(moment, &entry.platform.name, &[]).map(Item::Platform));
                        }
                        items.push(Item::Version(Box::new(eyes.show(&self.snapshot, offering))));
                        let (entry, within) = (entry.clone(), within.clone());
                        At::Version { entry, told: true, within, behind: index + 1 }
                    }
                    None => At::Capability { entry: entry.clone(), told: *told, after: Some(within.clone()) },
                }
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access;
    use crate::catalog::Change;
    use crate::model::*;
    use jiff::Timestamp;

    fn version(minor: usize) -> Version {
        let name = format!("platforms/a.example/capabilities/big/versions/1.{minor}.0");
        Version {
            name: VersionName::parse(&name).unwrap(),
            services: vec!["acme.v1.X".parse().unwrap()],
            descriptors: None,
            parameter_schema: Some("x".repeat(64).into()),
            digest: Digest::of(name.as_bytes()),
            description: String::new(),
            owner: "o".into(),
            contact: "c".into(),
            stage: Stage::Stable,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility::everyone(),
            slo: Slo::default(),
            traffic_weight: None,
            facts: Facts::none(),
        }
    }

    #[test]
    fn a_large_capability_is_told_one_version_at_a_time() {
        const MANY: usize = 1_000;
        let platform = Platform {
            name: "a.example".parse().unwrap(),
            display_name: String::new(),
            trust_domain: TrustDomain::parse("a.example").unwrap(),
            service_prefixes: vec!["acme".parse().unwrap()],
        };
        let mut snapshot = Snapshot::default().apply(Change::PutPlatform(platform.clone())).unwrap();
        for minor in 0..MANY {
            let change = Change::DeclareVersion { version: version(minor), since: Timestamp::UNIX_EPOCH };
            snapshot = snapshot.apply(change).unwrap();
        }
        let policy = Arc::new(access::policy([platform], []).1);
        for who in ["a.example", "b.example"] {
            let caller = Identity::parse_spiffe(&format!("spiffe://{who}/x")).unwrap();
            let eyes = Eyes { caller: Arc::new(policy.caller(caller)), policy: policy.clone(), filter: None };
            let mut whole = Whole::new(Arc::new(snapshot.clone()));
            let (mut platforms, mut versions) = (0, 0);
            while let Some(items) = whole.step(&eyes) {
                assert!(items.len() <= 2, "a platform and a version at most");
                for item in items {
                    match item {
                        Item::Platform(_) => platforms += 1,
                        Item::Version(_) => versions += 1,
                        other => panic!("{other:?}"),
                    }
                }
            }
            assert_eq!((platforms, versions), (1, MANY), "{who}");
        }
    }
}
