//! Traffic that is split: what may have run is only repeated by the version that allows it; what surely ran nowhere goes anywhere.

use super::stage::{only_status, register, retry_policy, service_config, version};
use crate::fixture::{Consumer, Hub, Producer, World};
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::{Exchange, Reason};

const POST: &str = "/pay.v1.Ledger/Post";

/// Two versions that share the calls, each with its own producer and manners: 1.0.0 may be repeated, 1.1.0 may not.
struct Split {
    _hub: Hub,
    consumer: Consumer,
    repeatable: Producer,
    once: Producer,
}

impl Split {
    async fn new(repeatable: fn(Exchange), once: fn(Exchange)) -> Self {
        let world = World::new();
        let start = async |answer: fn(Exchange)| {
            let answer = move |exchange| async move { answer(exchange) };
            Producer::start(&world.payments, &world.hub, "/ledger", answer).await
        };
        let (repeatable, once) = (start(repeatable).await, start(once).await);
        // Nothing but the rule under test may end a retry, or keep an endpoint away.
        let more = "[retries]\nshare_percent = 100\nat_least = 1000\n[outliers]\nconsecutive_failures = 0\nsuccess_gap = 0\n";
        let hub = world.broker().with(more).start().await;
        let twice = service_config(&retry_policy("0.001s"));
        for (number, producer, service_config) in
            [("1.0.0", &repeatable, twice), ("1.1.0", &once, String::new())]
        {
            let version =
                registry::CapabilityVersion { traffic_weight: 500, service_config, ..version(number) };
            register((&world, &hub), &format!("v{}", number.replace('.', "-")), producer.address, version)
                .await;
        }
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        Self { _hub: hub, consumer, repeatable, once }
    }

    /// How one call ended, and how often each of the two producers got it.
    async fn call(&self) -> (u32, usize, usize) {
        let before = (self.repeatable.calls(), self.once.calls());
        let status = self.consumer.unary(POST, &[], b"message").await.unwrap().status();
        (status, self.repeatable.calls() - before.0, self.once.calls() - before.1)
    }

    /// What all of these many calls came to, each kind once.
    async fn calls(&self, count: usize) -> Vec<(u32, usize, usize)> {
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(self.call().await);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn unavailable(exchange: Exchange) {
    only_status(exchange, 14, &[]);
}

fn refused(exchange: Exchange) {
    exchange.respond.reset(Reason::REFUSED_STREAM);
}

#[tokio::test]
async fn a_retry_stays_with_the_version_that_allows_it() {
    let split = Split::new(unavailable, unavailable).await;
    // Three attempts of the one, one of the other; never some of both.
    assert_eq!(split.calls(60).await, [(14, 0, 1), (14, 3, 0)]);
}

#[tokio::test]
async fn what_was_refused_may_go_to_the_other_version_and_follows_its_rules_there() {
    let split = Split::new(unavailable, refused).await;
    // Refused by 1.1.0, a call is 1.0.0's: three attempts there, as it says. Drawn for 1.0.0 it stays there.
    assert_eq!(split.calls(60).await, [(14, 3, 0), (14, 3, 1)]);

    let split = Split::new(refused, unavailable).await;
    // The other way round nothing is repeated: 1.1.0 does not allow it.
    assert_eq!(split.calls(60).await, [(14, 0, 1), (14, 1, 1)]);
}
