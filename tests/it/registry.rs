//! Producers that register by themselves, over real mTLS; and a broker that is killed while they do.

use crate::fixture::{Consumer, Hub, Organisation, Producer, World, echo};
use crate::foreign::portolan;
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::Channel;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tonic::Code;

type Registry = registry::registry_service_client::RegistryServiceClient<Channel>;
type Catalog = catalog::catalog_service_client::CatalogServiceClient<Channel>;

#[tokio::test]
async fn a_producer_registers_is_called_and_leaves() {
    let world = World::new();
    let hub = world.broker().start().await;
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().reason(), "NO_OWNER");

    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let mut registry = Registry::new(own.channel());
    let request = declaration(&world.payments, "ledger", producer.address);
    let registered = registry.register_producer(request.clone()).await.unwrap().into_inner();
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
    assert_eq!(reply.status(), 0, "what is acknowledged is routed");

    let stranger = Consumer::connect(&world.data, "/ledger", &hub).await;
    let mut strangers = Registry::new(stranger.channel());
    assert_eq!(strangers.register_producer(request).await.unwrap_err().code(), Code::PermissionDenied);
    let lease_id = registered.lease.unwrap().id;
    let renewal = registry::RenewLeaseRequest { lease_id };
    assert_eq!(strangers.renew_lease(renewal.clone()).await.unwrap_err().code(), Code::NotFound);
    registry.renew_lease(renewal).await.unwrap();

    let name = registered.name;
    registry.deregister_producer(registry::DeregisterProducerRequest { name }).await.unwrap();
    assert_eq!(consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().reason(), "NO_OWNER");
    assert_eq!(producer.calls(), 1);
}

#[tokio::test]
async fn an_endpoint_of_yesterday_that_is_not_allowed_today_is_not_dialled() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().start().await;
    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let request = declaration(&world.payments, "ledger", producer.address);
    Registry::new(own.channel()).register_producer(request).await.unwrap();
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap().status(), 0);
    assert!(hub.drain(Duration::from_secs(5)).await);

    let hub = world.broker().strict().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
    assert_eq!((reply.status(), reply.reason().as_str()), (14, "NO_CONNECTION"));
    let told = reply.as_status();
    assert!(told.message().contains("no producer may be there now: it is loopback"), "{told}");
    assert!(told.message().contains("endpoints.allow"), "{told}");
    assert_eq!(producer.calls(), 1);
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_broker_is_killed() {
    let world = World::new();
    let config = world.broker().write();
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let hub = Hub { address: socket.local_addr().unwrap(), domain: world.hub.domain(), broker: None };
    drop(socket);

    let mut acknowledged: Vec<(String, String)> = Vec::new();
    for round in 0..3 {
        let mut broker = serve(&config, hub.address).await;
        let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
        let mut registry = Registry::new(own.channel());
        for (name, lease_id) in &acknowledged {
            let renewed =
                registry.renew_lease(registry::RenewLeaseRequest { lease_id: lease_id.clone() }).await;
            assert!(renewed.is_ok(), "{name}: {renewed:?}");
        }
        let (killed, mut done) = (5 + round * 7, 0);
        for i in 0.. {
            let request = declaration(&world.payments, &format!("p{round}-{i}"), ([127, 0, 0, 1], 1).into());
            let Ok(registered) = registry.register_producer(request).await else { break };
            let registered = registered.into_inner();
            acknowledged.push((registered.name, registered.lease.unwrap().id));
            done += 1;
            if done == killed {
                broker.start_kill().unwrap();
            }
        }
        broker.wait().await.unwrap();
        assert!(done >= killed);
    }

    let _broker = serve(&config, hub.address).await;
    let consumer = Consumer::connect(&world.payments, "/app", &hub).await;
    let request = catalog::ListProducersRequest {
        parent: format!("platforms/{}", world.payments.name),
        page_size: 1000,
        ..Default::default()
    };
    let found =
        Catalog::new(consumer.channel()).list_producers(request).await.unwrap().into_inner().producers;
    for (name, _) in &acknowledged {
        let producer = found.iter().find(|producer| producer.name == *name);
        let producer = producer.unwrap_or_else(|| panic!("{name} was acknowledged and is lost"));
        assert_eq!(producer.freshness(), catalog::Freshness::Stale);
    }
}

/// A broker in a process of its own, ready.
async fn serve(config: &Path, address: SocketAddr) -> Child {
    let mut command = portolan();
    command.arg("serve").arg("--config").arg(config).env("PORTOLAN__LISTEN", address.to_string());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let ready = async {
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("ready") {
                return;
            }
            said.push(line);
        }
        panic!("it ended: {said:#?}");
    };
    tokio::time::timeout(Duration::from_secs(20), ready).await.expect("ready in time");
    child
}

pub fn declaration(
    platform: &Organisation,
    id: &str,
    address: SocketAddr,
) -> registry::RegisterProducerRequest {
    registry::RegisterProducerRequest {
        platform: platform.name.clone(),
        producer: id.into(),
        endpoints: vec![catalog::Endpoint { address: address.to_string(), ..Default::default() }],
        versions: vec![registry::CapabilityVersion {
            capability: "ledger".into(),
            version: "1.0.0".into(),
            services: vec!["pay.v1.Ledger".into()],
            owner: "team".into(),
            contact: "team@payments.example".into(),
            stage: catalog::Stage::Stable.into(),
            visibility: vec!["*".into()],
            ..Default::default()
        }],
        ..Default::default()
    }
}
