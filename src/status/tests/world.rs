//! A federation for tests: producers of one platform, each endpoint seen as the test says.

use super::*;
use crate::catalog::{Change, Snapshot};
use crate::uplink::{Look, Observer};
use jiff::SignedDuration;

const BELIEVED: SignedDuration = SignedDuration::from_secs(20);

/// A federation to fold, and what was seen of its endpoints.
#[derive(Default)]
pub(super) struct World {
    catalog: Arc<Snapshot>,
    seen: Observer,
}

impl World {
    pub(super) fn platform(mut self, name: &str) -> Self {
        let platform = Platform {
            name: PlatformName::parse(name).unwrap(),
            display_name: String::new(),
            trust_domain: TrustDomain::parse(name).unwrap(),
            service_prefixes: vec![ServicePrefix::parse("acme").unwrap()],
        };
        self.apply(Change::PutPlatform(platform));
        self
    }

    /// A producer of `a.example` with an endpoint per look, and versions of the capability `ledger`.
    pub(super) fn producer(
        mut self,
        id: &str,
        record: Freshness,
        looks: &[Option<State>],
        versions: &[(&str, Stage)],
    ) -> Self {
        let identity = Identity::parse_spiffe("spiffe://a.example/x").unwrap();
        let address = |i: usize| Address::parse(&format!("{id}:{}", i + 1)).unwrap();
        let endpoint = |i| Endpoint { address: address(i), locality: "".into(), weight: 1 };
        for (i, look) in looks.iter().enumerate() {
            if let Some(state) = look {
                self.look(&address(i).to_string(), *state, at(95));
            }
        }
        let producer = Producer {
            name: ProducerName::parse(&format!("platforms/a.example/producers/{id}")).unwrap(),
            identity: identity.clone(),
            registrant: identity,
            endpoints: (0..looks.len()).map(endpoint).collect(),
            versions: Vec::new(),
            source: Source::Registration,
            freshness: record,
            lease_expires: None,
            created: at(1),
            updated: at(90),
            provenance: None,
        };
        let versions = versions.iter().map(|(v, stage)| version(v, *stage)).collect();
        self.apply(Change::PutProducer { producer, versions });
        self
    }

    /// Version 1.0.0 of `capability`, by itself in `state`, stands on these capabilities in these ranges.
    pub(super) fn stands_on(
        mut self,
        capability: &str,
        state: Option<State>,
        needs: &[(&str, &str)],
    ) -> Self {
        let identity = Identity::parse_spiffe("spiffe://a.example/x").unwrap();
        let address = Address::parse(&format!("{capability}:1")).unwrap();
        if let Some(state) = state {
            self.look(&address.to_string(), state, at(95));
        }
        let producer = Producer {
            name: ProducerName::parse(&format!("platforms/a.example/producers/{capability}")).unwrap(),
            identity: identity.clone(),
            registrant: identity,
            endpoints: vec![Endpoint { address, locality: "".into(), weight: 1 }],
            versions: Vec::new(),
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: at(1),
            updated: at(90),
            provenance: None,
        };
        let need = |(name, range): &(&str, &str)| Requirement {
            capability: CapabilityName::parse(&format!("platforms/a.example/capabilities/{name}")).unwrap(),
            range: semver::VersionReq::parse(range).unwrap(),
        };
        let mut version = version("1.0.0", Stage::Stable);
        version.name.capability = CapabilityId::parse(capability).unwrap();
        version.services = vec![ServiceName::parse(&format!("acme.{capability}")).unwrap()];
        version.facts = Facts { depends_on: needs.iter().map(need).collect(), ..Facts::default() }.shared();
        self.apply(Change::PutProducer { producer, versions: vec![version] });
        self
    }

    pub(super) fn apply(&mut self, change: Change) {
        self.catalog = Arc::new(self.catalog.apply(change).unwrap());
    }

    pub(super) fn look(&mut self, address: &str, state: State, observed: Timestamp) {
        self.look_into(address, state, &[], observed);
    }

    /// A look that tells services apart.
    pub(super) fn look_into(
        &mut self,
        address: &str,
        state: State,
        services: &[(&str, State)],
        observed: Timestamp,
    ) {
        let id = address.split(':').next().unwrap();
        let producer = ProducerName::parse(&format!("platforms/a.example/producers/{id}")).unwrap();
        let services = services.iter().map(|(name, state)| (ServiceName::parse(name).unwrap(), *state));
        let look = Look {
            state,
            is_reachable: state != NotServing,
            reason: "SEEN",
            message: "said".into(),
            services: services.collect(),
        };
        for when in [at(10), observed] {
            self.seen.record(&producer, &Address::parse(address).unwrap(), look.clone(), when);
        }
    }

    pub(super) fn fold(&self, previous: Option<&Federation>, now: i64) -> Federation {
        fold(&self.catalog, &self.seen.reader().load(), BELIEVED, previous, at(now))
    }
}

fn version(number: &str, stage: Stage) -> Version {
    let name = format!("platforms/a.example/capabilities/ledger/versions/{number}");
    Version {
        name: VersionName::parse(&name).unwrap(),
        digest: Digest::of(number.as_bytes()),
        services: vec![ServiceName::parse("acme.Ledger").unwrap()],
        descriptors: None,
        parameter_schema: None,
        description: String::new(),
        owner: "o".into(),
        contact: "c".into(),
        stage,
        deprecation_time: None,
        sunset_time: None,
        visibility: Visibility::default(),
        slo: Slo::default(),
        traffic_weight: None,
        facts: Default::default(),
    }
}

pub(super) fn ledger(federation: &Federation) -> &CapabilityStatus {
    federation.platforms.values().next().unwrap().capabilities.values().next().unwrap()
}

pub(super) fn condition(state: State, reason: &'static str) -> Condition {
    Condition { state, reason, message: "said".into(), since: at(10), observed: at(95), freshness: Live }
}
