//! How much one endpoint carries, all workers together, and where calls wait for a place there.
//!
//! Each worker counts its own calls. While each holds less than its share of the limit no other's counters are read; once
//! one holds more they are summed. So the limit is kept to within what two workers begin in the same instant.

use super::error::{Busy, Error};
use super::meter::Meter;
use super::peer::Peer;
use super::peers::lock;
use super::turn::Turn;
use crate::model::TrustDomain;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio::time::{Instant, timeout_at};

/// What is counted of one endpoint by all workers together.
#[derive(Debug, Default)]
pub(super) struct Gate {
    waiting: AtomicUsize,
    freed: Notify,
    connections: Mutex<HashMap<TrustDomain, usize>>,
    /// How many workers count there.
    workers: AtomicUsize,
    /// Some worker may hold more than its share: all have to sum.
    is_tight: AtomicBool,
}

/// A place in the queue of an endpoint.
#[derive(Debug)]
struct Waiting {
    peer: Arc<Peer>,
    /// When it is given up.
    deadline: Instant,
}

/// A connection that is counted.
#[derive(Debug)]
pub(super) struct Connected {
    peer: Arc<Peer>,
    tenant: TrustDomain,
}

/// Takes a turn at an endpoint as soon as there is a place.
pub(super) async fn admit(meter: Arc<Meter>, is_retry: bool) -> Result<Turn, Error> {
    if is_free(&meter) {
        return take(meter, is_retry);
    }
    let gate = &meter.peer().gate;
    let place = Waiting::queue(meter.peer())?;
    let turn = async {
        loop {
            let freed = place.freed();
            if gate.has_place(&meter) {
                return;
            }
            freed.await;
        }
    };
    timeout_at(place.deadline, turn).await.map_err(|_| place.late())?;
    take(meter.clone(), is_retry)
}

/// Whether there is a place at an endpoint, and nobody waits for one.
pub(super) fn is_free(meter: &Meter) -> bool {
    let gate = &meter.peer().gate;
    gate.waiting() == 0 && gate.has_place(meter)
}

fn take(meter: Arc<Meter>, is_retry: bool) -> Result<Turn, Error> {
    let peer = meter.peer();
    let most = peer.rules().breaker.retries;
    if is_retry && meter.retries() >= peer.gate.share(most) {
        let all: usize = peer.meters().iter().map(|meter| meter.retries()).sum();
        if all >= most {
            return Err(busy(peer, Busy::Retries(most)));
        }
    }
    Ok(Turn::begin(meter, is_retry, Instant::now()))
}

impl Gate {
    /// So many workers count there.
    pub(super) fn shared_by(&self, workers: usize) {
        self.workers.store(workers, Relaxed);
    }

    /// Whether one more call may be under way there.
    pub(super) fn has_place(&self, meter: &Meter) -> bool {
        let (most, mine) = (meter.peer().rules().breaker.concurrent, meter.in_flight());
        if mine < self.share(most) && !self.is_tight.load(Relaxed) {
            return true;
        }
        let all = meter.peer().meters().iter().map(|meter| meter.in_flight()).sum::<usize>();
        // Who holds more than its share holds somebody else's.
        self.is_tight.store(all >= most / 2, Relaxed);
        all < most
    }

    /// A call there is over.
    pub(super) fn free(&self) {
        if self.waiting.load(SeqCst) > 0 {
            self.freed.notify_one();
        }
    }

    /// Calls that wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Connections that stand or are being made.
    pub(super) fn connections(&self) -> usize {
        lock(&self.connections).values().sum()
    }

    /// What one worker may hold without asking the others; rounded down, so that together they never hold more.
    fn share(&self, most: usize) -> usize {
        most / self.workers.load(Relaxed).max(1)
    }
}

impl Waiting {
    /// A place in the queue; an error at once if it is full.
    fn queue(peer: &Arc<Peer>) -> Result<Self, Error> {
        let rules = peer.rules().breaker;
        let more = |waiting: usize| (waiting < rules.pending).then_some(waiting + 1);
        match peer.gate.waiting.fetch_update(SeqCst, SeqCst, more) {
            Ok(_) => Ok(Self { peer: peer.clone(), deadline: Instant::now() + rules.pending_timeout }),
            Err(_) => Err(busy(peer, Busy::Queue(rules.pending))),
        }
    }

    /// Waits until a call there is over.
    fn freed(&self) -> Notified<'_> {
        self.peer.gate.freed.notified()
    }

    /// No place became free in time.
    fn late(&self) -> Error {
        busy(&self.peer, Busy::Late(self.peer.rules().breaker.pending_timeout))
    }
}

impl Connected {
    /// Counts one more connection for a tenant; an error if there are as many as there may be. One tenant takes at most
    /// half of them.
    pub(super) fn count(peer: &Arc<Peer>, tenant: &TrustDomain) -> Result<Self, Error> {
        let most = peer.rules().breaker.connections;
        let mut connections = lock(&peer.gate.connections);
        let own = connections.get(tenant).copied().unwrap_or_default();
        if connections.values().sum::<usize>() >= most || own >= most.div_ceil(2) {
            return Err(busy(peer, Busy::Connections(most)));
        }
        connections.insert(tenant.clone(), own + 1);
        Ok(Self { peer: peer.clone(), tenant: tenant.clone() })
    }
}

fn busy(peer: &Peer, busy: Busy) -> Error {
    peer.refused(&busy);
    Error::Busy { address: peer.address().clone(), busy }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let mut connections = lock(&self.peer.gate.connections);
        match connections.get_mut(&self.tenant) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(connections.remove(&self.tenant)),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.peer.gate.waiting.fetch_sub(1, SeqCst);
        // There may be room for the next as well.
        self.peer.gate.free();
    }
}
