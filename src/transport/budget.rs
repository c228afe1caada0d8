//! How many bytes streams may hold all together, and that nobody takes the part of others.
//!
//! A stream that waits until its peer takes more is where bytes pile up: in the window of its other direction, and in
//! what waits to be written. While it waits, so much is set aside for it. When all is used up, the tenants that use more
//! than an equal share lose what they began last, down to that share; nobody else notices.

use super::gauge::Held;
use super::{Error, Gauge};
use crate::model::TrustDomain;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Waker};
use std::time::Instant;

/// All is counted no sooner than this after the last time, in milliseconds.
const PAUSE: u64 = 5;

/// How many bytes streams may hold all together. Clones are the same.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    /// What one stream that waits may come to hold unread.
    window: usize,
    /// What is set aside for streams that wait.
    aside: AtomicUsize,
    /// What was held otherwise when it was last counted.
    counted: AtomicUsize,
    /// When a stream that began to wait counted all anew the last time: milliseconds after `born`.
    settled: AtomicU64,
    born: Instant,
    /// One for each trust domain that connected: as many as the configuration names.
    tenants: Mutex<BTreeMap<TrustDomain, Arc<Tenant>>>,
}

/// One tenant's part of it.
#[derive(Debug)]
pub(super) struct Tenant {
    name: TrustDomain,
    budget: Arc<Shared>,
    is_over: AtomicBool,
    /// What its connections hold; those that are gone are forgotten when all is counted.
    gauges: Mutex<Vec<Weak<Held>>>,
    waits: Mutex<Waits>,
}

/// The streams of a tenant that wait, oldest first: at most as many as it may open.
#[derive(Debug, Default)]
struct Waits {
    next: u64,
    aside: usize,
    of: BTreeMap<u64, Wait>,
}

#[derive(Debug)]
struct Wait {
    bytes: usize,
    waker: Waker,
}

/// Bytes set aside for one stream while it waits; free again when it falls.
#[derive(Debug)]
pub(super) struct Aside {
    tenant: Arc<Tenant>,
    key: u64,
}

/// What a tenant holds, and how much that may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Whose.
    pub tenant: TrustDomain,
    /// Bytes held or set aside.
    pub bytes: usize,
}

impl Budget {
    /// At most `limit` bytes, where each stream that waits may come to hold `window` bytes unread.
    pub fn new(limit: usize, window: usize) -> Self {
        let (aside, counted, tenants) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::default());
        let (settled, born) = (AtomicU64::new(0), Instant::now());
        Self(Arc::new(Shared { limit, window, aside, counted, settled, born, tenants }))
    }

    /// A gauge for one more connection of `tenant`: what it holds counts against the tenant's share.
    pub fn gauge(&self, tenant: &TrustDomain) -> Gauge {
        let tenant = {
            let mut tenants = lock(&self.0.tenants);
            tenants.entry(tenant.clone()).or_insert_with(|| Tenant::new(tenant, &self.0)).clone()
        };
        let gauge = Gauge::of(tenant.clone());
        lock(&tenant.gauges).push(gauge.downgrade());
        gauge
    }

    /// Who holds how much now.
    pub fn used(&self) -> Vec<Use> {
        let tenants = lock(&self.0.tenants);
        tenants.values().map(|tenant| Use { tenant: tenant.name.clone(), bytes: tenant.used() }).collect()
    }

    /// Counts everything anew, and takes from those who use more than their share if all is used up. To be called often.
    pub fn settle(&self) {
        self.0.settle();
    }
}

impl Default for Budget {
    /// As many as there are.
    fn default() -> Self {
        Self::new(usize::MAX, 0)
    }
}

impl Shared {
    /// Whether all is to be counted now. Many wait at once when all is used up; they must not all count.
    fn is_due(&self) -> bool {
        let now = PAUSE + u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX / 2);
        let last = self.settled.load(Ordering::Relaxed);
        now >= last + PAUSE
            && self.settled.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn settle(&self) {
        let tenants: Vec<_> = lock(&self.tenants).values().cloned().collect();
        let mut used: Vec<_> = tenants.iter().map(|tenant| (tenant.used(), tenant)).collect();
        let all: usize = used.iter().map(|(bytes, _)| bytes).sum();
        self.counted.store(all.saturating_sub(self.aside.load(Ordering::Relaxed)), Ordering::Relaxed);
        let share = match all <= self.limit {
            true => usize::MAX,
            false => level(&mut used, self.limit),
        };
        for (bytes, tenant) in used {
            tenant.is_over.store(bytes > share, Ordering::Relaxed);
            if bytes > share {
                tenant.give_back(bytes - share);
            }
        }
    }
}

/// The share that nobody may exceed, so that all together stay within `limit`: who uses less leaves it to the others.
fn level(used: &mut [(usize, &Arc<Tenant>)], limit: usize) -> usize {
    used.sort_by_key(|(bytes, _)| *bytes);
    let mut left = limit;
    for (i, (bytes, _)) in used.iter().enumerate() {
        let share = left / (used.len() - i);
        if *bytes > share {
            return share;
        }
        left -= bytes;
    }
    left
}

impl Tenant {
    fn new(name: &TrustDomain, budget: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            name: name.clone(),
            budget: budget.clone(),
            is_over: AtomicBool::new(false),
            gauges: Mutex::default(),
            waits: Mutex::default(),
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn error(&self) -> Error {
        Error::OverShare { tenant: self.name.clone(), limit: self.budget.limit }
    }

    fn used(&self) -> usize {
        let mut held = 0;
        lock(&self.gauges).retain(|gauge| match gauge.upgrade() {
            Some(gauge) => {
                held += gauge.bytes();
                true
            }
            None => false,
        });
        held + lock(&self.waits).aside
    }

    /// Ends what was begun last, until `bytes` are free.
    fn give_back(&self, bytes: usize) {
        let mut waits = lock(&self.waits);
        let mut freed = 0;
        while freed < bytes {
            let Some((_, wait)) = waits.of.pop_last() else { break };
            freed += wait.bytes;
            waits.aside -= wait.bytes;
            self.budget.aside.fetch_sub(wait.bytes, Ordering::Relaxed);
            wait.waker.wake();
        }
    }
}

impl Aside {
    /// Sets aside what a stream of `tenant` may come to hold while it waits.
    pub(super) fn of(tenant: &Arc<Tenant>, cx: &Context<'_>) -> Result<Self, Error> {
        let budget = &tenant.budget;
        let (bytes, waker) = (budget.window, cx.waker().clone());
        let key = {
            let mut waits = lock(&tenant.waits);
            waits.next += 1;
            waits.aside += bytes;
            let key = waits.next;
            waits.of.insert(key, Wait { bytes, waker });
            key
        };
        let aside = Self { tenant: tenant.clone(), key };
        let all = budget.aside.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if all + budget.counted.load(Ordering::Relaxed) > budget.limit {
            if budget.is_due() {
                budget.settle();
            } else if tenant.is_over() {
                return Err(tenant.error());
            }
        }
        aside.check(cx).map(|()| aside)
    }

    /// Fails if it was taken back.
    pub(super) fn check(&self, cx: &Context<'_>) -> Result<(), Error> {
        match lock(&self.tenant.waits).of.get_mut(&self.key) {
            Some(wait) => {
                wait.waker.clone_from(cx.waker());
                Ok(())
            }
            None => Err(self.tenant.error()),
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let mut waits = lock(&self.tenant.waits);
        if let Some(wait) = waits.of.remove(&self.key) {
            waits.aside -= wait.bytes;
            self.tenant.budget.aside.fetch_sub(wait.bytes, Ordering::Relaxed);
        }
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
