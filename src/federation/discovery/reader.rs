//! Reads one server again and again, for as long as it is wanted.

use super::target::Target;
use super::{Faults, note};
use crate::federation::{Error, Registrar};
use crate::model::{Drift, Source, TrustDomain};
use crate::uplink::Pool;
use crate::uplink::reflection::{self, Described, Unread};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// How long one reading may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// The first pause after a failure; it doubles up to the interval.
const PAUSE: Duration = Duration::from_millis(500);
/// So many intervals a reading is believed: one may fail.
const BELIEVED: u32 = 3;

pub(super) struct Reader {
    pub(super) target: Arc<Target>,
    pub(super) registrar: Registrar,
    pub(super) pool: Pool,
    pub(super) tenant: TrustDomain,
    pub(super) slots: Arc<Semaphore>,
    pub(super) faults: Faults,
}

/// Why nothing was registered.
struct Fault {
    reason: &'static str,
    message: String,
}

impl Reader {
    pub(super) async fn run(self) {
        let (mut turn, mut failures) = (0, 0);
        loop {
            let read = self.read(turn).await;
            // All endpoints are one producer: each has its turn, so that one that differs is seen.
            turn += 1;
            self.tell(read.as_ref().err());
            match read {
                Ok(found) => {
                    failures = 0;
                    tokio::select! {
                        () = sleep(self.target.interval) => {}
                        // Who comes back may have another contract.
                        () = found.closed() => {}
                    }
                }
                Err(_) => {
                    let pause = PAUSE.saturating_mul(1 << u32::min(failures, 10));
                    failures += 1;
                    sleep(pause.min(self.target.interval)).await;
                }
            }
        }
    }

    async fn read(&self, turn: usize) -> Result<Described, Fault> {
        let endpoints = &self.target.registration.endpoints;
        let stopped = |_| Fault { reason: "STOPPING", message: "the broker is stopping".to_owned() };
        let _slot = self.slots.acquire().await.map_err(stopped)?;
        let rules = &self.registrar.rules;
        let platform = &self.target.registration.producer.platform;
        let producer = self.target.producer();
        let mut last = Fault { reason: "NO_ENDPOINT", message: "it has no endpoint".to_owned() };
        for at in 0..endpoints.len() {
            let endpoint = &endpoints[(turn + at) % endpoints.len()];
            let wanted =
                |service: &_| self.target.wants(service) && rules.policy.grants(platform, service).is_ok();
            let bounds = (rules.settings.descriptors.bytes, DEADLINE);
            let read =
                reflection::read(&self.pool, (&producer, endpoint), &self.tenant, wanted, bounds).await;
            match read {
                Ok(found) => {
                    let terms = &rules.settings.terms;
                    let lease = (self.target.interval * BELIEVED).clamp(terms.shortest, terms.longest);
                    let lacks = |lack: super::target::Lack| {
                        let message = format!("{}: {lack}", endpoint.address);
                        Fault { reason: "DISCOVERY_NOT_SERVED", message }
                    };
                    let registration = self.target.registration(&found, lease).map_err(lacks)?;
                    self.registrar.discovered(registration).await.map_err(refused)?;
                    return Ok(found);
                }
                Err(unread) => last = fault(&unread, &endpoint.address.to_string()),
            }
        }
        Err(last)
    }

    fn tell(&self, fault: Option<&Fault>) {
        let name = &self.target.registration.producer;
        let now = (self.registrar.clock)();
        note(&self.registrar, &self.faults, |faults| match fault {
            None => {
                if faults.remove(name).is_some() {
                    tracing::info!(producer = %name, "it is discovered again");
                }
            }
            Some(fault) => {
                let known = faults.get(name).filter(|known| known.reason == fault.reason);
                let since = known.map_or(now, |known| known.since);
                if known.is_none() {
                    tracing::warn!(producer = %name, reason = fault.reason, "discovery: {}", fault.message);
                }
                let drift = Drift {
                    platform: Some(name.platform.clone()),
                    source: Source::Discovery,
                    subject: name.to_string(),
                    origin: self.target.origin.clone(),
                    reason: fault.reason,
                    message: fault.message.clone(),
                    since,
                };
                faults.insert(name.clone(), drift);
            }
        });
    }
}

fn fault(unread: &Unread, address: &str) -> Fault {
    let reason = match unread {
        Unread::Unreachable(_) => "DISCOVERY_UNREACHABLE",
        Unread::NoReflection => "NO_REFLECTION",
        Unread::Silent(_) => "DISCOVERY_UNREACHABLE",
        Unread::Refused(_) | Unread::Malformed(_) | Unread::TooMuch { .. } => "DISCOVERY_FAILED",
    };
    let told = unread.to_string();
    let message = if told.starts_with(address) { told } else { format!("{address}: {told}") };
    Fault { reason, message }
}

fn refused(error: Error) -> Fault {
    let reason = match &error {
        Error::Refused(found) if found.iter().any(|v| v.reason == "CONTRACT_MUTATED") => "CONTRACT_MUTATED",
        Error::Refused(_) => "DISCOVERY_REFUSED",
        _ => "DISCOVERY_FAILED",
    };
    Fault { reason, message: error.to_string() }
}
