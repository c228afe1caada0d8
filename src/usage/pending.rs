//! What was counted since the last fold: one shard for each thread, so that calls of two threads never wait for each other.

use super::book::Book;
use super::days::Days;
use super::lock;
use crate::model::{Identity, VersionName};
use foldhash::fast::RandomState;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than this share shards.
const SHARDS: usize = 64;
/// Pairs that one shard tells apart from one fold to the next; a fold comes every second.
const MOST: usize = 8_192;

/// All shards.
pub(super) struct Shards([Mutex<Pending>; SHARDS]);

#[derive(Debug, Default)]
struct Pending {
    versions: HashMap<VersionName, Counts, RandomState>,
    pairs: usize,
    beyond: Days,
}

#[derive(Debug, Default)]
struct Counts {
    consumers: HashMap<Identity, Days, RandomState>,
    other: Days,
}

impl Shards {
    /// Counts one call.
    pub(super) fn count(&self, version: &VersionName, consumer: &Identity, time: Timestamp, is_ok: bool) {
        lock(self.mine()).count(version, consumer, time, is_ok);
    }

    /// Moves everything into the book.
    pub(super) fn drain_into(&self, book: &mut Book) {
        for shard in &self.0 {
            let pending = std::mem::take(&mut *lock(shard));
            for (version, counts) in pending.versions {
                for (consumer, days) in counts.consumers {
                    book.add(&version, &consumer, &days);
                }
                if !counts.other.is_empty() {
                    book.add_other(&version, &counts.other);
                }
            }
            book.add_beyond(&pending.beyond);
        }
    }

    fn mine(&self) -> &Mutex<Pending> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        &self.0[MINE.with(|mine| *mine)]
    }
}

impl Default for Shards {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Pending {
    fn count(&mut self, version: &VersionName, consumer: &Identity, time: Timestamp, is_ok: bool) {
        let is_full = self.pairs >= MOST;
        let counts = match self.versions.get_mut(version) {
            Some(counts) => counts,
            None if is_full => return self.beyond.count(time, is_ok),
            None => self.versions.entry(version.clone()).or_default(),
        };
        let days = match counts.consumers.get_mut(consumer) {
            Some(days) => days,
            None if is_full => &mut counts.other,
            None => {
                self.pairs += 1;
                counts.consumers.entry(consumer.clone()).or_default()
            }
        };
        days.count(time, is_ok);
    }
}
