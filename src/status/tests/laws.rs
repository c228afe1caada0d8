//! What holds for every federation: worse parts never make a better whole, and order says nothing.

use super::*;
use crate::catalog::Change;
use proptest::prelude::*;

fn states() -> impl Strategy<Value = Vec<State>> {
    proptest::collection::vec(proptest::sample::select(&STATES[..]), 1..6)
}

fn stages() -> impl Strategy<Value = Stage> {
    use Stage::*;
    proptest::sample::select(&[Alpha, Beta, Stable, Deprecated, Retired][..])
}

fn capability(versions: &[(State, Stage)]) -> Federation {
    let mut world = World::default().platform("a.example");
    for (i, (state, stage)) in versions.iter().enumerate() {
        world =
            world.producer(&format!("p{i}"), Live, &[Some(*state)], &[(&format!("{}.0.0", i + 1), *stage)]);
    }
    world.fold(None, 100)
}

proptest! {
    #[test]
    fn a_worse_part_never_makes_a_better_whole(parts in states(), at in 0..6usize, worse in 0..4usize) {
        let at = at % parts.len();
        let mut worsened = parts.clone();
        worsened[at] = STATES[worse.max(rule::badness(parts[at]))];
        prop_assert!(rule::badness(whole_of(&worsened).0) >= rule::badness(whole_of(&parts).0));
    }

    #[test]
    fn a_worse_version_never_makes_a_better_capability(
        versions in proptest::collection::vec((proptest::sample::select(&STATES[..]), stages()), 1..5),
        at in 0..5usize,
        worse in 0..4usize,
    ) {
        let at = at % versions.len();
        let mut worsened = versions.clone();
        worsened[at].0 = STATES[worse.max(rule::badness(versions[at].0))];
        let badness = |versions: &[_]| rule::badness(ledger(&capability(versions)).condition.state);
        prop_assert!(badness(&worsened) >= badness(&versions));
    }

    #[test]
    fn the_order_of_parts_says_nothing(parts in states(), turn in 0..6usize) {
        let mut turned = parts.clone();
        turned.rotate_left(turn % parts.len());
        turned.swap(0, parts.len() - 1);
        prop_assert_eq!(whole_of(&turned), whole_of(&parts));
    }

    /// Sharing with the fold before never changes what is said, except for how long it has been so.
    #[test]
    fn a_fold_on_top_of_another_says_what_a_fresh_one_says(
        before in states(), after in states(), record in 0..2usize,
    ) {
        let looks: Vec<_> = before.iter().map(|s| Some(*s)).collect();
        let mut second = World::default().platform("a.example").producer("x", Live, &looks, STABLE);
        let first = second.fold(None, 100);
        let record = [Live, Stale][record];
        for (i, state) in after.iter().enumerate() {
            second.look(&format!("x:{}", i + 1), *state, at(96));
        }
        second.apply(Change::SetFreshness {
            producer: ProducerName::parse("platforms/a.example/producers/x").unwrap(),
            freshness: record,
            lease_expires: None,
            updated: at(90),
        });
        let (fresh, built) = (second.fold(None, 101), second.fold(Some(&first), 101));
        let say = |c: &Condition| (c.state, c.reason, c.message.clone(), c.observed, c.freshness);
        prop_assert_eq!(say(&fresh.condition), say(&built.condition));
        prop_assert_eq!(say(&ledger(&fresh).condition), say(&ledger(&built).condition));
        if built.edition == first.edition {
            prop_assert!(built.says_the_same(&first));
        }
    }
}
