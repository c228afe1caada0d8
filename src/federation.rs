//! Keeps our catalogue equal to what producers declare.
//!
//! Owns: who may register what, leases, and the only write handles of catalogue and descriptors.
//! Never: answers a caller before its registration is durable and published; trusts a clock but its own.
//! Flow: [`Registrar`] judges a registration whole, off the async threads → bounded queue → `apply` takes all that
//! waits into one draft → store → descriptors, catalogue → answer.

mod apply;
pub mod archive;
mod baseline;
mod calls;
mod compare;
mod declared;
pub mod discovery;
mod draft;
mod facts;
pub mod herald;
pub mod imports;
mod judge;
mod limit;
mod offer;
pub mod own;
mod record;
mod refusal;
mod restore;
mod settings;
pub mod signing;
mod state;
#[cfg(test)]
mod tests;

pub use declared::{
    Action, Authority, Changed, FieldChange, File, Folder, Options, Outcome, Reader, Unreadable,
};
pub use restore::{Ground, Misconfigured, start};
pub use settings::{Quota, Settings, Terms};

use crate::access::Policy;
use crate::catalog;
use crate::model::{Drift, Identity, PlatformName, ProducerName, Registration, VersionName, Violation};
use crate::{descriptors, store};
use apply::{Request, Task};
use compare::Known;
use discovery::Targets;
use jiff::Timestamp;
use judge::Declaration;
use limit::Limiter;
use refusal::Refusal;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// KiB of registrations that may be under way together.
const ROOM: u32 = 128 << 10;
/// Registrations screened at once.
const SCREENINGS: usize = 2;

/// Reads the wall clock; only ever shown to people, no decision hangs on it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Takes registrations. Clones lead to the same catalogue.
#[derive(Clone)]
pub struct Registrar {
    queue: mpsc::Sender<Request>,
    declarations: mpsc::Sender<declared::Request>,
    declared: declared::Published,
    rules: Arc<Rules>,
    catalog: catalog::Reader,
    limiter: Arc<Limiter>,
    /// For those who only ask whether something would be taken: it takes nothing from those who register.
    checks: Arc<Limiter>,
    /// KiB of registrations that may be under way together; what does not fit is refused at once, not kept.
    room: Arc<Semaphore>,
    /// Screening takes time in proportion to what a stranger sends; others wait.
    screening: Arc<Semaphore>,
    /// The servers whose contracts are read from themselves.
    targets: watch::Sender<Targets>,
    /// What is wrong with those.
    drifts: watch::Sender<Vec<Drift>>,
    clock: Clock,
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Whose.
    pub producer: ProducerName,
    /// Its lease; `None` if it holds until it is deregistered, or was only judged.
    pub lease: Option<Granted>,
    /// The first revision of the catalogue that shows it.
    pub revision: u64,
    /// What was taken but may surprise.
    pub warnings: Vec<String>,
}

/// A lease as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Opaque and unguessable.
    pub id: String,
    /// The term granted.
    pub term: Duration,
    /// When it ends unless renewed, by our clock.
    pub expires: Timestamp,
}

/// Why a request of a producer was not done. Nothing of it was.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The platform is not the caller's. Reads the same whether or not it exists.
    #[error("{caller} does not speak for platform {platform}; only identities of its own trust domain do")]
    NotYours {
        /// Who asked.
        caller: Identity,
        /// For which platform.
        platform: PlatformName,
    },
    /// Items are at fault; all of them are named.
    #[error("the registration was refused: {}", first(.0))]
    Refused(Vec<Violation>),
    /// The lease never was, has ended with its registration, or is not the caller's.
    #[error("no such lease; register again")]
    UnknownLease,
    /// No such producer for this caller.
    #[error("{0} is not registered")]
    UnknownProducer(ProducerName),
    /// The caller asks too often.
    #[error("too many requests from one identity; try again later")]
    TooOften,
    /// Too many requests wait.
    #[error("too many registrations are waiting; try again")]
    Busy,
    /// It could not be made durable. It may be tried again.
    #[error("the registration could not be made durable")]
    Store(#[from] store::Error),
    /// The catalogue does not take what the judge let through.
    #[error(transparent)]
    Catalog(#[from] catalog::Error),
    /// Judging it failed: our fault.
    #[error("the registration could not be judged")]
    Unjudged,
    /// The broker is stopping.
    #[error("the broker is stopping")]
    Stopping,
}

/// What does not change while the broker runs.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    policy: Arc<Policy>,
    settings: Settings,
    configured: BTreeSet<ProducerName>,
    /// Versions whose contract is stored, but cannot be read: nobody knows what they promise.
    unreadable: BTreeSet<VersionName>,
    /// What contracts are compared with.
    descriptors: descriptors::Reader,
}

/// What becomes of a registration that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    /// It is taken, or what clashes is shown.
    Take,
    /// Its author only learns what would become of it.
    Ask,
}

impl Registrar {
    /// Declares the whole of what a producer offers; answers when it is durable and published.
    pub async fn register(&self, caller: &Identity, registration: Registration) -> Result<Receipt, Error> {
        self.limiter.take(caller, limit::REGISTRATION)?;
        let producer = registration.producer.clone();
        let outcome = self.judge_and_ask(caller, registration, Intent::Take).await;
        match &outcome {
            Ok(receipt) => tracing::debug!(%producer, %caller, revision = receipt.revision, "registered"),
            Err(error) => tracing::info!(%producer, %caller, %error, "a registration was not taken"),
        }
        outcome
    }

    /// Answers as [`Registrar::register`] would, and takes nothing (AIP-163): no lease, no conflict, no revision.
    pub async fn validate(&self, caller: &Identity, registration: Registration) -> Result<Receipt, Error> {
        self.checks.take(caller, limit::REGISTRATION)?;
        self.judge_and_ask(caller, registration, Intent::Ask).await
    }

    /// Renews a lease for another term; only the identity that registered may.
    pub async fn renew(&self, caller: &Identity, lease: &str) -> Result<Receipt, Error> {
        self.limiter.take(caller, limit::RENEWAL)?;
        self.ask(Task::Renew { holder: caller.clone(), lease: lease.to_owned() }).await
    }

    /// Takes a producer out at once, durably; any identity of its platform's trust domain may, and operators:
    /// what nobody renews must not hold its names for ever.
    pub async fn deregister(&self, caller: &Identity, producer: ProducerName) -> Result<Receipt, Error> {
        self.limiter.take(caller, limit::RENEWAL)?;
        let is_operator = self.rules.policy.caller(caller.clone()).is_operator;
        if !is_operator && self.rules.policy.may_register(caller, &producer.platform).is_err() {
            return Err(Error::UnknownProducer(producer));
        }
        self.ask(Task::Deregister(producer)).await
    }

    /// Takes what was read from a server, as the operator wished.
    async fn discovered(&self, registration: Registration) -> Result<Receipt, Error> {
        self.judge(registration, judge::discovered, Intent::Take).await
    }

    /// Takes out what was discovered and is no longer wanted.
    async fn forget(&self, producer: ProducerName) -> Result<Receipt, Error> {
        self.ask(Task::Forget(producer)).await
    }

    async fn judge_and_ask(
        &self,
        caller: &Identity,
        registration: Registration,
        intent: Intent,
    ) -> Result<Receipt, Error> {
        let platform = &registration.producer.platform;
        if self.rules.policy.may_register(caller, platform).is_err() {
            return Err(Error::NotYours { caller: caller.clone(), platform: platform.clone() });
        }
        let caller = caller.clone();
        let judge = move |rules: &Rules, registration, known: &Known<'_>| {
            judge::registration(rules, &caller, registration, known)
        };
        self.judge(registration, judge, intent).await
    }

    async fn judge(
        &self,
        registration: Registration,
        judge: impl FnOnce(&Rules, Registration, &Known<'_>) -> Result<Declaration, Refusal> + Send + 'static,
        intent: Intent,
    ) -> Result<Receipt, Error> {
        let _room = self.room.try_acquire_many(weight(&registration)).map_err(|_| Error::Busy)?;
        let permit = self.screening.clone().acquire_owned().await.map_err(|_| Error::Stopping)?;
        let (rules, snapshot) = (self.rules.clone(), self.catalog.snapshot());
        let judged = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            judge(&rules, registration, &Known::published(&rules, &snapshot))
        });
        match (judged.await.map_err(|_| Error::Unjudged)?, intent) {
            (Ok(declaration), Intent::Take) => self.ask(Task::Register(Box::new(declaration))).await,
            (Ok(declaration), Intent::Ask) => self.ask(Task::Validate(Box::new(declaration))).await,
            (Err(refusal), Intent::Take) if !refusal.rivals.is_empty() => {
                // Answered when it is shown, so that whoever is refused finds it.
                self.ask(Task::Refuse(Box::new(refusal))).await
            }
            (Err(refusal), _) => Err(Error::Refused(refusal.violations)),
        }
    }

    async fn ask(&self, task: Task) -> Result<Receipt, Error> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Request { task, answer }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        })?;
        answered.await.map_err(|_| Error::Stopping)?
    }
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registrar")
            .field("waiting", &(self.queue.max_capacity() - self.queue.capacity()))
            .finish()
    }
}

/// KiB that a registration takes while it is under way.
fn weight(registration: &Registration) -> u32 {
    let bytes: usize = registration.offers.iter().map(|offer| offer.descriptor_set.len() + 1024).sum();
    u32::try_from(bytes >> 10).unwrap_or(u32::MAX).clamp(1, ROOM)
}

/// The first of them: the rest is for the caller, who gets all of them one by one.
fn first(violations: &[Violation]) -> String {
    let more = violations.len().saturating_sub(1);
    let first = violations.first().map(ToString::to_string).unwrap_or_default();
    if more > 0 { format!("{first}; and {more} more") } else { first }
}
