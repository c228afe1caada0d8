//! How a version wants to be called, declared in each of the three ways: shown as declared, and obeyed.

use super::stage::{declared, only_status, register, version};
use crate::fixture::{Consumer, Hub, Producer, World, answer_ok};
use bytes::Bytes;
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::Exchange;
use std::time::{Duration, Instant};

const CONFIG: &str = r#"{"methodConfig": [{"name": [{"service": "pay.v1.Ledger"}], "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.01s", "backoffMultiplier": 1, "retryableStatusCodes": ["ABORTED"]}}, {"name": [{"service": "pay.v1.Ledger", "method": "Slow"}], "timeout": "0.3s"}, {"name": [{"service": "pay.v1.Ledger", "method": "Small"}], "maxRequestMessageBytes": 1000, "maxResponseMessageBytes": 2000}]}"#;
const VERSION: &str = "platforms/payments.example/capabilities/ledger/versions/1.0.0";

/// `/Post` is ABORTED the first time, `/Slow` never ends, all else is answered with as many bytes as `x-size` says.
async fn answer(mut exchange: Exchange) {
    let path = exchange.request.uri().path().to_owned();
    let size = exchange.request.headers().get("x-size").map_or(1, |n| n.to_str().unwrap().parse().unwrap());
    if path.ends_with("/Slow") {
        drop(exchange.respond.closed().await);
    } else if path.ends_with("/Post")
        && !exchange.request.headers().contains_key("grpc-previous-rpc-attempts")
    {
        only_status(exchange, 10, &[]);
    } else {
        answer_ok(exchange, Bytes::from(vec![7; size])).await;
    }
}

async fn registered(world: &World, producer: &Producer) -> Hub {
    let hub = world.broker().start().await;
    let version = registry::CapabilityVersion { service_config: CONFIG.into(), ..version("1.0.0") };
    register((world, &hub), "ledger", producer.address, version).await;
    hub
}

async fn configured(world: &World, producer: &Producer) -> Hub {
    let text = declared(world, &[producer], &format!("service_config = '{CONFIG}'"));
    world.broker().with(&text).start().await
}

async fn in_a_manifest(world: &World, producer: &Producer) -> Hub {
    let folder = world.dir.path().join("manifests");
    std::fs::create_dir(&folder).unwrap();
    let head = |kind: &str, name: &str| {
        format!(
            "apiVersion: portolan.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  platform: payments.example\nspec:\n"
        )
    };
    let text = format!(
        "{}  services: [pay.v1.Ledger]\n  owner: team\n  contact: c\n  stage: stable\n  visibility: [\"*\"]\n  \
         service_config: {CONFIG}\n---\n{}  identity: {}\n  endpoints:\n    - address: \"{}\"\n  versions: [ledger/1.0.0]\n",
        head("Version", "ledger/1.0.0"),
        head("Producer", "ledger"),
        producer.identity,
        producer.address
    );
    std::fs::write(folder.join("ledger.yaml"), text).unwrap();
    world.broker().top("manifests = \"manifests\"").start().await
}

/// As the catalogue shows the version; a folder of manifests is read in its own time.
async fn shown(consumer: &Consumer) -> catalog::Version {
    let mut client = catalog::catalog_service_client::CatalogServiceClient::new(consumer.channel());
    let begun = Instant::now();
    loop {
        match client.get_version(catalog::GetVersionRequest { name: VERSION.into() }).await {
            Ok(found) => return found.into_inner().version.unwrap(),
            Err(status) => assert!(begun.elapsed() < Duration::from_secs(10), "{status}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn holds(world: World, producer: Producer, hub: Hub) {
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&shown(&consumer).await.service_config), json(CONFIG));

    let call = async |method: &str, metadata: &[(&str, &str)], message: &[u8]| {
        let before = producer.calls();
        let reply = consumer.unary(&format!("/pay.v1.Ledger/{method}"), metadata, message).await.unwrap();
        (reply.status(), producer.calls() - before)
    };
    assert_eq!(call("Post", &[], b"x").await, (0, 2), "what its policy names is retried");
    let begun = Instant::now();
    assert_eq!(call("Slow", &[], b"x").await, (4, 1));
    let took = begun.elapsed();
    assert!((250..5000).contains(&took.as_millis()), "the deadline of its method: {took:?}");
    assert_eq!(call("Small", &[("x-size", "2000")], &[7; 1000]).await, (0, 1));
    assert_eq!(call("Small", &[], &[7; 1001]).await.0, 8, "its own limit for requests");
    assert_eq!(call("Small", &[("x-size", "2001")], b"x").await.0, 8, "and for answers");
    assert_eq!(call("Other", &[("x-size", "9000")], &[7; 9000]).await, (0, 1), "others have none");
}

#[tokio::test]
async fn a_service_config_of_a_registration_is_shown_and_obeyed() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = registered(&world, &producer).await;
    holds(world, producer, hub).await;
}

#[tokio::test]
async fn a_service_config_of_the_configuration_is_shown_and_obeyed() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = configured(&world, &producer).await;
    holds(world, producer, hub).await;
}

#[tokio::test]
async fn a_service_config_of_a_manifest_is_shown_and_obeyed() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = in_a_manifest(&world, &producer).await;
    holds(world, producer, hub).await;
}
