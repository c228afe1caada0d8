//! Accepts connections: the handshake names the caller, then each request is dispatched in a task of its own.

use super::connections::{Connections, Place};
use super::dispatch::{self, Dispatch, Guest};
use super::linger::Linger;
use super::noise::Noise;
use crate::identity::{self, Peer, Refusal, Trust};
use crate::lifecycle::{self, Guard, Shutdown};
use crate::transport::server::Connection;
use crate::transport::{Budget, Reason, Settings};
use crate::uplink::Pool;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// How long a connection that was cut may take to tell its streams so.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a drain waits for a connection on which nothing is open: our goodbye has to go there and back before what the
/// client sent meanwhile is known.
const ROUND_TRIP: Duration = Duration::from_secs(2);
/// By how much the age of connections differs: they must not all come back at once.
const JITTER: f64 = 0.1;
/// How long accepting rests when the machine has no more file descriptors.
const REST: Duration = Duration::from_millis(50);

/// The inbound edge, shared by all workers.
#[derive(Debug)]
pub struct Listener {
    /// How we greet; reads certificates anew in each handshake.
    pub tls: Arc<rustls::ServerConfig>,
    /// Who is believed.
    pub trust: Trust,
    /// The open connections.
    pub connections: Connections,
    /// What strangers may take.
    pub limits: Limits,
    /// Where requests go.
    pub dispatch: Dispatch,
    /// When to stop.
    pub shutdown: Shutdown,
    handshakes: Semaphore,
    noise: Noise,
}

/// What strangers may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The limits of each connection.
    pub connection: Settings,
    /// How long a TLS handshake may take, waiting for its turn included.
    pub handshake_timeout: Duration,
    /// Handshakes under way at once; more wait for their turn.
    pub handshakes: usize,
    /// What all of them may hold in memory, by whose streams they are.
    pub budget: Budget,
    /// After this time, give or take a tenth, a connection is told goodbye: its calls finish, and its client comes back
    /// to whichever broker it now finds.
    pub max_age: Duration,
}

impl Listener {
    /// An inbound edge.
    pub fn new(
        tls: Arc<rustls::ServerConfig>,
        trust: Trust,
        connections: Connections,
        limits: Limits,
        dispatch: Dispatch,
        shutdown: Shutdown,
    ) -> Self {
        let handshakes = Semaphore::new(limits.handshakes);
        Self { tls, trust, connections, limits, dispatch, shutdown, handshakes, noise: Noise::new() }
    }

    /// Accepts on one socket until stopping is asked for. Each worker runs it on its own runtime, with its own pool.
    ///
    /// Who was connected by the system before that is served, and told goodbye at once: nobody is reset.
    pub async fn run(self: Arc<Self>, socket: TcpListener, pool: Arc<Pool>) {
        let _working = self.shutdown.guard();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.shutdown.requested() => break,
            };
            let failed = accepted.is_err();
            self.take(accepted, &pool);
            if failed {
                sleep(REST).await;
            }
        }
        if let Err(error) = self.take_queued(socket, &pool) {
            tracing::warn!(%error, "cannot take the connections that wait");
        }
    }

    /// Takes all that wait to be accepted, as the system says: the reactor may not have heard of them yet.
    fn take_queued(self: &Arc<Self>, socket: TcpListener, pool: &Arc<Pool>) -> io::Result<()> {
        let socket = socket.into_std()?;
        loop {
            match socket.accept() {
                Ok((stream, address)) => {
                    stream.set_nonblocking(true)?;
                    self.take(TcpStream::from_std(stream).map(|stream| (stream, address)), pool);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    fn take(self: &Arc<Self>, accepted: io::Result<(TcpStream, SocketAddr)>, pool: &Arc<Pool>) {
        match accepted {
            Ok((stream, address)) => match self.connections.admit() {
                Some(place) => {
                    // Before the task runs: a drain must not miss it.
                    let working = self.shutdown.guard();
                    let serve = self.clone().serve(stream, address, place, pool.clone(), working);
                    lifecycle::spawn("connection", serve);
                }
                None => self.complain(address, "FULL", "all connections are taken (limits.connections)"),
            },
            Err(error) => tracing::warn!(%error, "cannot accept a connection"),
        }
    }

    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        place: Place,
        pool: Arc<Pool>,
        working: Guard,
    ) {
        // Small frames must not wait for more; a socket that cannot be told so works all the same.
        let _ = stream.set_nodelay(true);
        let place = Arc::new(place);
        let greeting = async {
            // Whoever says nothing takes no turn of those who do.
            if !matches!(stream.peek(&mut [0]).await, Ok(1..)) {
                return Err(Refusal::Left);
            }
            let _turn = self.handshakes.acquire().await;
            identity::accept(&self.trust, self.tls.clone(), Linger::new(stream, place.clone())).await
        };
        let (io, peer) = match timeout(self.limits.handshake_timeout, Box::pin(greeting)).await {
            Ok(Ok(greeted)) => greeted,
            Ok(Err(Refusal::Left)) => return,
            Ok(Err(refusal)) => return self.complain(address, refusal.reason(), refusal),
            Err(_) => {
                return self.complain(address, "TIMED_OUT", "it did not finish the TLS handshake in time");
            }
        };
        let buffered = self.limits.budget.gauge(&peer.identity.trust_domain);
        let settings = Settings { buffered, ..self.limits.connection.clone() };
        let connection = match Connection::handshake(io, &settings).await {
            Ok(connection) => connection,
            Err(error) => return self.complain(address, "HTTP2_FAILED", error),
        };
        place.name(peer.identity.clone(), address);
        let caller = Arc::new(self.dispatch.policy.caller(peer.identity.clone()));
        let (dispatch, cut) = (self.dispatch.clone(), place.token().clone());
        let guest = Arc::new(Guest { dispatch, caller, address, pool, cut });
        self.drive(connection, &guest, &peer, working).await;
    }

    async fn drive<IO>(&self, mut connection: Connection<IO>, guest: &Arc<Guest>, peer: &Peer, working: Guard)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let address = guest.address;
        // Each is made once: the loop turns for every batch of requests.
        let mut ends = pin!(self.trust.ends(peer));
        let (mut requested, mut aborted) = (pin!(self.shutdown.requested()), pin!(self.shutdown.aborted()));
        let mut cut = pin!(guest.cut.cancelled());
        // One timer: until its age, then, when stopping was asked for, until its goodbye must have gone there and back.
        let mut timer =
            pin!(sleep(self.limits.max_age.mul_f64(1.0 - JITTER + 2.0 * JITTER * fastrand::f64())));
        let (mut is_armed, mut is_leaving) = (true, false);
        // From the goodbye on, calls have guards of their own.
        let mut working = Some(Arc::new(working));
        loop {
            tokio::select! {
                over = connection.serve(|exchange| {
                    let working = working.clone().unwrap_or_else(|| Arc::new(self.shutdown.guard()));
                    dispatch::begin(exchange, guest, &working);
                }) => {
                    if let Some(error) = over {
                        tracing::debug!(peer = %address, caller = %peer.identity, %error, "connection ended");
                    }
                    return;
                },
                () = &mut requested, if !is_leaving => {
                    is_leaving = true;
                    connection.graceful_shutdown();
                    timer.as_mut().reset(tokio::time::Instant::now() + ROUND_TRIP);
                    is_armed = true;
                }
                () = &mut timer, if is_armed => {
                    is_armed = false;
                    if is_leaving {
                        drop(working.take());
                    } else {
                        connection.graceful_shutdown();
                    }
                }
                refusal = &mut ends => {
                    tracing::warn!(peer = %address, caller = %peer.identity, reason = %refusal, "connection cut");
                    break;
                }
                () = &mut cut => break,
                () = &mut aborted => break,
            }
        }
        guest.cut.cancel();
        connection.graceful_shutdown();
        let farewell = async {
            while let Some(Ok(late)) = connection.accept().await {
                late.respond.reset(Reason::REFUSED_STREAM);
            }
        };
        // Whoever does not take the farewell in time is cut without it.
        let _ = timeout(FAREWELL, farewell).await;
    }

    /// One line about a peer that was not let in, and one more of its kind.
    fn complain(&self, address: SocketAddr, word: &'static str, reason: impl std::fmt::Display) {
        self.connections.refuse(word);
        if let Some(kept_back) = self.noise.admit(Instant::now()) {
            tracing::warn!(peer = %address, %reason, kept_back, "connection refused");
        }
    }
}
