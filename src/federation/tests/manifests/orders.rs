//! The same whatever the order, and nothing the second time: under every set of manifests.

use super::*;
use proptest::prelude::*;

fn pool() -> Vec<Resource> {
    let mut changed = a_version("payments.example", "ledger", "1.0.0");
    let Spec::Version(spec) = &mut changed.spec else { panic!() };
    spec.offer.descriptor_set = set("payments.ledger", &["Get", "Put"]);
    vec![
        a_platform("ml.example"),
        a_platform("evil.example"),
        a_grant("ml.example", "all", &["payments.vectors"]),
        a_grant("data.example", "more", &["payments.ledger"]),
        a_version("ml.example", "vectors", "1.0.0"),
        a_version("payments.example", "ledger", "1.0.0"),
        changed,
        a_version("payments.example", "ledger", "1.1.0"),
        a_producer("payments.example", "ledger-1", &["ledger/1.0.0"]),
        a_producer("payments.example", "ledger-2", &["ledger/1.0.0", "ledger/1.1.0"]),
        a_producer("ml.example", "search", &["vectors/1.0.0"]),
        an_override("payments.ledger.Api", "data.example", 100),
        an_override("payments.ledger.Api", "nobody.example", 100),
    ]
}

fn seen(hub: &Hub) -> (Vec<String>, Vec<String>) {
    let snapshot = hub.catalog.snapshot();
    let producers = snapshot.platforms().flat_map(|entry| entry.producers.values());
    (hub.versions(), producers.map(|producer| format!("{} {:?}", producer.name, producer.versions)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn order_does_not_matter_and_twice_is_once(
        picks in prop::collection::vec(0..13_usize, 0..10),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let resources: Vec<_> = picks.iter().map(|i| pool().remove(*i)).collect();
            let mut shuffled = resources.clone();
            let len = shuffled.len().max(1);
            for i in 0..shuffled.len() {
                shuffled.swap(i, (seed as usize).wrapping_mul(i + 7) % len);
            }
            let (one, other) = (Hub::start(plan()), Hub::start(plan()));
            let (first, second) = (one.apply(resources.clone()).await, other.apply(shuffled).await);
            assert_eq!(seen(&one), seen(&other));
            assert_eq!(actions(&first), actions(&second));
            let again = one.apply(resources).await;
            assert!(!again.is_changed(), "{again:?}");
            assert_eq!(again.revision, one.revision());
        });
    }
}
