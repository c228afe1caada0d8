//! The connections of one worker thread: dialled once for all who wait, lent while they have room, kept apart by tenant.

mod life;

use super::dial::Dialler;
use super::names::Names;
use super::slot::{Dial, Lent, Next, Slot};
use super::{Desk, Error, Peers, Settings};
use crate::identity::{Credentials, Trust};
use crate::model::{Address, Endpoint, Identity, Producer, Source, TrustDomain, Validity};
use crate::transport::client;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;

/// Among fewer endpoints nothing is gained by letting go of those that are forgotten.
const FEW: usize = 64;

/// The connections of one worker thread to producers. Clones are the same pool.
///
/// A connection is never shared by consumers of two trust domains: one's cancellations and stalled readers must not
/// reach another's calls.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    address: Address,
    identity: Identity,
    tenant: TrustDomain,
    /// Who wrote the address down.
    source: Source,
}

struct Shared {
    desk: Desk,
    dialler: Dialler,
    credentials: watch::Receiver<u64>,
    slots: Mutex<HashMap<Key, Slot, RandomState>>,
    /// How many were left when all were looked at the last time.
    swept: AtomicUsize,
}

impl Pool {
    /// An empty pool that counts for itself alone. Its connections will live on the runtime on which they are asked for.
    pub fn new(trust: Trust, credentials: Credentials, settings: Settings) -> Self {
        Self::at(Peers::default().desk(), trust, credentials, settings)
    }

    /// An empty pool of the worker that counts at `desk`.
    pub fn at(desk: Desk, trust: Trust, credentials: Credentials, settings: Settings) -> Self {
        let revision = credentials.changed();
        let names = Names::new(settings.dns_servers.clone());
        let dialler = Dialler { trust, credentials, settings, names };
        let shared = Shared {
            desk,
            dialler,
            credentials: revision,
            slots: Mutex::default(),
            swept: AtomicUsize::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Where its calls are counted.
    pub fn desk(&self) -> &Desk {
        &self.shared.desk
    }

    /// A ready connection to `endpoint` of `producer` for consumers of `tenant`, dialled if there is none with room.
    ///
    /// After a failed dial it fails at once until the pause is over; another endpoint may then be tried.
    pub async fn connection(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
    ) -> Result<client::Connection, Error> {
        let key = Key::of(producer, endpoint, tenant);
        let mut waited = None;
        loop {
            let dial = match self.shared.lend(&key, waited.as_ref()) {
                Lent::Ready(connection) => return Ok(connection),
                Lent::Failed(error) => return Err(error),
                Lent::Wait(dial) => dial,
                Lent::Last(connection, dial) => {
                    life::begin(&self.shared, &key, &dial);
                    return Ok(connection);
                }
                Lent::Dial(dial) => {
                    life::begin(&self.shared, &key, &dial);
                    dial
                }
            };
            dial.over.cancelled().await;
            waited = Some(dial);
        }
    }

    /// The same, if one stands that carries much less than it may.
    pub(super) fn ready(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
        now: Instant,
    ) -> Option<client::Connection> {
        let credentials = *self.shared.credentials.borrow();
        let mut slots = self.shared.slots();
        let slot = slots.get_mut(&Key::of(producer, endpoint, tenant))?;
        slot.ready(&self.shared.dialler.settings, credentials, now)
    }

    /// When the certificate of `endpoint` is valid, as its last handshake with us showed; `None` if there is no
    /// connection.
    pub fn certificate(
        &self,
        producer: &Producer,
        endpoint: &Endpoint,
        tenant: &TrustDomain,
    ) -> Option<Validity> {
        self.shared.slots().get(&Key::of(producer, endpoint, tenant))?.certificate()
    }
}

impl Key {
    fn of(producer: &Producer, endpoint: &Endpoint, tenant: &TrustDomain) -> Self {
        Self {
            address: endpoint.address.clone(),
            identity: producer.identity.clone(),
            tenant: tenant.clone(),
            source: producer.source,
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("slots", &self.shared.slots().len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lend(&self, key: &Key, waited: Option<&Dial>) -> Lent {
        let credentials = *self.credentials.borrow();
        let mut slots = self.slots();
        let settings = &self.dialler.settings;
        match slots.get_mut(key) {
            Some(slot) => slot.lend(&key.address, settings, credentials, waited),
            None => {
                // To look at all of them for each new one would cost more than the dial, once there are thousands.
                if slots.len() >= 2 * self.swept.load(Ordering::Relaxed).max(FEW) {
                    slots.retain(|_, slot| !slot.prune(settings, credentials));
                    self.swept.store(slots.len(), Ordering::Relaxed);
                }
                slots.entry(key.clone()).or_default().lend(&key.address, settings, credentials, waited)
            }
        }
    }

    fn with<T>(&self, key: &Key, act: impl FnOnce(&mut Slot, &Settings) -> T) -> T {
        act(self.slots().entry(key.clone()).or_default(), &self.dialler.settings)
    }

    /// What follows for the connections of `key`, if they are still known.
    fn then(&self, key: &Key, act: impl FnOnce(&mut Slot, &Settings, u64) -> Next) -> Next {
        let credentials = *self.credentials.borrow();
        let mut slots = self.slots();
        slots.get_mut(key).map_or(Next::Nothing, |slot| act(slot, &self.dialler.settings, credentials))
    }

    fn prune(&self, key: &Key) {
        let credentials = *self.credentials.borrow();
        let mut slots = self.slots();
        if slots.get_mut(key).is_some_and(|slot| slot.prune(&self.dialler.settings, credentials)) {
            slots.remove(key);
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot, RandomState>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
