//! Manifests: made so whole, idempotent, each by itself, and back after a restart.

use super::hub::*;
use crate::access::{self, Caller};
use crate::federation::{Action, Authority, Folder, Options, Outcome, Settings, Unreadable};
use crate::model::*;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};

mod attacks;
mod folders;
mod limits;
mod orders;

pub(super) fn plan() -> Plan {
    let trust_domains =
        ["payments.example", "data.example", "ml.example"].map(|name| TrustDomain::parse(name).unwrap());
    let settings = Settings { trust_domains: trust_domains.into(), ..Settings::default() };
    Plan { settings, ..Plan::default() }
}

pub(super) fn operator() -> Authority {
    authority("spiffe://data.example/operator", true)
}

pub(super) fn authority(id: &str, is_operator: bool) -> Authority {
    let (_, policy) = access::policy([], is_operator.then(|| identity(id)));
    let caller: Caller = policy.caller(identity(id));
    Authority::of(&caller)
}

pub(super) fn at(spec: Spec) -> Resource {
    Resource { origin: "x.yaml:1".to_owned(), spec }
}

pub(super) fn a_platform(name: &str) -> Resource {
    at(Spec::Platform(PlatformSpec {
        name: name.parse().unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
    }))
}

pub(super) fn a_grant(platform: &str, id: &str, prefixes: &[&str]) -> Resource {
    at(Spec::Grant(GrantSpec {
        name: GrantName { platform: platform.parse().unwrap(), grant: id.parse().unwrap() },
        service_prefixes: prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect(),
    }))
}

pub(super) fn a_version(platform: &str, capability: &str, version: &str) -> Resource {
    at(Spec::Version(VersionSpec { platform: platform.parse().unwrap(), offer: offer(capability, version) }))
}

pub(super) fn a_producer(platform: &str, id: &str, versions: &[&str]) -> Resource {
    let version = |text: &&str| {
        let (capability, version) = text.split_once('/').unwrap();
        (capability.parse().unwrap(), version.parse().unwrap())
    };
    at(Spec::Producer(ProducerSpec {
        name: ProducerName { platform: platform.parse().unwrap(), producer: id.parse().unwrap() },
        identity: format!("spiffe://{platform}/{id}"),
        endpoints: vec![endpoint("10.0.0.1:50051")],
        versions: versions.iter().map(version).collect(),
        discovery_interval: None,
    }))
}

pub(super) fn an_override(service: &str, platform: &str, seconds: i64) -> Resource {
    at(Spec::Override(OverrideSpec {
        service: service.parse().unwrap(),
        platform: platform.parse().unwrap(),
        expires: epoch() + SignedDuration::from_secs(seconds),
        reason: "they agreed".into(),
    }))
}

pub(super) fn payments() -> Vec<Resource> {
    vec![
        a_version("payments.example", "ledger", "1.0.0"),
        a_version("payments.example", "ledger", "1.1.0"),
        a_producer("payments.example", "ledger-1", &["ledger/1.0.0", "ledger/1.1.0"]),
    ]
}

pub(super) fn all_platforms() -> BTreeSet<PlatformName> {
    ["payments.example", "data.example", "ml.example"].map(|name| name.parse().unwrap()).into()
}

impl Hub {
    pub(super) async fn apply(&self, resources: Vec<Resource>) -> Outcome {
        self.registrar.apply(operator(), resources, Options::default()).await.unwrap()
    }

    pub(super) async fn prune(&self, resources: Vec<Resource>) -> Outcome {
        let options = Options { prune: true, prune_platforms: all_platforms(), ..Options::default() };
        self.registrar.apply(operator(), resources, options).await.unwrap()
    }

    pub(super) async fn plan(&self, resources: Vec<Resource>) -> Outcome {
        let options = Options { prune: true, validate_only: true, prune_platforms: all_platforms() };
        self.registrar.apply(operator(), resources, options).await.unwrap()
    }
}

pub(super) fn actions(outcome: &Outcome) -> Vec<Action> {
    outcome.changes.iter().map(|change| change.action).collect()
}

pub(super) fn reasons(outcome: &Outcome) -> Vec<&'static str> {
    outcome.changes.iter().flat_map(|change| &change.faults).map(|fault| fault.reason).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_declared_is_so_and_the_same_again_is_nothing() {
    let hub = Hub::start(plan());
    let first = hub.apply(payments()).await;
    assert_eq!(actions(&first), [Action::Create; 3], "{first:?}");
    assert_eq!(hub.versions(), ["ledger/1.0.0", "ledger/1.1.0"]);
    let producer = hub.producer("ledger-1").unwrap();
    assert_eq!((producer.source, producer.lease_expires), (Source::Manifest, None));
    assert!(hub.descriptors.snapshot().has(&producer.versions[0]));

    seconds(1000).await;
    let again = hub.apply(payments()).await;
    assert_eq!((actions(&again), again.revision), (vec![Action::Unchanged; 3], first.revision));
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live), "it has no lease");
    let (_, contents) = hub.contents().await;
    assert_eq!(contents.sequence, 1, "nothing was written again");
}

#[tokio::test(start_paused = true)]
async fn it_is_all_back_after_a_restart() {
    let hub = Hub::start(plan());
    let mut all = payments();
    all.extend([
        a_platform("ml.example"),
        a_grant("ml.example", "all", &["ml", "payments.vectors"]),
        a_version("ml.example", "vectors", "1.0.0"),
        an_override("payments.ledger.Api", "payments.example", 3600),
    ]);
    let first = hub.apply(all.clone()).await;
    assert!(first.changes.iter().all(|change| change.action == Action::Create), "{first:?}");
    let own = identity("spiffe://ml.example/search");
    let mut registration = declare("search", [offer("vectors", "1.0.0")]);
    registration.producer.platform = "ml.example".parse().unwrap();
    hub.registrar.register(&own, registration).await.unwrap();

    let hub = hub.restart(plan()).await;
    assert_eq!(hub.versions(), ["ledger/1.0.0", "ledger/1.1.0", "vectors/1.0.0"]);
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live));
    let snapshot = hub.catalog.snapshot();
    assert_eq!(snapshot.overrides().count(), 1);
    assert_eq!(
        snapshot.platform("ml.example").unwrap().producers.size(),
        1,
        "registered at a declared platform"
    );
    assert!(snapshot.drifts().is_empty(), "{:?}", snapshot.drifts());
    let again = hub.apply(all).await;
    assert!(!again.is_changed(), "{again:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_changed_configuration_forbids_is_kept_and_is_a_drift() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let narrow = Plan { platforms: vec![platform("payments.example", &["payments.cards"])], ..plan() };
    let hub = hub.restart(narrow).await;
    assert!(hub.versions().is_empty());
    let drifts: Vec<_> = hub.catalog.snapshot().drifts().iter().map(|drift| drift.reason).collect();
    assert_eq!(drifts, ["PREFIX_NOT_GRANTED", "PREFIX_NOT_GRANTED", "UNDECLARED_VERSION"]);
    let hub = hub.restart(plan()).await;
    assert_eq!(hub.versions(), ["ledger/1.0.0", "ledger/1.1.0"], "it is back when the configuration is");
    assert!(hub.catalog.snapshot().drifts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_harms_only_itself() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let mut next = payments();
    let Spec::Version(changed) = &mut next[0].spec else { panic!() };
    changed.offer.descriptor_set = set("payments.ledger", &["Get", "Put"]);
    next.push(a_version("payments.example", "cards", "1.0.0"));
    let outcome = hub.prune(next).await;
    assert_eq!(
        actions(&outcome),
        [Action::Create, Action::Refused, Action::Unchanged, Action::Unchanged],
        "{outcome:?}"
    );
    assert_eq!(reasons(&outcome), ["CONTRACT_MUTATED"]);
    assert_eq!(hub.versions(), ["cards/1.0.0", "ledger/1.0.0", "ledger/1.1.0"], "what stood of it stays");
    assert_eq!(hub.catalog.snapshot().clashes().count(), 1);
    hub.apply(payments()).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_declared_is_pruned_in_the_reverse_order() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let planned = hub.plan(vec![]).await;
    let deleted = actions(&planned).into_iter().filter(|action| *action == Action::Delete);
    assert_eq!(deleted.count(), 3, "{planned:?}");
    assert_eq!(hub.versions().len(), 2, "a plan changes nothing");
    let refused = hub.prune(vec![a_producer("payments.example", "ledger-1", &["ledger/1.0.0"])]).await;
    assert_eq!(actions(&refused), [Action::Refused, Action::Delete, Action::Update], "{refused:?}");
    assert_eq!(reasons(&refused), ["VERSION_IN_USE"]);
    let outcome = hub.prune(vec![]).await;
    assert_eq!(actions(&outcome), [Action::Delete; 2], "{outcome:?}");
    assert!(hub.versions().is_empty());
    let (_, contents) = hub.contents().await;
    assert!(contents.resources.is_empty());
}

#[tokio::test(start_paused = true)]
async fn capabilities_fill_what_versions_leave_out() {
    let hub = Hub::start(plan());
    let mut version = a_version("payments.example", "ledger", "1.0.0");
    let Spec::Version(spec) = &mut version.spec else { panic!() };
    (spec.offer.owner, spec.offer.contact) = (String::new(), String::new());
    let refused = hub.apply(vec![version.clone()]).await;
    assert_eq!(reasons(&refused), ["REQUIRED", "REQUIRED"]);
    let common = |owner: &str| {
        at(Spec::Capability(CapabilitySpec {
            name: CapabilityName::parse("platforms/payments.example/capabilities/ledger").unwrap(),
            description: String::new(),
            owner: owner.into(),
            contact: "c".into(),
            on_call: String::new(),
            support_tier: String::new(),
            cost_unit: String::new(),
            labels: BTreeMap::from([("tier".to_owned(), "gold".to_owned())]),
            visibility: Visibility::default(),
        }))
    };
    let owner = |hub: &Hub| {
        let name =
            VersionName::parse("platforms/payments.example/capabilities/ledger/versions/1.0.0").unwrap();
        hub.catalog.snapshot().offering(&name).unwrap().version.owner.clone()
    };
    let made = hub.apply(vec![version.clone(), common("one")]).await;
    assert_eq!(actions(&made), [Action::Create; 2], "{made:?}");
    assert_eq!(owner(&hub), "one");
    let made = hub.apply(vec![common("two")]).await;
    assert_eq!(made.changes[0].fields[0].after, "two");
    assert_eq!(owner(&hub), "two");
    let refused = hub.apply(vec![common("")]).await;
    assert_eq!(reasons(&refused), ["REQUIRED"], "the version has no owner of its own");
    let hub = hub.restart(plan()).await;
    assert_eq!(owner(&hub), "two");
    assert_eq!(actions(&hub.prune(vec![version]).await), [Action::Refused, Action::Unchanged]);
}

#[tokio::test(start_paused = true)]
async fn an_override_ends_by_the_clock_and_stays_ended() {
    let hub = Hub::start(plan());
    let decision = an_override("payments.ledger.Api", "data.example", 100);
    hub.apply(vec![decision.clone()]).await;
    seconds(99).await;
    assert_eq!(hub.catalog.snapshot().overrides().count(), 1);
    seconds(2).await;
    assert_eq!(hub.catalog.snapshot().overrides().count(), 0);
    assert_eq!(reasons(&hub.apply(vec![decision]).await), ["EXPIRED"]);
    let (_, contents) = hub.contents().await;
    assert!(contents.resources.is_empty(), "durably");
}

#[tokio::test(start_paused = true)]
async fn what_is_exported_is_planned_without_a_change_whatever_the_source() {
    let mut fixed = declare("fixed", [offer("cards", "1.0.0")]);
    fixed.identity = Some("spiffe://payments.example/fixed".into());
    let configured = || Plan { configured: vec![fixed.clone()], ..plan() };
    let hub = Hub::start(configured());
    hub.register(declare("registered", [offer("ledger", "2.0.0")])).await.unwrap();
    hub.apply(payments()).await;
    hub.apply(vec![a_platform("ml.example"), a_grant("ml.example", "all", &["ml"])]).await;
    let exported =
        || hub.registrar.reader().export(&hub.descriptors.snapshot(), |_| true, |_| true).unwrap().0;
    let (platforms, grants, versions, producers) = (3, 3, 4, 3);
    assert_eq!(exported().len(), platforms + grants + versions + producers);
    let planned = hub.plan(exported()).await;
    assert!(planned.changes.iter().all(|change| change.action == Action::Unchanged), "{planned:#?}");
    let revision = hub.revision();
    let applied = hub.prune(exported()).await;
    assert!(!applied.is_changed());
    let again = hub.prune(exported()).await;
    assert!(!again.is_changed() && again.revision == applied.revision, "{revision} {again:?}");
}

#[tokio::test(start_paused = true)]
async fn an_export_that_finds_no_room_makes_no_more() {
    let hub = Hub::start(plan());
    hub.apply(payments()).await;
    let described = hub.descriptors.snapshot();
    let mut asked = 0;
    let exported = hub.registrar.reader().export(
        &described,
        |_| true,
        |_| {
            asked += 1;
            asked < 2
        },
    );
    assert!(exported.is_none());
    assert_eq!(asked, 2);
}
