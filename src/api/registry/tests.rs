//! What a producer sees on the wire.

use super::*;
use crate::access::{self, Policy};
use crate::federation::{Ground, Settings, start};
use crate::model::{Identity, Platform, TrustDomain};
use crate::store::Store;
use crate::wire::pb::portolan::catalog::v1 as catalog;
use crate::{catalog as catalogue, descriptors, usage};
use jiff::Timestamp;
use std::sync::Arc;
use tempfile::TempDir;
use tonic::Code;
use tonic_types::StatusExt;

struct World {
    registry: Registry,
    policy: Arc<Policy>,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (store, contents) = Store::open(folder.path(), Timestamp::UNIX_EPOCH).unwrap();
        let own = descriptors::Set::screen(&[], &descriptors::Limits::default()).unwrap();
        let platforms = ["a.example", "b.example"].map(|name| Platform {
            name: name.parse().unwrap(),
            display_name: String::new(),
            trust_domain: TrustDomain::parse(name).unwrap(),
            service_prefixes: vec!["acme".parse().unwrap()],
        });
        let (rules, policy) = access::policy(platforms, []);
        let policy = Arc::new(policy);
        let ground = Ground {
            policy: policy.clone(),
            rules,
            catalog: catalogue::catalog(),
            descriptors: descriptors::index(&own).0,
            store,
            contents,
            configured: vec![],
            targets: Default::default(),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        };
        let (_, calls, _) = usage::open(vec![], Arc::new(|| Timestamp::UNIX_EPOCH));
        let consumers = Consumers::new(calls, policy.clone());
        let registrar = start(ground, Settings::default()).unwrap();
        Self { registry: Registry { registrar, consumers }, policy, _folder: folder }
    }

    fn ask<T>(&self, who: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let identity = Identity::parse_spiffe(&format!("spiffe://{who}")).unwrap();
        request.extensions_mut().insert(Arc::new(self.policy.caller(identity)));
        request
    }
}

fn declaration() -> pb::RegisterProducerRequest {
    pb::RegisterProducerRequest {
        platform: "a.example".into(),
        producer: "one".into(),
        endpoints: vec![catalog::Endpoint { address: "10.0.0.1:1".into(), ..Default::default() }],
        versions: vec![pb::CapabilityVersion {
            capability: "ledger".into(),
            version: "1.0.0".into(),
            services: vec!["acme.v1.Ledger".into()],
            owner: "team".into(),
            contact: "team@a.example".into(),
            stage: catalog::Stage::Stable.into(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

#[tokio::test]
async fn a_producer_registers_renews_and_leaves() {
    let world = &World::new();
    let request = world.ask("a.example/one", declaration());
    let registered = world.registry.register_producer(request).await.unwrap().into_inner();
    assert_eq!(registered.name, "platforms/a.example/producers/one");
    assert_eq!(registered.warnings.len(), 1, "{:?}", registered.warnings);
    let lease = registered.lease.unwrap();
    assert_eq!(lease.duration.unwrap().seconds, 30);
    assert_eq!(lease.expire_time.unwrap().seconds, 30);

    let renewal = pb::RenewLeaseRequest { lease_id: lease.id.clone() };
    let renewed = world.registry.renew_lease(world.ask("a.example/one", renewal.clone())).await.unwrap();
    assert_eq!(renewed.into_inner().lease.unwrap().id, lease.id);
    let denied = world.registry.renew_lease(world.ask("a.example/two", renewal.clone())).await.unwrap_err();
    assert_eq!((denied.code(), reason(&denied).as_str()), (Code::NotFound, "UNKNOWN_LEASE"));

    let leave = pb::DeregisterProducerRequest { name: registered.name.clone() };
    let left = world.registry.deregister_producer(world.ask("a.example/one", leave.clone())).await.unwrap();
    assert!(left.into_inner().revision > registered.revision);
    let gone = world.registry.deregister_producer(world.ask("a.example/one", leave)).await.unwrap_err();
    assert_eq!((gone.code(), reason(&gone).as_str()), (Code::NotFound, "NOT_FOUND"));
    let late = world.registry.renew_lease(world.ask("a.example/one", renewal)).await.unwrap_err();
    assert_eq!(reason(&late), "UNKNOWN_LEASE");
}

#[tokio::test]
async fn a_refusal_has_one_reason_and_names_every_field() {
    let world = World::new();
    let foreign =
        world.registry.register_producer(world.ask("b.example/x", declaration())).await.unwrap_err();
    assert_eq!((foreign.code(), reason(&foreign).as_str()), (Code::PermissionDenied, "FOREIGN_TRUST_DOMAIN"));

    let mut bad = declaration();
    bad.versions[0].services.push("acme..Bad".into());
    bad.versions[0].stage = 0;
    let unreadable = world.registry.register_producer(world.ask("a.example/x", bad)).await.unwrap_err();
    assert_eq!(unreadable.code(), Code::InvalidArgument);
    assert_eq!(fields(&unreadable), ["versions[0].services[1]", "versions[0].stage"]);

    let mut bad = declaration();
    bad.endpoints[0].address = "127.0.0.1:1".into();
    bad.versions[0].owner.clear();
    let refused = world.registry.register_producer(world.ask("a.example/x", bad)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "REGISTRATION_REFUSED"));
    assert_eq!(fields(&refused), ["endpoints[0].address", "versions[0].owner"]);

    world.registry.register_producer(world.ask("a.example/x", declaration())).await.unwrap();
    let mut changed = declaration();
    changed.producer = "two".into();
    changed.versions[0].services.push("acme.v1.More".into());
    let mutated = world.registry.register_producer(world.ask("a.example/x", changed)).await.unwrap_err();
    assert_eq!((mutated.code(), reason(&mutated).as_str()), (Code::AlreadyExists, "CONTRACT_MUTATED"));
}

#[tokio::test]
async fn without_a_verified_caller_nothing_is_done() {
    let world = World::new();
    let error = world.registry.register_producer(Request::new(declaration())).await.unwrap_err();
    assert_eq!((error.code(), reason(&error).as_str()), (Code::Internal, "NO_CALLER"));
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn fields(status: &Status) -> Vec<String> {
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|v| v.field).collect()
}
