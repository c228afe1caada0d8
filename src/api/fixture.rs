//! A small federation for the tests of typed services: `a.example` offers, `b.example` and `c.example` look.

use crate::access::{Caller, Policy};
use crate::catalog::{Change, Snapshot};
use crate::lifecycle::Shutdown;
use crate::model::*;
use crate::status::{Board, Publisher, board, fold};
use crate::uplink::{Look, Observer};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use tonic::Request;

pub(super) struct World {
    catalog: Arc<Snapshot>,
    pub(super) seen: Observer,
    publisher: Publisher,
    pub(super) board: Board,
    pub(super) policy: Arc<Policy>,
    pub(super) shutdown: Shutdown,
}

impl World {
    pub(super) fn new() -> Self {
        let platforms = ["a.example", "b.example", "c.example"].map(|name| Platform {
            name: name.parse().unwrap(),
            display_name: String::new(),
            trust_domain: TrustDomain::parse(name).unwrap(),
            service_prefixes: vec!["acme".parse().unwrap()],
        });
        let policy = Arc::new(Policy::new(platforms.clone()));
        let put = |snapshot: Snapshot, platform| snapshot.apply(Change::PutPlatform(platform)).unwrap();
        let catalog = Arc::new(platforms.into_iter().fold(Snapshot::default(), put));
        let seen = Observer::new();
        let first = fold(&catalog, &seen.reader().load(), SignedDuration::MAX, None, Timestamp::now());
        let (publisher, board) = board(first);
        Self { catalog, seen, publisher, board, policy, shutdown: Shutdown::new() }
    }

    /// `platform` offers `acme.{Capability}`, visible to others as said, from a producer of the same name.
    pub(super) fn offer(&mut self, platform: &str, capability: &str, visible_to: &[&str]) {
        let service = format!("acme.{}{}", capability[..1].to_uppercase(), &capability[1..]);
        let version = Version {
            name: VersionName::parse(&format!(
                "platforms/{platform}/capabilities/{capability}/versions/1.0.0"
            ))
            .unwrap(),
            digest: Digest::of(service.as_bytes()),
            services: vec![service.parse().unwrap()],
            descriptors: None,
            parameter_schema: None,
            description: String::new(),
            owner: "o".into(),
            contact: "c".into(),
            stage: Stage::Stable,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility {
                everyone: false,
                platforms: visible_to.iter().map(|p| p.parse().unwrap()).collect(),
            },
            slo: Slo::default(),
            traffic_weight: None,
            facts: Default::default(),
        };
        let identity = Identity::parse_spiffe(&format!("spiffe://{platform}/{capability}")).unwrap();
        let producer = Producer {
            name: producer_name(platform, capability),
            identity: identity.clone(),
            registrant: identity,
            endpoints: vec![Endpoint { address: address(), locality: "".into(), weight: 1 }],
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::now(),
            updated: Timestamp::now(),
            provenance: None,
        };
        let change = Change::PutProducer { producer, versions: vec![version] };
        self.catalog = Arc::new(self.catalog.apply(change).unwrap());
        self.publish();
    }

    /// A probe sees the producer of a capability.
    pub(super) fn look(&mut self, platform: &str, capability: &str, state: State) {
        let look = Look {
            state,
            is_reachable: state != State::NotServing,
            reason: "SEEN",
            message: String::new(),
            services: BTreeMap::new(),
        };
        self.seen.record(&producer_name(platform, capability), &address(), look, Timestamp::now());
        self.publish();
    }

    /// A producer of the platform cannot be discovered.
    pub(super) fn drift(&mut self, platform: &str) {
        let drift = Drift {
            platform: Some(platform.parse().unwrap()),
            source: Source::Discovery,
            subject: producer_name(platform, "x").to_string(),
            origin: "the configuration file".into(),
            reason: "NO_REFLECTION",
            message: "it has none".into(),
            since: Timestamp::now(),
        };
        let change = Change::SetDrifts { source: Source::Discovery, drifts: vec![drift] };
        self.catalog = Arc::new(self.catalog.apply(change).unwrap());
        self.publish();
    }

    fn publish(&mut self) {
        let seen = self.seen.reader();
        let latest = self.publisher.latest();
        let next = fold(&self.catalog, &seen.load(), SignedDuration::MAX, Some(&latest), Timestamp::now());
        self.publisher.publish(next);
    }

    /// A request by somebody of that trust domain.
    pub(super) fn request<T>(&self, domain: &str, message: T) -> Request<T> {
        let identity = Identity::parse_spiffe(&format!("spiffe://{domain}/consumer")).unwrap();
        let mut request = Request::new(message);
        request.extensions_mut().insert::<Arc<Caller>>(Arc::new(self.policy.caller(identity)));
        request
    }
}

fn producer_name(platform: &str, capability: &str) -> ProducerName {
    ProducerName::parse(&format!("platforms/{platform}/producers/{capability}")).unwrap()
}

fn address() -> Address {
    Address::parse("10.0.0.1:1").unwrap()
}
