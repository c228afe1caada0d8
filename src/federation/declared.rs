//! Platforms as code: makes what manifests declare so, and tells what differs.
//!
//! Owns: the declared set, what it grants to platforms, and when overrides end.
//! Never: takes a name that stands from whoever holds it; lets anybody in before the disk knows why.
//! Flow: [`Registrar::apply`] screens off the async threads → `task` takes all into one draft, resource by resource, each
//! whole or not at all → store → policy, descriptors, catalogue → what was done to each.

mod awaited;
mod drift;
mod export;
mod field;
mod folder;
mod judge;
mod place;
mod record;
mod removal;
mod restore;
mod serve;
mod set;
mod step;
mod task;
mod unmanaged;

pub use drift::Unreadable;
pub use export::Reader;
pub use folder::{File, Folder};

pub(super) use restore::{platforms, read, resources};
pub(super) use set::Declared;
pub(super) use task::{QUEUE, Request, common};

use super::{Error, Registrar, limit};
use crate::access::Caller;
use crate::model::{Identity, PlatformName, Resource, Source, VersionName, Violation};
use set::Via;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Resources of one request: the task that takes them renews leases too, and no producer waits long for others.
const LARGEST_REQUEST: usize = 5_000;
/// Capabilities, versions and producers that may be declared in all.
const OF_OWNERS: usize = 200_000;
/// Platforms, grants and overrides that may be declared in all: no platform takes their room.
const OF_OPERATORS: usize = 50_000;

/// For whom manifests are applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// `None` is the watched directory, which the operator wrote.
    identity: Option<Identity>,
    /// Whether all kinds of all platforms may be applied; else capabilities, versions and producers of the platforms
    /// of the identity's trust domain.
    is_operator: bool,
}

/// How manifests are applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Only say what would be done.
    pub validate_only: bool,
    /// Remove what earlier requests declared and this one does not, among what the caller may apply.
    pub prune: bool,
    /// Only resources of these platforms are removed, so `prune` names at least one. Told of are these too; empty is all.
    pub prune_platforms: BTreeSet<PlatformName>,
}

/// What was done, or would be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Ordered by kind and name.
    pub changes: Vec<Changed>,
    /// The revision of the catalogue after it.
    pub revision: u64,
}

/// What was done to one resource, or would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    /// As manifests write it.
    pub kind: &'static str,
    /// The resource name.
    pub name: String,
    /// Whose it is.
    pub platform: PlatformName,
    /// Where it was declared.
    pub origin: String,
    /// What is done.
    pub action: Action,
    /// What differs.
    pub fields: Vec<FieldChange>,
    /// Why it is refused.
    pub faults: Vec<Violation>,
    /// A version whose consumers lose it: it becomes deprecated or retired, or is removed.
    pub loses: Option<VersionName>,
    /// How it came into the catalogue, where it is not by these manifests.
    pub source: Option<Source>,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is as declared.
    Unchanged,
    /// It is new.
    Create,
    /// It differs.
    Update,
    /// It is no longer declared.
    Delete,
    /// It is refused; what stood before stays.
    Refused,
    /// It came another way and is left alone.
    Unmanaged,
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its path in the manifest's `spec`.
    pub path: String,
    /// What stands; empty is nothing.
    pub before: String,
    /// What is declared; empty is nothing.
    pub after: String,
}

impl Registrar {
    /// Makes what is declared so, or says what would be done; answers when it is durable and published.
    ///
    /// A resource that is refused harms only itself, and what stood of it stays. The same again changes nothing.
    pub async fn apply(
        &self,
        authority: Authority,
        resources: Vec<Resource>,
        options: Options,
    ) -> Result<Outcome, Error> {
        let Some(identity) = authority.identity.clone() else { return Err(Error::Unjudged) };
        let limiter = if options.validate_only { &self.checks } else { &self.limiter };
        limiter.take(&identity, limit::REGISTRATION)?;
        if options.prune && options.prune_platforms.is_empty() {
            let message = "name the platforms of which you say all; of no other is anything removed";
            return Err(Error::Refused(vec![Violation::new("prune_platforms", "REQUIRED", message)]));
        }
        if resources.len() > LARGEST_REQUEST {
            let message = format!(
                "{} resources are more than the {LARGEST_REQUEST} of one request; split them, a platform or some \
                 each, and prune only with all of a platform",
                resources.len()
            );
            return Err(Error::Refused(vec![Violation::new("resources", "QUOTA", message)]));
        }
        let via = Via::Call(identity);
        let resources = resources.into_iter().map(|resource| (via.clone(), resource)).collect();
        let judged = self.judge_manifests(authority, resources).await?;
        self.declare(task::Work::Apply(judged, options)).await
    }

    /// Makes what the watched directory says so: it holds what its files declare, and lets go of what they no longer do.
    pub async fn apply_folder(&self, folder: Folder) -> Result<Outcome, Error> {
        let (resources, rest) = folder.split();
        let judged = self.judge_manifests(Authority::folder(), resources).await?;
        self.declare(task::Work::Folder(judged, rest)).await
    }

    /// Reads what is declared and what runs.
    pub fn reader(&self) -> Reader {
        Reader { declared: self.declared.clone(), catalog: self.catalog.clone() }
    }

    async fn judge_manifests(
        &self,
        authority: Authority,
        resources: Vec<(Via, Resource)>,
    ) -> Result<judge::Judged, Error> {
        let _room = self
            .room
            .try_acquire_many(judge::weight(resources.iter().map(|(_, resource)| resource)))
            .map_err(|_| Error::Busy)?;
        let permit = self.screening.clone().acquire_owned().await.map_err(|_| Error::Stopping)?;
        let (rules, snapshot) = (self.rules.clone(), self.catalog.snapshot());
        let declared = self.declared.load_full();
        let judged = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            judge::all(&rules, &declared, &snapshot, authority, resources)
        });
        judged.await.map_err(|_| Error::Unjudged)
    }

    async fn declare(&self, work: task::Work) -> Result<Outcome, Error> {
        let (answer, answered) = oneshot::channel();
        self.declarations.try_send(Request { work, answer }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Stopping,
        })?;
        answered.await.map_err(|_| Error::Stopping)?
    }
}

impl Authority {
    /// What a caller may apply.
    pub fn of(caller: &Caller) -> Self {
        Self { identity: Some(caller.identity.clone()), is_operator: caller.is_operator }
    }

    fn folder() -> Self {
        Self { identity: None, is_operator: true }
    }
}

impl Outcome {
    /// Whether anything differs.
    pub fn is_changed(&self) -> bool {
        let differs =
            |change: &Changed| matches!(change.action, Action::Create | Action::Update | Action::Delete);
        self.changes.iter().any(differs)
    }
}

/// The declared set as it is published; only the task puts another one there.
pub(super) type Published = Arc<arc_swap::ArcSwap<Declared>>;
