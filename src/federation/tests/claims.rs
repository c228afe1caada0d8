//! Who claims a name twice, and who wins: always the rule's, whenever they come and whatever the clock says.

use super::hub::*;
use crate::catalog::Rule;
use crate::federation::Settings;
use crate::model::*;
use std::sync::atomic::Ordering;

const ONE: &str = "payments.example";
const TWO: &str = "data.example";

/// Both platforms hold `shared`; `data` may hold more of it.
fn plan(more: &str) -> Plan {
    let mut settings = Settings::default();
    settings.quota.registrations_per_second = 100_000;
    let platforms = vec![platform(ONE, &["shared"]), platform(TWO, &["shared", more])];
    Plan { settings, platforms, ..Plan::default() }
}

fn declare_at(platform: &str, producer: &str, services: &[&str]) -> (Identity, Registration) {
    let mut registration = declare(
        producer,
        services.iter().map(|service| {
            let capability = service.to_lowercase().replace('.', "");
            let services = vec![service.parse().unwrap()];
            Offer { services, descriptor_set: Vec::new(), ..offer(&capability, "1.0.0") }
        }),
    );
    registration.producer.platform = platform.parse().unwrap();
    (identity(&format!("spiffe://{platform}/x")), registration)
}

fn owner(hub: &Hub, service: &str) -> (String, Rule) {
    let snapshot = hub.catalog.snapshot();
    let claims = snapshot.service(service).unwrap();
    (claims.owner().unwrap().platform.to_string(), claims.rule())
}

#[tokio::test(start_paused = true)]
async fn two_platforms_race_a_thousand_times_and_the_rule_always_wins() {
    let mut hub = Hub::start(plan("shared.long"));
    let mut first = Vec::new();
    for i in 0..500 {
        // A clock that goes back gives nobody a name.
        hub.wall.store(-i, Ordering::Relaxed);
        let (same, long) = (format!("shared.S{i}"), format!("shared.long.S{i}"));
        let producer = format!("p{i}");
        let [one, two] = [ONE, TWO].map(|platform| declare_at(platform, &producer, &[&same, &long]));
        let ask = |(who, registration): (Identity, Registration)| {
            let registrar = hub.registrar.clone();
            async move { registrar.register(&who, registration).await.unwrap().revision }
        };
        let (one, two) = if i % 2 == 0 {
            tokio::join!(ask(one), ask(two))
        } else {
            let (two, one) = tokio::join!(ask(two), ask(one));
            (one, two)
        };
        assert_ne!(one, two);
        first.push(if one < two { ONE } else { TWO });
        assert_eq!(owner(&hub, &long), (TWO.into(), Rule::LongestPrefix));
        assert_eq!(owner(&hub, &same), (first[i as usize].into(), Rule::FirstClaim));
    }
    assert!(first.contains(&ONE) && first.contains(&TWO), "both come first now and then");
    // Its founder leaves, and the claim stands: somebody else of the platform is there.
    for platform in [ONE, TWO] {
        let (who, registration) = declare_at(platform, "p0-next", &["shared.S0"]);
        hub.registrar.register(&who, registration).await.unwrap();
        let founder = ProducerName { producer: "p0".parse().unwrap(), platform: platform.parse().unwrap() };
        hub.registrar.deregister(&who, founder).await.unwrap();
    }
    hub = hub.restart(plan("shared.long")).await;
    for (i, first) in first.iter().enumerate() {
        assert_eq!(owner(&hub, &format!("shared.S{i}")), ((*first).into(), Rule::FirstClaim), "{i}");
    }
    let longer = hub.restart(plan("shared.S0")).await;
    assert_eq!(owner(&longer, "shared.S0"), (TWO.into(), Rule::LongestPrefix));
}

#[tokio::test(start_paused = true)]
async fn a_claim_with_a_gap_begins_anew() {
    let hub = Hub::start(plan("shared.long"));
    let [one, two] = [ONE, TWO].map(|platform| declare_at(platform, "p", &["shared.S"]));
    hub.registrar.register(&one.0, one.1.clone()).await.unwrap();
    hub.registrar.register(&two.0, two.1.clone()).await.unwrap();
    assert_eq!(owner(&hub, "shared.S").0, ONE);
    hub.registrar.deregister(&one.0, one.1.producer.clone()).await.unwrap();
    hub.registrar.register(&one.0, one.1).await.unwrap();
    assert_eq!(owner(&hub, "shared.S"), (TWO.into(), Rule::FirstClaim));
    let hub = hub.restart(plan("shared.long")).await;
    assert_eq!(owner(&hub, "shared.S").0, TWO);
    let (_, contents) = hub.contents().await;
    assert_eq!(contents.claims.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_tries_another_contract_is_shown_until_it_says_something_fitting() {
    let hub = Hub::new();
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    let changed = Offer { descriptor_set: set("payments.ledger", &["Put"]), ..offer("ledger", "1.0.0") };
    let clashes = |hub: &Hub| -> Vec<_> {
        let snapshot = hub.catalog.snapshot();
        snapshot.clashes().map(|c| (c.subject.clone(), c.kind, c.producer.clone().unwrap())).collect()
    };
    let subject = "platforms/payments.example/capabilities/ledger/versions/1.0.0".to_owned();
    for _ in 0..3 {
        hub.refused(declare("b", [changed.clone()])).await;
        assert_eq!(clashes(&hub), [(subject.clone(), ClashKind::Contract, name("b"))]);
    }
    hub.register(declare("a", [offer("ledger", "1.0.0")])).await.unwrap();
    assert_eq!(clashes(&hub).len(), 1, "another producer's word settles nothing");
    hub.register(declare("b", [offer("ledger", "1.0.1")])).await.unwrap();
    assert!(clashes(&hub).is_empty());
    hub.refused(declare("b", [changed])).await;
    hub.registrar.deregister(&ledger(), name("b")).await.unwrap();
    assert!(clashes(&hub).is_empty(), "who left claims nothing");
}

#[tokio::test(start_paused = true)]
async fn a_registration_of_what_the_configuration_holds_is_shown() {
    let mut fixed = declare("fixed", [offer("ledger", "1.0.0")]);
    fixed.identity = Some("spiffe://payments.example/fixed".into());
    let hub = Hub::start(Plan { configured: vec![fixed], ..Plan::default() });
    hub.refused(declare("fixed", [offer("ledger", "1.0.0")])).await;
    let snapshot = hub.catalog.snapshot();
    let clash = snapshot.clashes().next().unwrap();
    assert_eq!((clash.subject.as_str(), clash.kind), (&*name("fixed").to_string(), ClashKind::Producer));
    assert_eq!((clash.origin.as_str(), clash.since), ("spiffe://payments.example/ledger", epoch()));
}
