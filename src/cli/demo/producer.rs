//! A producer of the demo, running: it listens, it is registered, and it can be stopped as if it had crashed.

use super::Way;
use super::cast::{HUB, Role};
use super::descriptors;
use super::health::Vouch;
use super::pb::data::kv::v1::key_value_service_server::KeyValueServiceServer;
use super::pb::data::search::v1::search_service_server::SearchServiceServer;
use super::pb::ml::embedding::v1::embedding_service_server::EmbeddingServiceServer;
use super::pb::payments::ledger::{v1, v2};
use super::place::{self, Place};
use super::services::{embedding, key_value, ledger, old_ledger, search};
use crate::client::pb::grpc::health::v1::health_server::HealthServer;
use crate::client::pb::portolan::catalog::v1::{Endpoint, Slo, Stage};
use crate::client::pb::portolan::registry::v1::{CapabilityVersion, RegisterProducerRequest};
use crate::client::producer::{self, Registration, Services, Standing};
use crate::client::{Credentials, Domain, Target, Trust, TrustDomain, Whom};
use crate::lifecycle::{self, Shutdown};
use anyhow::{Context as _, bail};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Short, so that a stopped producer's record is seen to go stale.
const LEASE: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

/// A producer that runs.
#[derive(Debug)]
pub(super) struct Producer {
    shutdown: Shutdown,
    /// None where manifests speak for it.
    registration: Option<JoinHandle<()>>,
    declared: RegisterProducerRequest,
    port: u16,
}

impl Producer {
    /// Listens on a free port, or on `port`, and registers if that is the way; returns once the broker has taken it.
    /// `services` are what it serves.
    pub(super) async fn start(
        role: &'static Role,
        services: Services,
        place: &Place,
        broker: u16,
        (way, port): (Way, u16),
    ) -> anyhow::Result<Self> {
        let hub = TrustDomain::parse(HUB)?;
        let files = place.files(role.domain, role.name);
        let credentials = Credentials::load(&files).map_err(faults)?;
        // Only the broker may call: its trust domain is the only one that the producer knows.
        let domain =
            Domain { name: hub.clone(), bundle: place.bundle(HUB), crl: None, dns_suffixes: Vec::new() };
        let trust = Trust::load(&[domain]).map_err(faults)?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.context("no port for a producer")?;
        let port = listener.local_addr()?.port();
        let declared = declaration(role, port)?;
        let target = Target {
            address: place::on_this_machine(broker)?,
            ca: place.bundle(HUB),
            whom: Whom::Domain(hub),
            files,
            timeout: Duration::from_secs(5),
        };

        let shutdown = Shutdown::new();
        let serving = producer::serve(listener, trust, credentials, services, shutdown.clone());
        lifecycle::spawn("demo producer", serving);
        if way == Way::Manifests {
            return Ok(Self { shutdown, registration: None, declared, port });
        }
        let (registration, mut standing) = Registration::new(target, declared.clone());
        let registration = lifecycle::spawn("demo registration", registration.run(shutdown.clone()));
        let running = Self { shutdown, registration: Some(registration), declared, port };

        let settled = timeout(Duration::from_secs(20), standing.wait_for(|s| !matches!(s, Standing::New)));
        let refusal = match settled.await {
            Ok(Ok(standing)) => match &*standing {
                Standing::Registered { .. } => None,
                Standing::New => Some("it did not register".to_owned()),
                Standing::Failed(reason) => Some(reason.clone()),
            },
            Ok(Err(_)) => Some("its registration ended".to_owned()),
            Err(_) => Some("the broker did not answer".to_owned()),
        };
        match refusal {
            None => Ok(running),
            Some(reason) => {
                running.kill().await;
                bail!("{} could not register: {reason}", role.name)
            }
        }
    }

    /// Where it listens on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What it registers, or would.
    pub(super) fn declared(&self) -> &RegisterProducerRequest {
        &self.declared
    }

    /// Ends it at once, without a word to the broker: that is how workloads die.
    pub(super) async fn kill(self) {
        if let Some(registration) = &self.registration {
            registration.abort();
        }
        self.shutdown.drain(Duration::ZERO).await;
    }

    /// Takes it out of the catalogue, then lets its calls finish.
    pub(super) async fn stop(self) {
        self.shutdown.request();
        // It says goodbye to the broker; whether that went well changes nothing here.
        if let Some(registration) = self.registration {
            let _ = timeout(Duration::from_secs(2), registration).await;
        }
        self.shutdown.drain(Duration::from_secs(1)).await;
    }
}

/// What a role serves. It outlives the workload: a ledger that forgot its entries would be none.
pub(super) fn services(role: &Role) -> Services {
    let services = Services::new().with(HealthServer::new(Vouch(role.service)));
    match role.name {
        "ledger" => {
            let ledger = v2::ledger_service_server::LedgerServiceServer::new(ledger::Ledger::open());
            services.with(ledger)
        }
        "ledger-v1" => {
            let ledger =
                v1::ledger_service_server::LedgerServiceServer::new(old_ledger::OldLedger::default());
            services.with(ledger)
        }
        "kv" => services.with(KeyValueServiceServer::new(key_value::KeyValues::open())),
        "search" => services.with(SearchServiceServer::new(search::Library::open())),
        _ => services.with(EmbeddingServiceServer::new(embedding::Embedder)),
    }
}

fn declaration(role: &Role, port: u16) -> anyhow::Result<RegisterProducerRequest> {
    let is_deprecated = role.stage == Stage::Deprecated;
    let now = SystemTime::now();
    let version = CapabilityVersion {
        capability: role.capability.into(),
        version: role.version.into(),
        services: vec![role.service.into()],
        descriptor_set: descriptors::of_service(role.service)?.into(),
        description: role.description.into(),
        owner: format!("{} team", role.name),
        contact: format!("{}@{}", role.name, role.domain),
        stage: role.stage.into(),
        deprecation_time: is_deprecated.then(|| (now - 90 * DAY).into()),
        sunset_time: is_deprecated.then(|| (now + 90 * DAY).into()),
        visibility: role.visible_to.iter().map(|platform| (*platform).into()).collect(),
        slo: Some(Slo {
            availability_percent: 99.9,
            latency_p99: Some(Duration::from_millis(50).try_into()?),
        }),
        ..Default::default()
    };
    Ok(RegisterProducerRequest {
        platform: role.domain.into(),
        producer: role.name.into(),
        endpoints: vec![Endpoint {
            address: format!("127.0.0.1:{port}"),
            locality: String::new(),
            weight: 1,
        }],
        versions: vec![version],
        identity: String::new(),
        lease_duration: Some(LEASE.try_into()?),
        ..Default::default()
    })
}

fn faults<F: std::fmt::Display>(faults: Vec<F>) -> anyhow::Error {
    anyhow::anyhow!("{}", faults.iter().map(F::to_string).collect::<Vec<_>>().join("; "))
}
