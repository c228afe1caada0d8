//! Producers that register themselves, each with one version.

use crate::fixture::{Consumer, Hub, Organisation, Producer, World, echo};
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::client::pb::portolan::routing::v1 as routing;
use portolan::transport::Channel;

pub(super) type Registry = registry::registry_service_client::RegistryServiceClient<Channel>;
pub(super) type Routing = routing::routing_service_client::RoutingServiceClient<Channel>;

/// A declaration of one stable version that everyone may see.
pub(super) fn version(capability: &str, version: &str, service: &str) -> registry::CapabilityVersion {
    registry::CapabilityVersion {
        capability: capability.into(),
        version: version.into(),
        services: vec![service.into()],
        owner: "team".into(),
        contact: "team@example".into(),
        stage: catalog::Stage::Stable.into(),
        visibility: vec!["*".into()],
        ..Default::default()
    }
}

/// Starts a producer that echoes, and registers it with what it serves.
pub(super) async fn serve(
    world: &World,
    organisation: &Organisation,
    hub: &Hub,
    id: &str,
    version: registry::CapabilityVersion,
) -> (Producer, registry::RegisterProducerResponse) {
    let producer = Producer::start(organisation, &world.hub, "/ledger", echo).await;
    let own = Consumer::connect(organisation, "/ledger", hub).await;
    let request = registry::RegisterProducerRequest {
        platform: organisation.name.clone(),
        producer: id.into(),
        endpoints: vec![catalog::Endpoint { address: producer.address.to_string(), ..Default::default() }],
        versions: vec![version],
        ..Default::default()
    };
    let registered = Registry::new(own.channel()).register_producer(request).await;
    (producer, registered.unwrap().into_inner())
}
