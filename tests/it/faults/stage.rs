use crate::attacks::stage::Neighbour;
use crate::fixture::{Consumer, FaultProxy, Hub, Producer, Reply, World, echo, frame, read};
use crate::resilience::stage::ledger;
use http::Response;
use portolan::transport::Exchange;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tonic_types::StatusExt;

/// Echoes, and is counted.
pub const POST: &str = "/pay.v1.Ledger/Post";
/// Sends its head and nothing more.
pub const HANG: &str = "/pay.v1.Ledger/Hang";
/// Never answers.
pub const SLEEP: &str = "/pay.v1.Ledger/Sleep";

/// Waits that are short, so that a test need not wait long.
pub const HASTY: &str =
    "[timeouts]\nconnect = \"1s\"\nkeepalive_interval = \"1s\"\nkeepalive_timeout = \"1s\"";

/// How often each call ran, at all endpoints together.
#[derive(Clone, Default)]
pub struct Ran(Arc<Mutex<HashMap<String, usize>>>, Arc<AtomicU64>);

/// A version with one endpoint behind a wire that can be spoilt, maybe another without, and a neighbour of another
/// producer who must not feel it.
pub struct Stage {
    pub wire: FaultProxy,
    pub consumer: Consumer,
    pub ran: Ran,
    pub neighbour: Neighbour,
    _producers: Vec<Producer>,
    _hub: Hub,
    _world: World,
}

/// How a call ended for its caller.
#[derive(Debug)]
pub struct Outcome {
    pub status: u32,
    /// Of its ErrorInfo, if the broker ended it.
    pub reason: String,
    pub took: Duration,
    pub body: Vec<u8>,
}

impl Stage {
    /// The spoilt endpoint alone.
    pub async fn alone(config: &str) -> Self {
        Self::new(1, "", config).await
    }

    /// The spoilt endpoint and a good one; `facts` are more lines of the version's declaration.
    pub async fn pair(facts: &str, config: &str) -> Self {
        Self::new(2, facts, config).await
    }

    async fn new(endpoints: usize, facts: &str, config: &str) -> Self {
        let (world, ran) = (World::new(), Ran::default());
        let mut producers = Vec::new();
        for _ in 0..endpoints {
            let ran = ran.clone();
            let counted = move |exchange| answer(exchange, ran.clone());
            producers.push(Producer::start(&world.payments, &world.hub, "/ledger", counted).await);
        }
        let good = Producer::start(&world.ml, &world.hub, "/good", echo).await;
        let wire = FaultProxy::to(producers[0].address).await;
        let addresses = [wire.address].into_iter().chain(producers[1..].iter().map(|p| p.address));
        let declared = ledger(&world, &producers[0].identity, &addresses.collect::<Vec<_>>(), facts);
        let hub =
            world.broker().producer(&world.ml, "good", &good, &["ml.v1.Good"]).with(&declared).with(config);
        let hub = hub.start().await;
        producers.push(good);
        let neighbour = Consumer::connect(&world.data, "/neighbour", &hub).await;
        let neighbour = Neighbour::start(neighbour, "/ml.v1.Good/Do");
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        Self { wire, consumer, ran, neighbour, _producers: producers, _hub: hub, _world: world }
    }

    /// One call with an id of its own.
    pub async fn call(&self, path: &str, id: &str, metadata: &[(&str, &str)], message: &[u8]) -> Outcome {
        let metadata = [&[("x-id", id)], metadata].concat();
        let begin = Instant::now();
        let (response, mut send) = self.consumer.open(path, &metadata);
        let sent = async {
            let _ = send.frame(frame(message), true).await;
        };
        let (reply, ()) = tokio::join!(read(response), sent);
        let reply = reply.unwrap_or_else(|error| panic!("{id}: the consumer's own stream ended: {error}"));
        Outcome::of(&reply, begin.elapsed())
    }

    /// Calls until all is well again.
    pub async fn heals(&self, within: Duration) {
        let healed = async {
            loop {
                let id = format!("healing-{}", self.ran.ids());
                if self.call(POST, &id, &[("grpc-timeout", "2S")], b"").await.status == 0 {
                    return;
                }
                // The broker's pauses between two dials are real time.
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(within, healed).await.expect("calls pass again");
        self.ran.at_most_once();
    }
}

impl Outcome {
    fn of(reply: &Reply, took: Duration) -> Self {
        let status = reply.as_status();
        let info = status.get_error_details().error_info().cloned();
        if let Some(info) = &info {
            assert_eq!(info.domain, "portolan.dev");
            assert_eq!(info.metadata["fault"], "producer", "{status:?}");
        }
        let reason = info.map_or(String::new(), |info| info.reason);
        Self { status: reply.status(), reason, took, body: reply.body.to_vec() }
    }
}

impl Ran {
    pub fn times(&self, id: &str) -> usize {
        self.0.lock().unwrap().get(id).copied().unwrap_or_default()
    }

    fn ids(&self) -> u64 {
        self.1.fetch_add(1, Ordering::SeqCst)
    }

    /// The law: what may have had an effect is not done again.
    pub fn at_most_once(&self) {
        let ran = self.0.lock().unwrap();
        let twice: Vec<_> = ran.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "these ran more than once: {twice:?}");
    }
}

async fn answer(mut exchange: Exchange, ran: Ran) {
    let id = exchange.request.headers().get("x-id").map(|id| id.to_str().unwrap().to_owned());
    *ran.0.lock().unwrap().entry(id.unwrap_or_default()).or_default() += 1;
    match exchange.request.uri().path() {
        HANG => {
            let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            if let Ok(mut send) = exchange.respond.send(head, false) {
                send.closed().await;
            }
        }
        SLEEP => drop(exchange.respond.closed().await),
        _ => echo(exchange).await,
    }
}
