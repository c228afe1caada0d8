//! A broker's registry with two organisations, on a data directory of its own.

use crate::access;
use crate::catalog;
use crate::descriptors::{self, Limits, Set};
use crate::federation::{Error, Granted, Ground, Misconfigured, Receipt, Registrar, Settings, start};
use crate::model::*;
use crate::store::{Contents, Store};
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// What a broker is started with.
pub(super) struct Plan {
    pub(super) settings: Settings,
    pub(super) platforms: Vec<Platform>,
    pub(super) configured: Vec<Registration>,
    pub(super) operators: Vec<Identity>,
}

/// A running registry.
pub(super) struct Hub {
    pub(super) registrar: Registrar,
    pub(super) catalog: catalog::Reader,
    pub(super) descriptors: descriptors::Reader,
    pub(super) store: Store,
    /// Seconds by which the wall clock is wrong.
    pub(super) wall: Arc<AtomicI64>,
    folder: TempDir,
}

/// The paused clock moves on: leases end and rate limits fill up again, and nobody waits.
pub(super) async fn seconds(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

impl Default for Plan {
    fn default() -> Self {
        let platforms =
            vec![platform("payments.example", &["payments"]), platform("data.example", &["data"])];
        Self { settings: Settings::default(), platforms, configured: Vec::new(), operators: Vec::new() }
    }
}

impl Hub {
    pub(super) fn new() -> Self {
        Self::start(Plan::default())
    }

    pub(super) fn start(plan: Plan) -> Self {
        Self::open(plan, tempfile::tempdir().unwrap()).unwrap()
    }

    pub(super) fn open(plan: Plan, folder: TempDir) -> Result<Self, Misconfigured> {
        let wall = Arc::new(AtomicI64::new(0));
        let (begun, shift) = (Instant::now(), wall.clone());
        let time = move || {
            let elapsed = SignedDuration::try_from(begun.elapsed()).unwrap();
            epoch() + elapsed + SignedDuration::from_secs(shift.load(Ordering::Relaxed))
        };
        let (store, contents) = Store::open(folder.path(), epoch()).unwrap();
        let (writer, reader) = catalog::catalog();
        let (index, described) = descriptors::index(&Set::screen(&[], &Limits::default()).unwrap());
        let (rules, policy) = access::policy(plan.platforms, plan.operators);
        let ground = Ground {
            policy: Arc::new(policy),
            rules,
            catalog: (writer, reader.clone()),
            descriptors: index,
            store: store.clone(),
            contents,
            configured: plan.configured,
            targets: Default::default(),
            clock: Arc::new(time),
        };
        let registrar = start(ground, plan.settings)?;
        Ok(Self { registrar, catalog: reader, descriptors: described, store, wall, folder })
    }

    /// Stops as if the process ended, and starts anew on the same directory.
    pub(super) async fn restart(self, plan: Plan) -> Self {
        let folder = self.stop().await;
        Self::open(plan, folder).unwrap()
    }

    pub(super) async fn stop(self) -> TempDir {
        self.store.close().await;
        self.folder
    }

    /// Stops, and reads what was stored.
    pub(super) async fn contents(self) -> (TempDir, Contents) {
        let folder = self.stop().await;
        let (store, contents) = Store::open(folder.path(), epoch()).unwrap();
        store.close().await;
        (folder, contents)
    }

    pub(super) async fn register(&self, registration: Registration) -> Result<Receipt, Error> {
        self.registrar.register(&ledger(), registration).await
    }

    /// Registers, and gives the items at fault as (field, reason).
    pub(super) async fn refused(&self, registration: Registration) -> Vec<(String, &'static str)> {
        match self.register(registration).await {
            Err(Error::Refused(found)) => found.into_iter().map(|v| (v.field, v.reason)).collect(),
            other => panic!("not refused: {other:?}"),
        }
    }

    pub(super) fn producer(&self, id: &str) -> Option<Arc<Producer>> {
        self.catalog.snapshot().producer(&name(id)).cloned()
    }

    pub(super) fn freshness(&self, id: &str) -> Option<Freshness> {
        self.producer(id).map(|producer| producer.freshness)
    }

    pub(super) fn revision(&self) -> u64 {
        self.catalog.snapshot().revision()
    }

    /// The versions in the catalogue, as `capability/version`.
    pub(super) fn versions(&self) -> Vec<String> {
        let snapshot = self.catalog.snapshot();
        let capabilities = snapshot.platforms().flat_map(|platform| platform.capabilities.values());
        let offerings = capabilities.flat_map(|capability| &capability.offerings);
        let mut found: Vec<_> =
            offerings.map(|o| format!("{}/{}", o.version.name.capability, o.version.name.version)).collect();
        found.sort();
        found
    }
}

pub(super) fn epoch() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

pub(super) fn platform(name: &str, prefixes: &[&str]) -> Platform {
    Platform {
        name: name.parse().unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
        service_prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
    }
}

/// The identity that registers in most tests.
pub(super) fn ledger() -> Identity {
    identity("spiffe://payments.example/ledger")
}

pub(super) fn identity(id: &str) -> Identity {
    Identity::parse_spiffe(id).unwrap()
}

pub(super) fn name(id: &str) -> ProducerName {
    ProducerName::parse(&format!("platforms/payments.example/producers/{id}")).unwrap()
}

pub(super) fn lease(receipt: &Receipt) -> &Granted {
    receipt.lease.as_ref().unwrap()
}

/// Producer `id` of `payments.example` offers these.
pub(super) fn declare(id: &str, offers: impl IntoIterator<Item = Offer>) -> Registration {
    Registration {
        producer: name(id),
        identity: None,
        endpoints: vec![endpoint("10.0.0.1:50051")],
        offers: offers.into_iter().collect(),
        lease: None,
        permanent: false,
    }
}

pub(super) fn endpoint(address: &str) -> Endpoint {
    Endpoint { address: Address::parse(address).unwrap(), locality: "eu/a".into(), weight: 1 }
}

/// Version `version` of `capability`, described, with a service of its own: `payments.{capability}.Api`.
pub(super) fn offer(capability: &str, version: &str) -> Offer {
    let package = format!("payments.{capability}");
    Offer {
        capability: capability.parse().unwrap(),
        version: version.parse().unwrap(),
        services: vec![format!("{package}.Api").parse().unwrap()],
        descriptor_set: set(&package, &["Get"]),
        parameter_schema: None,
        discover: false,
        description: "what it is for".into(),
        owner: "team".into(),
        contact: "team@payments.example".into(),
        stage: Stage::Stable,
        deprecation_time: None,
        sunset_time: None,
        visibility: Visibility::everyone(),
        slo: Slo::default(),
        traffic_weight: None,
        facts: Default::default(),
    }
}

/// A descriptor set of one file with the service `Api` and these methods.
pub(super) fn set(package: &str, methods: &[&str]) -> Vec<u8> {
    let method = |name: &&str| MethodDescriptorProto {
        name: Some((*name).to_owned()),
        input_type: Some(".google.protobuf.Empty".into()),
        output_type: Some(".google.protobuf.Empty".into()),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Api".into()),
        method: methods.iter().map(method).collect(),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some(format!("{}.proto", package.replace('.', "/"))),
        package: Some(package.into()),
        dependency: vec!["google/protobuf/empty.proto".into()],
        service: vec![service],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}
