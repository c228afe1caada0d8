//! What was granted when a registration was judged may be withdrawn before it is taken.

use super::hub::*;
use super::machine::World;
use crate::federation::compare::{Fresh, Known};
use crate::federation::declared::Declared;
use crate::federation::judge::{self, Declaration};
use crate::federation::{Error, Receipt};
use crate::model::*;

fn judged(world: &World, source: Source) -> Declaration {
    let index = world.rules.descriptors.snapshot();
    let unreadable = &world.rules.unreadable;
    let known =
        Known { catalog: &world.catalog, fresh: Fresh::new_sync(), index, is_start: false, unreadable };
    let mut registration = declare("a", [offer("ledger", "1.0.0")]);
    registration.identity = Some(ledger().to_string());
    match source {
        Source::Discovery => judge::discovered(&world.rules, registration, &known).unwrap(),
        _ => judge::registration(&world.rules, &ledger(), registration, &known).unwrap(),
    }
}

fn taken(source: Source, then: impl Fn(&mut Platform)) -> (Result<Receipt, Error>, usize) {
    let mut world = World::new();
    let declaration = judged(&world, source);
    let mut payments = platform("payments.example", &["payments"]);
    then(&mut payments);
    world.state.declared = Declared::new([payments]);
    let outcome = world.draft(false, |draft| draft.register(&declaration));
    let platform = world.catalog.platform("payments.example").unwrap();
    (outcome, platform.producers.size())
}

#[tokio::test(start_paused = true)]
async fn what_is_granted_no_longer_is_not_taken() {
    for source in [Source::Registration, Source::Discovery] {
        let (outcome, producers) = taken(source, |_| {});
        assert!(outcome.is_ok() && producers == 1, "{outcome:?}");

        let (outcome, producers) =
            taken(source, |p| p.service_prefixes = vec!["payments.cards".parse().unwrap()]);
        let Err(Error::Refused(found)) = outcome else { panic!("taken: {outcome:?}") };
        let found: Vec<_> = found.iter().map(|v| (v.field.as_str(), v.reason)).collect();
        assert_eq!((found, producers), (vec![("versions[0].services", "PREFIX_NOT_GRANTED")], 0));

        let (outcome, producers) =
            taken(source, |p| p.trust_domain = TrustDomain::parse("data.example").unwrap());
        assert!(matches!(outcome, Err(Error::NotYours { .. })) && producers == 0, "{outcome:?}");

        let (outcome, producers) = taken(source, |p| p.name = "data.example".parse().unwrap());
        assert!(matches!(outcome, Err(Error::NotYours { .. })) && producers == 0, "{outcome:?}");
    }
}
