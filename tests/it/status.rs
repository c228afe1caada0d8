//! One honest answer: what the broker says about a producer follows what happens to it.

use crate::fixture::{Consumer, Hub, Organisation, Producer, World, echo};
use portolan::transport::Channel;
use portolan::wire::pb::grpc::health::v1::health_check_response::ServingStatus;
use portolan::wire::pb::grpc::health::v1::health_client::HealthClient;
use portolan::wire::pb::grpc::health::v1::{HealthCheckRequest, HealthListRequest};
use portolan::wire::pb::portolan::status::v1::status_service_client::StatusServiceClient;
use portolan::wire::pb::portolan::status::v1::{State, WatchStatusRequest, WatchStatusResponse};
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Streaming};

const PROBES: &str = "[health]\ninterval = \"1s\"\ntimeout = \"1s\"";

async fn ledger(world: &World, producer: &Producer, visibility: &[&str]) -> Hub {
    let builder = world.broker();
    let builder = builder.producer_for(&world.payments, "ledger", producer, &["pay.v1.Ledger"], visibility);
    builder.with(PROBES).start().await
}

async fn channel(organisation: &Organisation, hub: &Hub) -> Channel {
    Consumer::connect(organisation, "/app", hub).await.channel()
}

/// The next message in which the whole is in `state`.
async fn until(watch: &mut Streaming<WatchStatusResponse>, state: State) -> WatchStatusResponse {
    let wait = async {
        loop {
            let message = watch.message().await.unwrap().expect("the watch goes on");
            if message.status.as_ref().unwrap().condition.as_ref().unwrap().state() == state {
                return message;
            }
        }
    };
    timeout(Duration::from_secs(15), wait).await.unwrap_or_else(|_| panic!("never {state:?}"))
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn the_status_follows_a_producer_that_stops() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = ledger(&world, &producer, &["*"]).await;
    let channel = channel(&world.data, &hub).await;
    let mut status = StatusServiceClient::new(channel.clone());
    let mut watch = status.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    let up = until(&mut watch, State::Serving).await;
    assert_eq!(up.capabilities[0].versions[0].producers.len(), 1);
    assert!(up.status.unwrap().unreachable.is_empty());
    let mut health = HealthClient::new(channel);
    let said = health.check(of("pay.v1.Ledger")).await.unwrap().into_inner();
    assert_eq!(said.status(), ServingStatus::Serving);
    let mut told = health.watch(of("pay.v1.Ledger")).await.unwrap().into_inner();
    assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    producer.stop();
    let down = until(&mut watch, State::NotServing).await.status.unwrap();
    assert_eq!(down.unreachable, ["platforms/payments.example/producers/ledger"]);
    let condition = down.condition.unwrap();
    assert!(condition.message.contains("platforms/payments.example/producers/ledger"), "{condition:?}");
    assert!(condition.since.is_some() && condition.observe_time.is_some());
    let next = timeout(Duration::from_secs(5), told.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(next.status(), ServingStatus::NotServing);
    assert_eq!(health.check(of("")).await.unwrap().into_inner().status(), ServingStatus::Serving);
}

#[tokio::test]
async fn whoever_may_not_see_a_service_learns_nothing_of_its_health() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = ledger(&world, &producer, &["data.example"]).await;
    for (organisation, sees) in [(&world.data, true), (&world.payments, true), (&world.ml, false)] {
        let channel = channel(organisation, &hub).await;
        let mut health = HealthClient::new(channel.clone());
        let code = health.check(of("pay.v1.Ledger")).await.err().map(|error| error.code());
        assert_eq!(code, (!sees).then_some(Code::NotFound), "{}", organisation.name);
        let listed = health.list(HealthListRequest {}).await.unwrap().into_inner().statuses;
        assert_eq!(listed.contains_key("pay.v1.Ledger"), sees, "{}", organisation.name);
        let mut status = StatusServiceClient::new(channel);
        let mut watch = status.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
        let whole = watch.message().await.unwrap().unwrap();
        assert_eq!(whole.capabilities.len(), usize::from(sees), "{}", organisation.name);
    }
}

#[tokio::test]
async fn a_broker_that_drains_ends_its_watches_and_says_why() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = ledger(&world, &producer, &["*"]).await;
    let channel = channel(&world.data, &hub).await;
    let mut status = StatusServiceClient::new(channel.clone());
    let mut watch = status.watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    until(&mut watch, State::Serving).await;
    let mut health = HealthClient::new(channel);
    let mut told = health.watch(of("")).await.unwrap().into_inner();
    assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    assert!(hub.drain(Duration::from_secs(10)).await, "watches do not hold a drain up");
    assert_eq!(told.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(told.message().await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(watch.message().await.unwrap_err().code(), Code::Unavailable);
}
