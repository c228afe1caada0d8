//! A small federation, and what each role learns of it.
//!
//! `a.example` offers, `b.example` and `c.example` use, `ops.example` has an operator and no platform.

mod roles;
mod security;

use super::*;
use crate::access;
use crate::catalog::{Change, Writer, catalog};
use crate::model::*;
use crate::status::{Publisher, board, fold};
use crate::uplink::{Look, Observer};
use crate::usage::{self, Recorder};
use jiff::{SignedDuration, ToSpan};
use std::collections::BTreeMap;
use tonic::Code;

const PLATFORMS: [&str; 3] = ["a.example", "b.example", "c.example"];

struct World {
    writer: Writer,
    observer: Observer,
    publisher: Publisher,
    calls: Recorder,
    policy: Arc<Policy>,
    reports: Reports,
}

impl World {
    fn new() -> Self {
        Self::with(vec![])
    }

    fn with(certificates: Vec<Certificate>) -> Self {
        let platforms = PLATFORMS.map(|name| Platform {
            name: name.parse().unwrap(),
            display_name: String::new(),
            trust_domain: TrustDomain::parse(name).unwrap(),
            service_prefixes: vec!["acme".parse().unwrap(), format!("own.{}", &name[..1]).parse().unwrap()],
        });
        let operator = Identity::parse_spiffe("spiffe://ops.example/user").unwrap();
        let policy = Arc::new(access::policy(platforms.clone(), [operator]).1);
        let (mut writer, reader) = catalog();
        writer.apply_all(platforms.map(Change::PutPlatform)).unwrap();
        let observer = Observer::new();
        let observations = observer.reader();
        let first =
            fold(&reader.snapshot(), &observations.load(), SignedDuration::MAX, None, Timestamp::now());
        let (publisher, board) = board(first);
        let (calls, book, _) = usage::open(vec![], Arc::new(Timestamp::now));
        let relay = Relay {
            catalog: reader.clone(),
            policy: policy.clone(),
            observations,
            peers: Default::default(),
            usage: calls.clone(),
            broker: "hub".parse().unwrap(),
            via: crate::relay::via(&"hub".parse().unwrap()),
            locality: "".into(),
            message_bytes: 1 << 20,
            replay: Default::default(),
            telemetry: Default::default(),
            retries: Default::default(),
            hop: Default::default(),
        };
        let sources = Sources {
            catalog: reader,
            policy: policy.clone(),
            board,
            consumers: Consumers::new(book, policy.clone()),
            relay: Arc::new(relay),
            certificates: Arc::new(move || certificates.clone()),
        };
        let reports = Reports { sources, turns: Turns::new(AT_ONCE) };
        Self { writer, observer, publisher, calls, policy, reports }
    }

    /// One producer serves this version alone.
    fn offer(&mut self, version: Version) {
        let name = producer_name(&version.name);
        let identity = Identity::parse_spiffe(&format!("spiffe://{}/x", name.platform)).unwrap();
        let producer = Producer {
            name,
            registrant: identity.clone(),
            identity,
            endpoints: vec![Endpoint { address: address(), locality: "".into(), weight: 1 }],
            versions: vec![],
            source: Source::Registration,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::now(),
            updated: Timestamp::now(),
            provenance: None,
        };
        self.writer.apply(Change::PutProducer { producer, versions: vec![version] }).unwrap();
        self.fold();
    }

    fn look(&mut self, version: &str, state: State) {
        let look = Look {
            state,
            is_reachable: state == State::Serving,
            reason: "SEEN",
            message: "as seen".into(),
            services: BTreeMap::new(),
        };
        let producer = producer_name(&VersionName::parse(version).unwrap());
        self.observer.record(&producer, &address(), look, Timestamp::now());
        self.fold();
    }

    fn fold(&mut self) {
        let (catalog, latest, seen) =
            (self.writer.snapshot(), self.publisher.latest(), self.observer.reader());
        let next = fold(&catalog, &seen.load(), SignedDuration::MAX, Some(&latest), Timestamp::now());
        self.publisher.publish(next);
    }

    fn call(&self, version: &str, consumer: &str, calls: usize, failed: usize) {
        let (version, consumer) = (VersionName::parse(version).unwrap(), user(consumer));
        (0..calls).for_each(|n| self.calls.record(&version, &consumer, n >= failed));
    }

    fn ask<T>(&self, domain: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.extensions_mut().insert(Arc::new(self.policy.caller(user(domain))));
        request
    }

    async fn consumer(&self, domain: &str, parent: &str) -> Result<Vec<pb::ConsumerEntry>, Code> {
        let asked = pb::GetConsumerReportRequest { parent: parent.into(), ..Default::default() };
        let answer = self.reports.get_consumer_report(self.ask(domain, asked)).await;
        answer.map(|answer| answer.into_inner().entries).map_err(|status| status.code())
    }

    async fn producer(&self, domain: &str, parent: &str) -> Result<Vec<pb::ProducerEntry>, Code> {
        let asked = pb::GetProducerReportRequest { parent: parent.into(), ..Default::default() };
        let answer = self.reports.get_producer_report(self.ask(domain, asked)).await;
        answer.map(|answer| answer.into_inner().entries).map_err(|status| status.code())
    }

    async fn operator(&self, domain: &str, parent: &str) -> Result<Vec<pb::OperatorEntry>, Code> {
        let asked = pb::GetOperatorReportRequest { parent: parent.into(), ..Default::default() };
        let answer = self.reports.get_operator_report(self.ask(domain, asked)).await;
        answer.map(|answer| answer.into_inner().entries).map_err(|status| status.code())
    }

    async fn finance(&self, domain: &str, parent: &str) -> Result<Vec<pb::FinanceEntry>, Code> {
        let asked = pb::GetFinanceReportRequest { parent: parent.into(), ..Default::default() };
        let answer = self.reports.get_finance_report(self.ask(domain, asked)).await;
        answer.map(|answer| answer.into_inner().entries).map_err(|status| status.code())
    }

    /// All pages, each of `page_size` findings.
    async fn security(
        &self,
        domain: &str,
        parent: &str,
        page_size: i32,
    ) -> Result<Vec<pb::SecurityFinding>, Code> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let asked = pb::GetSecurityReportRequest { parent: parent.into(), page_size, page_token };
            let answer = self.reports.get_security_report(self.ask(domain, asked)).await;
            let page = answer.map_err(|status| status.code())?.into_inner();
            all.extend(page.findings);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(all);
            }
        }
    }
}

/// Sound in every way, and for everybody unless said otherwise.
fn version(name: &str, visible_to: &[&str]) -> Version {
    let name = VersionName::parse(name).unwrap();
    let service = format!("acme.{}", name.capability.as_str().to_uppercase());
    Version {
        digest: Digest::of(name.to_string().as_bytes()),
        services: vec![service.parse().unwrap()],
        descriptors: Some(Digest::of(b"set")),
        parameter_schema: None,
        description: String::new(),
        owner: "o".into(),
        contact: "c".into(),
        stage: Stage::Stable,
        deprecation_time: None,
        sunset_time: None,
        visibility: Visibility {
            everyone: false,
            platforms: visible_to.iter().map(|p| p.parse().unwrap()).collect(),
        },
        slo: Slo::default(),
        traffic_weight: None,
        facts: Arc::new(Facts { on_call: "pager".into(), cost_unit: "call".into(), ..Facts::default() }),
        name,
    }
}

fn need(capability: &str, range: &str) -> Requirement {
    Requirement { capability: CapabilityName::parse(capability).unwrap(), range: range.parse().unwrap() }
}

fn user(domain: &str) -> Identity {
    Identity::parse_spiffe(&format!("spiffe://{domain}/user")).unwrap()
}

fn producer_name(version: &VersionName) -> ProducerName {
    let id = format!("{}-{}", version.capability, version.version.major);
    ProducerName { platform: version.platform.clone(), producer: id.parse().unwrap() }
}

fn address() -> Address {
    Address::parse("10.0.0.1:1").unwrap()
}
