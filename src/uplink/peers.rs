//! What calls have shown of each endpoint: each worker counts by itself, and what follows from it holds for all.
//!
//! An endpoint is an address with the identity that answers there: two producers that name the same are one.

use super::Rules;
use super::meter::Meter;
use crate::model::{Address, Endpoint, Identity, Producer};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use tokio::time::Instant;

/// What calls have shown of each endpoint. One for each broker; clones are the same.
#[derive(Debug, Clone)]
pub struct Peers {
    shared: Arc<Shared>,
}

/// One worker's part of it: counters that no other thread writes. Clones are the same.
#[derive(Debug, Clone)]
pub struct Desk {
    peers: Peers,
    meters: Arc<Mutex<HashMap<Key, Arc<Meter>>>>,
}

/// One endpoint, as all workers know it together.
#[derive(Debug)]
pub struct Peer {
    address: Address,
    identity: Identity,
    rules: Rules,
    epoch: Instant,
    /// What each worker counts of it.
    meters: Mutex<Vec<Weak<Meter>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    identity: Identity,
}

#[derive(Debug)]
struct Shared {
    rules: Rules,
    epoch: Instant,
    known: Mutex<HashMap<Key, Weak<Peer>>>,
}

impl Peers {
    /// Knows nobody yet.
    pub fn new(rules: Rules) -> Self {
        Self { shared: Arc::new(Shared { rules, epoch: Instant::now(), known: Mutex::default() }) }
    }

    /// The part of one worker.
    pub fn desk(&self) -> Desk {
        Desk { peers: self.clone(), meters: Arc::default() }
    }

    fn peer(&self, key: &Key) -> Arc<Peer> {
        let mut known = lock(&self.shared.known);
        if let Some(peer) = known.get(key).and_then(Weak::upgrade) {
            return peer;
        }
        let peer = Arc::new(Peer {
            address: key.address.clone(),
            identity: key.identity.clone(),
            rules: self.shared.rules,
            epoch: self.shared.epoch,
            meters: Mutex::default(),
        });
        known.insert(key.clone(), Arc::downgrade(&peer));
        peer
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self::new(Rules::default())
    }
}

impl Desk {
    /// What this worker counts of an endpoint. It takes a look-up: whoever calls there often keeps it.
    pub fn meter(&self, producer: &Producer, endpoint: &Endpoint) -> Arc<Meter> {
        let key = Key { address: endpoint.address.clone(), identity: producer.identity.clone() };
        let mut meters = lock(&self.meters);
        if let Some(meter) = meters.get(&key) {
            return meter.clone();
        }
        let peer = self.peers.peer(&key);
        let meter = Arc::new(Meter::new(peer.clone()));
        lock(&peer.meters).push(Arc::downgrade(&meter));
        meters.insert(key, meter.clone());
        meter
    }

    /// Nanoseconds of the clock that estimates are kept in.
    pub fn now(&self) -> u64 {
        nanos(self.peers.shared.epoch, Instant::now())
    }

    /// The part of all workers.
    pub fn peers(&self) -> &Peers {
        &self.peers
    }
}

impl Peer {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Who answers there.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it is treated.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn nanos(&self, now: Instant) -> u64 {
        nanos(self.epoch, now)
    }

    /// What every worker counts of it.
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        lock(&self.meters).iter().filter_map(Weak::upgrade).collect()
    }
}

fn nanos(epoch: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(epoch).as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
