//! One dial: name, TCP, TLS with exactly the registered identity, HTTP/2 up to the peer's SETTINGS.

use super::names::Names;
use super::socket::Socket;
use super::{Error, Settings};
use crate::identity::{self, Credentials, Expected, Peer, Refusal, Trust, Usage};
use crate::model::{Address, Identity, Place, Source, TrustDomain};
use crate::transport::{self, client};
use futures::stream::{FuturesUnordered, StreamExt};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::client::TlsStream;

/// How long one address of a host is given before the next is tried beside it (RFC 8305 §5).
const HEAD_START: Duration = Duration::from_millis(250);
/// How long sent bytes may stay unacknowledged before the system gives a connection up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(20);

/// Who we are, whom we believe, and where names lead.
pub(super) struct Dialler {
    pub(super) trust: Trust,
    pub(super) credentials: Credentials,
    pub(super) settings: Settings,
    pub(super) names: Names,
}

/// A connection that is up: the peer is who it should be and has spoken HTTP/2.
pub(super) struct Dialled {
    pub(super) connection: client::Connection,
    pub(super) driver: client::Driver<TlsStream<Socket>>,
    pub(super) peer: Peer,
    /// Where it leads; `None` for a Unix socket.
    pub(super) at: Option<SocketAddr>,
}

impl Dialler {
    /// Dials `address` for the calls of `tenant`, and accepts nobody there but `expected`. The address, and what a host name
    /// leads to, are judged by the rules for endpoints as they are now, as far as `source` asks for it.
    pub(super) async fn dial(
        &self,
        address: &Address,
        expected: &Identity,
        tenant: &TrustDomain,
        source: Source,
    ) -> Result<Dialled, Error> {
        self.judge(address, source)?;
        let after = self.settings.connect_timeout;
        let limit = Limit { address, at: Instant::now() + after, after };
        let unconnected = |e| Error::Unconnected { address: address.clone(), cause: Arc::new(e) };
        let socket = match address.place() {
            Place::Unix(path) => {
                let connected = limit.hold("connecting", UnixStream::connect(path)).await?;
                Socket::Unix(connected.map_err(unconnected)?)
            }
            Place::Host(..) => {
                let found = limit.hold("looking up the host", self.find(address, source)).await??;
                let tcp = limit.hold("connecting", connect(&found.at)).await?.map_err(unconnected)?;
                tune(&tcp);
                Socket::Tcp(tcp)
            }
        };
        let at = socket.peer();

        let expected = Expected::Identity(expected.clone());
        let config = identity::client_config(&self.trust, &self.credentials, expected);
        let (tls, chain) = limit
            .hold("the TLS handshake", identity::connect(config, server_name(address), socket))
            .await?
            .map_err(|refusal| refused(address, refusal))?;
        let peer = self.trust.peer(&chain, Usage::Server).map_err(|refusal| refused(address, refusal))?;

        // Only now does a TLS 1.3 peer tell that it refuses our certificate.
        let buffered = self.settings.budget.gauge(tenant);
        let settings = transport::Settings { buffered, ..self.settings.transport.clone() };
        let up = limit.hold("the HTTP/2 greeting", client::connect(tls, &settings)).await?;
        let (connection, driver) = up.map_err(|cause| not_up(address, cause))?;
        Ok(Dialled { connection, driver, peer, at })
    }

    /// Where a host leads now, the first to try first.
    pub(super) async fn find(&self, address: &Address, source: Source) -> Result<Found, Error> {
        let Place::Host(host, port) = address.place() else { return Ok(Found::for_ever(Vec::new())) };
        if let Some(ip) = address.ip() {
            return Ok(Found::for_ever(vec![SocketAddr::new(ip, port)]));
        }
        let unresolved = |cause| Error::Unresolved { address: address.clone(), cause: Arc::new(cause) };
        let (ips, until) = self.names.look_up(host).await.map_err(unresolved)?;
        let (mut admitted, mut refused) = (Vec::new(), None);
        let is_trusted = self.judge(address, source)?;
        for at in ips.into_iter().map(|ip| SocketAddr::new(ip, port)) {
            match self.settings.rules.admit(at) {
                Err(why) if !is_trusted => refused = Some((at, why)),
                _ => admitted.push(at),
            }
        }
        match refused {
            Some((found, why)) if admitted.is_empty() => {
                Err(Error::Forbidden { address: address.clone(), found, why })
            }
            _ => Ok(Found { at: in_turn(admitted), until: Some(until) }),
        }
    }

    /// Whether it is dialled wherever it leads; an error if it may not be dialled at all. It was judged when it was
    /// registered, perhaps by a configuration that allowed more.
    fn judge(&self, address: &Address, source: Source) -> Result<bool, Error> {
        let judged = self.settings.rules.judge(address);
        match source {
            Source::Configuration => Ok(true),
            Source::Registration | Source::Federation => match judged {
                Ok(()) => Ok(false),
                Err(why) => Err(Error::Disallowed { address: address.clone(), why }),
            },
            // A platform's own are judged at the start, too: what it could not declare now was let in by an operator, who
            // knows where it leads.
            Source::Manifest | Source::Discovery => Ok(judged.is_err()),
        }
    }
}

/// Where a host leads.
pub(super) struct Found {
    pub(super) at: Vec<SocketAddr>,
    /// Until when that is believed; `None` is for ever.
    pub(super) until: Option<Instant>,
}

impl Found {
    fn for_ever(at: Vec<SocketAddr>) -> Self {
        Self { at, until: None }
    }
}

/// The time that a whole dial may take.
struct Limit<'a> {
    address: &'a Address,
    at: Instant,
    after: Duration,
}

impl Limit<'_> {
    async fn hold<T>(&self, phase: &'static str, work: impl Future<Output = T>) -> Result<T, Error> {
        let late = |_| Error::TimedOut { address: self.address.clone(), phase, after: self.after };
        timeout_at(self.at, work).await.map_err(late)
    }
}

/// IPv6 and IPv4 in turn, so that a dead family costs one head start (RFC 8305 §4); within a family at random, so that
/// workers and brokers spread over all that the name leads to.
fn in_turn(mut found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    fastrand::shuffle(&mut found);
    let (first, second): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    std::iter::from_fn(|| {
        std::mem::swap(&mut first, &mut second);
        second.next().or_else(|| first.next())
    })
    .collect()
}

/// Connects to whichever address answers first; each has a head start before the next.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut waiting = addresses.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    loop {
        attempts.extend(waiting.next().map(|address| TcpStream::connect(*address)));
        tokio::select! {
            Some(attempt) = attempts.next() => match attempt {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
            else => return Err(last),
        }
    }
}

/// Small frames go out at once, and the system too looks whether the peer lives: gRPC servers punish many HTTP/2 pings.
fn tune(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let keepalive =
        TcpKeepalive::new().with_time(UNACKNOWLEDGED).with_interval(Duration::from_secs(5)).with_retries(3);
    let tuned = [
        tcp.set_nodelay(true),
        socket.set_tcp_keepalive(&keepalive),
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED)),
    ];
    for error in tuned.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "a socket option could not be set");
    }
}

/// What we dial, for SNI. Who must answer is told by the expected identity alone.
fn server_name(address: &Address) -> ServerName<'static> {
    let nameless = || ServerName::from(address.ip().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
    ServerName::try_from(address.host().to_owned()).unwrap_or_else(|_| nameless())
}

fn refused(address: &Address, refusal: Refusal) -> Error {
    let address = address.clone();
    match refusal {
        Refusal::NoHttp2 | Refusal::Left | Refusal::Handshake(_) => Error::Handshake { address, refusal },
        refusal => Error::Untrusted { address, refusal },
    }
}

fn not_up(address: &Address, cause: transport::Error) -> Error {
    let address = address.clone();
    match identity::refusal(&cause) {
        Some(refusal) => Error::Handshake { address, refusal },
        None => Error::Http2 { address, cause },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_families_take_turns() {
        let parse = |text: &[&str]| text.iter().map(|a| a.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let found = parse(&["127.0.0.1:1", "[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.2:1"]);
        let turns = in_turn(found.clone());
        let families: Vec<bool> = turns.iter().map(SocketAddr::is_ipv6).collect();
        assert_eq!(families, [true, false, true, false, true]);
        assert!(found.iter().all(|address| turns.contains(address)), "{turns:?}");
    }

    #[tokio::test]
    async fn a_dead_address_does_not_hide_a_living_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = listener.local_addr().unwrap();
        let dead = {
            let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap()
        };
        assert_eq!(connect(&[dead, alive]).await.unwrap().peer_addr().unwrap(), alive);
        assert_eq!(connect(&[dead]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect(&[]).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
