//! Closed loop: so many calls are always under way, on connections that are all there before the first call.

use super::stand::service;
use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, KEPT, MESSAGE, PASSING, PREFACE, Wire, field};
use super::{Hub, World};
use futures::StreamExt;
use portolan::identity::{self, Expected, Trust};
use portolan::lifecycle;
use portolan::model::TrustDomain;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::sleep;

/// Calls under way.
pub const WIDE: usize = 128;
/// TLS handshakes at once.
const DIALS: usize = 64;

/// Which calls are made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The first so many connections carry calls.
    pub active: usize,
    /// The call after one goes over the connection so many places on; 0 is over the same.
    pub stride: usize,
    /// So many services are called.
    pub services: usize,
    /// One after the other, and not at random.
    pub is_in_order: bool,
}

/// The connections to one broker.
pub struct Fleet {
    turns: Vec<Turn>,
    plan: RwLock<Plan>,
    runs: AtomicBool,
    open: AtomicUsize,
    done: AtomicU64,
    failed: AtomicU64,
    dead: AtomicU64,
    drawn: AtomicU64,
    message: Vec<u8>,
    /// How a call ends that succeeded: without a dynamic table the same is always written in the same way.
    end: OnceLock<Vec<u8>>,
}

/// What a connection has to do.
#[derive(Default)]
struct Turn {
    calls: AtomicUsize,
    told: Notify,
}

impl Fleet {
    pub async fn connect(world: &World, hub: &Hub, connections: usize) -> Arc<Self> {
        let fleet = Arc::new(Self {
            plan: RwLock::new(Plan { active: 1, stride: 0, services: 1, is_in_order: true }),
            turns: (0..connections).map(|_| Turn::default()).collect(),
            runs: AtomicBool::new(false),
            open: AtomicUsize::new(0),
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            dead: AtomicU64::new(0),
            drawn: AtomicU64::new(1),
            message: super::message(),
            end: OnceLock::new(),
        });
        let trust = Trust::load(std::slice::from_ref(&hub.domain)).unwrap();
        let expected = Expected::Domain(TrustDomain::parse("hub.example").unwrap());
        let tls = identity::client_config(&trust, &world.data.credentials("/app"), expected);
        let dial = |own: usize| fleet.clone().dial(own, tls.clone(), hub);
        futures::stream::iter(0..connections).for_each_concurrent(DIALS, dial).await;
        fleet
    }

    async fn dial(self: Arc<Self>, own: usize, tls: Arc<ClientConfig>, hub: &Hub) {
        let tcp = TcpStream::connect(hub.address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let (io, _) = identity::connect(tls, name, tcp).await.unwrap();
        // No dynamic table for what comes, and no pushes.
        let mut wire = Wire::new(io, &[(1, 0), (2, 0)]);
        wire.tx.splice(..0, PREFACE.iter().copied());
        wire.flush().await.unwrap();
        lifecycle::spawn("load", async move {
            let error = self.live(wire, own).await;
            if self.dead.fetch_add(1, Relaxed) == 0 {
                eprintln!("the load lost a connection: {error:?}");
            }
        });
    }

    /// Calls made for so long.
    pub async fn run(&self, plan: Plan, long: Duration) {
        self.begin(plan);
        sleep(long).await;
        self.end().await;
    }

    pub fn begin(&self, plan: Plan) {
        *self.plan.write().unwrap() = plan;
        self.runs.store(true, Relaxed);
        self.open.fetch_add(WIDE, Relaxed);
        for call in 0..WIDE {
            self.give(call % plan.active);
        }
    }

    /// Lets the calls end that are under way.
    pub async fn end(&self) {
        self.runs.store(false, Relaxed);
        for _ in 0..500 {
            if self.open.load(Relaxed) == 0 {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("{} calls do not end", self.open.load(Relaxed));
    }

    /// Calls that succeeded, and that did not.
    pub fn counts(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.failed.load(Relaxed) + self.dead.load(Relaxed))
    }

    fn give(&self, to: usize) {
        self.turns[to].calls.fetch_add(1, Relaxed);
        self.turns[to].told.notify_one();
    }

    async fn live(
        &self,
        mut wire: Wire<tokio_rustls::client::TlsStream<TcpStream>>,
        own: usize,
    ) -> io::Result<()> {
        let turn = &self.turns[own];
        let mut came: HashMap<u32, usize> = HashMap::new();
        let mut stream = 1;
        loop {
            tokio::select! {
                biased;
                read = wire.read() => read?,
                () = turn.told.notified() => {}
            }
            while let Some(frame) = wire.next()? {
                let bytes = came.entry(frame.stream).or_default();
                if frame.kind == DATA {
                    *bytes += frame.payload.len();
                }
                if frame.flags & END_STREAM == 0 {
                    continue;
                }
                let whole = came.remove(&frame.stream) == Some(MESSAGE);
                let is_ok = whole && *self.end.get_or_init(|| frame.payload.to_vec()) == *frame.payload;
                if is_ok { &self.done } else { &self.failed }.fetch_add(1, Relaxed);
                self.pass_on(own);
            }
            for _ in 0..turn.calls.swap(0, Relaxed) {
                let head = head(&service(self.draw()), stream == 1);
                wire.put(HEADERS, END_HEADERS, stream, &head);
                wire.put(DATA, END_STREAM, stream, &self.message);
                stream += 2;
            }
            wire.flush().await?;
        }
    }

    /// A call has ended: another begins, here or elsewhere.
    fn pass_on(&self, own: usize) {
        let plan = *self.plan.read().unwrap();
        let next = (own + plan.stride) % plan.active;
        if !self.runs.load(Relaxed) {
            self.open.fetch_sub(1, Relaxed);
        } else if next == own {
            self.turns[own].calls.fetch_add(1, Relaxed);
        } else {
            self.give(next);
        }
    }

    /// A service; at random is as random as splitmix64.
    fn draw(&self) -> usize {
        let plan = *self.plan.read().unwrap();
        let nth = self.drawn.fetch_add(1, Relaxed);
        if plan.is_in_order {
            return (nth % plan.services as u64) as usize;
        }
        let mut z = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % plan.services as u64) as usize
    }
}

/// The head of a call: what stays the same is kept by the other end, as clients do it.
fn head(service: &str, is_first: bool) -> Vec<u8> {
    let mut block = Vec::with_capacity(96);
    block.extend([0x83, 0x87]);
    field(&mut block, PASSING, 4, ":path", &format!("/{service}/Call"));
    if !is_first {
        block.extend([0xc1, 0xc0, 0xbf, 0xbe]);
        return block;
    }
    field(&mut block, KEPT, 1, ":authority", "localhost");
    field(&mut block, KEPT, 0, "te", "trailers");
    field(&mut block, KEPT, 31, "content-type", "application/grpc");
    field(&mut block, KEPT, 58, "user-agent", "grpc-scale/1.0");
    block
}
