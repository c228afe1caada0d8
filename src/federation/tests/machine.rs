//! The machine against a model of a few lines, under every sequence of requests and hours.

use super::hub::{epoch, ledger, name, offer, platform, set};
use crate::access::Policy;
use crate::catalog::{Change, Snapshot};
use crate::descriptors::{Limits, Set};
use crate::federation::compare::{Fresh, Known};
use crate::federation::declared::Declared;
use crate::federation::draft::Draft;
use crate::federation::state::State;
use crate::federation::{Rules, judge, record};
use crate::model::*;
use crate::store::{self, Table};
use jiff::Timestamp;
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

/// What should be there.
#[derive(Default)]
struct Model {
    /// By producer, what it declares and when its lease ends.
    producers: BTreeMap<usize, (BTreeMap<usize, bool>, u64)>,
    /// The contract of each version that was ever taken.
    history: BTreeMap<usize, bool>,
    /// When the claim began that stands.
    claim: Option<Timestamp>,
}

pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) state: State,
    pub(super) catalog: Snapshot,
    disk: BTreeMap<(&'static str, Vec<u8>), bytes::Bytes>,
    /// What would be published.
    described: Fresh,
    leases: BTreeMap<usize, String>,
    begun: Instant,
    seconds: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_model_says(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        let mut model = Model::default();
        for step in steps {
            world.take(&step, &mut model);
            world.check(&mut model);
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
    pub(super) fn new() -> Self {
        let payments = platform("payments.example", &["payments"]);
        let policy = Arc::new(Policy::new([payments.clone()]));
        let descriptors = crate::descriptors::index(&Set::screen(&[], &Limits::default()).unwrap()).1;
        let (settings, configured, unreadable) = Default::default();
        let rules = Rules { policy, settings, configured, unreadable, descriptors };
        let mut state = State::default();
        state.declared = Declared::new([payments.clone()]);
        let catalog = Snapshot::default().apply(Change::PutPlatform(payments)).unwrap();
        let (disk, leases) = Default::default();
        let (described, begun) = (Fresh::new_sync(), Instant::now());
        Self { rules, state, catalog, disk, described, leases, begun, seconds: 0 }
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
                let expected = model.takes(&versions);
                let registration = self.registration(*producer, &versions);
                let index = self.rules.descriptors.snapshot();
                let (fresh, unreadable) = (self.described.clone(), &self.rules.unreadable);
                let known = Known { catalog: &self.catalog, fresh, index, is_start: false, unreadable };
                let judged = judge::registration(&self.rules, &ledger(), registration, &known);
                let Ok(declaration) = judged else {
                    assert!(!expected, "refused without reason");
                    return;
                };
                assert!(expected, "a mutation or a break was let through");
                let receipt = self.draft(fails, |draft| draft.register(&declaration)).unwrap();
                if !fails {
                    self.leases.insert(*producer, super::hub::lease(&receipt).id.clone());
                    model.history.extend(&versions);
                    model.producers.insert(*producer, (versions, now + TERM));
                }
            }
            Step::Renew(producer) => {
                let Some(lease) = self.leases.get(producer).cloned() else { return };
                let renewed = self.draft(fails, |draft| draft.renew(&ledger(), &lease));
                assert_eq!(renewed.is_ok(), model.producers.contains_key(producer));
                if let Some((_, ends)) = model.producers.get_mut(producer).filter(|_| !fails) {
                    *ends = now + TERM;
                }
            }
            Step::Deregister(producer) => {
                let gone = self.draft(fails, |draft| draft.deregister(&name(&format!("p{producer}"))));
                assert_eq!(gone.is_ok(), model.producers.contains_key(producer));
                if !fails {
                    model.producers.remove(producer);
                }
            }
            Step::Wait(_) | Step::Fail(_) => {}
        }
    }

    /// One draft; if the disk fails it is dropped, and nothing may have changed.
    pub(super) fn draft<T>(&mut self, fails: bool, work: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let now = self.begun + Duration::from_secs(self.seconds);
        let time = epoch() + jiff::SignedDuration::from_secs(self.seconds as i64);
        let mut draft = Draft::new(&self.rules, self.state.clone(), self.catalog.clone(), (now, time));
        draft.described = self.described.clone();
        let outcome = work(&mut draft);
        if !fails {
            let Draft { state, catalog, writes, described, left, .. } = draft;
            (self.state, self.catalog, self.described) = (state, catalog, described);
            for name in left {
                if self.catalog.offering(&name).is_none() && !self.state.holds(&name) {
                    self.described.remove_mut(&name);
                }
            }
            for write in writes {
                match write {
                    store::Change::Put { table, key, value } => {
                        self.disk.insert((word(table), key), value);
                    }
                    store::Change::Delete { table, key } => {
                        assert!(self.disk.remove(&(word(table), key)).is_some(), "nothing is deleted twice");
                    }
                }
            }
        }
        outcome
    }

    fn registration(&self, producer: usize, versions: &BTreeMap<usize, bool>) -> Registration {
        let offers = versions.iter().map(|(id, other)| {
            let descriptor_set = set("payments.ledger", methods(*other));
            Offer { descriptor_set, ..offer("ledger", &format!("1.{id}.0")) }
        });
        super::hub::declare(&format!("p{producer}"), offers)
    }

    fn check(&self, model: &mut Model) {
        let platform = self.catalog.platform("payments.example").unwrap();
        assert_eq!(platform.producers.size(), model.producers.len());
        for (id, (versions, ends)) in &model.producers {
            let producer = self.catalog.producer(&name(&format!("p{id}"))).unwrap();
            let expected = match self.seconds {
                now if now < *ends => Freshness::Live,
                now if now < ends + GRACE => Freshness::Stale,
                _ => Freshness::Expired,
            };
            assert_eq!(producer.freshness, expected);
            let declared: Vec<_> = producer.versions.iter().map(|name| name.version.minor as usize).collect();
            assert_eq!(declared, versions.keys().copied().collect::<Vec<_>>());
        }
        let served: BTreeSet<_> = model.served().collect();
        let newest = model.history.last_key_value();
        let described: BTreeSet<_> = served.iter().chain(newest.map(|(id, _)| id)).copied().collect();
        let known: BTreeSet<_> = self.described.keys().map(|name| name.version.minor as usize).collect();
        assert_eq!(known, described, "what is served, and the newest of all");
        self.check_disk(model, described.iter().map(|id| model.history[id]).collect());
        self.check_claim(model);
    }

    /// The disk holds every registration as it stands, every contract that ever was, and exactly the descriptors that
    /// are needed.
    fn check_disk(&self, model: &Model, sets: BTreeSet<bool>) {
        let all = |table: &'static str| {
            self.disk.iter().filter(move |((name, _), _)| *name == table).map(|(_, value)| value)
        };
        assert_eq!(
            (all("producers").count(), all("descriptors").count()),
            (model.producers.len(), sets.len())
        );
        for value in all("producers") {
            let stored = record::read(value).unwrap();
            let standing = self.state.entry(&stored.producer.name).unwrap();
            assert_eq!(stored.lease, standing.lease);
            assert_eq!(record::content(&stored.producer, &stored.versions).unwrap(), standing.content);
            for digest in stored.versions.iter().filter_map(|version| version.descriptors) {
                assert!(self.disk.contains_key(&("descriptors", digest.as_bytes().to_vec())));
            }
        }
        let contracts: Vec<_> = all("contracts").map(|value| record::read_contract(value).unwrap()).collect();
        let minors: Vec<_> = contracts.iter().map(|contract| contract.name.version.minor as usize).collect();
        assert_eq!(minors, model.history.keys().copied().collect::<Vec<_>>());
        for contract in contracts {
            assert_eq!(self.catalog.contract(&contract.name).map(|known| &**known), Some(&contract));
            let set = set("payments.ledger", methods(model.history[&(contract.name.version.minor as usize)]));
            assert_eq!(contract.descriptors, Some(Digest::of(&set)));
        }
    }

    /// The claim is as old as when it began, in the catalogue and on the disk, whoever stands behind it now.
    fn check_claim(&self, model: &mut Model) {
        let claims = self.catalog.service("payments.ledger.Api").and_then(|claims| claims.owner());
        let shown = claims.map(|claim| claim.since);
        assert_eq!(shown.is_some(), !model.producers.is_empty());
        if let (Some(before), Some(now)) = (model.claim, shown) {
            assert_eq!(before, now);
        }
        let stored = self.disk.iter().find(|((table, _), _)| *table == "claims");
        assert_eq!(stored.map(|(_, value)| record::read_claim(value).unwrap().2), shown);
        model.claim = shown;
    }
}

impl Model {
    /// Whether a declaration fits to all that was ever taken; with what is no longer described, only the same does.
    fn takes(&self, versions: &BTreeMap<usize, bool>) -> bool {
        if versions.iter().any(|(id, content)| self.history.get(id).is_some_and(|known| known != content)) {
            return false;
        }
        let newest = self.history.last_key_value().map(|(id, _)| *id);
        let described: BTreeSet<_> = self.served().chain(newest).chain(versions.keys().copied()).collect();
        let all: BTreeMap<_, _> = self.history.iter().chain(versions).map(|(id, c)| (*id, *c)).collect();
        let pairs: Vec<_> = all.iter().zip(all.iter().skip(1)).collect();
        let is_new = |id: &usize| !self.history.contains_key(id);
        // A method that a lower version has is missing in the higher, or nobody knows any more.
        let is_bad = |a, b, low: bool| low || !described.contains(a) || !described.contains(b);
        !pairs
            .iter()
            .any(|((a, low), (b, high))| (is_new(a) || is_new(b)) && low != high && is_bad(*a, *b, **low))
    }

    fn served(&self) -> impl Iterator<Item = usize> {
        self.producers.values().flat_map(|(versions, _)| versions.keys().copied())
    }
}

fn methods(more: bool) -> &'static [&'static str] {
    if more { &["Get", "Put"] } else { &["Get"] }
}

fn word(table: Table) -> &'static str {
    match table {
        Table::Producers => "producers",
        Table::Descriptors => "descriptors",
        Table::Contracts => "contracts",
        Table::Claims => "claims",
        Table::Resources => "resources",
        Table::Usage => "usage",
        Table::Records => "records",
        Table::Peering => "peering",
    }
}
