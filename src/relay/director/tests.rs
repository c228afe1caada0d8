//! Where calls go, and what the refusals say.

use super::*;
use crate::catalog::Change;
use crate::model::*;
use std::collections::HashMap;

const SERVICE: &str = "acme.Ledger";

struct World {
    snapshot: Snapshot,
    policy: Policy,
    standings: HashMap<String, Standing>,
}

fn platform(name: &str) -> Platform {
    Platform {
        name: PlatformName::parse(name).unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
        service_prefixes: vec![ServicePrefix::parse("acme").unwrap()],
    }
}

impl World {
    fn new() -> Self {
        let platforms = [platform("a.example"), platform("b.example")];
        let snapshot = platforms
            .iter()
            .fold(Snapshot::default(), |s, p| s.apply(Change::PutPlatform(p.clone())).unwrap());
        Self { snapshot, policy: Policy::new(platforms), standings: HashMap::new() }
    }

    /// A producer of a.example at `address` that serves one version.
    fn with(
        mut self,
        id: &str,
        version: &str,
        stage: Stage,
        address: &str,
        edit: impl FnOnce(&mut Producer, &mut Version),
    ) -> Self {
        let identity = Identity::parse_spiffe("spiffe://a.example/x").unwrap();
        let name = format!("platforms/a.example/capabilities/ledger/versions/{version}");
        let mut version = Version {
            name: VersionName::parse(&name).unwrap(),
            services: vec![ServiceName::parse(SERVICE).unwrap()],
            descriptors: None,
            parameter_schema: None,
            digest: Digest::of(b""),
            description: String::new(),
            owner: "o".into(),
            contact: "c".into(),
            stage,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility::everyone(),
            slo: Slo::default(),
            traffic_weight: None,
            facts: Default::default(),
        };
        let mut producer = Producer {
            name: ProducerName::parse(&format!("platforms/a.example/producers/{id}")).unwrap(),
            identity: identity.clone(),
            registrant: identity,
            endpoints: vec![Endpoint {
                address: Address::parse(address).unwrap(),
                locality: "".into(),
                weight: 1,
            }],
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
        };
        edit(&mut producer, &mut version);
        self.snapshot =
            self.snapshot.apply(Change::PutProducer { producer, versions: vec![version] }).unwrap();
        self
    }

    fn and(mut self, address: &str, standing: Standing) -> Self {
        self.standings.insert(address.to_owned(), standing);
        self
    }

    fn choose(&self, caller: &str, locality: &str) -> Result<Route, Refusal> {
        let caller = Arc::new(self.policy.caller(Identity::parse_spiffe(caller).unwrap()));
        let standing = |_: &Producer, e: &Endpoint| {
            self.standings.get(&e.address.to_string()).cloned().unwrap_or(Standing::Up)
        };
        choose(&self.snapshot, &self.policy, &caller, SERVICE, locality, standing)
    }

    fn first(&self) -> String {
        self.choose("spiffe://b.example/app", "").unwrap().targets[0].endpoint().address.to_string()
    }
}

fn plain(_: &mut Producer, _: &mut Version) {}

fn unreachable() -> Standing {
    Standing::Unreachable {
        why: "connection refused".into(),
        since: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

#[test]
fn a_service_nobody_offers_has_no_owner() {
    assert_eq!(
        World::new().choose("spiffe://b.example/app", "").unwrap_err(),
        Refusal::NoOwner(SERVICE.into())
    );
}

#[test]
fn the_newest_stable_healthy_version_is_chosen() {
    let world = World::new()
        .with("old", "1.0.0", Stage::Stable, "10.0.0.1:1", plain)
        .with("new", "1.1.0", Stage::Stable, "10.0.0.2:1", plain)
        .with("beta", "2.0.0", Stage::Beta, "10.0.0.3:1", plain);
    assert_eq!(world.first(), "10.0.0.2:1");
    assert_eq!(world.and("10.0.0.2:1", unreachable()).first(), "10.0.0.1:1");
}

#[test]
fn what_the_caller_may_not_see_is_denied() {
    let world = World::new()
        .with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |_, v| v.visibility = Visibility::default());
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Denied(_))));
    assert!(world.choose("spiffe://a.example/app", "").is_ok());
}

#[test]
fn an_older_version_that_the_caller_may_see_is_chosen_over_a_newer_one_that_it_may_not() {
    let world = World::new()
        .with("new", "2.0.0", Stage::Stable, "10.0.0.2:1", |_, v| v.visibility = Visibility::default())
        .with("old", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    assert_eq!(world.first(), "10.0.0.1:1");
}

#[test]
fn a_producer_whose_lease_expired_gets_no_calls_and_the_refusal_says_which_and_since_when() {
    let since = Timestamp::from_second(1_700_000_000).unwrap();
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", |p, _| {
        p.freshness = Freshness::Expired;
        p.lease_expires = Some(since);
    });
    let Err(Refusal::Unreachable { why, since: told, .. }) = world.choose("spiffe://b.example/app", "")
    else {
        panic!()
    };
    assert!(why.contains("platforms/a.example/producers/x"), "{why}");
    assert_eq!(told, Some(since));
}

#[test]
fn what_says_not_serving_gets_no_calls() {
    let world = World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain);
    let world = world.and("10.0.0.1:1", Standing::NotServing { since: Timestamp::UNIX_EPOCH });
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Unreachable { .. })));
}

#[test]
fn what_could_not_be_reached_is_tried_when_nothing_else_is_left() {
    let world =
        World::new().with("x", "1.0.0", Stage::Stable, "10.0.0.1:1", plain).and("10.0.0.1:1", unreachable());
    assert_eq!(world.first(), "10.0.0.1:1");
}

#[test]
fn a_retired_version_is_never_chosen() {
    let world = World::new().with("x", "1.0.0", Stage::Retired, "10.0.0.1:1", plain);
    assert!(matches!(world.choose("spiffe://b.example/app", ""), Err(Refusal::Retired { .. })));
}

#[test]
fn the_nearest_locality_comes_first_and_the_others_stay_as_a_way_out() {
    let at =
        |place: &'static str| move |p: &mut Producer, _: &mut Version| p.endpoints[0].locality = place.into();
    let world = World::new()
        .with("far", "1.0.0", Stage::Stable, "10.0.0.1:1", at("us/a"))
        .with("near", "1.0.0", Stage::Stable, "10.0.0.2:1", at("eu/b"))
        .with("here", "1.0.0", Stage::Stable, "10.0.0.3:1", at("eu/a"));
    let route = world.choose("spiffe://b.example/app", "eu/a").unwrap();
    let order: Vec<_> = route.targets.iter().map(|t| t.endpoint().address.to_string()).collect();
    assert_eq!(order, ["10.0.0.3:1", "10.0.0.2:1", "10.0.0.1:1"]);
}

#[test]
fn weights_share_the_traffic_of_one_locality() {
    let weigh = |weight| move |p: &mut Producer, _: &mut Version| p.endpoints[0].weight = weight;
    let world = World::new().with("light", "1.0.0", Stage::Stable, "10.0.0.1:1", weigh(1)).with(
        "heavy",
        "1.0.0",
        Stage::Stable,
        "10.0.0.2:1",
        weigh(9),
    );
    fastrand::seed(7);
    let heavy = (0..2000).filter(|_| world.first() == "10.0.0.2:1").count();
    assert!((1700..1900).contains(&heavy), "{heavy} of 2000");
}
