//! The composition root: configuration in, bound broker out. The only room that knows every other.
//!
//! Owns: the order of start and stop. Never: decides anything about a call or a record.
//! Flow: files → sockets → store → catalogue (the last known, as STALE) → workers → drain.

pub mod config;
mod settings;
mod socket;
mod worker;

use crate::access::Policy;
use crate::api::Connections;
use crate::api::dispatch::Dispatch;
use crate::api::listener::Listener;
use crate::api::services::Services;
use crate::lifecycle::{self, Shutdown};
use crate::relay::Relay;
use crate::uplink::{Observations, Pool};
use crate::{catalog, identity};
use config::Config;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A running broker: its sockets are bound and it answers.
#[derive(Debug)]
pub struct Broker {
    addresses: Vec<SocketAddr>,
    connections: Connections,
    shutdown: Shutdown,
    workers: Vec<JoinHandle<()>>,
}

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Certificates, keys, bundles or revocation lists cannot be used; all of them are named.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Identity(Vec<identity::Fault>),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A worker cannot be started.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
}

impl Broker {
    /// Binds, loads what was known, and answers. Runs its control plane on the current runtime and its calls on threads
    /// of their own.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let shutdown = Shutdown::new();
        let workers = settings::workers(&config);
        let (credentials, trust, watcher) =
            identity::open(&settings::files(&config), &settings::domains(&config))
                .map_err(Error::Identity)?;
        let sockets = bind(&config.listen, workers)?;
        let addresses = addresses(&sockets)?;

        let policy = Arc::new(Policy::new(settings::platforms(&config)));
        let (_writer, catalog) = catalog::catalog();
        let observations = Observations::default();

        let relay = Arc::new(Relay {
            catalog,
            policy: policy.clone(),
            observations,
            broker: config.id.clone(),
            locality: settings::locality(&config),
            message_bytes: settings::message_bytes(&config),
        });
        let services = Arc::new(Services::default());
        let connections = Connections::new(config.limits.connections);
        let listener = Arc::new(Listener::new(
            identity::server_config(&trust, &credentials),
            trust.clone(),
            connections.clone(),
            settings::limits(&config),
            Dispatch { services, relay, policy },
            shutdown.clone(),
        ));
        lifecycle::spawn("certificate watcher", watcher.run(shutdown.clone()));
        let start = |(index, sockets)| {
            let pool = Arc::new(Pool::new(trust.clone(), credentials.clone(), settings::outbound(&config)));
            worker::start(index, sockets, listener.clone(), pool, shutdown.clone()).map_err(Error::Worker)
        };
        let workers = sockets.into_iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { addresses, connections, shutdown, workers })
    }

    /// Where it listens; a port 0 of the configuration has become a real one.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Who is connected.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Stops: no new connections, GOAWAY, open calls finish within `deadline` or are cut. True if all finished.
    pub async fn drain(self, deadline: Duration) -> bool {
        let finished = self.shutdown.drain(deadline).await;
        let workers = self.workers;
        let joined =
            tokio::task::spawn_blocking(move || workers.into_iter().for_each(|worker| drop(worker.join())));
        // A worker that panicked has said so itself.
        drop(joined.await);
        finished
    }
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
