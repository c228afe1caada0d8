//! Lists in pages of every size, and what a caller may not see.

use super::*;
use crate::catalog::{Change, Writer, catalog};
use crate::model::*;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeSet;
use tonic::Code;
use tonic_types::StatusExt;

const PLATFORMS: [&str; 3] = ["a.example", "b.example", "c.example"];

/// A version to be: platform, capability, minor number, producer, and the platforms that see it.
type Sketch = (usize, usize, u64, usize, BTreeSet<usize>);

struct World {
    writer: Writer,
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
        let mut world =
            Self { writer, catalog: Catalog { reader, policy: Arc::new(Policy::new(platforms)) } };
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
        };
        let _ = self.writer.apply(Change::PutProducer { producer, versions });
    }

    fn ask<T>(&self, who: &str, message: T) -> Request<T> {
        let identity = Identity::parse_spiffe(&format!("spiffe://{who}/consumer")).unwrap();
        let mut request = Request::new(message);
        request.extensions_mut().insert(Arc::new(self.catalog.policy.caller(identity)));
        request
    }

    async fn platforms(&self, who: &str, size: i32, token: &str) -> Result<(Vec<String>, String), Status> {
        let message = pb::ListPlatformsRequest { page_size: size, page_token: token.into() };
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
        let message =
            pb::ListCapabilitiesRequest { parent: parent.into(), page_size: size, page_token: token.into() };
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
        let message =
            pb::ListVersionsRequest { parent: parent.into(), page_size: size, page_token: token.into() };
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
        let message =
            pb::ListProducersRequest { parent: parent.into(), page_size: size, page_token: token.into() };
        let found = self.catalog.list_producers(self.ask(who, message)).await?.into_inner();
        Ok((found.producers.into_iter().map(|p| p.name).collect(), found.next_page_token))
    }
}

/// All pages of a list, one behind the other.
async fn all<F>(mut page: impl FnMut(String) -> F) -> Vec<String>
where
    F: Future<Output = Result<(Vec<String>, String), Status>>,
{
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let (items, next) = page(token).await.unwrap();
        found.extend(items);
        if next.is_empty() {
            return found;
        }
        token = next;
    }
}

fn sketches() -> impl Strategy<Value = Vec<Sketch>> {
    let audience = prop::collection::btree_set(0..3_usize, 0..3);
    prop::collection::vec((0..3_usize, 0..4_usize, 0..4_u64, 0..3_usize, audience), 0..30)
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
        };
        match producers.iter_mut().find(|(other, _)| *other == name) {
            Some((_, versions)) => versions.push(version),
            None => producers.push((name, vec![version])),
        }
    }
    producers
}

/// What `who` should see: versions in the order of the list, capabilities, producers, platforms.
fn expected(sketches: &[Sketch], who: &str) -> [Vec<String>; 4] {
    let declared = declared(sketches);
    let sees = |version: &&Version| {
        version.name.platform.as_str() == who || version.visibility.platforms.contains(who)
    };
    let mut versions: Vec<_> = declared.iter().flat_map(|(_, versions)| versions).filter(sees).collect();
    versions.sort_by(|a, b| {
        let key = |v: &Version| v.name.capability_name();
        key(a).cmp(&key(b)).then_with(|| b.name.version.cmp(&a.name.version))
    });
    let capabilities: BTreeSet<_> = versions.iter().map(|v| v.name.capability_name()).collect();
    let producers: BTreeSet<_> = declared
        .iter()
        .filter(|(_, versions)| versions.iter().any(|v| sees(&v)))
        .map(|(name, _)| name)
        .collect();
    let platforms: BTreeSet<_> =
        versions.iter().map(|v| v.name.platform.to_string()).chain([who.to_owned()]).collect();
    [
        versions.iter().map(|v| v.name.to_string()).collect(),
        capabilities.iter().map(ToString::to_string).collect(),
        producers.iter().map(ToString::to_string).collect(),
        platforms.iter().map(|p| format!("platforms/{p}")).collect(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn the_pages_of_a_list_are_the_list(sketches in sketches(), size in 1..6_i32, who in 0..3_usize) {
        let world = World::new(&sketches);
        let world = &world;
        let who = PLATFORMS[who];
        let [versions, capabilities, producers, platforms] = expected(&sketches, who);
        futures::executor::block_on(async {
            let parent = "platforms/-/capabilities/-";
            assert_eq!(all(|token| async move { world.versions(who, parent, size, &token).await }).await, versions);
            let parent = "platforms/-";
            assert_eq!(all(|token| async move { world.capabilities(who, parent, size, &token).await }).await, capabilities);
            assert_eq!(all(|token| async move { world.producers(who, parent, size, &token).await }).await, producers);
            assert_eq!(all(|token| async move { world.platforms(who, size, &token).await }).await, platforms);
            for platform in &platforms {
                let of = |names: &[String]| {
                    names.iter().filter(|name| name.starts_with(&format!("{platform}/"))).cloned().collect::<Vec<_>>()
                };
                let found = all(|token| async move { world.producers(who, platform, size, &token).await }).await;
                assert_eq!(found, of(&producers));
                let parent = &format!("{platform}/capabilities/-");
                let found = all(|token| async move { world.versions(who, parent, size, &token).await }).await;
                assert_eq!(found, of(&versions));
            }
            let of_c1: Vec<_> = versions.iter().filter(|name| name.contains("/capabilities/c1/")).cloned().collect();
            let parent = "platforms/-/capabilities/c1";
            assert_eq!(all(|token| async move { world.versions(who, parent, size, &token).await }).await, of_c1);
        });
    }

    #[test]
    fn a_change_between_two_pages_repeats_nothing(
        first in sketches(),
        second in sketches(),
        size in 1..4_i32,
    ) {
        let mut world = World::new(&first);
        let who = PLATFORMS[0];
        futures::executor::block_on(async {
            let (mut found, mut token) = world.versions(who, "platforms/-/capabilities/-", size, "").await.unwrap();
            // What does not fit what stands is refused, and the rest replaces what was declared before.
            for (producer, versions) in declared(&second) {
                world.put(producer, versions);
            }
            while !token.is_empty() {
                let (more, next) = world.versions(who, "platforms/-/capabilities/-", size, &token).await.unwrap();
                found.extend(more);
                token = next;
            }
            let distinct: BTreeSet<_> = found.iter().collect();
            assert_eq!(distinct.len(), found.len());
        });
    }
}

#[tokio::test]
async fn what_a_caller_may_not_see_was_never_there() {
    let hidden = (0, 0, 0, 0, BTreeSet::new());
    let shared = (0, 1, 0, 0, BTreeSet::from([1]));
    let world = World::new(&[hidden, shared]);
    let [a, b, c] = PLATFORMS;
    assert_eq!(world.platforms(b, 0, "").await.unwrap().0, ["platforms/a.example", "platforms/b.example"]);
    assert_eq!(world.platforms(c, 0, "").await.unwrap().0, ["platforms/c.example"]);

    let get = |who, name: &str| {
        let request = world.ask(who, pb::GetVersionRequest { name: name.into() });
        world.catalog.get_version(request)
    };
    let secret = "platforms/a.example/capabilities/c0/versions/1.0.0";
    let missing = "platforms/a.example/capabilities/c9/versions/1.0.0";
    assert!(get(a, secret).await.is_ok());
    let (hidden, never) = (get(b, secret).await.unwrap_err(), get(b, missing).await.unwrap_err());
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(hidden.message().replace("c0", "c9"), never.message());
    let reasons = [&hidden, &never].map(|status| status.get_details_error_info().unwrap());
    assert_eq!(reasons[0].reason, reasons[1].reason);

    let request = world.ask(c, pb::GetPlatformRequest { name: "platforms/a.example".into() });
    assert_eq!(world.catalog.get_platform(request).await.unwrap_err().code(), Code::NotFound);
    let request = world.ask(b, pb::GetPlatformRequest { name: "platforms/a.example".into() });
    let seen = world.catalog.get_platform(request).await.unwrap().into_inner().platform.unwrap();
    assert_eq!(seen.capability_count, 1, "what is hidden is not counted either");
    for parent in ["platforms/a.example", "platforms/never.example"] {
        let error = world.capabilities(c, parent, 0, "").await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::NotFound, &*format!("{parent:?} was not found")));
        assert_eq!(world.producers(c, parent, 0, "").await.unwrap_err().code(), Code::NotFound);
        let parent = format!("{parent}/capabilities/c1");
        assert_eq!(world.versions(c, &parent, 0, "").await.unwrap_err().code(), Code::NotFound);
    }

    let message = pb::ListProducersRequest { parent: "platforms/-".into(), ..Default::default() };
    let found = world.catalog.list_producers(world.ask(b, message)).await.unwrap().into_inner();
    assert_eq!(found.producers[0].versions, ["platforms/a.example/capabilities/c1/versions/1.0.0"]);
}

#[tokio::test]
async fn a_capability_shows_its_versions_newest_first() {
    let everyone = BTreeSet::from([1]);
    let world =
        World::new(&[(0, 0, 0, 0, everyone.clone()), (0, 0, 2, 0, BTreeSet::new()), (0, 0, 1, 1, everyone)]);
    let get = |who| {
        let name = "platforms/a.example/capabilities/c0".to_owned();
        world.catalog.get_capability(world.ask(who, pb::GetCapabilityRequest { name }))
    };
    let own = get("a.example").await.unwrap().into_inner().capability.unwrap();
    assert_eq!(own.versions, ["1.2.0", "1.1.0", "1.0.0"]);
    let shared = get("b.example").await.unwrap().into_inner().capability.unwrap();
    assert_eq!(shared.versions, ["1.1.0", "1.0.0"]);
    assert!(shared.description.ends_with("1.1.0"), "from the newest that the caller sees");
}

#[tokio::test]
async fn bad_questions_are_answered_as_such() {
    let world = World::new(&[(0, 0, 0, 0, BTreeSet::from([1])), (0, 1, 0, 0, BTreeSet::from([1]))]);
    let who = "a.example";
    let (_, token) = world.capabilities(who, "platforms/-", 1, "").await.unwrap();
    assert!(!token.is_empty());
    let code = |result: Result<_, Status>| result.map(|_: (Vec<String>, String)| ()).unwrap_err().code();
    for (parent, size, token) in [
        ("platforms/-", -1, ""),
        ("platforms/-", 1, "forged"),
        ("platforms/a.example", 1, token.as_str()),
        ("", 1, ""),
        ("platforms/A", 1, ""),
        ("platforms/a.example/", 1, ""),
    ] {
        assert_eq!(
            code(world.capabilities(who, parent, size, token).await),
            Code::InvalidArgument,
            "{parent} {size}"
        );
    }
    assert_eq!(code(world.capabilities("b.example", "platforms/-", 1, &token).await), Code::InvalidArgument);
    assert_eq!(code(world.producers(who, "platforms/-", 1, &token).await), Code::InvalidArgument);
    assert_eq!(code(world.versions(who, "platforms/a.example", 1, "").await), Code::InvalidArgument);
    assert_eq!(world.capabilities(who, "platforms/-", 1, &token).await.unwrap().0.len(), 1);
}
