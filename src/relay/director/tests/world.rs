//! A small world for decisions: a.example and b.example hold the prefix `acme`.

use crate::access::{Caller, Policy};
use crate::catalog::{Change, Snapshot};
use crate::model::*;
use crate::relay::Intent;
use crate::relay::director::*;
use crate::uplink::Balance;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

pub(super) const SERVICE: &str = "acme.Ledger";
/// All decisions are made at this time.
pub(super) const NOW: i64 = 1_800_000_000;

const RULES: Balance =
    Balance { decay: Duration::from_secs(10), slow_start: Duration::from_secs(10), overprovisioning: 140 };

pub(super) struct World {
    pub(super) snapshot: Snapshot,
    pub(super) policy: Policy,
    pub(super) looks: HashMap<String, Look>,
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(super) fn platform(name: &str, prefix: &str) -> Platform {
    Platform {
        name: PlatformName::parse(name).unwrap(),
        display_name: String::new(),
        trust_domain: TrustDomain::parse(name).unwrap(),
        service_prefixes: vec![ServicePrefix::parse(prefix).unwrap()],
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::of([platform("a.example", "acme"), platform("b.example", "acme")])
    }

    pub(super) fn of(platforms: impl IntoIterator<Item = Platform>) -> Self {
        let platforms: Vec<_> = platforms.into_iter().collect();
        let snapshot = platforms
            .iter()
            .fold(Snapshot::default(), |s, p| s.apply(Change::PutPlatform(p.clone())).unwrap());
        Self { snapshot, policy: Policy::new(platforms), looks: HashMap::new() }
    }

    /// A producer of a.example at `address` that serves one version, visible to everyone.
    pub(super) fn with(
        self,
        id: &str,
        version: &str,
        stage: Stage,
        address: &str,
        edit: impl FnOnce(&mut Producer, &mut Version),
    ) -> Self {
        self.with_of("a.example", id, version, stage, address, edit)
    }

    #[allow(clippy::too_many_arguments, reason = "a test reads best with all of it in one line")]
    pub(super) fn with_of(
        mut self,
        platform: &str,
        id: &str,
        version: &str,
        stage: Stage,
        address: &str,
        edit: impl FnOnce(&mut Producer, &mut Version),
    ) -> Self {
        let identity = Identity::parse_spiffe(&format!("spiffe://{platform}/x")).unwrap();
        let name = format!("platforms/{platform}/capabilities/ledger/versions/{version}");
        let mut version = Version {
            name: VersionName::parse(&name).unwrap(),
            services: vec![ServiceName::parse(SERVICE).unwrap()],
            descriptors: None,
            parameter_schema: None,
            digest: Digest::of(b""),
            description: String::new(),
            owner: "o".into(),
            contact: "c".into(),
            stage,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility::everyone(),
            slo: Slo::default(),
            traffic_weight: None,
            facts: Default::default(),
        };
        let mut producer = Producer {
            name: ProducerName::parse(&format!("platforms/{platform}/producers/{id}")).unwrap(),
            identity: identity.clone(),
            registrant: identity,
            endpoints: vec![endpoint(address)],
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        };
        edit(&mut producer, &mut version);
        self.snapshot =
            self.snapshot.apply(Change::PutProducer { producer, versions: vec![version] }).unwrap();
        self
    }

    pub(super) fn and(self, address: &str, standing: Standing) -> Self {
        self.and_look(address, Look { standing, ..Look::UNSEEN })
    }

    pub(super) fn and_look(mut self, address: &str, look: Look) -> Self {
        self.looks.insert(address.to_owned(), look);
        self
    }

    pub(super) fn caller(&self, identity: &str) -> Arc<Caller> {
        Arc::new(self.policy.caller(Identity::parse_spiffe(identity).unwrap()))
    }

    pub(super) fn ask<'a>(&'a self, caller: &'a Arc<Caller>, intent: &'a Intent, draw: u64) -> Ask<'a> {
        Ask {
            snapshot: &self.snapshot,
            policy: &self.policy,
            caller,
            service: SERVICE,
            intent,
            locality: "",
            now: at(NOW),
            draw,
            metadata: None,
            rules: &RULES,
            tick: 0,
            seen: 0,
        }
    }

    pub(super) fn look(&self, endpoint: &Endpoint) -> Look {
        self.looks.get(&endpoint.address.to_string()).cloned().unwrap_or(Look::UNSEEN)
    }

    pub(super) fn choose(&self, caller: &str, locality: &str) -> Result<Route, Refusal> {
        let (caller, intent) = (self.caller(caller), Intent::default());
        let ask = Ask { locality, ..self.ask(&caller, &intent, fastrand::u64(..)) };
        choose(&ask, |_, endpoint| self.look(endpoint), None)
    }

    /// Where a call of b.example goes first, and why.
    pub(super) fn explain(&self, intent: &Intent, draw: u64) -> (Result<Route, Refusal>, Explanation) {
        self.explain_to("spiffe://b.example/app", intent, draw)
    }

    pub(super) fn explain_to(
        &self,
        caller: &str,
        intent: &Intent,
        draw: u64,
    ) -> (Result<Route, Refusal>, Explanation) {
        let caller = self.caller(caller);
        explain(&self.ask(&caller, intent, draw), |_, endpoint| self.look(endpoint), 1000)
    }

    pub(super) fn first(&self) -> String {
        addresses(&self.choose("spiffe://b.example/app", "").unwrap()).remove(0)
    }
}

pub(super) fn endpoint(address: &str) -> Endpoint {
    Endpoint { address: Address::parse(address).unwrap(), locality: "".into(), weight: 1 }
}

pub(super) fn addresses(route: &Route) -> Vec<String> {
    route.targets.iter().map(|target| target.endpoint().address.to_string()).collect()
}

pub(super) fn plain(_: &mut Producer, _: &mut Version) {}

pub(super) fn unreachable() -> Standing {
    Standing::Unreachable {
        why: "connection refused".into(),
        since: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}
