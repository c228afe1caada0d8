//! Long answers: few at once and one of each caller, away from the threads that carry calls.

use super::fault::{Blame, Fault};
use crate::model::Identity;
use dashmap::DashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Nobody waits longer for a turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who makes such an answer now. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct Turns {
    slots: Arc<Semaphore>,
    of_caller: Arc<DashMap<Identity, Arc<Semaphore>>>,
}

/// The right to make one answer, until it falls.
#[derive(Debug)]
struct Turn {
    _slot: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _line: Line,
}

/// A caller that makes an answer, or waits to.
#[derive(Debug)]
struct Line {
    turns: Turns,
    caller: Identity,
}

impl Turns {
    /// `at_once` answers may be made at the same time.
    pub(super) fn new(at_once: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(at_once)), of_caller: Arc::default() }
    }

    /// Makes an answer when it is the caller's turn; a caller that gives up does not end what has begun.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        caller: &Identity,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = self.take(caller).await?;
        let made = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        made.await.map_err(|_| Fault::internal("ANSWER_FAILED", "the answer could not be made"))?
    }

    async fn take(&self, caller: &Identity) -> Result<Turn, Fault> {
        let line = Line { turns: self.clone(), caller: caller.clone() };
        let own = self.of_caller.entry(caller.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone();
        let both = async {
            let own = own.acquire_owned().await?;
            Ok::<_, tokio::sync::AcquireError>((own, self.slots.clone().acquire_owned().await?))
        };
        let busy = || {
            let message = "too many such answers are being made; ask again later, one at a time";
            Fault::too_much("TOO_MANY_AT_ONCE", message).blame(Blame::Broker).retry(true)
        };
        let (own, slot) = timeout(PATIENCE, both).await.map_err(|_| busy())?.map_err(|_| busy())?;
        Ok(Turn { _slot: slot, _own: own, _line: line })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The permit of a turn falls before its line: who is left over holds or waits.
        self.turns.of_caller.remove_if(&self.caller, |_, own| Arc::strong_count(own) == 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_caller_has_one_turn_and_leaves_the_others_to_others() {
        let turns = Turns::new(2);
        let [a, b, c] = ["a", "b", "c"]
            .map(|name| Identity::parse_spiffe(&format!("spiffe://{name}.example/x")).unwrap());
        let first = turns.take(&a).await.unwrap();
        let refused = turns.take(&a).await.unwrap_err();
        assert_eq!(refused.reason(), "TOO_MANY_AT_ONCE");
        let other = turns.take(&b).await.unwrap();
        assert!(turns.take(&c).await.is_err(), "two at once");
        let (second, ()) = tokio::join!(turns.take(&a), async { drop(first) });
        drop((second.unwrap(), other));
        assert!(turns.of_caller.is_empty());
        assert_eq!(turns.run(&c, || Ok(7)).await.ok(), Some(7));
        assert!(turns.of_caller.is_empty());
    }
}
