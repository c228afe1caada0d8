//! What calls have shown of each endpoint: each worker counts by itself, and what follows from it holds for all.
//!
//! An endpoint is an address with the identity that answers there: two producers that name the same are one.
//! Flow: a [`Turn`](super::Turn) ends → its worker's [`Meter`] → failures in a row eject at once; a comparison on the
//! control plane ejects who is far worse than the others of its [`Cohort`].

use super::Error;
use super::breaker::Connected;
use super::cohort::Cohort;
use super::ejection::{Cause, Ejection};
use super::meter::Meter;
use super::peer::Peer;
use super::queue::Lines;
use super::rules::Rules;
use super::turn::Turn;
use crate::lifecycle::{self, Shutdown};
use crate::model::{Address, Endpoint, Identity, Producer, TrustDomain, VersionName};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::{Instant, sleep};

/// A table is searched for what is no longer used when it has grown to this, and then each time it has doubled.
const ROOM: usize = 1024;

/// What calls have shown of each endpoint. One for each broker; clones are the same.
#[derive(Debug, Clone)]
pub struct Peers {
    shared: Arc<Shared>,
}

/// One worker's part of it: counters that no other thread writes. Clones are the same.
#[derive(Debug, Clone)]
pub struct Desk {
    peers: Peers,
    meters: Arc<Mutex<Meters>>,
    lines: Arc<Lines>,
}

/// What a worker counts, by endpoint.
#[derive(Debug, Default)]
struct Meters {
    all: Table<Arc<Meter>>,
    /// The same by where the endpoint's record stands in memory, which is quicker to find and has to be checked.
    near: HashMap<usize, Arc<Meter>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    identity: Identity,
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
}

#[derive(Debug)]
struct Table<T> {
    rows: HashMap<Key, T>,
    /// From so many rows on it is searched for what is no longer used.
    full: usize,
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
        };
        Self { shared: Arc::new(shared) }
    }

    /// The part of one worker.
    pub fn desk(&self) -> Desk {
        Desk { peers: self.clone(), meters: Arc::default(), lines: Arc::default() }
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

    /// The endpoints that serve a version are compared with each other while somebody holds what is returned.
    pub fn enrol(&self, version: &VersionName, peers: Vec<Arc<Peer>>) -> Arc<Cohort> {
        let mut cohorts = lock(&self.shared.cohorts);
        if cohorts.len() >= ROOM && cohorts.len().is_power_of_two() {
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
        let now = nanos(self.shared.epoch, Instant::now());
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

    fn peer(&self, key: &Key) -> Arc<Peer> {
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

impl Desk {
    /// What this worker counts of an endpoint.
    pub fn meter(&self, producer: &Producer, endpoint: &Endpoint) -> Arc<Meter> {
        let mut meters = lock(&self.meters);
        let place = std::ptr::from_ref(endpoint) as usize;
        if let Some(meter) = meters.near.get(&place).filter(|meter| meter.peer().is(producer, endpoint)) {
            return meter.clone();
        }
        let meter = self.find(&mut meters.all, Key::of(producer, endpoint));
        if meters.near.len() >= ROOM {
            meters.near.clear();
        }
        meters.near.insert(place, meter.clone());
        meter
    }

    fn find(&self, meters: &mut Table<Arc<Meter>>, key: Key) -> Arc<Meter> {
        if let Some(meter) = meters.rows.get(&key) {
            return meter.clone();
        }
        let peer = self.peers.peer(&key);
        let meter = Arc::new(Meter::new(peer.clone()));
        peer.add_meter(&meter);
        // One that nobody holds and nobody calls is forgotten with its estimate.
        meters.put(key, meter.clone(), |meter| Arc::strong_count(meter) > 1);
        meter
    }

    /// Where calls wait for a stream.
    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// An attempt at an endpoint, counted from now on, whoever holds the connection.
    pub fn begin(&self, producer: &Producer, endpoint: &Endpoint) -> Turn {
        Turn::begin(self.meter(producer, endpoint), false)
    }

    /// One more connection to an endpoint, counted until it falls; an error if there are as many as there may be.
    pub(super) fn connecting(
        &self,
        address: &Address,
        identity: &Identity,
        tenant: &TrustDomain,
    ) -> Result<Connected, Error> {
        let key = Key { address: address.clone(), identity: identity.clone() };
        Connected::count(&self.peers.peer(&key), tenant)
    }

    /// Nanoseconds of the clock that estimates are kept in.
    pub fn now(&self) -> u64 {
        nanos(self.peers.shared.epoch, Instant::now())
    }

    /// The part of all workers.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Whether both are the part of the same worker.
    pub fn is(&self, other: &Desk) -> bool {
        Arc::ptr_eq(&self.meters, &other.meters)
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

impl Key {
    fn of(producer: &Producer, endpoint: &Endpoint) -> Self {
        Self { address: endpoint.address.clone(), identity: producer.identity.clone() }
    }
}

impl<T> Table<T> {
    fn put(&mut self, key: Key, row: T, is_used: impl Fn(&T) -> bool) {
        if self.rows.len() >= self.full {
            self.rows.retain(|_, row| is_used(row));
            self.full = ROOM.max(self.rows.len() * 2);
        }
        self.rows.insert(key, row);
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: HashMap::new(), full: ROOM }
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
