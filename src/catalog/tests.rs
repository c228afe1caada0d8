//! What the catalogue promises: whole declarations, immutable contracts, owners that recency never decides.

mod graph;
mod history;
mod log;

use super::*;
use crate::model::*;
use jiff::Timestamp;
use proptest::prelude::*;

fn platform(name: &str, prefixes: &[&str]) -> Change {
    Change::PutPlatform(Platform {
        name: PlatformName::parse(name).unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
        service_prefixes: prefixes.iter().map(|p| ServicePrefix::parse(p).unwrap()).collect(),
    })
}

fn version(platform: &str, version: &str, stage: Stage, services: &[&str]) -> Version {
    let mut services: Vec<_> = services.iter().map(|s| ServiceName::parse(s).unwrap()).collect();
    services.sort();
    Version {
        name: VersionName::parse(&format!("platforms/{platform}/capabilities/ledger/versions/{version}"))
            .unwrap(),
        digest: Digest::of_parts(services.iter().map(|s| s.as_str().as_bytes())),
        services,
        descriptors: None,
        parameter_schema: None,
        description: String::new(),
        owner: "o".into(),
        contact: "c".into(),
        stage,
        deprecation_time: None,
        sunset_time: None,
        visibility: Visibility::default(),
        slo: Slo::default(),
        traffic_weight: None,
        facts: Default::default(),
    }
}

fn producer(platform: &str, id: &str, created: i64, versions: Vec<Version>) -> Change {
    let identity = Identity::parse_spiffe(&format!("spiffe://{platform}/{id}")).unwrap();
    let created = Timestamp::from_second(created).unwrap();
    let producer = Producer {
        name: ProducerName::parse(&format!("platforms/{platform}/producers/{id}")).unwrap(),
        identity: identity.clone(),
        registrant: identity,
        endpoints: vec![Endpoint {
            address: Address::parse("10.0.0.1:1").unwrap(),
            locality: "".into(),
            weight: 1,
        }],
        versions: Vec::new(),
        source: Source::Registration,
        freshness: Freshness::Live,
        lease_expires: None,
        created,
        updated: created,
        provenance: None,
    };
    Change::PutProducer { producer, versions }
}

fn stable(platform: &str, v: &str) -> Version {
    version(platform, v, Stage::Stable, &["acme.Ledger"])
}

fn after(changes: impl IntoIterator<Item = Change>) -> Snapshot {
    changes.into_iter().fold(Snapshot::default(), |snapshot, change| snapshot.apply(change).unwrap())
}

fn name(id: &str) -> ProducerName {
    ProducerName::parse(&format!("platforms/{id}")).unwrap()
}

#[test]
fn a_declaration_is_the_whole_of_what_a_producer_serves() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0"), stable("a.example", "1.1.0")]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.1.0")]),
    ]);
    let claim = snapshot.service("acme.Ledger").unwrap().owner().unwrap();
    assert_eq!(claim.offerings.len(), 1);
    assert_eq!(claim.offerings[0].version.name.version, semver::Version::new(1, 1, 0));
}

#[test]
fn a_version_lives_as_long_as_one_producer_serves_it() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
        producer("a.example", "y", 2, vec![stable("a.example", "1.0.0")]),
        Change::RemoveProducer(name("a.example/producers/x")),
    ]);
    assert_eq!(snapshot.service("acme.Ledger").unwrap().owner().unwrap().offerings[0].producers.len(), 1);
    let snapshot = snapshot.apply(Change::RemoveProducer(name("a.example/producers/y"))).unwrap();
    assert!(snapshot.service("acme.Ledger").is_none());
    assert_eq!(snapshot.platform("a.example").unwrap().capabilities.size(), 0);
}

#[test]
fn a_contract_never_changes() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
    ]);
    let other = version("a.example", "1.0.0", Stage::Stable, &["acme.Ledger", "acme.More"]);
    let refused = snapshot.apply(producer("a.example", "y", 2, vec![other.clone()])).unwrap_err();
    assert_eq!(refused, Error::ContractMutated(other.name));
}

#[test]
fn the_first_claim_owns_and_recency_never_decides() {
    let claims = |first, second| {
        let snapshot =
            after([platform("a.example", &["acme"]), platform("b.example", &["acme"]), first, second]);
        snapshot.service("acme.Ledger").unwrap().owner().unwrap().platform.to_string()
    };
    let a = || producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]);
    let b = || producer("b.example", "x", 2, vec![stable("b.example", "9.0.0")]);
    assert_eq!(claims(a(), b()), "a.example");
    assert_eq!(claims(b(), a()), "a.example");
}

#[test]
fn what_the_configuration_lists_owns_whenever_the_broker_was_started() {
    let mut configured = producer("a.example", "x", 99, vec![stable("a.example", "1.0.0")]);
    let Change::PutProducer { producer: configured_producer, .. } = &mut configured else { panic!() };
    configured_producer.source = Source::Configuration;
    let registered = producer("b.example", "x", 2, vec![stable("b.example", "1.0.0")]);
    let platforms = [platform("a.example", &["acme"]), platform("b.example", &["acme"])];
    let snapshot = after(platforms.into_iter().chain([registered, configured]));
    assert_eq!(snapshot.service("acme.Ledger").unwrap().owner().unwrap().platform.as_str(), "a.example");
}

#[test]
fn a_claim_is_as_old_as_its_oldest_producer_in_whatever_order_they_come() {
    let platforms = || [platform("a.example", &["acme"]), platform("b.example", &["acme"])].into_iter();
    let late = || producer("a.example", "ledger-a", 3, vec![stable("a.example", "1.0.0")]);
    let early = || producer("a.example", "ledger-z", 1, vec![stable("a.example", "1.0.0")]);
    let other = || producer("b.example", "x", 2, vec![stable("b.example", "1.0.0")]);
    for order in [[late(), other(), early()], [early(), other(), late()], [other(), late(), early()]] {
        let snapshot = after(platforms().chain(order));
        assert_eq!(snapshot.service("acme.Ledger").unwrap().owner().unwrap().platform.as_str(), "a.example");
    }
}

#[test]
fn the_longer_granted_prefix_owns() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        platform("b.example", &["acme.Ledger"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
        producer("b.example", "x", 2, vec![stable("b.example", "1.0.0")]),
    ]);
    assert_eq!(snapshot.service("acme.Ledger").unwrap().owner().unwrap().platform.as_str(), "b.example");
}

#[test]
fn routing_prefers_stable_then_newest_and_takes_pre_releases_last() {
    let v = |v, stage| version("a.example", v, stage, &["acme.Ledger"]);
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer(
            "a.example",
            "x",
            1,
            vec![
                v("1.0.0", Stage::Deprecated),
                v("3.0.0", Stage::Alpha),
                v("1.2.0", Stage::Stable),
                v("1.10.0", Stage::Stable),
                v("2.0.0-rc.1", Stage::Stable),
            ],
        ),
    ]);
    let claim = snapshot.service("acme.Ledger").unwrap().owner().unwrap();
    let order: Vec<_> = claim.offerings.iter().map(|o| o.version.name.version.to_string()).collect();
    assert_eq!(order, ["1.10.0", "1.2.0", "2.0.0-rc.1", "1.0.0", "3.0.0"]);
}

#[test]
fn a_renewal_is_quiet_and_an_expiry_is_not() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
    ]);
    let set = |freshness| Change::SetFreshness {
        producer: name("a.example/producers/x"),
        freshness,
        lease_expires: Some(Timestamp::from_second(99).unwrap()),
        updated: Timestamp::from_second(50).unwrap(),
    };
    let renewed = snapshot.apply(set(Freshness::Live)).unwrap();
    assert_eq!(renewed.revision(), snapshot.revision());
    let seen = renewed.producer(&name("a.example/producers/x")).unwrap();
    assert_eq!(seen.lease_expires, Some(Timestamp::from_second(99).unwrap()));
    assert!(snapshot.apply(set(Freshness::Stale)).unwrap().revision() > snapshot.revision());
}

proptest! {
    /// Whatever happens, the service index says what the producers say, and nothing dangles.
    #[test]
    fn the_indexes_agree_with_the_producers(steps in proptest::collection::vec((0..2usize, 0..3usize, 0..8u8, any::<bool>()), 1..40)) {
        let platforms = ["a.example", "b.example"];
        let services = ["acme.A", "acme.B", "acme.C"];
        let mut snapshot = after([platform("a.example", &["acme"]), platform("b.example", &["acme"])]);
        for (p, id, bits, remove) in steps {
            let id = format!("p{id}");
            let change = if remove {
                Change::RemoveProducer(name(&format!("{}/producers/{id}", platforms[p])))
            } else {
                let held = (0..3).filter(|i| bits & (1 << i) != 0);
                let versions = held.map(|i| version(platforms[p], &format!("{}.0.0", i + 1), Stage::Stable, &[services[i]]));
                producer(platforms[p], &id, i64::from(bits), versions.collect())
            };
            if let Ok(next) = snapshot.apply(change) {
                snapshot = next;
            }
            for (i, service) in services.iter().enumerate() {
                let version = semver::Version::new(i as u64 + 1, 0, 0);
                let declared: usize = snapshot.platforms().flat_map(|e| e.producers.values())
                    .filter(|producer| producer.versions.iter().any(|v| v.version == version)).count();
                let indexed: usize = snapshot.service(service).map_or(0, |claims| {
                    claims.iter().flat_map(|c| &c.offerings).map(|o| o.producers.len()).sum()
                });
                prop_assert_eq!(declared, indexed);
            }
        }
    }
}

#[test]
fn a_manifest_declares_a_version_that_nobody_serves_yet() {
    let declare =
        Change::DeclareVersion { version: stable("a.example", "1.0.0"), since: Timestamp::UNIX_EPOCH };
    let snapshot = after([platform("a.example", &["acme"]), declare.clone()]);
    let version = stable("a.example", "1.0.0").name;
    assert!(snapshot.offering(&version).unwrap().producers.is_empty());
    assert!(snapshot.apply(Change::RemovePlatform(version.platform.clone())).is_err());

    let served = snapshot.apply(producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")])).unwrap();
    let left = served.apply(Change::WithdrawVersion(version.clone())).unwrap();
    assert_eq!(left.offering(&version).unwrap().source, Source::Registration);
    let gone = left.apply(Change::RemoveProducer(name("a.example/producers/x"))).unwrap();
    assert!(gone.offering(&version).is_none());
    assert!(gone.apply(Change::WithdrawVersion(version.clone())).is_err());
    assert!(gone.apply(Change::RemovePlatform(version.platform)).unwrap().platform("a.example").is_none());
}

#[test]
fn the_stronger_source_is_in_force_whoever_speaks_last_and_the_weaker_comes_back() {
    let said =
        |description: &str| Version { description: description.into(), ..stable("a.example", "1.0.0") };
    let by_program = || producer("a.example", "x", 1, vec![said("program")]);
    let by_manifest = || Change::DeclareVersion { version: said("manifest"), since: Timestamp::UNIX_EPOCH };
    for order in [[by_program(), by_manifest()], [by_manifest(), by_program()]] {
        let snapshot = after([platform("a.example", &["acme"])].into_iter().chain(order));
        let version = said("").name;
        let offering = snapshot.offering(&version).unwrap();
        assert_eq!(offering.version.description, "manifest");
        assert_eq!(offering.sources().collect::<Vec<_>>(), [Source::Manifest, Source::Registration]);
        let snapshot = snapshot.apply(Change::WithdrawVersion(version.clone())).unwrap();
        assert_eq!(snapshot.offering(&version).unwrap().version.description, "program");
    }
}

#[test]
fn an_operator_decides_for_a_time_and_then_the_rule_is_back() {
    let decide = OverrideSpec {
        service: ServiceName::parse("acme.Ledger").unwrap(),
        platform: PlatformName::parse("b.example").unwrap(),
        expires: Timestamp::MAX,
        reason: "migration".into(),
    };
    let snapshot = after([
        platform("a.example", &["acme"]),
        platform("b.example", &["acme"]),
        Change::PutOverride(decide.clone()),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
    ]);
    let owner = |snapshot: &Snapshot| {
        let claims = snapshot.service("acme.Ledger").unwrap();
        (claims.owner().unwrap().platform.to_string(), claims.rule())
    };
    assert_eq!(
        owner(&snapshot),
        ("a.example".into(), Rule::OnlyClaim),
        "who does not claim it does not get it"
    );
    let snapshot = snapshot.apply(producer("b.example", "x", 2, vec![stable("b.example", "1.0.0")])).unwrap();
    assert_eq!(owner(&snapshot), ("b.example".into(), Rule::Override));
    let snapshot = snapshot.apply(Change::RemoveOverride(decide.service)).unwrap();
    assert_eq!(owner(&snapshot), ("a.example".into(), Rule::FirstClaim));
}

#[test]
fn a_grant_that_grows_or_shrinks_moves_the_claim() {
    let snapshot = after([
        platform("a.example", &["acme"]),
        platform("b.example", &["acme"]),
        producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]),
        producer("b.example", "x", 2, vec![stable("b.example", "1.0.0")]),
        platform("b.example", &["acme.Ledger"]),
    ]);
    let claims = snapshot.service("acme.Ledger").unwrap();
    assert_eq!(
        (claims.owner().unwrap().platform.as_str(), claims.rule()),
        ("b.example", Rule::LongestPrefix)
    );
}
