//! What one worker counts, and where its calls wait.

use super::Error;
use super::breaker::Connected;
use super::meter::Meter;
use super::peers::{Peers, lock};
use super::queue::Lines;
use super::table::{Key, ROOM, Table};
use super::turn::Turn;
use crate::model::{Address, Endpoint, Identity, Producer, TrustDomain};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

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

impl Desk {
    pub(super) fn new(peers: Peers) -> Self {
        Self { peers, meters: Arc::default(), lines: Arc::default() }
    }

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
        Turn::begin(self.meter(producer, endpoint), false, Instant::now())
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
        self.peers.now()
    }

    /// The same at another moment.
    pub fn at(&self, moment: Instant) -> u64 {
        self.peers.at(moment)
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
