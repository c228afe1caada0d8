//! A contract over real mTLS: it outlives its producer, a break is told by its path, and conflicts are listed.

use crate::fixture::{Consumer, Hub, Organisation, World};
use portolan::client::pb::portolan::catalog::v1 as catalog;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::transport::Channel;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use tonic::{Code, Status};
use tonic_types::StatusExt;

type Registry = registry::registry_service_client::RegistryServiceClient<Channel>;
type Catalog = catalog::catalog_service_client::CatalogServiceClient<Channel>;

#[tokio::test]
async fn a_changed_contract_is_refused_with_its_difference_and_listed() {
    let world = World::new();
    let hub = world.broker().start().await;
    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let mut registry = Registry::new(own.channel());
    let first = declaration(&world.payments, "ledger", "1.0.0", &["Get", "Put"]);

    let asked = registry::RegisterProducerRequest { validate_only: true, ..first.clone() };
    let asked = registry.register_producer(asked).await.unwrap().into_inner();
    assert_eq!(asked.lease, None);
    let mut lasting = registry::RegisterProducerRequest { permanent: true, ..first };
    let taken = registry.register_producer(lasting.clone()).await.unwrap().into_inner();
    assert_eq!((taken.lease, taken.revision > asked.revision), (None, true));
    registry.deregister_producer(registry::DeregisterProducerRequest { name: taken.name }).await.unwrap();
    assert!(hub.drain(std::time::Duration::from_secs(5)).await);

    let hub = world.broker().start().await;
    let own = Consumer::connect(&world.payments, "/ledger", &hub).await;
    let mut registry = Registry::new(own.channel());
    let changed = declaration(&world.payments, "other", "1.0.0", &["Get"]);
    let refused = registry.register_producer(changed).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "CONTRACT_MUTATED"));
    let violation = refused.get_details_bad_request().unwrap().field_violations.remove(0);
    assert_eq!(violation.field, "versions[0]");
    assert!(violation.description.contains("- method pay.v1.Ledger.Put"), "{}", violation.description);

    let minor = declaration(&world.payments, "other", "1.1.0", &["Get"]);
    let broken = registry.register_producer(minor).await.unwrap_err();
    assert_eq!((broken.code(), reason(&broken).as_str()), (Code::FailedPrecondition, "INCOMPATIBLE"));
    assert!(broken.message().contains("pay.v1.Ledger.Put: RPC_NO_DELETE"), "{}", broken.message());

    let listed = conflicts(&hub, &world.payments).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].kind(), listed[0].rule.as_str()),
        (catalog::ConflictKind::Contract, "FIRST_CONTRACT")
    );
    let sides: Vec<_> = listed[0].claimants.iter().map(|side| (side.origin.clone(), side.winner)).collect();
    let ledger = world.payments.id("/ledger");
    assert_eq!(sides, [(ledger.clone(), true), (format!("{ledger} (other)"), false)]);
    assert!(conflicts(&hub, &world.data).await.is_empty(), "it is their own business");

    lasting.producer = "other".into();
    registry.register_producer(lasting).await.unwrap();
    assert!(conflicts(&hub, &world.payments).await.is_empty(), "its fitting word settles it");
}

#[tokio::test]
async fn a_name_that_two_platforms_claim_stays_with_the_first_and_both_are_told() {
    let world = World::new();
    let hub = world.broker().start().await;
    for organisation in [&world.payments, &world.data] {
        let own = Consumer::connect(organisation, "/x", &hub).await;
        let mut request = declaration(organisation, "x", "1.0.0", &[]);
        request.versions[0].services = vec!["shared.v1.Twice".into()];
        request.versions[0].descriptor_set.clear();
        Registry::new(own.channel()).register_producer(request).await.unwrap();
    }
    for organisation in [&world.payments, &world.data, &world.ml] {
        let listed = conflicts(&hub, organisation).await;
        assert_eq!((listed[0].subject.as_str(), listed[0].rule.as_str()), ("shared.v1.Twice", "FIRST_CLAIM"));
        let sides: Vec<_> =
            listed[0].claimants.iter().map(|side| (side.platform.clone(), side.winner)).collect();
        let name = |organisation: &Organisation| format!("platforms/{}", organisation.name);
        assert_eq!(sides, [(name(&world.payments), true), (name(&world.data), false)]);
        assert!(listed[0].claimants.iter().all(|side| side.since.is_some()));
    }
}

async fn conflicts(hub: &Hub, who: &Organisation) -> Vec<catalog::Conflict> {
    let consumer = Consumer::connect(who, "/app", hub).await;
    let request = catalog::ListConflictsRequest { parent: "platforms/-".into(), ..Default::default() };
    Catalog::new(consumer.channel()).list_conflicts(request).await.unwrap().into_inner().conflicts
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn declaration(
    platform: &Organisation,
    id: &str,
    version: &str,
    methods: &[&str],
) -> registry::RegisterProducerRequest {
    let method = |name: &&str| MethodDescriptorProto {
        name: Some((*name).to_owned()),
        input_type: Some(".google.protobuf.Empty".into()),
        output_type: Some(".google.protobuf.Empty".into()),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Ledger".into()),
        method: methods.iter().map(method).collect(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("pay/v1/ledger.proto".into()),
        package: Some("pay.v1".into()),
        dependency: vec!["google/protobuf/empty.proto".into()],
        service: vec![service],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    registry::RegisterProducerRequest {
        platform: platform.name.clone(),
        producer: id.into(),
        endpoints: vec![catalog::Endpoint { address: "127.0.0.1:1".into(), ..Default::default() }],
        versions: vec![registry::CapabilityVersion {
            capability: "ledger".into(),
            version: version.into(),
            services: vec!["pay.v1.Ledger".into()],
            descriptor_set: FileDescriptorSet { file: vec![file] }.encode_to_vec().into(),
            owner: "team".into(),
            contact: "team@payments.example".into(),
            stage: catalog::Stage::Stable.into(),
            visibility: vec!["*".into()],
            ..Default::default()
        }],
        ..Default::default()
    }
}
