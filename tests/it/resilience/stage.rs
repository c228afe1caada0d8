use crate::fixture::{Consumer, Hub, Producer, World};
use http::Response;
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::Exchange;
use std::net::SocketAddr;

/// Producers of one version, and a consumer.
pub struct Stage {
    pub world: World,
    pub hub: Hub,
    pub consumer: Consumer,
}

impl Stage {
    /// `producers` are the endpoints of one version of `pay.v1.Ledger`; `facts` are more lines of its declaration.
    pub async fn new(world: World, producers: &[&Producer], facts: &str, config: &str) -> Self {
        let hub = world.broker().with(config).with(&declared(&world, producers, facts)).start().await;
        let consumer = Consumer::connect(&world.data, "/app", &hub).await;
        Self { world, hub, consumer }
    }
}

pub fn declared(world: &World, producers: &[&Producer], facts: &str) -> String {
    let addresses: Vec<_> = producers.iter().map(|producer| producer.address).collect();
    ledger(world, &producers[0].identity, &addresses, facts)
}

/// One version of `pay.v1.Ledger` at these addresses, as the configuration lists it.
pub fn ledger(world: &World, identity: &str, addresses: &[SocketAddr], facts: &str) -> String {
    let endpoints: Vec<_> = addresses.iter().map(|at| format!("{{ address = \"{at}\" }}")).collect();
    format!(
        "[[producers]]\nplatform = {:?}\nid = \"ledger\"\nidentity = {:?}\nendpoints = [{}]\n\
         [[producers.capabilities]]\nname = \"ledger\"\nversion = \"1.0.0\"\nservices = [\"pay.v1.Ledger\"]\n\
         owner = \"team\"\ncontact = \"team@example\"\nstage = \"stable\"\nvisibility = [\"*\"]\n{facts}",
        world.payments.name,
        identity,
        endpoints.join(", ")
    )
}

/// A stable version of `pay.v1.Ledger` for everyone, to be registered.
pub fn version(version: &str) -> registry::CapabilityVersion {
    registry::CapabilityVersion {
        capability: "ledger".into(),
        version: version.into(),
        services: vec!["pay.v1.Ledger".into()],
        owner: "team".into(),
        contact: "team@example".into(),
        stage: catalog::Stage::Stable.into(),
        visibility: vec!["*".into()],
        ..Default::default()
    }
}

/// A producer registers itself.
pub async fn register(
    (world, hub): (&World, &Hub),
    id: &str,
    address: SocketAddr,
    version: registry::CapabilityVersion,
) {
    let own = Consumer::connect(&world.payments, "/ledger", hub).await;
    let request = registry::RegisterProducerRequest {
        platform: world.payments.name.clone(),
        producer: id.into(),
        endpoints: vec![catalog::Endpoint { address: address.to_string(), ..Default::default() }],
        versions: vec![version],
        ..Default::default()
    };
    let mut client = registry::registry_service_client::RegistryServiceClient::new(own.channel());
    client.register_producer(request).await.unwrap();
}

/// A service config for all methods, as a line of a declaration.
pub fn config(method: &str) -> String {
    format!("service_config = '{}'", service_config(method))
}

/// A service config for all methods.
pub fn service_config(method: &str) -> String {
    format!("{{\"methodConfig\": [{{\"name\": [{{}}], {method}}}]}}")
}

/// A `retryPolicy` of three attempts with pauses of about `pause`.
pub fn retry_policy(pause: &str) -> String {
    format!(
        "\"retryPolicy\": {{\"maxAttempts\": 3, \"initialBackoff\": \"{pause}\", \"maxBackoff\": \"{pause}\", \
         \"backoffMultiplier\": 1, \"retryableStatusCodes\": [\"UNAVAILABLE\"]}}"
    )
}

/// An answer that is nothing but a status (Trailers-Only).
pub fn only_status(exchange: Exchange, status: u32, metadata: &[(&str, &str)]) {
    let mut head = Response::builder()
        .header("content-type", "application/grpc")
        .header("grpc-status", status.to_string())
        .header("grpc-message", "as the test wants it");
    for (name, value) in metadata {
        head = head.header(*name, *value);
    }
    // Who has gone needs no answer.
    let _ = exchange.respond.send(head.body(()).unwrap(), true);
}

/// Descriptors of `pay.v1.Ledger`, with one idempotent method, in a file.
pub fn described(world: &World) -> String {
    const PROTO: &str = r#"syntax = "proto3";
        package pay.v1;
        message Entry { bytes data = 1; }
        service Ledger {
          rpc Post(Entry) returns (Entry);
          rpc Get(Entry) returns (Entry) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Watch(Entry) returns (stream Entry) { option idempotency_level = IDEMPOTENT; }
        }"#;
    let folder = world.dir.path();
    std::fs::write(folder.join("ledger.proto"), PROTO).unwrap();
    let set = protox::compile(["ledger.proto"], [folder]).unwrap();
    let path = folder.join("ledger.binpb");
    std::fs::write(&path, prost::Message::encode_to_vec(&set)).unwrap();
    format!("descriptor_set = {path:?}\n")
}
