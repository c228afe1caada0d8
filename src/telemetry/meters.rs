//! Counts calls by version, method and status, in the shard of each thread, within a bound.
//!
//! A series is found by the version that was routed to, once for each thread; from then on counting is a few additions
//! under a lock that nobody else wants. Methods that the descriptors of a version do not know are counted together, and so
//! is whatever comes when all series are taken: what strangers write never makes a series.

mod gather;
mod mix;
mod series;
mod table;

#[cfg(test)]
mod tests;

use super::family::Family;
use super::shards::{Shards, lock};
use crate::model::{Version, VersionName};
use mix::Mix;
use series::Series;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use table::{Route, Table};

/// The methods of a service of a version, as its descriptors declare them; none if nobody knows them.
pub type Known = Arc<dyn Fn(&VersionName, &str) -> Vec<String> + Send + Sync>;

/// Counts calls. Clones count together.
#[derive(Clone)]
pub struct Meters {
    shared: Arc<Shared>,
}

struct Shared {
    shards: Shards<Shard>,
    table: Mutex<Table>,
    known: Known,
    /// Rises when series were forgotten: what threads remember of them is void.
    generation: AtomicU64,
}

/// What one thread has counted.
#[derive(Debug, Default)]
struct Shard {
    generation: u64,
    routes: Routes,
    /// Those that were found before these; what is found again moves up, what is not falls out.
    older: Routes,
    own: HashMap<(&'static str, &'static str), u32>,
    series: HashMap<u32, Box<Series>, BuildHasherDefault<Mix>>,
    refused: HashMap<&'static str, u64>,
}

/// By where the version is.
type Routes = HashMap<usize, Vec<Found>, BuildHasherDefault<Mix>>;

/// A route that a thread has found before.
#[derive(Debug)]
struct Found {
    /// Kept, so that no other version can be where this one is.
    _version: Arc<Version>,
    route: Arc<Route>,
}

/// A call that was counted as begun, and in which series it will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    id: u32,
    is_known: bool,
}

/// How a call ended, as its consumer saw it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The gRPC status.
    pub status: u8,
    /// From its head to its end.
    pub duration: Duration,
    /// Bytes of message frames from the consumer, prefixes included.
    pub received: u64,
    /// Bytes of message frames to the consumer, prefixes included.
    pub sent: u64,
    /// Messages from the consumer.
    pub messages_received: u64,
    /// Messages to the consumer.
    pub messages_sent: u64,
}

/// How one attempt at a producer ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempt {
    /// The gRPC status.
    pub status: u8,
    /// From when it was sent to its end.
    pub duration: Duration,
    /// Bytes of message frames to the producer, prefixes included.
    pub sent: u64,
    /// Bytes of message frames from the producer, prefixes included.
    pub received: u64,
}

/// How often a call was sent again (gRFC A96).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeats {
    /// Because the policy of its method says so.
    pub retries: u32,
    /// Because nothing had reached the application.
    pub transparent: u32,
    /// Beside an attempt that had not answered yet.
    pub hedges: u32,
}

impl Open {
    /// Whether the descriptors of its version know the method.
    pub fn is_known(self) -> bool {
        self.is_known
    }
}

impl Meters {
    /// Counts at most `limit` methods apart.
    pub fn new(limit: usize, known: Known) -> Self {
        let (shards, generation) = (Shards::default(), AtomicU64::new(0));
        let table = Mutex::new(Table::new(limit));
        Self { shared: Arc::new(Shared { shards, table, known, generation }) }
    }

    /// A call to a method of a version has begun.
    pub fn open(&self, version: &Arc<Version>, service: &str, method: &str) -> Open {
        let shared = &*self.shared;
        let mut shard = shared.shard();
        let open = match shard.find(version, service) {
            Some(route) => shared.place(route, method),
            None => {
                let route = shared.route(version, service);
                let open = shared.place(&route, method);
                shard.remember(version.clone(), route);
                open
            }
        };
        shard.series(open.id).begun += 1;
        open
    }

    /// A call to one of our own services has begun; both names are of this build.
    pub fn open_own(&self, service: &'static str, method: &'static str) -> Open {
        let mut shard = self.shared.shard();
        let id = match shard.own.get(&(service, method)) {
            Some(id) => *id,
            None => {
                let id = lock(&self.shared.table).own(service, method);
                shard.own.insert((service, method), id);
                id
            }
        };
        shard.series(id).begun += 1;
        Open { id, is_known: true }
    }

    /// A call that goes nowhere: nobody offers it, or not to its caller, or it is no call.
    pub fn open_unrouted(&self) -> Open {
        self.shared.shard().series(table::UNROUTED).begun += 1;
        Open { id: table::UNROUTED, is_known: false }
    }

    /// A call has ended.
    pub fn close(
        &self,
        open: Open,
        outcome: &Outcome,
        attempts: impl IntoIterator<Item = Attempt>,
        repeats: Repeats,
    ) {
        self.shared.shard().series(open.id).end(outcome, attempts, repeats);
    }

    /// The broker itself refused a call, and why: a word of this build, never one of a stranger.
    pub fn refuse(&self, reason: &'static str) {
        *self.shared.shard().refused.entry(reason).or_default() += 1;
    }

    /// All that was counted.
    pub fn gather(&self) -> Vec<Family> {
        gather::gather(&self.shared)
    }

    /// Forgets the series of versions that are not to be kept, once no call of theirs was counted since last asked: to
    /// be called every few minutes.
    pub fn sweep(&self, is_kept: impl Fn(&VersionName) -> bool) {
        let totals = gather::totals(&self.shared);
        let begun = |id: u32| totals.get(&id).map_or(0, |series| series.begun);
        let left = lock(&self.shared.table).sweep(is_kept, begun);
        if left.is_less {
            self.shared.generation.fetch_add(1, Ordering::Relaxed);
        }
        for mut shard in self.shared.shards.each() {
            shard.series.retain(|id, _| left.has(*id));
        }
    }

    /// How many methods are told apart now, and how many may be.
    pub fn fill(&self) -> (usize, usize) {
        lock(&self.shared.table).fill()
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").field("fill", &self.fill()).finish()
    }
}

impl Shared {
    fn shard(&self) -> std::sync::MutexGuard<'_, Shard> {
        let mut shard = self.shards.mine();
        let generation = self.generation.load(Ordering::Relaxed);
        if shard.generation != generation {
            shard.routes.clear();
            shard.older.clear();
            shard.own.clear();
            shard.generation = generation;
        }
        shard
    }

    fn route(&self, version: &Version, service: &str) -> Arc<Route> {
        {
            let table = lock(&self.table);
            match table.route(&version.name, service) {
                Some(route) if !route.is_empty() => return route,
                None if table.is_full() => return table.lump(&version.name, service),
                _ => {}
            }
        }
        // Reading descriptors takes a while; other threads must not wait for it.
        let methods = (self.known)(&version.name, service);
        lock(&self.table).add_route(&version.name, service, methods)
    }

    fn place(&self, route: &Route, method: &str) -> Open {
        let (place, is_known) = route.place(method);
        let id = match place.load(Ordering::Relaxed) {
            table::NONE => lock(&self.table).allocate(route, method),
            id => id,
        };
        Open { id, is_known }
    }
}

impl Shard {
    /// One thread remembers the versions that were called last: at least so many, and at most twice as many.
    const MOST: usize = 16_384;

    fn find(&mut self, version: &Arc<Version>, service: &str) -> Option<&Arc<Route>> {
        let place = place(version);
        if !self.routes.contains_key(&place) {
            let found = self.older.remove(&place)?;
            self.make_room();
            self.routes.insert(place, found);
        }
        self.routes.get(&place)?.iter().map(|found| &found.route).find(|route| route.service() == service)
    }

    fn remember(&mut self, version: Arc<Version>, route: Arc<Route>) {
        self.make_room();
        self.routes.entry(place(&version)).or_default().push(Found { _version: version, route });
    }

    fn make_room(&mut self) {
        if self.routes.len() >= Self::MOST {
            self.older = std::mem::take(&mut self.routes);
        }
    }

    fn series(&mut self, id: u32) -> &mut Series {
        self.series.entry(id).or_default()
    }
}

fn place(version: &Arc<Version>) -> usize {
    Arc::as_ptr(version).addr()
}
