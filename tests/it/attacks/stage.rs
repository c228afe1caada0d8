//! A broker under attack, an attacker with a good certificate, and a neighbour who must not feel it.

use super::raw::{GREETING, PREFACE, Raw};
use crate::fixture::{Consumer, Hub, Producer, World, echo};
use portolan::identity::{self, Expected, Trust};
use portolan::lifecycle;
use portolan::model::TrustDomain;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

pub type Attacker = Raw<TlsStream<TcpStream>>;

pub struct Stage {
    pub world: World,
    pub producer: Producer,
    pub hub: Hub,
}

/// A consumer that calls all the time on a connection of its own.
pub struct Neighbour {
    calls: Arc<AtomicUsize>,
    failed: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Stage {
    /// One worker thread for all, so that whoever blocks it is felt.
    pub async fn new(config: &str) -> Self {
        let world = World::new();
        let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
        Self::over(world, producer, config).await
    }

    /// With a producer of the test's own.
    pub async fn over(world: World, producer: Producer, config: &str) -> Self {
        let hub = world
            .broker()
            .producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"])
            .with(config)
            .start()
            .await;
        Self { world, producer, hub }
    }

    /// A broker in a process of its own.
    pub fn elsewhere(world: World, producer: Producer, address: SocketAddr) -> Self {
        let hub = Hub { address, domain: world.hub.domain(), broker: None };
        Self { world, producer, hub }
    }

    /// A TLS connection of a good identity, and not a byte of HTTP/2 on it.
    pub async fn silent_attacker(&self) -> Attacker {
        let trust = Trust::load(std::slice::from_ref(&self.hub.domain)).unwrap();
        let expected = Expected::Domain(TrustDomain::parse("hub.example").unwrap());
        let config = identity::client_config(&trust, &self.world.ml.credentials("/attacker"), expected);
        let tcp = TcpStream::connect(self.hub.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Raw::new(identity::connect(config, name, tcp).await.unwrap().0)
    }

    /// An attacker that has greeted as HTTP/2 asks.
    pub async fn attacker(&self) -> Attacker {
        let mut attacker = self.silent_attacker().await;
        attacker.send(&[PREFACE, GREETING].concat()).await;
        attacker
    }

    pub async fn neighbour(&self) -> Neighbour {
        let consumer = Consumer::connect(&self.world.data, "/neighbour", &self.hub).await;
        Neighbour::start(consumer, "/pay.v1.Ledger/Post")
    }

    /// Waits until only so many connections are left: whatever the attacker held is given back.
    pub async fn left_with(&self, connections: usize) {
        let broker = self.hub.broker.as_ref().unwrap();
        let gone = async {
            while broker.connections().list().len() != connections {
                // The kernel tells the broker of a closed socket in its own time.
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = timeout(Duration::from_secs(10), gone).await;
        assert!(waited.is_ok(), "still connected: {:?}", broker.connections().list());
    }
}

impl Neighbour {
    /// Calls `path`, which echoes, one call after the other.
    pub fn start(consumer: Consumer, path: &'static str) -> Self {
        let (calls, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, failure) = (calls.clone(), failed.clone());
        let task = lifecycle::spawn("test neighbour", async move {
            loop {
                let reply = consumer.unary(path, &[], b"hello");
                match timeout(Duration::from_secs(5), reply).await {
                    Ok(Ok(reply)) if reply.status() == 0 => {}
                    other => {
                        eprintln!("the neighbour was harmed: {other:?}");
                        failure.store(true, Ordering::SeqCst);
                    }
                }
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { calls, failed, task }
    }

    /// Asserts that calls succeeded all along, and still do.
    pub async fn is_unharmed(&self, during: &str) {
        let before = self.calls.load(Ordering::SeqCst);
        let more = async {
            while self.calls.load(Ordering::SeqCst) < before + 3 {
                // The neighbour calls in a task of its own, as fast as it is answered.
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(Duration::from_secs(10), more).await.is_ok(), "the neighbour hangs: {during}");
        assert!(!self.failed.load(Ordering::SeqCst), "the neighbour was harmed: {during}");
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.task.abort();
    }
}
