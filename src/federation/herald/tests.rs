//! What is told, when, and under which stamp: no stamp twice, nothing twice, nothing forgotten.

use super::*;
use crate::federation::own::{About, Fact};
use crate::federation::signing::tests::world::{Org, a_version, now};
use crate::model::{BrokerId, Health, Payload, ProducerId, Report, Serving, State, VersionName};

fn herald(org: &Org) -> Herald {
    Herald::new(me(org), org.sealer(), 100, Stamp::default(), [])
}

fn me(org: &Org) -> Origin {
    Origin { trust_domain: org.domain(), broker: BrokerId::parse("hub-1").unwrap() }
}

/// A version with its status and these producers.
fn told(org: &Org, producers: &[&str], message: &str) -> Told {
    let version = a_version(org);
    let name = version_name(&version);
    let health = Health {
        state: State::Serving,
        reason: "OK".into(),
        message: message.into(),
        since: Timestamp::UNIX_EPOCH,
    };
    let serving = |id: &&str| {
        Payload::Producer(Serving {
            version: name.clone(),
            producer: ProducerId::parse(id).unwrap(),
            identity: crate::model::Identity::parse_spiffe("spiffe://a.example/ledger").unwrap(),
            endpoints: Vec::new(),
            created: Timestamp::UNIX_EPOCH,
        })
    };
    let report = Report { version: name.clone(), health, producers: BTreeMap::new() };
    let payloads =
        [version.clone()].into_iter().chain(producers.iter().map(serving)).chain([Payload::Status(report)]);
    let facts = payloads.map(|payload| Fact { scope: Scope::default(), payload }).collect();
    Told { about: About::Version(name), facts }
}

fn version_name(version: &Payload) -> VersionName {
    version.topic().version().unwrap().clone()
}

fn kinds(draft: &Draft) -> Vec<(Kind, bool)> {
    draft.records.iter().map(|record| (record.head.key.kind, record.head.is_deleted)).collect()
}

fn sequences(draft: &Draft) -> Vec<u64> {
    draft.records.iter().map(|record| record.head.stamp.sequence).collect()
}

#[test]
fn only_what_differs_is_told() {
    let org = Org::shared();
    let mut herald = herald(org);
    let first = herald.tell(&told(org, &["x", "y"], "well"), now()).unwrap();
    assert_eq!(sequences(&first), [1, 2, 3, 4]);
    assert!(first.records.iter().all(|record| record.head.stamp.epoch == 100));
    herald.keep(&first);
    assert_eq!(herald.tell(&told(org, &["x", "y"], "well"), now()).unwrap(), Draft::default());

    let second = herald.tell(&told(org, &["x", "y"], "so so"), now()).unwrap();
    assert_eq!((kinds(&second), sequences(&second)), (vec![(Kind::Status, false)], vec![5]));
    herald.keep(&second);
    let third = herald.tell(&told(org, &["y"], "so so"), now()).unwrap();
    assert_eq!(kinds(&third), [(Kind::Producer, true)]);
    assert!(third.records[0].payload.is_empty());
    herald.keep(&third);

    let mut scoped = told(org, &["y"], "so so");
    scoped.facts.iter_mut().for_each(|fact| fact.scope.stage = Some(crate::model::Stage::Retired));
    assert_eq!(herald.tell(&scoped, now()).unwrap().records.len(), 3, "rules look at it");
}

#[test]
fn what_is_gone_is_deleted_and_what_others_stand_on_goes_last() {
    let org = Org::shared();
    let mut herald = herald(org);
    let told = told(org, &["x"], "");
    let draft = herald.tell(&told, now()).unwrap();
    herald.keep(&draft);
    let gone = Told { facts: Vec::new(), ..told };
    let draft = herald.tell(&gone, now()).unwrap();
    assert_eq!(kinds(&draft), [(Kind::Status, true), (Kind::Producer, true), (Kind::Version, true)]);
    herald.keep(&draft);
    assert_eq!(herald.tell(&gone, now()).unwrap(), Draft::default(), "once");
}

#[test]
fn a_pre_release_is_not_part_of_its_release() {
    let org = Org::shared();
    let mut herald = herald(org);
    let release = told(org, &[], "");
    let Payload::Version(mut version) = a_version(org) else { panic!() };
    version.name.version = semver::Version::parse("1.0.0-rc.1").unwrap();
    let about = About::Version(version.name.clone());
    let fact = Fact { scope: Scope::default(), payload: Payload::Version(version) };
    let candidate = Told { about, facts: vec![fact] };
    for told in [&release, &candidate] {
        let draft = herald.tell(told, now()).unwrap();
        herald.keep(&draft);
    }
    let draft = herald.tell(&Told { facts: Vec::new(), ..release.clone() }, now()).unwrap();
    assert_eq!(draft.records.len(), release.facts.len());
}

#[test]
fn a_draft_that_is_lost_burns_its_stamps_and_is_told_again() {
    let org = Org::shared();
    let mut herald = herald(org);
    let lost = herald.tell(&told(org, &[], ""), now()).unwrap();
    let again = herald.tell(&told(org, &[], ""), now()).unwrap();
    assert_eq!(kinds(&lost), kinds(&again));
    assert!(sequences(&again).iter().min() > sequences(&lost).iter().max());
    assert!(lost.records.iter().zip(&again.records).all(|(lost, again)| !lost.equivocates(again)));
}

#[test]
fn a_restart_goes_on_and_ends_what_vanished_meanwhile() {
    let org = Org::shared();
    let mut before = herald(org);
    let draft = before.tell(&told(org, &["x", "y"], ""), now()).unwrap();
    let last = before.last();
    let mut after = Herald::new(me(org), org.sealer(), 100, last, draft.records.clone());
    assert_eq!(after.tell_only(&[told(org, &["x", "y"], "")], now()).unwrap(), Draft::default());
    let less = after.tell_only(&[told(org, &["x"], "")], now()).unwrap();
    assert_eq!((kinds(&less), sequences(&less)), (vec![(Kind::Producer, true)], vec![5]));
    after.keep(&less);
    let nothing = after.tell_only(&[], now()).unwrap();
    assert_eq!(kinds(&nothing), [(Kind::Status, true), (Kind::Producer, true), (Kind::Version, true)]);
}

#[test]
fn a_store_that_was_lost_begins_a_higher_epoch() {
    let org = Org::shared();
    let old = Stamp { epoch: 100, sequence: 7 };
    let fresh = Herald::new(me(org), org.sealer(), 200, old, []);
    assert_eq!(fresh.last(), Stamp { epoch: 200, sequence: 0 });
    let same = Herald::new(me(org), org.sealer(), 100, old, []);
    assert_eq!(same.last(), old);
}

#[test]
fn who_is_shown_newer_words_of_his_own_begins_a_higher_epoch() {
    let org = Org::shared();
    let mut herald = herald(org);
    let draft = herald.tell(&told(org, &["x"], ""), now()).unwrap();
    herald.keep(&draft);
    let known = herald.last();
    assert_eq!(herald.outrun(known, now()).unwrap(), Draft::default());
    let proven = Stamp { sequence: known.sequence + 40, ..known };
    let again = herald.outrun(proven, now()).unwrap();
    assert_eq!((again.records.len(), sequences(&again)), (3, vec![1, 2, 3]));
    assert!(again.records.iter().all(|record| record.head.stamp > proven));
    let far = Stamp { epoch: u64::MAX - 1, sequence: 1 };
    assert!(herald.outrun(far, now()).unwrap().records.iter().all(|record| record.head.stamp > far));
}

#[test]
fn words_are_signed_again_before_they_are_too_old_and_when_the_key_changes() {
    let org = Org::shared();
    let mut herald = herald(org);
    let begin = now();
    let draft = herald.tell(&told(org, &["x"], ""), begin).unwrap();
    herald.keep(&draft);
    assert_eq!(herald.renew(10, begin + SignedDuration::from_hours(15 * 24 - 1)).unwrap(), Draft::default());
    let late = begin + SignedDuration::from_hours(15 * 24);
    let some = herald.renew(2, late).unwrap();
    assert_eq!(some.records.len(), 2, "as many as are asked for");
    herald.keep(&some);
    let rest = herald.renew(10, late).unwrap();
    assert_eq!(rest.records.len(), 1);
    herald.keep(&rest);
    assert_eq!(herald.renew(10, late).unwrap(), Draft::default());

    let renewed = org.workload_called("spiffe://a.example/broker");
    let told = herald.told.values().cloned();
    let mut herald = Herald::new(me(org), renewed.sealer(), 100, herald.last(), told);
    let again = herald.renew(10, late).unwrap();
    assert_eq!(again.records.len(), 3);
    assert!(again.records.iter().all(|record| record.signed.signer == renewed.sealer().digest()));
    herald.keep(&again);
    assert_eq!(herald.renew(10, late).unwrap(), Draft::default());
}
