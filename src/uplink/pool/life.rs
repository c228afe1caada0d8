//! The life of one connection to a producer, and how it passes into that of the next.

use super::{Key, Shared};
use crate::lifecycle;
use crate::uplink::Error;
use crate::uplink::dial::{Dialled, Found};
use crate::uplink::slot::{Dial, Next, Slot};
use futures::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

/// A connection that ends sooner than this counts as a failed dial; one that lives longer ends the back-off.
const PROBATION: Duration = Duration::from_secs(1);

/// By how much the age of connections differs: they must not all be dialled anew at once.
const JITTER: f64 = 0.1;

/// Nobody is dialled again sooner than this without being asked for.
const SHORTEST: Duration = Duration::from_millis(10);

/// How long until a name is looked up again that could not be.
const PATIENCE: Duration = Duration::from_secs(5);

/// Dials in a task of its own: others wait for it too, and whoever asked may give up.
pub(super) fn begin(shared: &Arc<Shared>, key: &Key, dial: &Dial) {
    lifecycle::spawn("uplink connection", live(shared.clone(), key.clone(), dial.over.clone()));
}

/// The whole life of one connection: dialled, kept, watched, forgotten; and the beginning of the next one's, while its
/// endpoint is called. Boxed, because it begins itself anew.
fn live(shared: Arc<Shared>, key: Key, over: CancellationToken) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        let pool = Arc::downgrade(&shared);
        once(shared, &key, over).await;
        renew(&pool, &key).await;
    })
}

async fn once(shared: Arc<Shared>, key: &Key, over: CancellationToken) {
    let over = over.drop_guard();
    let credentials = *shared.credentials.borrow();
    let _counted = match shared.desk.connecting(&key.address, &key.identity, &key.tenant) {
        Ok(counted) => counted,
        Err(busy) => return shared.with(key, |slot, _| slot.busy(busy)),
    };
    // Boxed: what dialling takes is given back before the long life of the connection.
    let dial = Box::pin(shared.dialler.dial(&key.address, &key.identity, &key.tenant, key.source));
    let dialled = dial.await;
    let Dialled { connection, driver, peer, at } = match dialled {
        Ok(dialled) => dialled,
        Err(error) => {
            return shared.with(key, |slot, settings| {
                // Once when it begins; the prober tells of changes, and every call of its own failure.
                if slot.is_well() {
                    tracing::warn!(address = %key.address, expected = %key.identity, %error, "cannot reach a producer");
                }
                slot.fail(error, settings);
            });
        }
    };
    tracing::debug!(address = %key.address, identity = %key.identity, tenant = %key.tenant, "connected to a producer");
    let id = shared.with(key, |slot, _| {
        slot.shown(peer.validity());
        slot.keep(connection, credentials)
    });
    drop(over);

    let born = Instant::now();
    let age = shared.dialler.settings.max_age.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64());
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
    let replaced = async {
        tokio::select! {
            () = sleep(age) => {}
            () = follow(&pool, key, at) => {}
        }
        replace(&pool, key, id).await
    };
    let over = tokio::select! {
        over = driver.run_until(distrusted) => over,
        never = tend(&pool, key) => match never {},
        never = replaced => match never {},
    };
    let Some(shared) = pool.upgrade() else { return };
    shared.with(key, |slot, _| slot.over());
    // Whoever lets us in and throws us out at once is not up. If it was we who left, the next dial tells why.
    if born.elapsed() < PROBATION && !over.served && !lost.into_inner() {
        let error = Error::Http2 { address: key.address.clone(), cause: over.cause };
        shared.with(key, |slot, settings| slot.fell(error, settings));
    }
}

/// Dials anew before somebody asks, while the endpoint is called and has no connection.
async fn renew(pool: &Weak<Shared>, key: &Key) {
    loop {
        let Some(shared) = pool.upgrade() else { return };
        match shared.then(key, Slot::renew) {
            Next::Dial(dial) => return begin(&shared, key, &dial),
            Next::Later(pause) => {
                drop(shared);
                sleep(pause.max(SHORTEST)).await;
            }
            Next::Wait(_) | Next::Nothing => return shared.prune(key),
        }
    }
}

/// Takes a connection out of use as soon as another is there; its calls finish, and then it closes.
async fn replace(pool: &Weak<Shared>, key: &Key, id: u64) -> std::convert::Infallible {
    loop {
        let Some(shared) = pool.upgrade() else { break };
        let over =
            match shared.then(key, |slot, settings, credentials| slot.replace(id, settings, credentials)) {
                Next::Dial(dial) => {
                    begin(&shared, key, &dial);
                    dial.over
                }
                Next::Wait(over) => over,
                Next::Later(pause) => {
                    drop(shared);
                    sleep(pause.max(SHORTEST)).await;
                    continue;
                }
                Next::Nothing => break,
            };
        drop(shared);
        over.cancelled().await;
    }
    std::future::pending().await
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

/// Looks the host's name up again whenever its time to live is over. It ends when the name no longer leads to where the
/// connection does.
async fn follow(pool: &Weak<Shared>, key: &Key, at: Option<SocketAddr>) {
    loop {
        let Some(shared) = pool.upgrade() else { break };
        let found = shared.dialler.find(&key.address, key.source).await;
        match (found, at) {
            (Ok(Found { at: addresses, until: Some(until) }), Some(at)) => {
                if !addresses.contains(&at) {
                    tracing::info!(address = %key.address, %at, "a producer's name leads elsewhere now");
                    return;
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
