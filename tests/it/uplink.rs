//! Connections to producers: who gets one, who does not and why, and when it ends. Real TLS, real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by a panic")]

mod cancel;
mod health;
mod life;
mod names;
mod pool;
mod share;
mod storm;

use crate::fixture::{Organisation, World};
use http::Request;
use jiff::Timestamp;
use portolan::identity::{self, Credentials, Trust};
use portolan::lifecycle;
use portolan::model::{Address, Endpoint, Freshness, Identity, Producer, ProducerName, Source, TrustDomain};
use portolan::transport::{self, Exchange, client, server};
use portolan::uplink::{Pool, Settings};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A listener that counts its connections and can say goodbye to them all.
struct Listener {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
    goodbye: CancellationToken,
}

impl Listener {
    async fn start<F>(trust: Trust, credentials: Credentials, handle: fn(Exchange) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::start_with(trust, credentials, transport::Settings::default(), handle).await
    }

    async fn start_with<F>(
        trust: Trust,
        credentials: Credentials,
        settings: transport::Settings,
        handle: fn(Exchange) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(socket, trust, credentials, settings, handle)
    }

    fn start_on<F>(
        socket: TcpListener,
        trust: Trust,
        credentials: Credentials,
        settings: transport::Settings,
        handle: fn(Exchange) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = Self {
            address: socket.local_addr().unwrap(),
            connections: Arc::default(),
            ended: Arc::default(),
            goodbye: CancellationToken::new(),
        };
        let (counter, ended, leaving) =
            (listener.connections.clone(), listener.ended.clone(), listener.goodbye.clone());
        let tls = identity::server_config(&trust, &credentials);
        lifecycle::spawn("test listener", async move {
            while let Ok((tcp, _)) = socket.accept().await {
                let (trust, tls, settings) = (trust.clone(), tls.clone(), settings.clone());
                let (counter, ended, leaving) = (counter.clone(), ended.clone(), leaving.clone());
                lifecycle::spawn("test connection", async move {
                    let Ok((io, _)) = identity::accept(&trust, tls, tcp).await else { return };
                    let Ok(mut connection) = server::Connection::handshake(io, &settings).await else {
                        return;
                    };
                    counter.fetch_add(1, Ordering::SeqCst);
                    let mut said = false;
                    loop {
                        tokio::select! {
                            next = connection.accept() => match next {
                                Some(Ok(exchange)) => drop(lifecycle::spawn("test call", handle(exchange))),
                                _ => break,
                            },
                            () = leaving.cancelled(), if !said => {
                                said = true;
                                connection.graceful_shutdown();
                            }
                        }
                    }
                    ended.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        listener
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Answers OK at once, without a message.
async fn answer(exchange: Exchange) {
    let head = http::Response::builder().header("grpc-status", "0").body(()).unwrap();
    let _ = exchange.respond.send(head, true);
}

/// Never answers.
async fn hang(mut exchange: Exchange) {
    exchange.respond.closed().await;
}

/// What the broker's side of a world is: it trusts everybody.
fn broker(world: &World) -> (Trust, Credentials) {
    let domains: Vec<_> = world.organisations().iter().map(|organisation| organisation.domain()).collect();
    (Trust::load(&domains).unwrap(), world.hub.credentials("/broker"))
}

fn pool(world: &World, settings: Settings) -> Pool {
    let (trust, credentials) = broker(world);
    Pool::new(trust, credentials, settings)
}

/// Dials again at once, so that no test waits for a pause.
fn hasty() -> Settings {
    Settings { min_backoff: Duration::ZERO, ..Settings::default() }
}

/// The record of a producer of `organisation` at `address`, expected to be `/ledger`, which the operator wrote down.
fn ledger(organisation: &Organisation, address: SocketAddr) -> (Producer, Endpoint) {
    let identity = Identity::parse_spiffe(&organisation.id("/ledger")).unwrap();
    let address = Address::parse(&address.to_string()).unwrap();
    let endpoint = Endpoint { address, locality: "".into(), weight: 1 };
    let producer = Producer {
        name: ProducerName::parse(&format!("platforms/{}/producers/ledger", organisation.name)).unwrap(),
        registrant: identity.clone(),
        identity,
        endpoints: vec![endpoint.clone()],
        versions: Vec::new(),
        source: Source::Configuration,
        freshness: Freshness::Live,
        lease_expires: None,
        created: Timestamp::UNIX_EPOCH,
        updated: Timestamp::UNIX_EPOCH,
        provenance: None,
    };
    (producer, endpoint)
}

fn tenant(name: &str) -> TrustDomain {
    TrustDomain::parse(name).unwrap()
}

fn post() -> Request<()> {
    Request::post("https://ledger.test/acme.ledger.v1.Ledger/Post").body(()).unwrap()
}

fn start(connection: &client::Connection) -> (client::Response, transport::Send) {
    connection.send(post(), true).unwrap()
}

async fn call(connection: &client::Connection) -> Result<(), transport::Error> {
    let (response, _send) = start(connection);
    response.await.map(drop)
}
