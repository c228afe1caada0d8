//! Keeps a producer registered: declares it, renews the lease at a third of its term, begins again when it is lost.

use crate::client::status::with_causes;
use crate::client::{self, Target};
use crate::lifecycle::Shutdown;
use crate::transport::Channel;
use crate::wire::pb::portolan::registry::v1 as pb;
use pb::registry_service_client::RegistryServiceClient;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::Code;

/// The first pause after a failure; each next is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after a failure.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long one call to the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The term of a lease that does not tell it.
const USUAL_TERM: Duration = Duration::from_secs(30);

/// Keeps one producer registered with one broker.
#[derive(Debug)]
pub struct Registration {
    target: Target,
    request: pb::RegisterProducerRequest,
    standing: watch::Sender<Standing>,
}

/// How a producer stands with its broker.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Not registered yet.
    New,
    /// Registered, and its lease runs.
    Registered {
        /// `platforms/{platform}/producers/{producer}`.
        name: String,
        /// What the broker remarked.
        warnings: Vec<String>,
    },
    /// The broker did not take it, or was not reached; it is tried again.
    Failed(String),
}

/// What ended an attempt.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Connect(#[from] client::Error),
    #[error("{}", client::one_line(.0))]
    Call(Box<tonic::Status>),
    #[error("no answer within {PATIENCE:?}")]
    Silent(#[from] tokio::time::error::Elapsed),
    #[error("the broker granted no lease")]
    NoLease,
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Failure::Call(Box::new(status))
    }
}

impl Registration {
    /// Will declare `request` at `target`. The receiver tells how it goes.
    pub fn new(target: Target, request: pb::RegisterProducerRequest) -> (Self, watch::Receiver<Standing>) {
        let (standing, told) = watch::channel(Standing::New);
        (Self { target, request, standing }, told)
    }

    /// Registers and renews until stopping is asked for; then takes the producer out.
    pub async fn run(self, shutdown: Shutdown) {
        let mut pause = FIRST_PAUSE;
        loop {
            let Err(failure) = self.hold(&mut pause, &shutdown).await else { return };
            if shutdown.is_requested() {
                return;
            }
            let text = with_causes(&failure);
            tracing::warn!(producer = self.request.producer, reason = text, "not registered; trying again");
            self.standing.send_replace(Standing::Failed(text));
            tokio::select! {
                () = shutdown.requested() => return,
                () = sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Registers and renews over one connection; returns once it is taken out, or with what ended it.
    async fn hold(&self, pause: &mut Duration, shutdown: &Shutdown) -> Result<(), Failure> {
        let mut registry = RegistryServiceClient::new(client::connect(&self.target).await?);
        loop {
            let answer =
                timeout(PATIENCE, registry.register_producer(self.request.clone())).await??.into_inner();
            let lease = answer.lease.ok_or(Failure::NoLease)?;
            let (name, warnings) = (answer.name, answer.warnings);
            tracing::info!(name, "registered");
            self.standing.send_replace(Standing::Registered { name: name.clone(), warnings });
            *pause = FIRST_PAUSE;
            let lost = tokio::select! {
                biased;
                () = shutdown.requested() => None,
                lost = renew(&mut registry, lease) => Some(lost),
            };
            match lost {
                None => return goodbye(registry, name).await,
                // The broker forgot us: declare everything again.
                Some(Failure::Call(status)) if status.code() == Code::NotFound => {}
                Some(other) => return Err(other),
            }
        }
    }
}

/// Renews at a third of the term, so that two renewals may be lost. Returns with what ended it.
async fn renew(registry: &mut RegistryServiceClient<Channel>, mut lease: pb::Lease) -> Failure {
    loop {
        sleep(term(&lease) / 3).await;
        let request = pb::RenewLeaseRequest { lease_id: lease.id.clone() };
        match timeout(PATIENCE, registry.renew_lease(request)).await {
            Ok(Ok(answer)) => lease = answer.into_inner().lease.unwrap_or(lease),
            Ok(Err(status)) => return status.into(),
            Err(late) => return late.into(),
        }
    }
}

async fn goodbye(mut registry: RegistryServiceClient<Channel>, name: String) -> Result<(), Failure> {
    timeout(PATIENCE, registry.deregister_producer(pb::DeregisterProducerRequest { name })).await??;
    Ok(())
}

fn term(lease: &pb::Lease) -> Duration {
    let told = lease.duration.and_then(|span| Duration::try_from(span).ok());
    told.filter(|term| !term.is_zero()).unwrap_or(USUAL_TERM)
}
