//! Servers that change nothing: the broker reads what they offer from their own reflection.

use crate::fixture::{Consumer, Hub, World};
use crate::foreign::{Running, file, python};
use crate::python::consume;
use portolan::wire::pb::portolan::catalog::v1::catalog_service_client::CatalogServiceClient;
use portolan::wire::pb::portolan::catalog::v1::{
    Freshness, GetVersionRequest, ListProducersRequest, Producer, Source, Version,
};
use portolan::wire::pb::portolan::status::v1::status_service_client::StatusServiceClient;
use portolan::wire::pb::portolan::status::v1::{Condition, WatchStatusRequest};
use std::path::Path;
use std::time::Duration;
use tonic::Code;

const VERSION: &str = "platforms/data.example/capabilities/echo/versions/1.0.0";

/// A grpcio server of `protos`, on `port` or a free one; with the port that it has.
async fn serve(world: &World, protos: &Path, port: &str) -> (Running, String) {
    let files = world.data.files("/echo");
    let script = file("tests/it/python/producer.py");
    let mut command = python();
    command.arg(script).args([&files.certificate, &files.key, &world.hub.bundle()]).arg(protos).arg(port);
    let mut running = Running::start(&mut command);
    let line = running.line().await;
    let port = line.strip_prefix("listening ").expect("a port").to_owned();
    (running, port)
}

fn discovered(world: &World, port: &str, more: &str) -> String {
    format!(
        "[[producers]]\nplatform = \"data.example\"\nid = \"echo\"\nidentity = \"{}\"\n\
         endpoints = [{{ address = \"127.0.0.1:{port}\" }}]\ndiscovery_interval = \"2s\"\n\
         [[producers.capabilities]]\nname = \"echo\"\nversion = \"1.0.0\"\ndiscover = true\n\
         owner = \"team\"\ncontact = \"team@data.example\"\nvisibility = [\"payments.example\"]\n{more}",
        world.data.id("/echo"),
    )
}

struct Reader(CatalogServiceClient<portolan::transport::Channel>);

impl Reader {
    async fn new(world: &World, hub: &Hub) -> Self {
        Self(CatalogServiceClient::new(Consumer::connect(&world.data, "/reader", hub).await.channel()))
    }

    async fn version(&mut self) -> Option<Version> {
        let asked = self.0.get_version(GetVersionRequest { name: VERSION.into() }).await;
        match asked {
            Ok(found) => found.into_inner().version,
            Err(status) if status.code() == Code::NotFound => None,
            Err(status) => panic!("{status}"),
        }
    }

    async fn producer(&mut self) -> Option<Producer> {
        let request = ListProducersRequest { parent: "platforms/data.example".into(), ..Default::default() };
        self.0.list_producers(request).await.unwrap().into_inner().producers.pop()
    }

    /// Asks until the producer is as wanted.
    async fn until(&mut self, wanted: impl Fn(&Producer) -> bool) -> Producer {
        for _ in 0..600 {
            if let Some(producer) = self.producer().await.filter(&wanted) {
                return producer;
            }
            // The broker reads another process, and nothing tells when it has.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never as wanted: {:?}", self.producer().await)
    }
}

#[tokio::test]
async fn a_server_that_changes_nothing_is_discovered_and_called() {
    let world = World::new();
    let protos = file("tests/it/python");
    let (_serving, port) = serve(&world, &protos, "0").await;
    let hub = world.broker().with(&discovered(&world, &port, "")).start().await;
    let mut reader = Reader::new(&world, &hub).await;
    let producer = reader.until(|_| true).await;
    assert_eq!((producer.source(), producer.freshness()), (Source::Discovery, Freshness::Live));

    let version = reader.version().await.unwrap();
    // Of the server's own health and reflection nothing is offered: those names belong to gRPC.
    assert_eq!(version.services, ["dat.echo.v1.EchoService"]);
    assert!(version.describable);
    assert_eq!(version.sources().collect::<Vec<_>>(), [Source::Discovery]);

    consume(&world, &hub, "head,trailers").await;
}

#[tokio::test]
async fn a_server_that_comes_back_with_another_contract_is_refused_under_the_same_version() {
    let world = World::new();
    let protos = file("tests/it/python");
    let (serving, port) = serve(&world, &protos, "0").await;
    let hub = world.broker().with(&discovered(&world, &port, "")).start().await;
    let mut reader = Reader::new(&world, &hub).await;
    let first = reader.until(|_| true).await;
    let contract = reader.version().await.unwrap();
    drop(serving);

    // The same contract comes back: read at once when the connection stands again, not at the next interval only.
    let (serving, _) = serve(&world, &protos, &port).await;
    let renewed = |producer: &Producer| {
        producer.update_time.map(|t| (t.seconds, t.nanos)) > first.update_time.map(|t| (t.seconds, t.nanos))
    };
    let second = reader.until(renewed).await;
    assert_eq!(second.freshness(), Freshness::Live);
    drop(serving);

    // Another contract under the same version: the last good one stays, and nothing renews it.
    let changed = world.dir.path().join("changed");
    std::fs::create_dir(&changed).unwrap();
    let proto = std::fs::read_to_string(protos.join("echo.proto")).unwrap();
    std::fs::write(changed.join("echo.proto"), proto.replace("int32 count = 2;", "int64 count = 2;"))
        .unwrap();
    let (_serving, _) = serve(&world, &changed, &port).await;
    let stale = reader.until(|producer| producer.freshness() == Freshness::Stale).await;
    assert_eq!(stale.versions, [VERSION]);
    assert_eq!(reader.version().await.unwrap().digest, contract.digest);
    let told = drift(&world, &hub).await;
    assert_eq!((told.r#type.as_str(), told.reason.as_str()), ("DRIFT", "CONTRACT_MUTATED"), "{told:?}");
}

#[tokio::test]
async fn what_a_version_names_must_be_served_and_the_rest_goes_to_the_one_that_names_nothing() {
    let world = World::new();
    let (_serving, port) = serve(&world, &file("tests/it/python"), "0").await;
    let two = "services = [\"dat.echo.v1.EchoService\"]\n[[producers.capabilities]]\nname = \"ghost\"\n\
               version = \"1.0.0\"\ndiscover = true\nservices = [\"dat.ghost.v1.Ghost\"]\nowner = \"o\"\ncontact = \"c\"";
    let hub = world.broker().with(&discovered(&world, &port, two)).start().await;
    let mut reader = Reader::new(&world, &hub).await;
    // Whole or not at all, as with a registration; what is wrong is a drift that its own people can read.
    let told = drift(&world, &hub).await;
    assert_eq!((told.r#type.as_str(), told.reason.as_str()), ("DRIFT", "DISCOVERY_NOT_SERVED"));
    assert!(told.message.contains("does not serve dat.ghost.v1.Ghost"), "{told:?}");
    assert_eq!(reader.producer().await, None);
}

/// The first drift that the status tells to those of the platform.
async fn drift(world: &World, hub: &Hub) -> Condition {
    let channel = Consumer::connect(&world.data, "/reader", hub).await.channel();
    let mut watch =
        StatusServiceClient::new(channel).watch_status(WatchStatusRequest {}).await.unwrap().into_inner();
    loop {
        let status = watch.message().await.unwrap().unwrap().status.unwrap();
        if let Some(drift) = status.platforms.iter().flat_map(|platform| &platform.conditions).next() {
            return drift.clone();
        }
    }
}
