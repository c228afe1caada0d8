//! Looks at every endpoint of the catalogue, again and again, and keeps the board up to date.

use super::board::{self, Board};
use super::clock::Clock;
use super::{fold, folding};
use crate::catalog::{PlatformEntry, Reader, Snapshot};
use crate::lifecycle::{self, Shutdown};
use crate::model::{
    Address, Endpoint, Freshness, PlatformName, Producer, ProducerName, ServiceName, Stage, TrustDomain,
    Validity,
};
use crate::uplink::{self, Look, Observer, Peers, Pool, health};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

/// Services of one producer that are asked for by name; a producer with more is asked for the whole alone.
const MOST_SERVICES: usize = 32;
/// One platform takes at most this part of the looks at the same time.
const SHARES: usize = 8;
/// Looks that wait to be noted.
const QUEUE: usize = 256;
/// Changes of the catalogue within this time are reconciled at once.
const CALM: Duration = Duration::from_millis(100);

/// How endpoints are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// From one look at an endpoint to the next; it grows with the catalogue, see `rate`.
    pub interval: Duration,
    /// A look that takes longer has failed.
    pub timeout: Duration,
    /// Looks at the same time.
    pub concurrency: usize,
    /// The most looks in a second: with more endpoints than `interval` allows for, each is looked at less often.
    pub rate: u32,
}

/// Compares the endpoints that should be looked at with those that are, and looks.
#[derive(Debug)]
pub struct Prober {
    /// Who should be looked at.
    pub catalog: Reader,
    /// Where looks are noted.
    pub observer: Observer,
    /// Connections for probing alone, so that a probe neither waits for calls nor keeps their connections alive.
    pub pool: Pool,
    /// What calls show of endpoints: who is left out is told in the status.
    pub peers: Peers,
    /// In whose name the connections are made: the broker's own.
    pub tenant: TrustDomain,
    /// How often, how long, how many.
    pub settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        let (interval, timeout) = (Duration::from_secs(5), Duration::from_secs(2));
        Self { interval, timeout, concurrency: 64, rate: 1000 }
    }
}

impl Settings {
    /// The settings for the prober's pool: its back-off never outlasts the pause between two looks, so that a
    /// producer that comes back is seen at the next look.
    pub fn uplink(&self, base: uplink::Settings) -> uplink::Settings {
        let pause = self.interval / 2;
        let max_backoff = base.max_backoff.min(pause);
        uplink::Settings { min_backoff: base.min_backoff.min(pause), max_backoff, ..base }
    }

    /// From one look to the next, for each of so many endpoints.
    fn pause(&self, endpoints: usize) -> Duration {
        let fair = Duration::from_secs(1) * u32::try_from(endpoints).unwrap_or(u32::MAX) / self.rate.max(1);
        self.interval.max(fair)
    }

    /// How long a look is believed: two may fail to happen, and the third may take its time.
    pub(super) fn believed(&self, endpoints: usize) -> Duration {
        3 * self.pause(endpoints) + self.timeout
    }
}

impl Prober {
    /// Begins to look and to fold, on this runtime, until stopping is asked for.
    pub fn start(self, shutdown: &Shutdown) -> Board {
        let clock = Clock::new();
        let (changes, changed) = watch::channel(0);
        let first = fold(
            &self.catalog.snapshot(),
            &self.observer.reader().load(),
            jiff::SignedDuration::ZERO,
            None,
            clock.now(),
        );
        let (publisher, board) = board::board(first);
        let folding = folding::Folding {
            catalog: self.catalog.clone(),
            observations: self.observer.reader(),
            peers: self.peers.clone(),
            changed,
            settings: self.settings,
            clock,
        };
        lifecycle::spawn("status fold", stop_with(shutdown.clone(), folding.run(publisher)));
        lifecycle::spawn("status probes", stop_with(shutdown.clone(), self.run(changes, clock)));
        board
    }

    async fn run(self, changes: watch::Sender<u64>, clock: Clock) {
        let (report, mut reports) = mpsc::channel(QUEUE);
        let Self { catalog, mut observer, pool, tenant, settings, .. } = self;
        let (pause, _) = watch::channel(settings.interval);
        let slots = Arc::new(Semaphore::new(settings.concurrency.max(1)));
        let probe =
            Probe { pool, tenant, timeout: settings.timeout, slots, report, pause: pause.subscribe() };
        let mut changed = catalog.changed();
        let share = (settings.concurrency / SHARES).max(1);
        let mut probes =
            Probes { probe, share, shares: HashMap::new(), running: HashMap::new(), seen: Arc::default() };
        loop {
            changed.borrow_and_update();
            if probes.reconcile(&catalog.snapshot()) {
                observer.retain(|producer, address| probes.has(producer, address));
            }
            pause.send_replace(settings.pause(probes.count()));
            let calm = sleep(CALM);
            tokio::pin!(calm);
            let mut is_calm = false;
            loop {
                tokio::select! {
                    Some(Report { producer, address, look, certificate }) = reports.recv() => {
                        // What a probe saw just before it was ended is nobody's any more.
                        if probes.has(&producer, &address) {
                            note(&mut observer, &producer, &address, look, &changes, &clock);
                            if let Some(certificate) = certificate {
                                observer.certify(&producer, &address, certificate);
                            }
                        }
                    }
                    () = &mut calm, if !is_calm => is_calm = true,
                    Ok(()) = changed.changed(), if is_calm => break,
                }
            }
        }
    }
}

/// Runs a task until stopping is asked for.
async fn stop_with(shutdown: Shutdown, task: impl Future<Output = ()>) {
    tokio::select! {
        () = shutdown.requested() => {}
        () = task => {}
    }
}

fn note(
    observer: &mut Observer,
    producer: &ProducerName,
    address: &Address,
    look: Look,
    changes: &watch::Sender<u64>,
    clock: &Clock,
) {
    let before = observer.reader().load().get(producer, address).map(|before| before.state);
    if before != Some(look.state) {
        let (state, reason, message) = (look.state, look.reason, look.message.as_str());
        tracing::info!(%producer, %address, ?state, reason, message, "an endpoint changed its state");
    }
    if observer.record(producer, address, look, clock.now()) {
        changes.send_modify(|count| *count += 1);
    }
}

/// What a probe saw.
struct Report {
    producer: ProducerName,
    address: Address,
    look: Look,
    certificate: Option<Validity>,
}

/// What every probe needs.
#[derive(Clone)]
struct Probe {
    pool: Pool,
    tenant: TrustDomain,
    timeout: Duration,
    slots: Arc<Semaphore>,
    report: mpsc::Sender<Report>,
    pause: watch::Receiver<Duration>,
}

/// The probes that run, by platform.
struct Probes {
    probe: Probe,
    /// Looks at one platform at the same time: what hangs there must not keep others from being looked at.
    share: usize,
    shares: HashMap<PlatformName, Arc<Semaphore>>,
    running: HashMap<PlatformName, HashMap<(ProducerName, Address), Running>>,
    /// The catalogue as it was compared last.
    seen: Arc<Snapshot>,
}

/// A running probe, and what it looks at. Dropping it ends it.
struct Running {
    producer: Arc<Producer>,
    services: Vec<ServiceName>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probes {
    /// Starts what is missing and ends what is no longer wanted. True if something ended.
    fn reconcile(&mut self, catalog: &Arc<Snapshot>) -> bool {
        let before = std::mem::replace(&mut self.seen, catalog.clone());
        let mut ended = false;
        self.running.retain(|platform, _| {
            let is_there = catalog.platform(platform.as_str()).is_some();
            ended |= !is_there;
            is_there
        });
        self.shares.retain(|platform, _| catalog.platform(platform.as_str()).is_some());
        for entry in catalog.platforms() {
            let old = before.platform(entry.platform.name.as_str());
            if !old.is_some_and(|old| Arc::ptr_eq(old, entry)) {
                ended |= self.reconcile_platform(entry);
            }
        }
        ended
    }

    fn reconcile_platform(&mut self, entry: &PlatformEntry) -> bool {
        let mut before = self.running.remove(&entry.platform.name).unwrap_or_default();
        let share = self.shares.entry(entry.platform.name.clone());
        let share = share.or_insert_with(|| Arc::new(Semaphore::new(self.share)));
        let mut after = HashMap::new();
        for producer in entry.producers.values().filter(|p| p.freshness != Freshness::Expired) {
            let services = services_of(entry, producer);
            for endpoint in &producer.endpoints {
                let key = (producer.name.clone(), endpoint.address.clone());
                let same = before.remove(&key).filter(|running| {
                    running.producer.identity == producer.identity && running.services == services
                });
                let running = same.unwrap_or_else(|| self.probe.begin(producer, endpoint, &services, share));
                after.insert(key, running);
            }
        }
        self.running.insert(entry.platform.name.clone(), after);
        !before.is_empty()
    }

    fn has(&self, producer: &ProducerName, address: &Address) -> bool {
        let running = self.running.get(&producer.platform);
        running.is_some_and(|running| running.contains_key(&(producer.clone(), address.clone())))
    }

    fn count(&self) -> usize {
        self.running.values().map(HashMap::len).sum()
    }
}

impl Probe {
    fn begin(
        &self,
        producer: &Arc<Producer>,
        endpoint: &Endpoint,
        services: &[ServiceName],
        share: &Arc<Semaphore>,
    ) -> Running {
        let probe = self.clone().run(producer.clone(), endpoint.clone(), services.to_vec(), share.clone());
        let task = lifecycle::spawn("status probe", probe).abort_handle();
        Running { producer: producer.clone(), services: services.to_vec(), task }
    }

    async fn run(
        mut self,
        producer: Arc<Producer>,
        endpoint: Endpoint,
        services: Vec<ServiceName>,
        share: Arc<Semaphore>,
    ) {
        loop {
            let Ok(turn) = share.acquire().await else { return };
            let Ok(slot) = self.slots.acquire().await else { return };
            let look =
                health::probe(&self.pool, &producer, &endpoint, &self.tenant, &services, self.timeout).await;
            drop((slot, turn));
            let certificate = self.pool.certificate(&producer, &endpoint, &self.tenant);
            let (name, address) = (producer.name.clone(), endpoint.address.clone());
            if self.report.send(Report { producer: name, address, look, certificate }).await.is_err() {
                return;
            }
            // Probes that began together drift apart.
            let pause = self.pause.borrow_and_update().mul_f64(0.8 + 0.4 * fastrand::f64());
            sleep(pause).await;
        }
    }
}

/// The services that are asked for by name: those of versions that are still served.
fn services_of(entry: &PlatformEntry, producer: &Producer) -> Vec<ServiceName> {
    let versions = producer.versions.iter().filter_map(|name| {
        let capability = entry.capabilities.get(&name.capability)?;
        capability.offerings.iter().find(|offering| offering.version.name == *name)
    });
    let served = versions.filter(|offering| offering.version.stage != Stage::Retired);
    let mut services: Vec<_> = served.flat_map(|offering| offering.version.services.clone()).collect();
    services.sort();
    services.dedup();
    if services.len() > MOST_SERVICES { Vec::new() } else { services }
}
