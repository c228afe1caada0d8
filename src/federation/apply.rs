//! The one task that changes the catalogue: judge, write, publish, answer, in this order.

use super::declared;
use super::discovery::Targets;
use super::draft::Draft;
use super::judge::Declaration;
use super::refusal::Refusal;
use super::state::State;
use super::{Clock, Error, Receipt, Rules};
use crate::access;
use crate::catalog::{self, Snapshot};
use crate::descriptors;
use crate::model::{Drift, Identity, ProducerName, Source, VersionName};
use crate::store::{self, Store};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// How many requests may wait; more are refused.
pub(super) const QUEUE: usize = 1024;
/// At most so many requests share a draft and a commit.
const BATCH: usize = 64;

/// What somebody asks, and where the answer goes.
pub(super) struct Request {
    pub(super) task: Task,
    pub(super) answer: oneshot::Sender<Result<Receipt, Error>>,
}

/// What can be asked.
pub(super) enum Task {
    /// Take a registration that was judged.
    Register(Box<Declaration>),
    /// Only say whether it would be taken.
    Validate(Box<Declaration>),
    /// Show what clashed in a registration that was refused.
    Refuse(Box<Refusal>),
    /// Renew the lease, if it is the holder's.
    Renew { holder: Identity, lease: String },
    /// Take the producer out.
    Deregister(ProducerName),
    /// Take out what was discovered.
    Forget(ProducerName),
}

/// Sole holder of the write handles.
pub(super) struct Apply {
    pub(super) rules: Arc<Rules>,
    pub(super) policy: access::Writer,
    pub(super) clock: Clock,
    pub(super) state: State,
    pub(super) catalog: catalog::Writer,
    pub(super) descriptors: descriptors::Writer,
    pub(super) store: Store,
    /// What the start found to be written, until the disk has it.
    pub(super) pending: Vec<store::Change>,
    /// What is wrong with servers that are to be discovered.
    pub(super) drifts: watch::Receiver<Vec<Drift>>,
    /// Whom discovery reads.
    pub(super) targets: watch::Sender<Targets>,
    /// Those of the configuration.
    pub(super) configured_targets: Targets,
    /// What is declared, for readers.
    pub(super) declared: declared::Published,
}

impl Apply {
    /// Works until no [`super::Registrar`] is left.
    pub(super) async fn run(
        mut self,
        mut queue: mpsc::Receiver<Request>,
        mut declarations: mpsc::Receiver<declared::Request>,
    ) {
        if let Err(error) = self.persist(Vec::new()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "contracts are not yet remembered on the disk"
            );
        }
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let due = self.state.next_due();
            let end = self.state.declared.next_end();
            tokio::select! {
                count = queue.recv_many(&mut batch, BATCH) => match count {
                    0 => break,
                    _ => self.settle(&mut batch).await,
                },
                Some(request) = declarations.recv() => {
                    self.settle_waiting(&mut queue, &mut batch).await;
                    self.declare(request).await;
                }
                () = sleep_until(due) => {
                    self.settle_waiting(&mut queue, &mut batch).await;
                    self.end_leases();
                }
                () = sleep_until(end) => self.end_overrides().await,
                Ok(()) = self.drifts.changed() => self.show_drifts(),
            }
        }
    }

    /// Does what waits already: no lease ends while its renewal waits behind something long.
    async fn settle_waiting(&mut self, queue: &mut mpsc::Receiver<Request>, batch: &mut Vec<Request>) {
        for _ in 0..queue.len().div_ceil(BATCH) {
            queue.recv_many(batch, BATCH).await;
            self.settle(batch).await;
        }
    }

    /// Does what is asked in one draft and one commit. If the disk refuses it, renewals are done all the same.
    async fn settle(&mut self, batch: &mut Vec<Request>) {
        let rules = self.rules.clone();
        let mut draft = self.draft(&rules);
        let mut outcomes: Vec<_> = batch.iter().map(|request| draft.take(&request.task)).collect();
        if let Err(error) = self.persist(std::mem::take(&mut draft.writes)).await {
            draft = self.draft(&rules);
            outcomes = batch.iter().map(|request| draft.without_disk(&request.task, &error)).collect();
        }
        let before = self.catalog.snapshot().revision();
        self.publish(draft);
        for (request, outcome) in batch.drain(..).zip(outcomes) {
            match &outcome {
                Ok(receipt) if receipt.revision > before => tell(&request.task, receipt),
                _ => {}
            }
            let _ = request.answer.send(outcome);
        }
    }

    /// Shows what is wrong with servers that are to be discovered.
    fn show_drifts(&mut self) {
        let drifts = self.drifts.borrow_and_update().clone();
        let change = catalog::Change::SetDrifts { source: Source::Discovery, drifts };
        // Never refused.
        let _ = self.catalog.apply(change);
    }

    fn end_leases(&mut self) {
        let rules = self.rules.clone();
        let mut draft = self.draft(&rules);
        match draft.end_leases() {
            Ok(()) => self.publish(draft),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "leases could not be ended")
            }
        }
    }

    pub(super) fn draft<'a>(&self, rules: &'a Rules) -> Draft<'a> {
        let catalog = Snapshot::clone(&self.catalog.snapshot());
        Draft::new(rules, self.state.clone(), catalog, (Instant::now(), (self.clock)()))
    }

    pub(super) async fn persist(&mut self, writes: Vec<store::Change>) -> Result<(), store::Error> {
        let all: Vec<_> = self.pending.iter().cloned().chain(writes).collect();
        if !all.is_empty() {
            self.store.commit(all).await?;
            self.pending = Vec::new();
        }
        Ok(())
    }

    /// Descriptors first, withdrawals last: nobody sees a version whose descriptors are not there yet. While the
    /// catalogue changes, only those platforms take part that do so before and after: nobody is let in too early.
    pub(super) fn publish(&mut self, draft: Draft<'_>) {
        let (before, after) = (self.state.declared.platforms(), draft.state.declared.platforms().clone());
        let is_news = **before != *after;
        if is_news {
            self.policy.replace(declared::common(before, &after));
        }
        if !draft.described.is_empty() {
            let sets = draft.described.iter();
            self.descriptors.put_all(sets.map(|(version, described)| (version.clone(), &described.set)));
        }
        let describable = |version: &VersionName| {
            let offering = draft.catalog.offering(version);
            draft.state.holds(version) || offering.is_some_and(|o| o.version.descriptors.is_some())
        };
        let gone: Vec<_> = draft.left.iter().filter(|version| !describable(version)).cloned().collect();
        self.state = draft.state;
        self.catalog.publish(draft.catalog.clone());
        self.declared.store(Arc::new(self.state.declared.clone()));
        if is_news {
            self.policy.replace(after.values().cloned());
        }
        for version in gone {
            self.descriptors.remove(&version);
        }
    }
}

impl Draft<'_> {
    fn take(&mut self, task: &Task) -> Result<Receipt, Error> {
        match task {
            Task::Register(declaration) => self.register(declaration),
            Task::Validate(declaration) => self.validate(declaration),
            Task::Refuse(refusal) => {
                self.refuse(refusal)?;
                Err(Error::Refused(refusal.violations.clone()))
            }
            Task::Renew { holder, lease } => self.renew(holder, lease),
            Task::Deregister(name) => self.deregister(name),
            Task::Forget(name) => self.forget(name),
        }
    }

    fn without_disk(&mut self, task: &Task, error: &store::Error) -> Result<Receipt, Error> {
        match task {
            Task::Renew { .. } | Task::Validate(_) | Task::Refuse(_) => self.take(task),
            Task::Register(_) | Task::Deregister(_) | Task::Forget(_) => Err(Error::Store(error.clone())),
        }
    }
}

/// One line about what changed the catalogue; renewals do not.
fn tell(task: &Task, receipt: &Receipt) {
    let producer = &receipt.producer;
    match task {
        Task::Register(declaration) => {
            let (by, versions) = (&declaration.registrant, declaration.versions.len());
            tracing::info!(%producer, %by, versions, warnings = ?receipt.warnings, "registered");
        }
        Task::Deregister(_) => tracing::info!(%producer, "deregistered"),
        Task::Validate(_) | Task::Refuse(_) => {}
        Task::Forget(_) => tracing::info!(%producer, "no longer discovered"),
        Task::Renew { .. } => tracing::info!(%producer, "back from an ended lease"),
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
