//! Discovery: reads the contracts of unmodified servers from their own reflection, and registers what it finds.
//!
//! Owns: one reader for each server, and what is wrong with those that cannot be read.
//! Never: believes a server more than a registration: what it says is judged in the same way, under the operator's names.
//! Flow: [`Targets`] → one reader each: read → fill in the contract → judge → register under a lease → wait for the next
//! interval, or for the connection to end: who comes back may be another.

mod reader;
mod target;

pub use target::{Target, Targets};

use super::Registrar;
use crate::lifecycle::{self, Shutdown};
use crate::model::{Drift, ProducerName, Source, TrustDomain};
use crate::uplink::Pool;
use reader::Reader;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

/// How often a contract is read again unless its target says otherwise.
pub const INTERVAL: Duration = Duration::from_secs(60);
/// The shortest and the longest interval that may be asked for.
pub const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(2)..=Duration::from_secs(180);

/// Servers read at once.
const AT_ONCE: usize = 8;

/// What discovery works with.
pub struct Discovery {
    /// Where findings go.
    pub registrar: Registrar,
    /// Connections to servers, apart from those that carry calls.
    pub pool: Pool,
    /// Under whose name connections are kept: the broker's own.
    pub tenant: TrustDomain,
}

/// What is wrong with servers that cannot be read, by producer.
type Faults = Arc<Mutex<BTreeMap<ProducerName, Drift>>>;

impl Discovery {
    /// Begins to read servers, on this runtime, until stopping is asked for.
    pub fn start(self, shutdown: &Shutdown) {
        let stop = shutdown.clone();
        lifecycle::spawn("discovery", async move {
            tokio::select! {
                () = stop.requested() => {}
                () = self.run() => {}
            }
        });
    }

    /// Keeps one reader for each target, and takes out what was discovered of targets that are gone.
    async fn run(self) {
        let mut targets = self.registrar.targets.subscribe();
        let (faults, slots) = (Faults::default(), Arc::new(Semaphore::new(AT_ONCE)));
        let mut running: BTreeMap<ProducerName, (Arc<Target>, DropGuard)> = BTreeMap::new();
        loop {
            let wanted = targets.borrow_and_update().clone();
            running.retain(|name, (target, _)| wanted.get(name) == Some(target));
            self.forget(&wanted, &faults).await;
            for (name, target) in
                wanted.iter().filter(|(name, _)| !running.contains_key(*name)).collect::<Vec<_>>()
            {
                let stop = CancellationToken::new();
                let reader = Reader {
                    target: target.clone(),
                    registrar: self.registrar.clone(),
                    pool: self.pool.clone(),
                    tenant: self.tenant.clone(),
                    slots: slots.clone(),
                    faults: faults.clone(),
                };
                let stopped = stop.clone();
                lifecycle::spawn("discovery reader", async move {
                    tokio::select! {
                        () = stopped.cancelled() => {}
                        () = reader.run() => {}
                    }
                });
                running.insert(name.clone(), (target.clone(), stop.drop_guard()));
            }
            if targets.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes out what was discovered, in this life or an earlier one, and is no target any more.
    async fn forget(&self, wanted: &Targets, faults: &Faults) {
        let snapshot = self.registrar.catalog.snapshot();
        let producers = snapshot.platforms().flat_map(|entry| entry.producers.values());
        let discovered = producers.filter(|producer| producer.source == Source::Discovery);
        let gone: Vec<_> =
            discovered.map(|p| p.name.clone()).filter(|name| !wanted.contains_key(name)).collect();
        for name in gone {
            if let Err(error) = self.registrar.forget(name.clone()).await {
                tracing::warn!(producer = %name, %error, "what was discovered could not be taken out");
            }
        }
        note(&self.registrar, faults, |faults| faults.retain(|name, _| wanted.contains_key(name)));
    }
}

/// Changes what is wrong, and tells if it differs.
fn note(registrar: &Registrar, faults: &Faults, change: impl FnOnce(&mut BTreeMap<ProducerName, Drift>)) {
    let mut known = faults.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut known);
    let all: Vec<Drift> = known.values().cloned().collect();
    registrar.drifts.send_if_modified(|drifts| {
        let differs = *drifts != all;
        *drifts = all;
        differs
    });
}
