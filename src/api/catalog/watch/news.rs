//! Tells what is different since a revision, one name after another; what is gone comes last.

use super::eyes::{Eyes, Moment};
use super::telling::Item;
use crate::catalog::{Delta, Snapshot};
use crate::model::{PlatformName, ProducerName, VersionName};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A delta that is being told.
#[derive(Debug)]
pub(super) struct News {
    snapshot: Arc<Snapshot>,
    delta: Delta,
    names: std::vec::IntoIter<Name>,
    removed: Vec<String>,
}

/// Something that may have become different.
#[derive(Debug)]
enum Name {
    /// With those of its versions that were touched.
    Platform(PlatformName, Vec<VersionName>),
    Version(VersionName),
    Producer(ProducerName),
}

impl News {
    pub(super) fn new(snapshot: Arc<Snapshot>, delta: Delta) -> Self {
        let mut platforms: BTreeMap<_, Vec<_>> =
            delta.platforms.keys().map(|name| (name.clone(), Vec::new())).collect();
        let mut producers: BTreeSet<_> = delta.producers.keys().cloned().collect();
        for (name, before) in &delta.versions {
            platforms.entry(name.platform.clone()).or_default().push(name.clone());
            // Of a producer only the versions are shown that the reader sees.
            let serving =
                before.iter().chain(snapshot.offering(name)).flat_map(|offering| &offering.producers);
            producers.extend(serving.map(|producer| producer.name.clone()));
        }
        let platforms = platforms.into_iter().map(|(name, touched)| Name::Platform(name, touched));
        let versions = delta.versions.keys().cloned().map(Name::Version);
        let names: Vec<_> =
            platforms.chain(versions).chain(producers.into_iter().map(Name::Producer)).collect();
        Self { snapshot, delta, names: names.into_iter(), removed: Vec::new() }
    }

    /// What the next step tells, which may be nothing; `None` at the end.
    pub(super) fn step(&mut self, eyes: &Eyes) -> Option<Vec<Item>> {
        let Some(name) = self.names.next() else {
            return self.removed.pop().map(|name| vec![Item::Removed(name)]);
        };
        let now = Moment { snapshot: &self.snapshot, since: None };
        let then = Moment { snapshot: &self.snapshot, since: Some(&self.delta) };
        let (item, resource) = match name {
            Name::Platform(name, touched) => {
                if !self.concerns(eyes, &name, &touched) {
                    return Some(Vec::new());
                }
                let [then, now] = [then, now].map(|moment| eyes.platform(moment, &name, &touched));
                (difference(then, now, Item::Platform), format!("platforms/{name}"))
            }
            Name::Version(name) => {
                let [then, now] = [then, now].map(|moment| eyes.version(moment, &name));
                (difference(then, now, |version| Item::Version(Box::new(version))), name.to_string())
            }
            Name::Producer(name) => {
                let [then, now] = [then, now].map(|moment| eyes.producer(moment, &name));
                (difference(then, now, Item::Producer), name.to_string())
            }
        };
        match item {
            Some(item) => Some(item.into_iter().collect()),
            None => {
                self.removed.push(resource);
                Some(Vec::new())
            }
        }
    }

    /// Whether what the reader is told of a platform can have become different: most news are of its versions alone.
    fn concerns(&self, eyes: &Eyes, platform: &PlatformName, touched: &[VersionName]) -> bool {
        self.delta.platforms.contains_key(platform)
            || touched.iter().any(|name| {
                let told = |offering: &_| (eyes.sees(offering), eyes.passes(offering));
                let then = self.delta.versions.get(name).and_then(Option::as_deref).map(told);
                let now = self.snapshot.offering(name).map(Arc::as_ref).map(told);
                then.unwrap_or_default() != now.unwrap_or_default()
            })
    }
}

/// What is to be told of a thing: `Some(None)` is nothing, `None` is that it is gone.
fn difference<T: PartialEq>(
    then: Option<T>,
    now: Option<T>,
    item: impl Fn(T) -> Item,
) -> Option<Option<Item>> {
    match (then, now) {
        (then, Some(now)) => Some((then.as_ref() != Some(&now)).then(|| item(now))),
        (Some(_), None) => None,
        (None, None) => Some(None),
    }
}
