//! Who called what in the last 30 days: for each version and consumer how often, how many failed, when first and last.
//!
//! Owns: the counters on the data path, the book of days, its place in the store.
//! Never: who may read it; more consumers than it has room for (the rest is counted together); exactness across a
//! `kill -9`, which may cost the last half minute.
//! Flow: [`Recorder`] counts in the shard of its thread → once a second folded into the [`Book`] → every 30 s, and at
//! the end, written to the store. A [`Reader`] folds before it reads: what was counted is seen.

mod book;
mod days;
mod keeper;
mod pending;
mod reader;
mod record;
mod recorder;

pub use book::{Book, Limits};
pub use days::{Days, Tally, WINDOW};
pub use keeper::{Keeper, Keeping};
pub use reader::{Consumption, Reader, Used};
pub use recorder::{Call, Recorder};

use crate::store::Record;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Gives the wall clock's time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the write side, the read side and the keeper share.
struct Shared {
    pending: pending::Shards,
    book: Mutex<Book>,
    clock: Clock,
}

/// Opens the book with what was stored of it. What cannot be read is left in the store as it is, and not counted.
pub fn open(records: Vec<Record>, clock: Clock) -> (Recorder, Reader, Keeper) {
    let mut book = Book::new(Limits::default());
    for record in records {
        match record::read(&record) {
            Some((key, days)) => book.restore(key, days),
            None => {
                let key = String::from_utf8_lossy(&record.key).into_owned();
                tracing::warn!(key, "a stored count of calls cannot be read; it is kept, not counted");
            }
        }
    }
    let shared = Arc::new(Shared { pending: pending::Shards::default(), book: Mutex::new(book), clock });
    let reader = Reader { shared: shared.clone() };
    (Recorder { shared: shared.clone() }, reader, Keeper { shared })
}

impl Shared {
    /// The book with all that was counted until now, and without what is too old.
    fn folded(&self) -> MutexGuard<'_, Book> {
        let mut book = lock(&self.book);
        self.pending.drain_into(&mut book);
        book.forget(days::day((self.clock)()));
        book
    }
}

/// A panic elsewhere leaves counters that are at worst one call behind.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
