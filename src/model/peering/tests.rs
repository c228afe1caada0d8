//! Paths, roles and rules: what crosses which border, in worlds of many brokers.

use super::*;
use crate::model::{Digest, Head, Origin, RecordKey, RecordName, Scope, Signed, Stamp, TrustDomain};
use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn broker(n: usize) -> BrokerId {
    BrokerId::parse(&format!("b{n}")).unwrap()
}

fn record_of(origin: &BrokerId) -> Record {
    let origin = Origin { trust_domain: TrustDomain::parse("p.example").unwrap(), broker: origin.clone() };
    let name = RecordName::parse("platforms/p.example/capabilities/ledger/versions/1.0.0").unwrap();
    let head = Head {
        key: RecordKey { origin, kind: Kind::Version, name },
        stamp: Stamp { epoch: 1, sequence: 1 },
        is_deleted: false,
        scope: Scope::default(),
        written: Timestamp::UNIX_EPOCH,
    };
    let signed =
        Signed { body: Bytes::new(), signature: Bytes::new(), scheme: 0, signer: Digest::of(b"nobody") };
    Record { head, payload: Bytes::new(), signed }
}

fn open(peer: &BrokerId, role: Role) -> Peering {
    let rules = BorderRules::everything;
    Peering { export: rules(), import: rules(), ..Peering::new(peer.clone(), role) }
}

fn travel(path: &[usize]) -> Travel {
    Travel { path: Path::new(path.iter().copied().map(broker)), only_to_customers: None }
}

#[test]
fn nothing_passes_by_default() {
    let (me, it) = (broker(1), broker(2));
    let peering = Peering::new(it.clone(), Role::Peer);
    let own = record_of(&me);
    assert_eq!(peering.may_export(&own, &Travel::own(), &me), Err(Withheld::NotExported));
    assert_eq!(peering.may_import(&record_of(&it), &travel(&[2]), &me), Err(Rejection::NotImported));
}

#[test]
fn a_path_that_is_not_true_is_refused() {
    let (me, origin) = (broker(1), broker(3));
    let peering = open(&broker(2), Role::Customer);
    let judge = |path: &[usize]| peering.may_import(&record_of(&origin), &travel(path), &me);
    assert!(judge(&[3, 2]).is_ok());
    assert_eq!(judge(&[3, 1, 2]), Err(Rejection::Loop));
    assert!(matches!(judge(&[]), Err(Rejection::BadPath(_))), "it has no path");
    assert!(matches!(judge(&[2]), Err(Rejection::BadPath(_))), "it lacks its origin");
    assert!(matches!(judge(&[3]), Err(Rejection::BadPath(_))), "it lacks who sent it");
    assert!(matches!(judge(&[3, 4, 4, 2]), Err(Rejection::BadPath(_))), "it repeats");
    assert_eq!(judge(&[3, 4, 5, 6, 2]), Err(Rejection::TooFar { hops: 5, limit: 4 }));
    assert_eq!(
        peering.may_import(&record_of(&me), &travel(&[2]), &me),
        Err(Rejection::Loop),
        "our own comes back under a forged path"
    );
}

#[test]
fn a_customer_that_hands_up_what_it_was_given_leaks() {
    let me = broker(1);
    let given = Travel { only_to_customers: Some(broker(9)), ..travel(&[3, 2]) };
    let judge = |role| open(&broker(2), role).may_import(&record_of(&broker(3)), &given, &me);
    assert_eq!(judge(Role::Provider), Err(Rejection::Leak(broker(9))));
    assert_eq!(judge(Role::Peer), Err(Rejection::Leak(broker(9))));
    assert_eq!(judge(Role::Customer).unwrap().only_to_customers, Some(broker(9)));
}

#[test]
fn what_is_no_longer_exported_is_out_of_scope() {
    let me = broker(1);
    let record = record_of(&me);
    let open = open(&broker(2), Role::Peer);
    assert!(matches!(open.export(&record, &Travel::own(), &me, false), Export::Tell(_)));
    let closed = Peering { export: BorderRules::default(), ..open };
    let become_of = |is_known| closed.export(&record, &Travel::own(), &me, is_known);
    assert_eq!(become_of(true), Export::OutOfScope(Withheld::NotExported));
    assert_eq!(become_of(false), Export::Nothing(Withheld::NotExported));
}

#[test]
fn authorities_pass_wherever_anything_passes() {
    let mut record = record_of(&broker(1));
    record.head.key.kind = Kind::Bundle;
    record.head.key.name = RecordName::parse("trustBundles/p.example").unwrap();
    let narrow = crate::model::BorderRule {
        platforms: vec![crate::model::Pattern::parse("other.example").unwrap()],
        ..Default::default()
    };
    assert!(BorderRules::new([narrow]).allows(&record));
    assert!(!BorderRules::default().allows(&record));
}

/// The roles of one side: provider, customer or peer of the other.
fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Provider), Just(Role::Customer), Just(Role::Peer)]
}

type Links = BTreeMap<(usize, usize), Role>;

/// A world of up to eight brokers; each link says what its first broker is to its second.
fn world() -> impl Strategy<Value = (usize, Links)> {
    (3..=8usize).prop_flat_map(|n| {
        let links = proptest::collection::btree_map((0..n, 0..n), role(), 2..20);
        links.prop_map(move |links| {
            let up: BTreeMap<_, _> = links.into_iter().filter(|((a, b), _)| a < b).collect();
            let down: Vec<_> = up.iter().map(|((a, b), role)| ((*b, *a), role.other())).collect();
            (n, up.into_iter().chain(down).collect())
        })
    })
}

/// Tells a record of broker 0 until nobody has news; what each broker holds, by who sent it.
fn flood(links: &Links) -> Result<BTreeMap<usize, Vec<Travel>>, TestCaseError> {
    let record = record_of(&broker(0));
    let mut held: BTreeMap<usize, Vec<Travel>> = BTreeMap::new();
    let mut news = vec![(0, Travel::own())];
    while let Some((at, travel)) = news.pop() {
        let me = broker(at);
        for ((_, to), role) in links.range((at, 0)..=(at, usize::MAX)) {
            let Ok(sent) = open(&broker(*to), *role).may_export(&record, &travel, &me) else { continue };
            prop_assert!(!sent.path.passed(&broker(*to)), "it went back to {to} over {}", sent.path);
            let taken = open(&me, role.other()).may_import(&record, &sent, &broker(*to));
            let taken = taken.map_err(|e| TestCaseError::fail(format!("{} at {to}: {e}", sent.path)))?;
            held.entry(*to).or_default().push(taken.clone());
            news.push((*to, taken));
        }
    }
    Ok(held)
}

proptest! {
    /// Whatever an honest broker exports, an honest broker imports; no path loops, none is too long, and none has a
    /// valley: once it went down or across, it only goes down (Gao and Rexford's rule, which RFC 9234 enforces).
    #[test]
    fn honest_worlds_have_no_loops_and_no_valleys((_, links) in world()) {
        for (at, travels) in flood(&links)? {
            for travel in travels {
                let mut whole: Vec<usize> = travel.path.brokers().iter()
                    .map(|b| b.as_str()[1..].parse().unwrap()).collect();
                whole.push(at);
                prop_assert!(whole.len() <= HOP_LIMIT + 1);
                prop_assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), whole.len());
                let steps: Vec<Role> = whole.windows(2).map(|w| links[&(w[0], w[1])]).collect();
                // Sent by a customer: up. Sent by a provider: down. Sent by a peer: across.
                let first_not_up = steps.iter().position(|role| *role != Role::Customer);
                if let Some(first) = first_not_up {
                    prop_assert!(steps[first + 1..].iter().all(|role| *role == Role::Provider),
                        "{:?} over {:?}", steps, whole);
                }
            }
        }
    }

    /// A broker that hides the mark of what it was given to keep is caught by nobody, yet still makes no loop and no
    /// path beyond the limit: these hold whatever is sent.
    #[test]
    fn whatever_is_sent_no_import_loops(
        path in proptest::collection::vec(0..6usize, 0..8), role in role(), marked in proptest::option::of(0..6usize),
    ) {
        let me = broker(0);
        let sent = Travel { only_to_customers: marked.map(broker), ..travel(&path) };
        if let Ok(taken) = open(&broker(1), role).may_import(&record_of(&broker(2)), &sent, &me) {
            prop_assert!(!taken.path.passed(&me) && !taken.path.repeats() && taken.path.hops() <= HOP_LIMIT);
            prop_assert_eq!(taken.path.brokers().last(), Some(&broker(1)));
            for to in 0..6 {
                for next in [Role::Provider, Role::Customer, Role::Peer] {
                    let told = open(&broker(to), next).may_export(&record_of(&broker(2)), &taken, &me);
                    prop_assert!(told.is_err() || (!path.contains(&to) && to != 2));
                    // No transit unless a customer stands at one end of it.
                    prop_assert!(told.is_err() || role == Role::Provider || next == Role::Provider);
                }
            }
        }
    }
}
