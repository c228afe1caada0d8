//! The connections of one worker thread: dialled once for all who wait, lent while they have room, kept apart by tenant.

use super::dial::{Dialled, Dialler, Found};
use super::names::Names;
use super::slot::{Dial, Lent, Slot};
use super::{Desk, Error, Peers, Settings};
use crate::identity::{Credentials, Trust};
use crate::lifecycle;
use crate::model::{Address, Endpoint, Identity, Producer, Source, TrustDomain, Validity};
use crate::transport::client;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A connection that ends sooner than this counts as a failed dial; one that lives longer ends the back-off.
const PROBATION: Duration = Duration::from_secs(1);

/// How long until a name is looked up again that could not be.
const PATIENCE: Duration = Duration::from_secs(5);

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
    /// Whether the operator wrote the address down.
    is_trusted: bool,
}

struct Shared {
    desk: Desk,
    dialler: Dialler,
    credentials: watch::Receiver<u64>,
    slots: Mutex<HashMap<Key, Slot>>,
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
        let shared = Shared { desk, dialler, credentials: revision, slots: Mutex::default() };
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
                Lent::Dial(dial) => {
                    // Its own task: others wait for it too, and this caller may give up.
                    let life = live(self.shared.clone(), key.clone(), dial.over.clone());
                    lifecycle::spawn("uplink connection", life);
                    dial
                }
            };
            dial.over.cancelled().await;
            waited = Some(dial);
        }
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
            is_trusted: producer.source == Source::Configuration,
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
                slots.retain(|_, slot| !slot.prune(settings, credentials));
                slots.entry(key.clone()).or_default().lend(&key.address, settings, credentials, waited)
            }
        }
    }

    fn with<T>(&self, key: &Key, act: impl FnOnce(&mut Slot, &Settings) -> T) -> T {
        act(self.slots().entry(key.clone()).or_default(), &self.dialler.settings)
    }

    fn prune(&self, key: &Key) {
        let credentials = *self.credentials.borrow();
        let mut slots = self.slots();
        if slots.get_mut(key).is_some_and(|slot| slot.prune(&self.dialler.settings, credentials)) {
            slots.remove(key);
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Key, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The whole life of one connection: dialled, kept, watched, forgotten.
async fn live(shared: Arc<Shared>, key: Key, over: CancellationToken) {
    let over = over.drop_guard();
    let credentials = *shared.credentials.borrow();
    let dialled = shared.dialler.dial(&key.address, &key.identity, key.is_trusted).await;
    let Dialled { connection, driver, peer, at } = match dialled {
        Ok(dialled) => dialled,
        Err(error) => {
            return shared.with(&key, |slot, settings| {
                // Once when it begins; the prober tells of changes, and every call of its own failure.
                if slot.is_well() {
                    tracing::warn!(address = %key.address, expected = %key.identity, %error, "cannot reach a producer");
                }
                slot.fail(error, settings);
            });
        }
    };
    tracing::debug!(address = %key.address, identity = %key.identity, tenant = %key.tenant, "connected to a producer");
    shared.with(&key, |slot, _| {
        slot.shown(peer.validity());
        slot.keep(connection, at, credentials);
    });
    drop(over);

    let born = Instant::now();
    let trust = shared.dialler.trust.clone();
    // The pool's end closes the connection: the task must not keep the pool.
    let pool = Arc::downgrade(&shared);
    drop(shared);
    let lost = AtomicBool::new(false);
    let distrusted = async {
        let refusal = trust.ends(&peer).await;
        tracing::warn!(address = %key.address, identity = %key.identity, %refusal, "cut a producer");
        lost.store(true, Ordering::Relaxed);
        "the producer is no longer trusted"
    };
    let over = tokio::select! {
        over = driver.run_until(distrusted) => over,
        never = tend(&pool, &key) => match never {},
        never = follow(&pool, &key, at) => match never {},
    };
    let Some(shared) = pool.upgrade() else { return };
    // Whoever lets us in and throws us out at once is not up. If it was we who left, the next dial tells why.
    if born.elapsed() < PROBATION && !over.served && !lost.into_inner() {
        let error = Error::Http2 { address: key.address.clone(), cause: over.cause };
        shared.with(&key, |slot, settings| slot.fail(error, settings));
    }
    shared.prune(&key);
}

/// Ends the back-off when the connection has proven itself, and from then on lets go of what is idle.
async fn tend(pool: &Weak<Shared>, key: &Key) -> std::convert::Infallible {
    sleep(PROBATION).await;
    if let Some(shared) = pool.upgrade() {
        shared.with(key, |slot, _| slot.settle());
    }
    loop {
        let pause = pool.upgrade().map(|shared| {
            shared.prune(key);
            shared.dialler.settings.idle_timeout / 4
        });
        match pause {
            Some(pause) => sleep(pause).await,
            None => std::future::pending().await,
        }
    }
}

/// Looks the host's name up again whenever its time to live is over. A connection to where it no longer leads takes no new
/// calls; those that are open finish.
async fn follow(pool: &Weak<Shared>, key: &Key, at: Option<SocketAddr>) -> std::convert::Infallible {
    loop {
        let Some(shared) = pool.upgrade() else { break };
        let found = shared.dialler.find(&key.address, key.is_trusted).await;
        match (found, at) {
            (Ok(Found { at: addresses, until: Some(until) }), Some(at)) => {
                if !addresses.contains(&at) {
                    tracing::info!(address = %key.address, %at, "a producer's name leads elsewhere now");
                    shared.with(key, |slot, _| slot.leave(at));
                    break;
                }
                drop(shared);
                sleep_until(until).await;
            }
            // An address that is no name stays what it is.
            (Ok(_), _) => break,
            // That nobody answers for a name does not say that nobody is there.
            (Err(error), _) => {
                tracing::debug!(address = %key.address, %error, "a producer's name cannot be looked up again");
                drop(shared);
                sleep(PATIENCE).await;
            }
        }
    }
    std::future::pending().await
}
