//! A producer that answers by hand: frame by frame, each connection and each call as a test says.

use super::end::huffman;
use super::raw::*;
use crate::fixture::{Organisation, Producer, World};
use portolan::identity;
use portolan::lifecycle;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A call that arrived: how many came before it, on which connection (from 0), and on which stream.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub call: usize,
    pub connection: usize,
    pub stream: u32,
}

#[derive(Clone)]
pub enum Act {
    Send(Vec<u8>),
    /// Reads until the consumer has half-closed the stream.
    TakeAll,
    /// Ends the TCP connection without a word.
    Vanish,
    /// Ends it as TLS and TCP ask: all that was sent arrives, and then the end.
    Close,
}

/// Probes (a connection's first stream may be one) get UNIMPLEMENTED and are no calls.
pub struct Scripted {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    frames: Arc<Mutex<Vec<Frame>>>,
    stop: CancellationToken,
}

impl Scripted {
    pub async fn start<F>(organisation: &Organisation, hub: &Organisation, path: &str, answer: F) -> Self
    where
        F: Fn(Ask) -> Vec<Act> + Send + Sync + Clone + 'static,
    {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scripted = Self {
            address: socket.local_addr().unwrap(),
            calls: Arc::default(),
            connections: Arc::default(),
            frames: Arc::default(),
            stop: CancellationToken::new(),
        };
        let trust = organisation.trust(hub);
        let tls = identity::server_config(&trust, &organisation.credentials(path));
        let (calls, connections, frames, stop) = (
            scripted.calls.clone(),
            scripted.connections.clone(),
            scripted.frames.clone(),
            scripted.stop.clone(),
        );
        lifecycle::spawn("test scripted producer", async move {
            loop {
                let accepted = tokio::select! {
                    accepted = socket.accept() => accepted.unwrap().0,
                    () = stop.cancelled() => return,
                };
                let Ok((io, _)) = identity::accept(&trust, tls.clone(), accepted).await else { continue };
                let connection = connections.fetch_add(1, Ordering::SeqCst);
                let serving = Serving { connection, calls: calls.clone(), frames: frames.clone() };
                let (answer, stop) = (answer.clone(), stop.clone());
                lifecycle::spawn("test scripted connection", async move {
                    tokio::select! {
                        () = serving.run(Raw::new(io), answer) => {}
                        () = stop.cancelled() => {}
                    }
                });
            }
        });
        scripted
    }

    /// For the configuration of a broker.
    pub fn listed(&self, organisation: &Organisation, path: &str) -> Producer {
        Producer::elsewhere(self.address, organisation.id(path), self.calls.clone(), self.stop.clone())
    }

    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What came in so far, of all connections.
    pub fn frames(&self) -> Vec<Frame> {
        self.frames.lock().unwrap().clone()
    }
}

/// A world with one scripted producer of `pay.v1.Ledger` and its listing.
pub async fn ledger<F>(answer: F) -> (World, Scripted, Producer)
where
    F: Fn(Ask) -> Vec<Act> + Send + Sync + Clone + 'static,
{
    let world = World::new();
    let scripted = Scripted::start(&world.payments, &world.hub, "/ledger", answer).await;
    let listed = scripted.listed(&world.payments, "/ledger");
    (world, scripted, listed)
}

struct Serving {
    connection: usize,
    calls: Arc<AtomicUsize>,
    frames: Arc<Mutex<Vec<Frame>>>,
}

impl Serving {
    async fn run<IO>(self, mut io: Raw<IO>, answer: impl Fn(Ask) -> Vec<Act>)
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        io.preface().await;
        io.send(GREETING).await;
        while let Some(frame) = self.next(&mut io).await {
            if frame.kind != HEADERS {
                continue;
            }
            if is_probe(&frame.payload) {
                io.send(&trailers_only(frame.stream, &[("grpc-status", "12")])).await;
                continue;
            }
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            let mut ended = frame.flags & END_STREAM != 0;
            for act in answer(Ask { call, connection: self.connection, stream: frame.stream }) {
                match act {
                    Act::Send(bytes) => io.send(&bytes).await,
                    Act::TakeAll => {
                        while !ended {
                            let Some(next) = self.next(&mut io).await else { return };
                            ended = next.stream == frame.stream && next.flags & END_STREAM != 0;
                        }
                    }
                    Act::Vanish => return,
                    Act::Close => return io.close().await,
                }
            }
        }
    }

    async fn next<IO>(&self, io: &mut Raw<IO>) -> Option<Frame>
    where
        IO: AsyncRead + AsyncWrite + Send + 'static,
    {
        let frame = io.next().await?;
        self.frames.lock().unwrap().push(frame.clone());
        Some(frame)
    }
}

/// Whether the path begins with `/grpc.health`: its Huffman code, which the broker writes, begins with these bytes.
fn is_probe(block: &[u8]) -> bool {
    let path = huffman("/grpc.health");
    block.windows(path.len() - 1).any(|window| window == &path[..path.len() - 1])
}

/// A good head.
pub fn ok(stream: u32) -> Vec<u8> {
    head(stream, &[(":status", "200"), ("content-type", "application/grpc")])
}

pub fn head(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &hpack(fields))
}

pub fn trailers(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &hpack(fields))
}

pub fn trailers_only(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let fields = [&[(":status", "200"), ("content-type", "application/grpc")], fields].concat();
    trailers(stream, &fields)
}

/// A message of one byte.
pub fn data(stream: u32) -> Vec<u8> {
    frame(DATA, 0, stream, &[0, 0, 0, 0, 1, 42])
}

pub fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub fn goaway(last: u32, code: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat())
}

/// A whole good answer.
pub fn whole(stream: u32) -> Vec<u8> {
    [ok(stream), data(stream), trailers(stream, &[("grpc-status", "0")])].concat()
}

pub fn send(parts: &[Vec<u8>]) -> Vec<Act> {
    vec![Act::Send(parts.concat())]
}
