//! A catalogue told to another broker is the same catalogue there, however it came to be.

use super::*;
use crate::catalog::{self, Since, Snapshot};
use crate::federation::herald::Herald;
use crate::federation::own::{self, Beside};
use crate::federation::signing::tests::world::{Org, a_version, judge, now};
use crate::model::{
    Address, BrokerId, Endpoint, Freshness, Identity, Kind, Path, Producer, Scope, Source, Stage, Stamp,
};
use bytes::Bytes;
use proptest::prelude::*;

/// One broker with its catalogue, and what it tells.
struct Home {
    org: &'static Org,
    writer: catalog::Writer,
    herald: Herald,
    seen: u64,
    described: BTreeMap<VersionName, Bytes>,
}

impl Home {
    fn new(broker: &str) -> Self {
        let org = Org::shared();
        let (mut writer, _) = catalog::catalog();
        writer.apply(catalog::Change::PutPlatform(org.platform())).unwrap();
        let me = Origin { trust_domain: org.domain(), broker: BrokerId::parse(broker).unwrap() };
        let herald = Herald::new(me, org.sealer(), 1, Stamp::default(), []);
        Self { org, writer, herald, seen: 0, described: BTreeMap::new() }
    }

    fn put(&mut self, id: &str, versions: &[u64], port: u16, stage: Stage) {
        let producer = Producer {
            name: name(id),
            identity: Identity::parse_spiffe(&format!("spiffe://a.example/{id}")).unwrap(),
            registrant: Identity::parse_spiffe("spiffe://a.example/ci").unwrap(),
            endpoints: vec![endpoint(&format!("10.0.0.1:{port}")), endpoint("unix:/run/here-alone.sock")],
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        };
        let versions = versions.iter().map(|minor| version(self.org, *minor, stage)).collect();
        self.writer.apply(catalog::Change::PutProducer { producer, versions }).unwrap();
    }

    fn drop(&mut self, id: &str) {
        // It may not be there.
        let _ = self.writer.apply(catalog::Change::RemoveProducer(name(id)));
    }

    /// What changed since this was last asked, as signed records.
    fn news(&mut self) -> Vec<Arc<Record>> {
        let snapshot = self.writer.snapshot();
        let Since::Delta(delta) = snapshot.since(self.seen) else { panic!() };
        self.seen = snapshot.revision();
        let described = self.described.clone();
        let bytes = move |version: &VersionName| described.get(version).cloned();
        let beside = Beside { descriptors: &bytes, report: &|_| None };
        let told = own::touched(&snapshot, &delta, &self.org.domain(), beside);
        self.tell(&told)
    }

    fn tell(&mut self, told: &[own::Told]) -> Vec<Arc<Record>> {
        let mut news = Vec::new();
        for told in told {
            let draft = self.herald.tell(told, now()).unwrap();
            self.herald.keep(&draft);
            news.extend(draft.records);
        }
        news
    }
}

fn name(id: &str) -> ProducerName {
    ProducerName {
        platform: PlatformName::parse("a.example").unwrap(),
        producer: ProducerId::parse(id).unwrap(),
    }
}

fn endpoint(address: &str) -> Endpoint {
    Endpoint { address: Address::parse(address).unwrap(), locality: "eu/a".into(), weight: 1 }
}

fn version(org: &Org, minor: u64, stage: Stage) -> Version {
    let Payload::Version(version) = a_version(org) else { panic!() };
    let mut version = *version;
    version.name.version = semver::Version::new(1, minor, 0);
    version.stage = stage;
    version
}

/// Takes records as a peer would: judged first.
fn receive(imports: &mut Imports, org: &Org, records: &[Arc<Record>]) {
    let mut judge = judge(&[org]);
    judge.learn(&org.sealer().signer());
    for record in records {
        let judged = judge.judge(record.signed.clone(), now()).unwrap();
        let path = Path::new([record.head.key.origin.broker.clone()]);
        let travel = Arc::new(Travel { path, only_to_customers: None });
        imports.put(Arc::new(judged.record), travel, Timestamp::UNIX_EPOCH);
    }
}

fn apply(standing: &mut BTreeMap<ProducerName, Import>, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Put(import) => drop(standing.insert(import.registration.producer.clone(), *import)),
            Change::Remove(name) => assert!(standing.remove(&name).is_some(), "{name} was not there"),
        }
    }
}

fn nobody(_: &ProducerName) -> bool {
    false
}

/// What one snapshot says, told from nothing.
fn afresh(
    snapshot: &Snapshot,
    described: &BTreeMap<VersionName, Bytes>,
) -> BTreeMap<ProducerName, Registration> {
    let mut home = Home::new("fresh");
    let bytes = |version: &VersionName| described.get(version).cloned();
    let told = own::whole(snapshot, &home.org.domain(), Beside { descriptors: &bytes, report: &|_| None });
    let records = home.tell(&told);
    let mut imports = Imports::default();
    receive(&mut imports, home.org, &records);
    let mut standing = BTreeMap::new();
    apply(&mut standing, imports.drain(nobody));
    standing.into_iter().map(|(name, import)| (name, import.registration)).collect()
}

#[test]
fn a_producer_arrives_as_it_registered() {
    let mut home = Home::new("hub-1");
    home.put("ledger-1", &[0, 1], 443, Stage::Stable);
    let mut imports = Imports::default();
    receive(&mut imports, home.org, &home.news());
    let changes = imports.drain(nobody);
    let [Change::Put(import)] = changes.as_slice() else { panic!("{changes:?}") };
    let Import { registration, contracts, provenance } = &**import;
    assert_eq!(registration.producer, name("ledger-1"));
    assert_eq!(registration.identity.as_deref(), Some("spiffe://a.example/ledger-1"));
    assert_eq!(
        registration.endpoints,
        [endpoint("10.0.0.1:443")],
        "a socket of its machine is nobody else's"
    );
    let said = [0, 1].map(|minor| version(home.org, minor, Stage::Stable));
    assert_eq!(registration.offers, said.clone().map(|version| Offer::of(&version, Vec::new())));
    assert_eq!(contracts.len(), 2);
    assert!(said.iter().all(|version| contracts[&version.name] == version.digest));
    assert_eq!((provenance.origin.broker.as_str(), provenance.path.hops()), ("hub-1", 1));
    assert_eq!(imports.drain(nobody), [], "once");
    assert_eq!(imports.shown(&provenance.origin).collect::<Vec<_>>(), [&name("ledger-1")]);
}

#[test]
fn a_version_waits_for_the_very_descriptors_it_names() {
    let mut home = Home::new("hub-1");
    let mut of = version(home.org, 0, Stage::Stable);
    of.descriptors = Some(Digest::of(b"as registered"));
    let named = of.name.clone();
    home.described.insert(named.clone(), Bytes::from_static(b"set"));
    home.put("x", &[], 1, Stage::Stable);
    let producer = Producer::clone(home.writer.snapshot().producer(&name("x")).unwrap());
    home.writer.apply(catalog::Change::PutProducer { producer, versions: vec![of] }).unwrap();
    let records = home.news();
    let (descriptors, rest): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| record.head.key.kind == Kind::Descriptors);
    let mut imports = Imports::default();
    receive(&mut imports, home.org, &rest);
    assert_eq!(imports.drain(nobody), []);
    receive(&mut imports, home.org, &descriptors);
    let changes = imports.drain(nobody);
    let [Change::Put(import)] = changes.as_slice() else { panic!("{changes:?}") };
    assert_eq!(import.registration.offers[0].descriptor_set, b"set");

    let payload = Payload::Descriptors { version: named.clone(), bytes: Bytes::from_static(b"other") };
    let facts = vec![own::Fact { scope: Scope::default(), payload }];
    let other = home.tell(&[own::Told { about: own::About::Version(named), facts }]).into_iter();
    let other = other.filter(|record| record.head.key.kind == Kind::Descriptors);
    receive(&mut imports, home.org, &other.collect::<Vec<_>>());
    assert_eq!(imports.drain(nobody), [Change::Remove(name("x"))], "other bytes than the version names");
}

#[test]
fn two_origins_stand_beside_each_other_and_nobody_takes_the_place_of_our_own() {
    let (mut first, mut second) = (Home::new("hub-1"), Home::new("hub-2"));
    first.put("x", &[0], 1, Stage::Stable);
    second.put("x", &[0], 2, Stage::Stable);
    let mut imports = Imports::default();
    let mut standing = BTreeMap::new();
    // The order in which they come changes nothing.
    receive(&mut imports, second.org, &second.news());
    apply(&mut standing, imports.drain(nobody));
    receive(&mut imports, first.org, &first.news());
    apply(&mut standing, imports.drain(nobody));
    let ports = |standing: &BTreeMap<ProducerName, Import>| -> Vec<(bool, String)> {
        let told = standing.iter().map(|(shown, import)| {
            (*shown == name("x"), import.registration.endpoints[0].address.to_string())
        });
        told.collect()
    };
    assert_eq!(ports(&standing), [(true, "10.0.0.1:1".to_owned()), (false, "10.0.0.1:2".to_owned())]);

    imports.touch(&name("x"));
    apply(&mut standing, imports.drain(|taken| *taken == name("x")));
    assert_eq!((standing.len(), ports(&standing).iter().any(|(is_plain, _)| *is_plain)), (2, false));
    imports.touch(&name("x"));
    apply(&mut standing, imports.drain(nobody));
    first.drop("x");
    receive(&mut imports, first.org, &first.news());
    apply(&mut standing, imports.drain(nobody));
    assert_eq!(ports(&standing), [(true, "10.0.0.1:2".to_owned())]);
}

#[test]
fn what_came_from_others_is_not_told_as_our_own() {
    let mut home = Home::new("hub-1");
    home.put("x", &[0], 1, Stage::Stable);
    let mut producer = Producer::clone(home.writer.snapshot().producer(&name("x")).unwrap());
    home.drop("x");
    producer.source = Source::Federation;
    let versions = vec![version(home.org, 0, Stage::Stable)];
    home.writer.apply(catalog::Change::PutProducer { producer, versions }).unwrap();
    let news = home.news();
    assert!(news.iter().all(|record| record.head.key.kind == Kind::Platform), "{news:?}");
}

#[derive(Debug, Clone)]
enum Step {
    Put(usize, Vec<u64>, u16, bool),
    Drop(usize),
    Tell,
}

fn step() -> impl Strategy<Value = Step> {
    let versions = proptest::collection::btree_set(0..4u64, 1..4).prop_map(|set| set.into_iter().collect());
    prop_oneof![
        4 => (0..3usize, versions, 1..4u16, any::<bool>()).prop_map(|(n, v, p, s)| Step::Put(n, v, p, s)),
        2 => (0..3usize).prop_map(Step::Drop),
        2 => Just(Step::Tell),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Told change by change, in any grouping, a catalogue is the same as told at once; and what is told is what is there.
    #[test]
    fn deltas_lead_where_the_whole_leads(steps in proptest::collection::vec(step(), 1..25)) {
        let ids = ["x", "y", "z"];
        let mut home = Home::new("hub-1");
        let (mut imports, mut standing) = (Imports::default(), BTreeMap::new());
        for step in steps.into_iter().chain([Step::Tell]) {
            match step {
                Step::Put(n, versions, port, stable) => {
                    home.put(ids[n], &versions, port, if stable { Stage::Stable } else { Stage::Beta });
                }
                Step::Drop(n) => home.drop(ids[n]),
                Step::Tell => {
                    receive(&mut imports, home.org, &home.news());
                    apply(&mut standing, imports.drain(nobody));
                }
            }
        }
        let snapshot = home.writer.snapshot();
        let told: BTreeMap<_, _> =
            standing.into_iter().map(|(name, import)| (name, import.registration)).collect();
        prop_assert_eq!(&told, &afresh(&snapshot, &home.described));
        let there = ids.iter().filter_map(|id| snapshot.producer(&name(id)));
        let there: BTreeMap<_, _> = there.map(|p| (p.name.clone(), p.versions.len())).collect();
        let shown: BTreeMap<_, _> = told.iter().map(|(name, r)| (name.clone(), r.offers.len())).collect();
        prop_assert_eq!(shown, there);
    }
}
