//! The book: calls of each version by each consumer and day, within bounds. Pure.

use super::days::Days;
use super::reader::{Consumption, Used};
use super::record::Key;
use crate::model::{Identity, TrustDomain, VersionName};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// How many the book tells apart. What is more is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Consumers of one version; those of one trust domain take at most half of them.
    pub consumers: usize,
    /// Pairs of version and consumer in all; those of one trust domain take at most half of them.
    pub pairs: usize,
    /// Versions that were called.
    pub versions: usize,
}

/// Who called what, by day.
#[derive(Debug)]
pub struct Book {
    limits: Limits,
    entries: BTreeMap<VersionName, Entry>,
    pairs: usize,
    of_domain: HashMap<TrustDomain, usize>,
    /// Calls of versions that were too many to be told apart.
    beyond: Days,
    /// What differs from the store.
    unwritten: BTreeSet<Key>,
    today: i32,
    lumped: u64,
}

#[derive(Debug, Default)]
struct Entry {
    consumers: BTreeMap<Identity, Days>,
    other: Days,
}

impl Default for Limits {
    /// A full book takes about 130 MB.
    fn default() -> Self {
        Self { consumers: 1_000, pairs: 100_000, versions: 100_000 }
    }
}

impl Book {
    /// An empty book.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            pairs: 0,
            of_domain: HashMap::new(),
            beyond: Days::default(),
            unwritten: BTreeSet::new(),
            today: i32::MIN,
            lumped: 0,
        }
    }

    /// Counts calls of a version by a consumer; together with others if there is no room for a name.
    pub fn add(&mut self, version: &VersionName, consumer: &Identity, days: &Days) {
        if self.admit(version, Some(consumer)) {
            let entry = self.entries.entry(version.clone()).or_default();
            entry.consumers.entry(consumer.clone()).or_default().add(days);
            self.unwritten.insert(Key { version: version.clone(), consumer: Some(consumer.clone()) });
        } else {
            self.add_other(version, days);
        }
    }

    /// Counts calls of a version by nobody in particular.
    pub fn add_other(&mut self, version: &VersionName, days: &Days) {
        self.lumped = self.lumped.saturating_add(1);
        if self.admit(version, None) {
            self.entries.entry(version.clone()).or_default().other.add(days);
            self.unwritten.insert(Key { version: version.clone(), consumer: None });
        } else {
            self.beyond.add(days);
        }
    }

    /// Counts calls of versions that nobody tells apart.
    pub(super) fn add_beyond(&mut self, days: &Days) {
        self.beyond.add(days);
    }

    /// Forgets what is older than 30 days. A day is believed only if the day before it was seen too, by this process or
    /// by calls in the store: a clock that is wrong once, or jumps, must not cost what was counted.
    pub fn forget(&mut self, today: i32) {
        if self.today == today {
            return;
        }
        let yesterday = today.saturating_sub(1);
        let is_believed = std::mem::replace(&mut self.today, today) == yesterday || self.has(yesterday);
        if !is_believed {
            return;
        }
        self.beyond.forget(today);
        let (unwritten, of_domain) = (&mut self.unwritten, &mut self.of_domain);
        let pairs = &mut self.pairs;
        self.entries.retain(|version, entry| {
            if entry.other.forget(today) {
                unwritten.insert(Key { version: version.clone(), consumer: None });
            }
            entry.consumers.retain(|consumer, days| {
                if days.forget(today) {
                    unwritten.insert(Key { version: version.clone(), consumer: Some(consumer.clone()) });
                }
                if days.is_empty() {
                    *pairs -= 1;
                    leave(of_domain, &consumer.trust_domain);
                }
                !days.is_empty()
            });
            !entry.consumers.is_empty() || !entry.other.is_empty()
        });
    }

    fn has(&self, day: i32) -> bool {
        let mut entries = self.entries.values();
        entries.any(|entry| entry.other.has(day) || entry.consumers.values().any(|days| days.has(day)))
    }

    /// Who used a version.
    pub fn used(&self, version: &VersionName) -> Used {
        let Some(entry) = self.entries.get(version) else { return Used::default() };
        let consumers = entry.consumers.iter().filter_map(|(consumer, days)| {
            Some(Consumption { version: version.clone(), consumer: consumer.clone(), tally: days.tally()? })
        });
        Used { consumers: consumers.collect(), other: entry.other.tally() }
    }

    /// The calls of a version by one consumer.
    pub fn days(&self, version: &VersionName, consumer: &Identity) -> Option<&Days> {
        self.entries.get(version)?.consumers.get(consumer)
    }

    /// At most `most` pairs behind `after`, of those versions that `admits` lets through; by version, then consumer.
    pub fn page(
        &self,
        admits: impl Fn(&VersionName) -> bool,
        after: Option<&(VersionName, Identity)>,
        most: usize,
    ) -> Vec<Consumption> {
        let from = after.map_or(Bound::Unbounded, |(version, _)| Bound::Included(version));
        let entries = self.entries.range((from, Bound::Unbounded)).filter(|(version, _)| admits(version));
        let pairs = entries.flat_map(|(version, entry)| {
            let after = after.filter(|(last, _)| last == version).map(|(_, consumer)| consumer);
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            entry.consumers.range((from, Bound::Unbounded)).filter_map(move |(consumer, days)| {
                let (version, consumer) = (version.clone(), consumer.clone());
                Some(Consumption { version, consumer, tally: days.tally()? })
            })
        });
        pairs.take(most).collect()
    }

    /// Calls, by nobody in particular, of those versions that `admits` lets through.
    pub fn other_calls(&self, admits: impl Fn(&VersionName) -> bool) -> u64 {
        let entries = self.entries.iter().filter(|(version, _)| admits(version));
        let tallies = entries.filter_map(|(_, entry)| entry.other.tally());
        tallies.map(|tally| tally.calls).fold(0, u64::saturating_add)
    }

    /// Whether calls of a version were counted.
    pub fn knows(&self, admits: impl Fn(&VersionName) -> bool) -> bool {
        self.entries.keys().any(admits)
    }

    /// How many pairs of version and consumer are told apart.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Calls of versions that were too many to be told apart.
    pub fn beyond(&self) -> u64 {
        self.beyond.tally().map_or(0, |tally| tally.calls)
    }

    /// Puts back what was stored. Where there is no room for it any more, the store is told so.
    pub(super) fn restore(&mut self, key: Key, days: Days) {
        match &key.consumer {
            Some(consumer) if self.admit(&key.version, Some(consumer)) => {
                let entry = self.entries.entry(key.version).or_default();
                entry.consumers.entry(consumer.clone()).or_default().add(&days);
            }
            Some(_) => {
                self.add_other(&key.version, &days);
                self.unwritten.insert(key);
            }
            None if self.admit(&key.version, None) => {
                self.entries.entry(key.version).or_default().other.add(&days);
            }
            None => self.beyond.add(&days),
        }
    }

    /// Takes at most `most` of what differs from the store: where, and what stands there now; nothing, if it is gone.
    pub(super) fn take_unwritten(&mut self, most: usize) -> Vec<(Key, Option<Days>)> {
        let mut taken = Vec::with_capacity(most.min(self.unwritten.len()));
        while taken.len() < most {
            let Some(key) = self.unwritten.pop_first() else { break };
            let entry = self.entries.get(&key.version);
            let days = entry.and_then(|entry| match &key.consumer {
                Some(consumer) => entry.consumers.get(consumer),
                None => Some(&entry.other).filter(|days| !days.is_empty()),
            });
            let days = days.cloned();
            taken.push((key, days));
        }
        taken
    }

    /// Notes that the store did not take these.
    pub(super) fn put_back(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.unwritten.extend(keys);
    }

    /// How often calls were counted together because there was no room for a name, since last asked.
    pub(super) fn take_lumped(&mut self) -> u64 {
        std::mem::take(&mut self.lumped)
    }

    /// Whether there is room; if a new name needs it, it is taken.
    fn admit(&mut self, version: &VersionName, consumer: Option<&Identity>) -> bool {
        let entry = self.entries.get(version);
        if entry.is_none() && self.entries.len() >= self.limits.versions {
            return false;
        }
        let Some(consumer) = consumer else { return true };
        if entry.is_some_and(|entry| entry.consumers.contains_key(consumer)) {
            return true;
        }
        let domain = &consumer.trust_domain;
        let here = entry.map_or(0, |entry| entry.consumers.len());
        let of_domain = |entry: &Entry| entry.consumers.keys().filter(|c| c.trust_domain == *domain).count();
        let theirs = self.of_domain.get(domain).copied().unwrap_or(0);
        // One organisation makes as many identities as it likes; others keep their half.
        let is_room = here < self.limits.consumers
            && self.pairs < self.limits.pairs
            && theirs < self.limits.pairs.div_ceil(2)
            && entry.map_or(0, of_domain) < self.limits.consumers.div_ceil(2);
        if is_room {
            self.pairs += 1;
            *self.of_domain.entry(domain.clone()).or_default() += 1;
        }
        is_room
    }
}

fn leave(of_domain: &mut HashMap<TrustDomain, usize>, domain: &TrustDomain) {
    if let Some(count) = of_domain.get_mut(domain) {
        *count -= 1;
        if *count == 0 {
            of_domain.remove(domain);
        }
    }
}
