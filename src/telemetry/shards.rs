//! One part for each thread, so that calls of two threads never wait for each other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More threads than this share parts.
const SHARDS: usize = 64;

/// All parts.
#[derive(Debug)]
pub(super) struct Shards<T>(Box<[Part<T>]>);

/// Two parts never share a cache line, nor a pair that is fetched together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part<T>(Mutex<T>);

impl<T> Shards<T> {
    /// The part of this thread.
    pub(super) fn mine(&self) -> MutexGuard<'_, T> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
        }
        lock(&self.0[MINE.with(|mine| *mine)].0)
    }

    /// Every part, locked one after the other.
    pub(super) fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(|part| lock(&part.0))
    }

    /// Every part, each locked anew whenever it is asked for.
    pub(super) fn all(&self) -> impl Iterator<Item = &Mutex<T>> {
        self.0.iter().map(|part| &part.0)
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| Part::default()).collect())
    }
}

/// A panic elsewhere leaves what is counted at worst one call behind.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
