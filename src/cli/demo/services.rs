//! What the demo's producers serve: small, in memory, and really working.
//!
//! They stand for services of other organisations, so each speaks gRPC's own words and knows nothing of a broker.

pub(super) mod embedding;
pub(super) mod key_value;
pub(super) mod ledger;
pub(super) mod old_ledger;
pub(super) mod search;

use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tonic::Status;

/// What a streaming method answers with.
type Answers<T> = Pin<Box<dyn futures::Stream<Item = Result<T, Status>> + Send>>;

/// Locks, also after a panic elsewhere: every change below is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
