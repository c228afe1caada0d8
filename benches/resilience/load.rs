//! Open loop: calls begin when they are due, whether or not those before have ended, and their time counts from then.

use super::consumer::{Reply, read};
use super::peers::Peer;
use super::{Consumer, Hub, World, frame};
use portolan::lifecycle;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// Calls a second, of each flow.
pub const RATE: u32 = 250;
pub const DEADLINE: Duration = Duration::from_secs(2);
/// The policy of each method: retries alone, and a second attempt when the first takes long.
pub const METHODS: [(&str, &str); 2] = [("retries", "/pay.v1.Echo/Retry"), ("hedging", "/pay.v1.Echo/Hedge")];
const CONNECTIONS: usize = 4;

/// One call: when it was due, how long it took, and whether it succeeded.
type Call = (Instant, Duration, bool);

pub struct Flow {
    pub name: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// The calls of a time.
pub struct Span {
    sorted: Vec<Duration>,
    succeeded: usize,
}

impl Flow {
    pub async fn start(world: &World, peer: &Peer, (policy, path): (&str, &'static str)) -> Self {
        let hub = Hub { address: peer.address, domain: world.hub.domain(), broker: None };
        let mut consumers = Vec::new();
        for _ in 0..CONNECTIONS {
            consumers.push(Arc::new(Consumer::connect(&world.data, "/app", &hub).await));
        }
        let calls = Arc::new(Mutex::new(Vec::new()));
        let kept = calls.clone();
        lifecycle::spawn("load", async move {
            let mut ticks = interval(Duration::from_secs(1) / RATE);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            for n in 0.. {
                let due = ticks.tick().await;
                let (consumer, kept) = (consumers[n % CONNECTIONS].clone(), kept.clone());
                lifecycle::spawn("call", async move {
                    let succeeded = call(&consumer, path).await;
                    kept.lock().unwrap().push((due, due.elapsed(), succeeded));
                });
            }
        });
        Self { name: format!("{}, {policy}", peer.name), calls }
    }

    pub fn between(&self, from: Instant, to: Instant) -> Span {
        let calls = self.calls.lock().unwrap();
        let within: Vec<_> = calls.iter().filter(|(due, ..)| (from..to).contains(due)).collect();
        let mut sorted: Vec<_> = within.iter().map(|(_, took, _)| *took).collect();
        sorted.sort_unstable();
        Span { sorted, succeeded: within.iter().filter(|(.., succeeded)| *succeeded).count() }
    }
}

async fn call(consumer: &Consumer, path: &str) -> bool {
    let deadline = format!("{}m", DEADLINE.as_millis());
    let head = super::consumer::head(path, &[("grpc-timeout", &deadline)]);
    let Ok((response, mut send)) = consumer.connection.send(head, false) else { return false };
    if send.frame(frame(&[7; 128]), true).await.is_err() {
        return false;
    }
    let is_ok = |reply: &Reply| {
        let status = reply.trailers.get("grpc-status").or(reply.head.headers.get("grpc-status"));
        status.is_some_and(|status| status == "0")
    };
    timeout(DEADLINE, read(response)).await.is_ok_and(|reply| reply.is_ok_and(|reply| is_ok(&reply)))
}

impl Span {
    pub fn calls(&self) -> usize {
        self.sorted.len()
    }

    pub fn success(&self) -> f64 {
        self.succeeded as f64 / self.sorted.len().max(1) as f64
    }

    /// Of all calls, failed ones too: as long as their callers waited.
    pub fn quantile(&self, at: f64) -> Duration {
        let index = (self.sorted.len().saturating_sub(1)) as f64 * at;
        self.sorted.get(index.round() as usize).copied().unwrap_or_default()
    }
}
