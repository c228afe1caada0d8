//! What calls have shown of each endpoint: each worker counts by itself, and what follows from it holds for all.
//!
//! An endpoint is an address with the identity that answers there: two producers that name the same are one.
//! Flow: a [`Turn`](super::Turn) ends → its worker's [`Meter`](super::Meter) → failures in a row eject at once; a comparison on the
//! control plane ejects who is far worse than the others of its [`Cohort`].

use super::cohort::Cohort;
use super::counts::Counts;
use super::desk::Desk;
use super::ejection::{Cause, Ejection};
use super::peer::Peer;
use super::rules::Rules;
use super::table::{self, Key, Table};
use crate::lifecycle::{self, Shutdown};
use crate::model::{Endpoint, Producer, VersionName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::{Instant, sleep};

/// What calls have shown of each endpoint. One for each broker; clones are the same.
#[derive(Debug, Clone)]
pub struct Peers {
    shared: Arc<Shared>,
}

/// Who is left out for a time, at one moment.
#[derive(Debug, Clone, Default)]
pub struct Ejections(HashMap<Key, Ejection>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) rules: Rules,
    pub(super) epoch: Instant,
    known: Mutex<Table<Weak<Peer>>>,
    /// Those of one version may differ: its services are probed apart.
    cohorts: Mutex<HashMap<VersionName, Vec<Weak<Cohort>>>>,
    /// Held by whoever ejects, so that two do not both take the last place.
    ejecting: Mutex<()>,
    /// Rises when somebody is left out, or back before the time.
    revision: AtomicU64,
    pub(super) counts: Counts,
}

impl Peers {
    /// Knows nobody yet.
    pub fn new(rules: Rules) -> Self {
        let shared = Shared {
            rules,
            epoch: Instant::now(),
            known: Mutex::default(),
            cohorts: Mutex::default(),
            ejecting: Mutex::default(),
            revision: AtomicU64::new(0),
            counts: Counts::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The part of one worker.
    pub fn desk(&self) -> Desk {
        Desk::new(self.clone())
    }

    /// Compares the endpoints of each version again and again, until stopping is asked for.
    pub fn start(&self, shutdown: &Shutdown) {
        let (peers, shutdown) = (self.clone(), shutdown.clone());
        lifecycle::spawn("outlier comparison", async move {
            loop {
                tokio::select! {
                    () = shutdown.requested() => return,
                    () = sleep(peers.shared.rules.outliers.interval) => peers.compare(),
                }
            }
        });
    }

    /// Rises when somebody is left out, or back before the time. Cheap.
    pub fn revision(&self) -> u64 {
        self.shared.revision.load(Relaxed)
    }

    /// Nanoseconds of the clock that estimates are kept in.
    pub(super) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    pub(super) fn at(&self, moment: Instant) -> u64 {
        nanos(self.shared.epoch, moment)
    }

    /// How endpoints are treated.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// Why an endpoint is left out now; `None` if it is not.
    pub fn ejection(&self, producer: &Producer, endpoint: &Endpoint) -> Option<Ejection> {
        self.known(&Key::of(producer, endpoint))?.ejection()
    }

    /// Who is left out now.
    pub fn ejections(&self) -> Ejections {
        let of = |peer: &Arc<Peer>| {
            let key = Key { address: peer.address().clone(), identity: peer.identity().clone() };
            (peer.out_until() > 0).then(|| peer.ejection()).flatten().map(|ejection| (key, ejection))
        };
        Ejections(self.all().iter().filter_map(of).collect())
    }

    /// The endpoints that calls go to, or went to a short time ago, in no order.
    pub fn all(&self) -> Vec<Arc<Peer>> {
        lock(&self.shared.known).rows.values().filter_map(Weak::upgrade).collect()
    }

    /// How often endpoints were left out since the start, by cause.
    pub fn ejected(&self) -> [(&'static str, u64); 4] {
        self.shared.counts.ejected()
    }

    /// How often no place was found at an endpoint since the start, by the breaker's limit.
    pub fn busy(&self) -> [(&'static str, u64); 4] {
        self.shared.counts.busy()
    }

    /// The endpoints that serve a version are compared with each other while somebody holds what is returned.
    pub fn enrol(&self, version: &VersionName, peers: Vec<Arc<Peer>>) -> Arc<Cohort> {
        let mut cohorts = lock(&self.shared.cohorts);
        if cohorts.len() >= table::ROOM && cohorts.len().is_power_of_two() {
            cohorts.retain(|_, known| known.iter().any(|cohort| cohort.strong_count() > 0));
        }
        let known = cohorts.entry(version.clone()).or_default();
        known.retain(|cohort| cohort.strong_count() > 0);
        if let Some(same) = known.iter().filter_map(Weak::upgrade).find(|known| known.is_of(&peers)) {
            return same;
        }
        let cohort = Arc::new(Cohort::new(version.clone(), peers));
        cohort.peers().iter().for_each(|peer| peer.join(&cohort));
        known.push(Arc::downgrade(&cohort));
        cohort
    }

    /// Ejects whoever is far worse than the others.
    pub(super) fn compare(&self) {
        let now = self.now();
        let cohorts: Vec<_> =
            lock(&self.shared.cohorts).values().flatten().filter_map(Weak::upgrade).collect();
        let mut samples = HashMap::new();
        for peer in cohorts.iter().flat_map(|cohort| cohort.peers()) {
            samples.entry(Arc::as_ptr(peer)).or_insert_with(|| peer.sample());
        }
        for cohort in &cohorts {
            let sample = |peer: &Arc<Peer>| samples.get(&Arc::as_ptr(peer)).cloned().unwrap_or_default();
            for (peer, cause) in cohort.judge(&self.shared.rules.outliers, sample) {
                self.shared.eject(peer, cause, now);
            }
        }
    }

    fn known(&self, key: &Key) -> Option<Arc<Peer>> {
        lock(&self.shared.known).rows.get(key).and_then(Weak::upgrade)
    }

    pub(super) fn peer(&self, key: &Key) -> Arc<Peer> {
        let mut known = lock(&self.shared.known);
        if let Some(peer) = known.rows.get(key).and_then(Weak::upgrade) {
            return peer;
        }
        let peer = Arc::new(Peer::new(key.address.clone(), key.identity.clone(), &self.shared));
        known.put(key.clone(), Arc::downgrade(&peer), |peer| peer.strong_count() > 0);
        peer
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self::new(Rules::default())
    }
}

impl Shared {
    /// Leaves an endpoint out for a time, unless too few would stay of one of its versions.
    pub(super) fn eject(&self, peer: &Arc<Peer>, cause: Cause, now: u64) {
        let _one_at_a_time = lock(&self.ejecting);
        let cohorts = peer.cohorts();
        let spared = || cohorts.iter().all(|cohort| cohort.can_spare(peer, &self.rules.outliers, now));
        if peer.is_out(now) || cohorts.is_empty() || !spared() {
            return;
        }
        peer.leave_out(cause, now);
        self.counts.eject(cause);
        self.changed();
        if let Some(ejection) = peer.ejection() {
            tracing::warn!(address = %peer.address(), identity = %peer.identity(), %ejection, "left an endpoint out");
        }
    }

    pub(super) fn changed(&self) {
        self.revision.fetch_add(1, Relaxed);
    }
}

impl Ejections {
    /// Why an endpoint is left out; `None` if it is not.
    pub fn of(&self, producer: &Producer, endpoint: &Endpoint) -> Option<&Ejection> {
        if self.0.is_empty() { None } else { self.0.get(&Key::of(producer, endpoint)) }
    }
}

pub(super) fn nanos(epoch: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
