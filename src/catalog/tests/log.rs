//! What the log promises: from any revision that it remembers, what it tells leads to what stands now.

use super::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What somebody knows who reads all of a catalogue.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    platforms: BTreeMap<PlatformName, Platform>,
    versions: BTreeMap<VersionName, (Version, Vec<Source>, Vec<ProducerName>)>,
    producers: BTreeMap<ProducerName, Producer>,
}

fn version_of(offering: &Offering) -> (Version, Vec<Source>, Vec<ProducerName>) {
    let producers = offering.producers.iter().map(|producer| producer.name.clone()).collect();
    (Version::clone(&offering.version), offering.sources().collect(), producers)
}

fn known(snapshot: &Snapshot) -> Known {
    let mut known = Known::default();
    for entry in snapshot.platforms() {
        known.platforms.insert(entry.platform.name.clone(), Platform::clone(&entry.platform));
        for offering in entry.capabilities.values().flat_map(|capability| &capability.offerings) {
            known.versions.insert(offering.version.name.clone(), version_of(offering));
        }
        for producer in entry.producers.values() {
            known.producers.insert(producer.name.clone(), Producer::clone(producer));
        }
    }
    known
}

/// Puts, for each name, what `state` says of it.
fn put<K: Ord + Clone, V>(known: &mut BTreeMap<K, V>, name: &K, state: Option<V>) {
    match state {
        Some(state) => drop(known.insert(name.clone(), state)),
        None => drop(known.remove(name)),
    }
}

/// What somebody knows who knew `known` and is told of what is now.
fn forward(mut known: Known, delta: &Delta, now: &Snapshot) -> Known {
    for name in delta.platforms.keys() {
        let state = now.platform(name.as_str()).map(|entry| Platform::clone(&entry.platform));
        put(&mut known.platforms, name, state);
    }
    for name in delta.versions.keys() {
        put(&mut known.versions, name, now.offering(name).map(|offering| version_of(offering)));
    }
    for name in delta.producers.keys() {
        put(&mut known.producers, name, now.producer(name).map(|p| Producer::clone(p)));
    }
    known
}

/// What was known before all that `delta` tells.
fn back(mut known: Known, delta: &Delta) -> Known {
    for (name, before) in &delta.platforms {
        put(&mut known.platforms, name, before.as_deref().cloned());
    }
    for (name, before) in &delta.versions {
        put(&mut known.versions, name, before.as_deref().map(version_of));
    }
    for (name, before) in &delta.producers {
        put(&mut known.producers, name, before.as_deref().cloned());
    }
    known
}

/// Something happens: what, to whom, and how.
fn change((what, p, id, bits): (u8, usize, usize, u8)) -> Change {
    let name_of = ["a.example", "b.example"][p];
    let producer_name = name(&format!("{name_of}/producers/p{id}"));
    let visible = |mut version: Version| {
        version.visibility.everyone = bits & 1 != 0;
        version
    };
    let one = || visible(stable(name_of, ["1.0.0", "1.1.0"][id % 2]));
    match what {
        0..=2 => {
            let held = ["1.0.0", "1.1.0", "2.0.0"].into_iter().enumerate();
            let held = held.filter(|(i, _)| bits & (2 << i) != 0);
            producer(name_of, &format!("p{id}"), 1, held.map(|(_, v)| visible(stable(name_of, v))).collect())
        }
        3 => Change::RemoveProducer(producer_name),
        4 => platform(name_of, [&["acme"][..], &["acme", "other"]][id % 2]),
        5 => Change::RemovePlatform(PlatformName::parse(name_of).unwrap()),
        6 => Change::DeclareVersion { version: one(), since: Timestamp::UNIX_EPOCH },
        7 => Change::WithdrawVersion(one().name),
        _ => Change::SetFreshness {
            producer: producer_name,
            freshness: if bits & 1 == 0 { Freshness::Live } else { Freshness::Stale },
            lease_expires: None,
            // Times alone are not told; those of all producers here are the same.
            updated: Timestamp::from_second(1).unwrap(),
        },
    }
}

proptest! {
    #[test]
    fn from_any_revision_the_log_leads_to_what_stands_now(steps in proptest::collection::vec((0..9u8, 0..2usize, 0..3usize, any::<u8>()), 1..60)) {
        let mut snapshot = Snapshot::default();
        let mut history = vec![(0, Known::default())];
        for step in steps {
            let Ok(next) = snapshot.apply(change(step)) else { continue };
            let (before, after) = (known(&snapshot), known(&next));
            prop_assert!(next.revision() > snapshot.revision() || before == after, "a quiet change of more than times");
            snapshot = next;
            history.push((snapshot.revision(), after));
        }
        let now = known(&snapshot);
        for (revision, then) in history {
            let Since::Delta(delta) = snapshot.since(revision) else { panic!("{revision} is remembered") };
            prop_assert_eq!(&forward(then.clone(), &delta, &snapshot), &now);
            prop_assert_eq!(&back(now.clone(), &delta), &then);
        }
    }
}

#[test]
fn a_renewal_and_the_same_declaration_again_touch_no_version() {
    let declared = || producer("a.example", "x", 1, vec![stable("a.example", "1.0.0")]);
    let first = after([platform("a.example", &["acme"]), declared()]);
    let renewal = Change::SetFreshness {
        producer: name("a.example/producers/x"),
        freshness: Freshness::Live,
        lease_expires: Some(Timestamp::MAX),
        updated: Timestamp::MAX,
    };
    let renewed = first.apply(renewal).unwrap();
    assert!(matches!(renewed.since(first.revision()), Since::Delta(delta) if delta.is_empty()));

    let again = first.apply(declared()).unwrap();
    let Since::Delta(delta) = again.since(first.revision()) else { panic!() };
    assert_eq!((delta.versions.len(), delta.producers.len(), delta.platforms.len()), (0, 1, 0));
}

#[test]
fn what_lies_behind_retention_is_too_old_and_the_rest_is_whole() {
    let mut snapshot = after([platform("a.example", &["acme"])]);
    let begun = snapshot.revision();
    for i in 0..2 * RETAINED as u64 + 10 {
        snapshot = snapshot.apply(platform("a.example", &[["acme"], ["other"]][i as usize % 2])).unwrap();
    }
    let now = snapshot.revision();
    assert!(matches!(snapshot.since(begun), Since::TooOld));
    assert!(matches!(snapshot.since(now - RETAINED as u64), Since::Delta(_)));
    assert!(matches!(snapshot.since(now), Since::Delta(delta) if delta.is_empty()));
    assert!(matches!(snapshot.since(now + 1), Since::Future));
    let floor = (0..now).find(|revision| !matches!(snapshot.since(*revision), Since::TooOld)).unwrap();
    assert!((floor..now).step_by(500).all(|revision| matches!(snapshot.since(revision), Since::Delta(_))));
}

#[test]
fn large_old_states_are_forgotten_sooner() {
    let large = |minor: u64, text: &str| Version {
        parameter_schema: Some("x".repeat(1 << 20).into()),
        description: text.into(),
        ..stable("a.example", &format!("1.{minor}.0"))
    };
    let mut snapshot = after([platform("a.example", &["acme"])]);
    for i in 0..64 {
        let text = ["one", "other"][i % 2];
        snapshot = snapshot.apply(producer("a.example", "x", 1, vec![large(0, text)])).unwrap();
    }
    assert!(matches!(snapshot.since(0), Since::TooOld));
    assert!(matches!(snapshot.since(snapshot.revision() - 8), Since::Delta(_)));
}

#[test]
fn everything_that_an_old_state_holds_counts() {
    let long = "x".repeat(1 << 20);
    let label = Facts { labels: [("k".to_owned(), long.clone())].into(), ..Facts::default() };
    let obligation = Facts { obligations: vec![long], ..Facts::default() };
    let need = Requirement {
        capability: CapabilityName::parse("platforms/a.example/capabilities/x").unwrap(),
        range: "^1".parse().unwrap(),
    };
    let needs = Facts { depends_on: vec![need; 1 << 14], ..Facts::default() };
    let service = |n| ServiceName::parse(&format!("acme.S{n}")).unwrap();
    let services: Vec<_> = (0..1 << 15).map(service).collect();
    let one = || stable("a.example", "1.0.0");
    for version in [
        Version { facts: label.shared(), ..one() },
        Version { facts: obligation.shared(), ..one() },
        Version { facts: needs.shared(), ..one() },
        Version { services, ..one() },
    ] {
        let offering = Offering {
            version: Arc::new(version),
            source: Source::Manifest,
            producers: vec![],
            declared: None,
            beneath: vec![],
        };
        let mut snapshot = Snapshot::default();
        for revision in 0..40 {
            let before = Some(Arc::new(offering.clone()));
            snapshot.touch(super::super::log::Before::Version(offering.version.name.clone(), before));
            snapshot.revision = revision + 1;
        }
        assert!(matches!(snapshot.since(0), Since::TooOld), "{:.80?}", offering.version);
    }
}
