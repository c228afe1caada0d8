//! The composition root: configuration in, bound broker out. The only room that knows every other.
//!
//! Owns: the order of start and stop. Never: decides anything about a call or a record.
//! Flow: files → sockets → store → catalogue (the last known, as STALE) → workers → drain.

pub mod config;
mod error;
mod files;
mod gather;
pub mod log;
mod manifests;
mod services;
mod settings;
mod socket;
mod watch;
mod worker;

pub use error::Error;

use crate::access::{self, Policy};
use crate::api::Connections;
use crate::api::dispatch::Dispatch;
use crate::api::listener::Listener;
use crate::api::report;
use crate::descriptors::{self, Limits, Set};
use crate::federation::discovery::Discovery;
use crate::federation::{self, Ground, Registrar};
use crate::identity::{self, Credentials, Trust};
use crate::lifecycle::{self, Shutdown};
use crate::model::TrustDomain;
use crate::relay::{self, Relay};
use crate::status::{Board, Prober};
use crate::store::Store;
use crate::telemetry::{Process, Telemetry};
use crate::transport::{Budget, Use};
use crate::uplink::{self, Desk, Observer, Peers, Pool};
use crate::{catalog, usage, wire};
use config::Config;
use gather::Sources;
use jiff::Timestamp;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often what streams hold is counted anew.
const COUNTED: Duration = Duration::from_millis(100);

/// A running broker: its sockets are bound and it answers.
pub struct Broker {
    addresses: Vec<SocketAddr>,
    connections: Connections,
    budget: Budget,
    shutdown: Shutdown,
    store: Store,
    usage: usage::Keeping,
    watchers: watch::Watchers,
    workers: Vec<JoinHandle<()>>,
}

impl Broker {
    /// Binds, loads what was known, and answers. Runs its control plane on the current runtime and its calls on threads
    /// of their own.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let (shutdown, process) = (Shutdown::new(), Process::new(Timestamp::now()));
        let (files, domains) = (settings::files(&config), settings::domains(&config));
        let (credentials, trust, watcher) = identity::open(&files, &domains).map_err(Error::Identity)?;
        files::make_room(config.limits.connections);
        let sockets = bind(&config.listen, settings::workers(&config))?;
        let addresses = addresses(&sockets)?;
        let (store, mut contents) = Store::open(&config.data_dir, Timestamp::now())?;
        let counts = std::mem::take(&mut contents.usage);
        let (recorder, calls, keeper) = usage::open(counts, Arc::new(Timestamp::now));

        let (rules, policy) = access::policy(settings::platforms(&config), config.operators.iter().cloned());
        let policy = Arc::new(policy);
        let (writer, catalog) = catalog::catalog();
        let own = Set::screen(wire::DESCRIPTORS, &Limits::default())?;
        let (descriptors, described) = descriptors::index(&own);
        let ground = Ground {
            policy: policy.clone(),
            rules,
            catalog: (writer, catalog.clone()),
            descriptors,
            store: store.clone(),
            contents,
            configured: settings::configured(&config),
            targets: settings::targets(&config),
            clock: Arc::new(Timestamp::now),
        };
        let registrar = federation::start(ground, settings::registrations(&config, &addresses))?;
        let certificates = settings::certificates(&config, &trust, &credentials);
        let peers = Peers::new(settings::peers(&config));
        peers.start(&shutdown);
        let known = Known { policy, catalog, own, described, registrar, usage: calls, certificates, peers };

        if let Some(root) = config.manifests.clone() {
            manifests::follow(root, known.registrar.clone(), &shutdown);
        }
        let reach = Reach { outbound: settings::outbound(&config, &addresses), trust, credentials };
        discover(&config, &known, &reach, &shutdown);
        lifecycle::spawn("certificate watcher", watcher.run(shutdown.clone()));
        let opened = watch::open(&config, &known.described).await?;
        let telling = (recorder, opened.telemetry.clone());
        let (listener, connections) = edge(&config, &known, &reach, telling, &shutdown);
        let sources = Sources {
            process,
            telemetry: opened.telemetry.clone(),
            connections: connections.clone(),
            catalog: known.catalog.clone(),
            observations: listener.dispatch.relay.observations.clone(),
            certificates: known.certificates.clone(),
            budget: reach.outbound.budget.clone(),
            peers: known.peers.clone(),
        };
        let watchers = opened.start(&config, sources, (&reach.trust, &reach.credentials), &shutdown);
        let start = |(index, sockets)| {
            let pool = Arc::new(reach.pool_at(known.peers.desk()));
            worker::start(index, sockets, listener.clone(), pool, shutdown.clone()).map_err(Error::Worker)
        };
        let workers = sockets.into_iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        watchers.serving();
        tracing::info!(broker = %config.id, listen = ?addresses, "ready");
        let usage = keeper.start(store.clone());
        let budget = reach.outbound.budget;
        settle(budget.clone(), &shutdown);
        Ok(Self { addresses, connections, budget, shutdown, store, usage, watchers, workers })
    }

    /// Where it listens; a port 0 of the configuration has become a real one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where those who watch find metrics, life and readiness; empty if the configuration wants none.
    pub fn admin(&self) -> &[SocketAddr] {
        &self.watchers.addresses
    }

    /// Who is connected.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// How many bytes each trust domain's streams hold now, or may come to hold while they wait.
    pub fn buffered(&self) -> Vec<Use> {
        self.budget.used()
    }

    /// Stops: no new connections, GOAWAY, open calls finish within `deadline` or are cut; the store is last. True if all
    /// calls finished.
    pub async fn drain(self, deadline: Duration) -> bool {
        let finished = self.shutdown.drain(deadline).await;
        let workers = self.workers;
        let joined =
            tokio::task::spawn_blocking(move || workers.into_iter().for_each(|worker| drop(worker.join())));
        // A worker that panicked has said so itself.
        drop(joined.await);
        self.watchers.finish().await;
        self.usage.finish().await;
        self.store.close().await;
        finished
    }
}

/// Counts what streams hold, again and again, until the end.
fn settle(budget: Budget, shutdown: &Shutdown) {
    let end = shutdown.clone();
    lifecycle::spawn("buffered bytes", async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(COUNTED) => budget.settle(),
                () = end.aborted() => return,
            }
        }
    });
}

/// What the inbound edge reads.
struct Known {
    policy: Arc<Policy>,
    catalog: catalog::Reader,
    own: Set,
    described: descriptors::Reader,
    registrar: Registrar,
    usage: usage::Reader,
    certificates: report::Certificates,
    peers: Peers,
}

/// How producers are reached.
struct Reach {
    trust: Trust,
    credentials: Credentials,
    outbound: uplink::Settings,
}

impl Reach {
    fn pool(&self, settings: uplink::Settings) -> Pool {
        Pool::new(self.trust.clone(), self.credentials.clone(), settings)
    }

    fn pool_at(&self, desk: Desk) -> Pool {
        Pool::at(desk, self.trust.clone(), self.credentials.clone(), self.outbound.clone())
    }
}

/// Begins to probe, and builds the edge that all workers share.
fn edge(
    config: &Config,
    known: &Known,
    reach: &Reach,
    (usage, telemetry): (usage::Recorder, Telemetry),
    shutdown: &Shutdown,
) -> (Arc<Listener>, Connections) {
    let observer = Observer::new();
    let observations = observer.reader();
    let board = probe(config, known, reach, observer, shutdown);
    let relay = Arc::new(Relay {
        catalog: known.catalog.clone(),
        policy: known.policy.clone(),
        observations,
        peers: known.peers.clone(),
        usage,
        broker: config.id.clone(),
        via: relay::via(&config.id),
        locality: settings::locality(config),
        message_bytes: settings::message_bytes(config),
        replay: settings::replay(config),
        retries: settings::retries(config),
        hop: config.timeouts.hop,
        telemetry,
    });
    let services = Arc::new(services::all(config, known, &relay, board, shutdown));
    let connections = Connections::new(config.limits.connections);
    let listener = Listener::new(
        identity::server_config(&reach.trust, &reach.credentials),
        reach.trust.clone(),
        connections.clone(),
        settings::limits(config, &reach.outbound.budget),
        Dispatch { services, relay, policy: known.policy.clone() },
        shutdown.clone(),
    );
    (Arc::new(listener), connections)
}

/// Begins to read servers that do not register by themselves.
fn discover(config: &Config, known: &Known, reach: &Reach, shutdown: &Shutdown) {
    let pool = reach.pool(reach.outbound.clone());
    let tenant = TrustDomain::from(&config.id);
    Discovery { registrar: known.registrar.clone(), pool, tenant }.start(shutdown);
}

fn probe(config: &Config, known: &Known, reach: &Reach, observer: Observer, shutdown: &Shutdown) -> Board {
    let settings = settings::probes(config);
    let pool = reach.pool(settings.uplink(reach.outbound.clone()));
    // Only a key in the prober's own pool; the certificate is what producers see.
    let tenant = TrustDomain::from(&config.id);
    let (catalog, peers) = (known.catalog.clone(), known.peers.clone());
    Prober { catalog, observer, pool, peers, tenant, settings }.start(shutdown)
}

/// The sockets of each worker: one for each address.
fn bind(addresses: &[SocketAddr], workers: usize) -> Result<Vec<Vec<TcpListener>>, Error> {
    let mut of_workers: Vec<Vec<TcpListener>> = (0..workers).map(|_| Vec::new()).collect();
    for address in addresses {
        let sockets =
            socket::bind(*address, workers).map_err(|cause| Error::Listen { address: *address, cause })?;
        for (worker, socket) in of_workers.iter_mut().zip(sockets) {
            worker.push(socket);
        }
    }
    Ok(of_workers)
}

fn addresses(sockets: &[Vec<TcpListener>]) -> Result<Vec<SocketAddr>, Error> {
    let first = sockets.first().map(Vec::as_slice).unwrap_or_default();
    first.iter().map(TcpListener::local_addr).collect::<io::Result<_>>().map_err(Error::Worker)
}
