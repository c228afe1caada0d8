//! Who called what: counted on the way, known to the owner and to operators, kept over a restart.

use crate::fixture::{Consumer, Hub, Organisation, Producer, World, echo};
use crate::foreign::portolan;
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::client::pb::portolan::report::v1 as report;
use portolan::transport::Channel;
use std::net::SocketAddr;
use std::time::Duration;
use tonic::Code;

type Catalog = catalog::catalog_service_client::CatalogServiceClient<Channel>;
type Registry = registry::registry_service_client::RegistryServiceClient<Channel>;
type Reports = report::report_service_client::ReportServiceClient<Channel>;

const LEDGER: &str = "platforms/payments.example/capabilities/ledger/versions/1.0.0";
const POST: &str = "/pay.v1.Ledger/Post";

/// Consumers of the payments platform: identity, calls, failed calls.
async fn consumers(of: &Organisation, hub: &Hub, parent: &str) -> Result<Vec<(String, u64, u64)>, Code> {
    let asker = Consumer::connect(of, "/asker", hub).await;
    let request = catalog::ListConsumersRequest { parent: parent.into(), ..Default::default() };
    let answer =
        Catalog::new(asker.channel()).list_consumers(request).await.map_err(|status| status.code())?;
    let shown = |one: catalog::Consumer| (one.identity, one.calls, one.failed_calls);
    Ok(answer.into_inner().consumers.into_iter().map(shown).collect())
}

fn declaration(
    world: &World,
    address: SocketAddr,
    stage: catalog::Stage,
) -> registry::RegisterProducerRequest {
    registry::RegisterProducerRequest {
        platform: world.payments.name.clone(),
        producer: "ledger".into(),
        endpoints: vec![catalog::Endpoint { address: address.to_string(), ..Default::default() }],
        versions: vec![registry::CapabilityVersion {
            capability: "ledger".into(),
            version: "1.0.0".into(),
            services: vec!["pay.v1.Ledger".into()],
            owner: "team".into(),
            contact: "team@payments.example".into(),
            stage: stage.into(),
            visibility: vec!["*".into()],
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[tokio::test]
async fn consumers_are_known_to_the_owner_and_operators_and_survive_a_restart() {
    let world = World::new();
    let operator = world.hub.id("/asker");
    let start = || world.broker().operator(&operator).start();
    let hub = start().await;
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let stable = declaration(&world, producer.address, catalog::Stage::Stable);
    let registered = Registry::new(own.channel()).register_producer(stable).await.unwrap().into_inner();
    assert_eq!(registered.affected_consumers, []);

    for (organisation, calls) in [(&world.data, 3), (&world.ml, 2)] {
        let consumer = Consumer::connect(organisation, "/app", &hub).await;
        for _ in 0..calls {
            assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
        }
        // Refused before any version is chosen: it is nobody's call.
        assert_eq!(consumer.unary("/nobody.v1.X/Y", &[], b"x").await.unwrap().reason(), "NO_OWNER");
    }
    let both = vec![(world.data.id("/app"), 3, 0), (world.ml.id("/app"), 2, 0)];
    for parent in ["platforms/payments.example", "platforms/-", LEDGER] {
        assert_eq!(consumers(&world.payments, &hub, parent).await.unwrap(), both, "{parent}");
        assert_eq!(consumers(&world.hub, &hub, parent).await.unwrap(), both, "{parent}");
    }
    assert_eq!(consumers(&world.data, &hub, LEDGER).await, Err(Code::NotFound));
    assert_eq!(consumers(&world.data, &hub, "platforms/-").await.unwrap(), []);

    hub.drain(Duration::from_secs(5)).await;
    let hub = start().await;
    assert_eq!(consumers(&world.payments, &hub, LEDGER).await.unwrap(), both);

    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let deprecated = declaration(&world, producer.address, catalog::Stage::Deprecated);
    let registered = Registry::new(own.channel()).register_producer(deprecated).await.unwrap().into_inner();
    let affected: Vec<_> =
        registered.affected_consumers.iter().map(|one| (one.identity.clone(), one.calls)).collect();
    assert_eq!(affected, [(world.data.id("/app"), 3), (world.ml.id("/app"), 2)]);
    assert_eq!(registered.omitted_consumers, 0);
}

#[tokio::test]
async fn a_call_that_fails_is_counted_as_failed_however_it_ends() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    assert_eq!(consumer.unary(POST, &[], b"x").await.unwrap().status(), 0);
    let expected = |calls, failed| vec![(world.data.id("/app"), calls, failed)];
    // The consumer leaves in the middle.
    drop(consumer.open(POST, &[]));
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while consumers(&world.payments, &hub, LEDGER).await.unwrap() != expected(2, 1) {
        assert!(tokio::time::Instant::now() < until, "a cancelled call is counted");
        tokio::task::yield_now().await;
    }
    // Its deadline passes while nobody answers.
    let (response, _send) = consumer.open(POST, &[("grpc-timeout", "50m")]);
    assert_eq!(crate::fixture::read(response).await.unwrap().status(), 4);
    assert_eq!(consumers(&world.payments, &hub, LEDGER).await.unwrap(), expected(3, 2));
}

#[tokio::test]
async fn each_role_gets_its_report_and_no_more() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    consumer.unary(POST, &[], b"x").await.unwrap();

    let mut reports = Reports::new(consumer.channel());
    let mine = reports.get_consumer_report(report::GetConsumerReportRequest::default()).await.unwrap();
    let mine = mine.into_inner().entries;
    assert_eq!((mine.len(), mine[0].callable, mine[0].calls), (1, true, 1));
    let theirs = report::GetProducerReportRequest { parent: LEDGER.into(), ..Default::default() };
    assert_eq!(reports.get_producer_report(theirs.clone()).await.unwrap_err().code(), Code::NotFound);
    // Of a trust domain without a platform: it has nothing to declare and nothing to be told.
    let stranger = Consumer::connect(&world.hub, "/nobody", &hub).await;
    let refused = Reports::new(stranger.channel()).get_producer_report(theirs.clone()).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);

    let owner = Consumer::connect(&world.payments, "/asker", &hub).await;
    let own = Reports::new(owner.channel()).get_producer_report(theirs).await.unwrap().into_inner().entries;
    assert_eq!((own.len(), own[0].consumers[0].identity.as_str()), (1, world.data.id("/app").as_str()));

    for (role, code, said) in [
        ("consumer", 0, "ledger"),
        ("producer", 0, "spiffe://data.example/app 1"),
        ("operator", 0, "1.0.0"),
        ("finance", 0, "spiffe://data.example/app"),
        ("security", 3, "NO_ON_CALL"),
    ] {
        let files = world.payments.files("/asker");
        let mut command = portolan();
        command.args([
            "report",
            role,
            "--address",
            &hub.address.to_string(),
            "--trust-domain",
            "hub.example",
        ]);
        command.arg("--ca").arg(world.hub.bundle()).arg("--cert").arg(&files.certificate);
        let ran = command.arg("--key").arg(&files.key).output().await.unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(code), "{role}: {out}{err}");
        assert!(out.contains(said), "{role}: {out}{err}");
    }
}
