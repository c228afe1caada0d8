//! How much may be declared, and what a capability may say.

use super::*;
use crate::federation::{Error, Quota};

fn with(quota: Quota) -> Plan {
    let plan = plan();
    let settings = Settings { quota, ..plan.settings };
    Plan { settings, ..plan }
}

fn a_capability(labels: BTreeMap<String, String>, visibility: Visibility) -> Resource {
    at(Spec::Capability(CapabilitySpec {
        name: CapabilityName::parse("platforms/payments.example/capabilities/ledger").unwrap(),
        description: String::new(),
        owner: String::new(),
        contact: String::new(),
        on_call: String::new(),
        support_tier: String::new(),
        cost_unit: String::new(),
        labels,
        visibility,
    }))
}

fn labels(prefix: &str, count: usize) -> BTreeMap<String, String> {
    (0..count).map(|at| (format!("{prefix}{at}"), "x".to_owned())).collect()
}

fn refusals(outcome: Result<Outcome, Error>) -> Vec<(String, &'static str)> {
    match outcome {
        Err(Error::Refused(violations)) => violations.into_iter().map(|v| (v.field, v.reason)).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_bounded_and_prunes_only_what_it_names() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let many = vec![a_platform("data.example"); 5_001];
    let outcome = hub.registrar.apply(operator(), many, Options::default()).await;
    assert_eq!(refusals(outcome), [("resources".to_owned(), "QUOTA")]);
    let options = Options { prune: true, ..Options::default() };
    let outcome = hub.registrar.apply(operator(), vec![], options.clone()).await;
    assert_eq!(refusals(outcome), [("prune_platforms".to_owned(), "REQUIRED")]);
    let elsewhere = Options { prune_platforms: ["data.example".parse().unwrap()].into(), ..options };
    hub.registrar.apply(operator(), vec![], elsewhere).await.unwrap();
    assert_eq!(hub.versions().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_platform_fills_its_own_room_and_nobody_elses() {
    let hub = Hub::start(with(Quota { declared: 2, ..Quota::default() }));
    let outcome = hub.apply(payments()).await;
    assert_eq!(actions(&outcome), [Action::Create, Action::Create, Action::Refused], "{outcome:?}");
    assert_eq!(reasons(&outcome), ["QUOTA"]);
    let ml = vec![
        a_platform("ml.example"),
        a_grant("ml.example", "all", &["ml", "payments.vectors"]),
        a_version("ml.example", "vectors", "1.0.0"),
        a_grant("payments.example", "more", &["payments.more"]),
    ];
    assert_eq!(actions(&hub.apply(ml).await), [Action::Create; 4], "others, and operators for anybody");
    hub.prune(vec![a_version("payments.example", "ledger", "1.0.0")]).await;
    let again = hub.apply(vec![a_version("payments.example", "ledger", "1.1.0")]).await;
    assert_eq!(actions(&again), [Action::Create], "what goes makes room");
}

#[tokio::test(start_paused = true)]
async fn contracts_over_the_quota_are_refused_each_by_itself() {
    let hub = Hub::start(with(Quota { contracts: 1, ..Quota::default() }));
    let outcome = hub.apply(payments()).await;
    assert_eq!(actions(&outcome), [Action::Create, Action::Refused, Action::Refused], "{outcome:?}");
    assert_eq!(reasons(&outcome), ["QUOTA", "UNDECLARED_VERSION"]);
}

#[tokio::test(start_paused = true)]
async fn many_versions_of_one_line_are_taken_in_one_request() {
    let hub = Hub::start(plan());
    let line =
        || (0..200).map(|minor| a_version("payments.example", "ledger", &format!("1.{minor}.0"))).collect();
    let outcome = hub.apply(line()).await;
    assert!(outcome.changes.iter().all(|change| change.action == Action::Create));
    assert!(!hub.apply(line()).await.is_changed());
}

#[tokio::test(start_paused = true)]
async fn plans_take_nothing_from_those_who_register() {
    let hub = Hub::start(with(Quota { registrations_per_second: 1, ..Quota::default() }));
    let plan = || Options { validate_only: true, ..Options::default() };
    let plans = async || hub.registrar.apply(operator(), payments(), plan()).await;
    while plans().await.is_ok() {}
    assert!(matches!(plans().await, Err(Error::TooOften)));
    assert_eq!(actions(&hub.apply(payments()).await), [Action::Create; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_capability_says_no_more_than_a_version_may() {
    let hub = Hub::start(plan());
    let everyone = Visibility { platforms: Default::default(), everyone: true };
    let bad = BTreeMap::from([("no key".to_owned(), "x".to_owned())]);
    assert_eq!(reasons(&hub.apply(vec![a_capability(bad, everyone.clone())]).await), ["INVALID_LABEL"]);
    let crowd = (0..1001).map(|at| format!("p{at}.example").parse().unwrap()).collect();
    let crowd = Visibility { platforms: crowd, everyone: false };
    assert_eq!(reasons(&hub.apply(vec![a_capability(BTreeMap::new(), crowd)]).await), ["QUOTA"]);

    let mut version = a_version("payments.example", "ledger", "1.0.0");
    let Spec::Version(spec) = &mut version.spec else { panic!() };
    spec.offer.facts = Facts { labels: labels("own", 40), ..Facts::default() }.shared();
    assert_eq!(actions(&hub.apply(vec![version.clone()]).await), [Action::Create]);
    let outcome = hub.apply(vec![a_capability(labels("common", 40), everyone.clone())]).await;
    assert_eq!(reasons(&outcome), ["QUOTA"], "together they are too many: {outcome:?}");
    let outcome = hub.apply(vec![a_capability(labels("common", 20), everyone)]).await;
    assert_eq!(actions(&outcome), [Action::Create], "{outcome:?}");
}
