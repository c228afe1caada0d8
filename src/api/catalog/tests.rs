//! A small federation, and what is asked of its catalogue.

mod conflicts;
mod found;
mod pages;
mod sight;
mod tokens;
mod used;
mod watching;

use super::*;
use crate::access;
use crate::catalog::{Change, Writer, catalog};
use crate::model::*;
use crate::status::{Publisher, board, fold};
use crate::uplink::{Look, Observer};
use crate::usage::{self, Recorder};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const PLATFORMS: [&str; 3] = ["a.example", "b.example", "c.example"];

/// A version to be: platform, capability, minor number, producer, and the platforms that see it.
type Sketch = (usize, usize, u64, usize, BTreeSet<usize>);

struct World {
    writer: Writer,
    rules: access::Writer,
    seen: Observer,
    publisher: Publisher,
    calls: Recorder,
    catalog: Catalog,
}

impl World {
    fn new(sketches: &[Sketch]) -> Self {
        let platforms = PLATFORMS.map(|name| Platform {
            name: name.parse().unwrap(),
            display_name: name.to_uppercase(),
            trust_domain: TrustDomain::parse(name).unwrap(),
            service_prefixes: vec!["acme".parse().unwrap()],
        });
        let (mut writer, reader) = catalog();
        writer.apply_all(platforms.clone().map(Change::PutPlatform)).unwrap();
        let seen = Observer::new();
        let now = Timestamp::UNIX_EPOCH;
        let first = fold(&reader.snapshot(), &seen.reader().load(), SignedDuration::MAX, None, now);
        let (publisher, board) = board(first);
        let (rules, policy) = access::policy(platforms, []);
        let policy = Arc::new(policy);
        let (calls, book, _) = usage::open(vec![], Arc::new(|| Timestamp::UNIX_EPOCH));
        let consumers = Consumers::new(book, policy.clone());
        let (pins, watches, shutdown) = (Arc::default(), watch::Places::default(), Shutdown::new());
        let turns = Turns::new(AT_ONCE);
        let catalog = Catalog { reader, policy, board, consumers, pins, watches, turns, shutdown };
        let mut world = Self { writer, rules, seen, publisher, calls, catalog };
        for (producer, versions) in declared(sketches) {
            world.put(producer, versions);
        }
        world
    }

    fn put(&mut self, producer: ProducerName, versions: Vec<Version>) {
        let identity = Identity::parse_spiffe(&format!("spiffe://{}/x", producer.platform)).unwrap();
        let producer = Producer {
            name: producer,
            registrant: identity.clone(),
            identity,
            endpoints: vec![Endpoint {
                address: Address::parse("10.0.0.1:1").unwrap(),
                locality: "".into(),
                weight: 1,
            }],
            versions: vec![],
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        };
        let _ = self.writer.apply(Change::PutProducer { producer, versions });
    }

    /// A probe sees a producer, and the status is folded anew.
    fn look(&mut self, producer: &str, state: State) {
        let producer = ProducerName::parse(producer).unwrap();
        let (is_reachable, reason) = (state == State::Serving, "SEEN");
        let look = Look { state, is_reachable, reason, message: String::new(), services: Default::default() };
        self.seen.record(&producer, &Address::parse("10.0.0.1:1").unwrap(), look, Timestamp::UNIX_EPOCH);
        let (catalog, latest, seen) = (self.writer.snapshot(), self.publisher.latest(), self.seen.reader());
        let folded = fold(&catalog, &seen.load(), SignedDuration::MAX, Some(&latest), Timestamp::UNIX_EPOCH);
        self.publisher.publish(folded);
    }

    fn ask<T>(&self, who: &str, message: T) -> Request<T> {
        let identity = Identity::parse_spiffe(&format!("spiffe://{who}/consumer")).unwrap();
        let mut request = Request::new(message);
        request.extensions_mut().insert(Arc::new(self.catalog.policy.caller(identity)));
        request
    }

    async fn platforms(&self, who: &str, size: i32, token: &str) -> Result<(Vec<String>, String), Status> {
        let message =
            pb::ListPlatformsRequest { page_size: size, page_token: token.into(), ..Default::default() };
        let found = self.catalog.list_platforms(self.ask(who, message)).await?.into_inner();
        Ok((found.platforms.into_iter().map(|p| p.name).collect(), found.next_page_token))
    }

    async fn capabilities(
        &self,
        who: &str,
        parent: &str,
        size: i32,
        token: &str,
    ) -> Result<(Vec<String>, String), Status> {
        let message = pb::ListCapabilitiesRequest {
            parent: parent.into(),
            page_size: size,
            page_token: token.into(),
            ..Default::default()
        };
        let found = self.catalog.list_capabilities(self.ask(who, message)).await?.into_inner();
        Ok((found.capabilities.into_iter().map(|c| c.name).collect(), found.next_page_token))
    }

    async fn versions(
        &self,
        who: &str,
        parent: &str,
        size: i32,
        token: &str,
    ) -> Result<(Vec<String>, String), Status> {
        let message = pb::ListVersionsRequest {
            parent: parent.into(),
            page_size: size,
            page_token: token.into(),
            ..Default::default()
        };
        let found = self.catalog.list_versions(self.ask(who, message)).await?.into_inner();
        Ok((found.versions.into_iter().map(|v| v.name).collect(), found.next_page_token))
    }

    async fn producers(
        &self,
        who: &str,
        parent: &str,
        size: i32,
        token: &str,
    ) -> Result<(Vec<String>, String), Status> {
        let message = pb::ListProducersRequest {
            parent: parent.into(),
            page_size: size,
            page_token: token.into(),
            ..Default::default()
        };
        let found = self.catalog.list_producers(self.ask(who, message)).await?.into_inner();
        Ok((found.producers.into_iter().map(|p| p.name).collect(), found.next_page_token))
    }
}

/// The producers with their versions; of two sketches of one version the first counts.
fn declared(sketches: &[Sketch]) -> Vec<(ProducerName, Vec<Version>)> {
    let mut seen = BTreeSet::new();
    let mut producers: Vec<(ProducerName, Vec<Version>)> = Vec::new();
    for (platform, capability, minor, producer, audience) in sketches {
        if !seen.insert((platform, capability, minor)) {
            continue;
        }
        let platform = PLATFORMS[*platform];
        let name = ProducerName::parse(&format!("platforms/{platform}/producers/p{producer}")).unwrap();
        let version = format!("platforms/{platform}/capabilities/c{capability}/versions/1.{minor}.0");
        let version = Version {
            name: VersionName::parse(&version).unwrap(),
            services: vec!["acme.v1.X".parse().unwrap()],
            descriptors: None,
            parameter_schema: None,
            digest: Digest::of(version.as_bytes()),
            description: version.clone(),
            owner: "o".into(),
            contact: "c".into(),
            stage: Stage::Stable,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility {
                everyone: false,
                platforms: audience.iter().map(|i| PLATFORMS[*i].parse().unwrap()).collect(),
            },
            slo: Slo::default(),
            traffic_weight: None,
            facts: Default::default(),
        };
        match producers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, versions)) => versions.push(version),
            None => producers.push((name, vec![version])),
        }
    }
    producers
}
