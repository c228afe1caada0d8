//! One endpoint, as all workers know it together: whether it is left out, and whether there is room.

use super::breaker::Gate;
use super::cohort::Cohort;
use super::ejection::{Cause, Ejection};
use super::error::Busy;
use super::meter::{Meter, Tally};
use super::outlier::Sample;
use super::peers::{self, lock};
use super::rules::Rules;
use super::waits::Waits;
use crate::model::{Address, Endpoint, Identity, Producer};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// So many answers after an ejection, and the endpoint is believed again; until then one failure is enough.
const TRIAL: u32 = 5;

/// One endpoint, as all workers know it together.
#[derive(Debug)]
pub struct Peer {
    address: Address,
    identity: Identity,
    shared: Weak<peers::Shared>,
    rules: Rules,
    epoch: Instant,
    /// Until when it is left out, in nanoseconds since `epoch`; 0 if it is not.
    out_until: AtomicU64,
    /// Since when it takes calls: from then on it starts slowly.
    joined: AtomicU64,
    /// Answers that it still owes before it is believed again.
    trial: AtomicU32,
    /// The prober could not reach it when it looked last.
    is_down: AtomicBool,
    state: Mutex<State>,
    /// What each worker counts of it.
    meters: Mutex<Vec<Weak<Meter>>>,
    pub(super) gate: Gate,
}

#[derive(Debug, Default)]
struct State {
    ejection: Option<Ejection>,
    /// Ejections in succession.
    times: u32,
    /// With whom it is compared.
    cohorts: Vec<Weak<Cohort>>,
    /// What was known at the last comparison.
    before: (Tally, Waits),
}

impl Peer {
    pub(super) fn new(address: Address, identity: Identity, shared: &Arc<peers::Shared>) -> Self {
        let epoch = shared.epoch;
        Self {
            address,
            identity,
            shared: Arc::downgrade(shared),
            rules: shared.rules,
            epoch,
            out_until: AtomicU64::new(0),
            joined: AtomicU64::new(peers::nanos(epoch, Instant::now())),
            trial: AtomicU32::new(0),
            is_down: AtomicBool::new(false),
            state: Mutex::default(),
            meters: Mutex::default(),
            gate: Gate::default(),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Who answers there.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether that is the endpoint.
    pub(super) fn is(&self, producer: &Producer, endpoint: &Endpoint) -> bool {
        self.address == endpoint.address && self.identity == producer.identity
    }

    /// How it is treated.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether it is left out at `now`, in nanoseconds of the clock of all desks. Cheap.
    pub fn is_out(&self, now: u64) -> bool {
        self.out_until.load(Relaxed) > now
    }

    /// Until when it is left out, in nanoseconds of the clock of all desks; 0 if it is not.
    pub fn out_until(&self) -> u64 {
        self.out_until.load(Relaxed)
    }

    /// Why it is left out now; `None` if it is not.
    pub fn ejection(&self) -> Option<Ejection> {
        let is_out = self.is_out(self.nanos(Instant::now()));
        lock(&self.state).ejection.clone().filter(|_| is_out)
    }

    /// Since when it takes calls, in nanoseconds of the clock of all desks.
    pub fn joined(&self) -> u64 {
        self.joined.load(Relaxed)
    }

    /// Calls that wait for a place there.
    pub fn waiting(&self) -> usize {
        self.gate.waiting()
    }

    /// Connections that stand there or are being made.
    pub fn connections(&self) -> usize {
        self.gate.connections()
    }

    /// What every worker counts of it.
    pub fn meters(&self) -> Vec<Arc<Meter>> {
        lock(&self.meters).iter().filter_map(Weak::upgrade).collect()
    }

    /// The prober saw it. One that was gone and answers again has begun anew: no ejection outlasts that, and it starts
    /// slowly. An answer to a probe alone brings nobody back: most that fail calls answer probes all the time.
    pub fn seen(&self, is_up: bool) {
        // Read first: most calls find what stands, and must not write what all workers share.
        if self.is_down.load(Relaxed) != is_up || self.is_down.swap(!is_up, Relaxed) != is_up {
            return;
        }
        if is_up {
            self.joined.store(self.nanos(Instant::now()), Relaxed);
            if self.out_until.swap(0, Relaxed) > 0 {
                lock(&self.state).ejection = None;
                self.tell();
            }
        }
    }

    /// The prober could not reach it when it looked last.
    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Relaxed)
    }

    pub(super) fn nanos(&self, now: Instant) -> u64 {
        peers::nanos(self.epoch, now)
    }

    pub(super) fn add_meter(&self, meter: &Arc<Meter>) {
        let mut meters = lock(&self.meters);
        meters.retain(|meter| meter.strong_count() > 0);
        meters.push(Arc::downgrade(meter));
        self.gate.shared_by(meters.len());
    }

    pub(super) fn join(&self, cohort: &Arc<Cohort>) {
        let cohorts = &mut lock(&self.state).cohorts;
        cohorts.retain(|cohort| cohort.strong_count() > 0);
        cohorts.push(Arc::downgrade(cohort));
    }

    pub(super) fn cohorts(&self) -> Vec<Arc<Cohort>> {
        lock(&self.state).cohorts.iter().filter_map(Weak::upgrade).collect()
    }

    /// An attempt that began at `began` was answered.
    pub(super) fn well(&self) {
        if self.trial.load(Relaxed) > 0 {
            let _ = self.trial.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        }
    }

    /// An attempt that began at `began` failed, the last of so many in a row.
    pub(super) fn failed(self: &Arc<Self>, streak: u32, began: u64, now: u64) {
        // What began before it came back tells of the time before.
        if self.is_out(now) || began < self.joined() {
            return;
        }
        let most = self.rules.outliers.consecutive_failures;
        let cause = match self.trial.load(Relaxed) {
            0 if most == 0 || streak < most => return,
            0 => Cause::Failures(streak),
            _ => Cause::Relapse,
        };
        if let Some(shared) = self.shared.upgrade() {
            shared.eject(self, cause, now);
        }
    }

    /// Leaves it out from `now` on, longer each time.
    pub(super) fn leave_out(&self, cause: Cause, now: u64) {
        let rules = &self.rules.outliers;
        let mut state = lock(&self.state);
        // One that was good for as long as the longest ejection lasts begins anew.
        let good = Duration::from_nanos(now.saturating_sub(self.joined()));
        let times = if good >= rules.max_ejection { 1 } else { state.times.saturating_add(1) };
        let lasts = rules.base_ejection.saturating_mul(times).min(rules.max_ejection);
        let until = now.saturating_add(u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX));
        state.times = times;
        state.ejection = Some(Ejection { cause, since: Timestamp::now(), lasts });
        self.joined.store(until, Relaxed);
        self.trial.store(TRIAL, Relaxed);
        self.out_until.store(until, Relaxed);
    }

    /// What has happened since the last comparison.
    pub(super) fn sample(&self) -> Sample {
        let (mut tally, waits) = (Tally::default(), Waits::default());
        for meter in self.meters() {
            tally = tally + meter.tally();
            waits.merge(meter.waits());
        }
        let before = std::mem::replace(&mut lock(&self.state).before, (tally, waits.clone()));
        let since = |now: u64, before: u64| now.saturating_sub(before);
        Sample {
            succeeded: since(tally.succeeded, before.0.succeeded),
            failed: since(tally.failed, before.0.failed),
            waits: waits.since(&before.1),
        }
    }

    /// An attempt, or a connection, found no place here.
    pub(super) fn refused(&self, busy: &Busy) {
        if let Some(shared) = self.shared.upgrade() {
            shared.counts.refuse(busy);
        }
    }

    fn tell(&self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.changed();
        }
    }
}
