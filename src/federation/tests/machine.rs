//! The machine against a model of a few lines, under every sequence of requests and hours.

use super::hub::{epoch, ledger, name, offer, platform, set};
use crate::access::Policy;
use crate::catalog::{Change, Snapshot};
use crate::federation::draft::Draft;
use crate::federation::state::State;
use crate::federation::{Rules, Settings, judge, record};
use crate::model::*;
use crate::store::{self, Table};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const GRACE: u64 = 60;
const TERM: u64 = 30;

#[derive(Debug, Clone)]
enum Step {
    /// Producer, and the versions that it declares: each of one of two contents.
    Register(usize, Vec<(usize, bool)>),
    Renew(usize),
    Deregister(usize),
    Wait(u64),
    /// The disk refuses the next step.
    Fail(Box<Step>),
}

/// What should be there: by producer, what it declares and when its lease ends.
type Model = BTreeMap<usize, (BTreeMap<usize, bool>, u64)>;

struct World {
    rules: Rules,
    state: State,
    catalog: Snapshot,
    disk: BTreeMap<(bool, Vec<u8>), bytes::Bytes>,
    leases: BTreeMap<usize, String>,
    begun: Instant,
    seconds: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        let mut model = Model::new();
        for step in steps {
            world.take(&step, &mut model);
            world.check(&model);
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let versions = prop::collection::vec((0..4_usize, prop::bool::weighted(0.2)), 1..4);
    let plain = prop_oneof![
        4 => (0..3_usize, versions).prop_map(|(producer, versions)| Step::Register(producer, versions)),
        2 => (0..3_usize).prop_map(Step::Renew),
        1 => (0..3_usize).prop_map(Step::Deregister),
        2 => (1..100_u64).prop_map(Step::Wait),
    ];
    (plain, prop::bool::weighted(0.1))
        .prop_map(|(step, fails)| if fails { Step::Fail(Box::new(step)) } else { step })
}

impl World {
    fn new() -> Self {
        let payments = platform("payments.example", &["payments"]);
        let policy = Arc::new(Policy::new([payments.clone()]));
        let rules = Rules { policy, settings: Settings::default(), configured: BTreeSet::new() };
        let catalog = Snapshot::default().apply(Change::PutPlatform(payments)).unwrap();
        let (state, disk, leases) = Default::default();
        Self { rules, state, catalog, disk, leases, begun: Instant::now(), seconds: 0 }
    }

    fn take(&mut self, step: &Step, model: &mut Model) {
        let (step, fails) = match step {
            Step::Fail(step) => (step.as_ref(), true),
            step => (step, false),
        };
        if let Step::Wait(seconds) = step {
            self.seconds += seconds;
            self.draft(false, |draft| draft.end_leases()).unwrap();
            return;
        }
        let now = self.seconds;
        match step {
            Step::Register(producer, versions) => {
                let versions: BTreeMap<_, _> = versions.iter().copied().collect();
                let stands = |(id, content): (&usize, &bool)| {
                    model.values().all(|(declared, _)| declared.get(id).is_none_or(|other| other == content))
                };
                let expected = versions.iter().all(stands);
                let registration = self.registration(*producer, &versions);
                let judged = judge::registration(&self.rules, &ledger(), registration, &self.catalog);
                let Ok(declaration) = judged else {
                    assert!(!expected, "refused without reason");
                    return;
                };
                assert!(expected, "a mutation was let through");
                let receipt = self.draft(fails, |draft| draft.register(&declaration)).unwrap();
                if !fails {
                    self.leases.insert(*producer, receipt.lease.id);
                    model.insert(*producer, (versions, now + TERM));
                }
            }
            Step::Renew(producer) => {
                let Some(lease) = self.leases.get(producer).cloned() else { return };
                let renewed = self.draft(fails, |draft| draft.renew(&ledger(), &lease));
                assert_eq!(renewed.is_ok(), model.contains_key(producer));
                if let Some((_, ends)) = model.get_mut(producer).filter(|_| !fails) {
                    *ends = now + TERM;
                }
            }
            Step::Deregister(producer) => {
                let gone = self.draft(fails, |draft| draft.deregister(&name(&format!("p{producer}"))));
                assert_eq!(gone.is_ok(), model.contains_key(producer));
                if !fails {
                    model.remove(producer);
                }
            }
            Step::Wait(_) | Step::Fail(_) => {}
        }
    }

    /// One draft; if the disk fails it is dropped, and nothing may have changed.
    fn draft<T>(&mut self, fails: bool, work: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let now = self.begun + Duration::from_secs(self.seconds);
        let time = epoch() + jiff::SignedDuration::from_secs(self.seconds as i64);
        let mut draft = Draft::new(&self.rules, self.state.clone(), self.catalog.clone(), (now, time));
        let outcome = work(&mut draft);
        if !fails {
            let Draft { state, catalog, writes, .. } = draft;
            (self.state, self.catalog) = (state, catalog);
            for write in writes {
                match write {
                    store::Change::Put { table, key, value } => {
                        self.disk.insert((table == Table::Producers, key), value);
                    }
                    store::Change::Delete { table, key } => {
                        self.disk.remove(&(table == Table::Producers, key));
                    }
                }
            }
        }
        outcome
    }

    fn registration(&self, producer: usize, versions: &BTreeMap<usize, bool>) -> Registration {
        let offers = versions.iter().map(|(id, other)| {
            let mut offer = offer("ledger", &format!("1.{id}.0"));
            if *other {
                offer.descriptor_set = set("payments.ledger", &["Get", "Put"]);
            }
            offer
        });
        super::hub::declare(&format!("p{producer}"), offers)
    }

    fn check(&self, model: &Model) {
        let platform = self.catalog.platform("payments.example").unwrap();
        assert_eq!(platform.producers.size(), model.len());
        let mut contents = BTreeSet::new();
        for (id, (versions, ends)) in model {
            let producer = self.catalog.producer(&name(&format!("p{id}"))).unwrap();
            let expected = match self.seconds {
                now if now < *ends => Freshness::Live,
                now if now < ends + GRACE => Freshness::Stale,
                _ => Freshness::Expired,
            };
            assert_eq!(producer.freshness, expected);
            let declared: Vec<_> = producer.versions.iter().map(|name| name.version.minor as usize).collect();
            assert_eq!(declared, versions.keys().copied().collect::<Vec<_>>());
            contents.extend(versions.values().copied());
        }
        self.check_disk(model, contents.len());
    }

    /// The disk holds every registration as it stands, and exactly the descriptors that they need.
    fn check_disk(&self, model: &Model, sets: usize) {
        let (producers, descriptors): (Vec<_>, Vec<_>) =
            self.disk.iter().partition(|((is_producer, _), _)| *is_producer);
        assert_eq!((producers.len(), descriptors.len()), (model.len(), sets));
        for (_, value) in producers {
            let stored = record::read(value).unwrap();
            let standing = self.state.entry(&stored.producer.name).unwrap();
            assert_eq!(stored.lease, standing.lease);
            assert_eq!(record::content(&stored.producer, &stored.versions).unwrap(), standing.content);
            for digest in stored.versions.iter().filter_map(|version| version.descriptors) {
                assert!(self.disk.contains_key(&(false, digest.as_bytes().to_vec())));
            }
        }
    }
}
