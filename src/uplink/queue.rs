//! Where calls of one tenant wait for a stream to one endpoint: the first of them looks for room, the others wait for it.

use super::peers::lock;
use crate::model::{Address, Identity, TrustDomain};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use tokio::sync::{Semaphore, SemaphorePermit};

/// From so many rows on those where nobody waits are taken out.
const ROOM: usize = 256;

/// The lines of one worker. Apart for each tenant: whose connections are full holds up nobody else.
#[derive(Debug, Default)]
pub(super) struct Lines(Mutex<HashMap<Which, Weak<Line>>>);

/// To whom, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Which {
    pub(super) address: Address,
    pub(super) identity: Identity,
    pub(super) tenant: TrustDomain,
}

#[derive(Debug)]
struct Line {
    /// Taken in the order of arrival.
    head: Semaphore,
    waiting: AtomicUsize,
}

/// A place in a line; the next moves up when it falls.
#[derive(Debug)]
pub(super) struct InLine(Arc<Line>);

impl Lines {
    /// The last place of a line; `None` if `most` wait there already.
    pub(super) fn join(&self, which: Which, most: usize) -> Option<InLine> {
        let mut lines = lock(&self.0);
        if lines.len() >= ROOM {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let line = lines.get(&which).and_then(Weak::upgrade).unwrap_or_else(|| {
            let line = Arc::new(Line { head: Semaphore::new(1), waiting: AtomicUsize::new(0) });
            lines.insert(which, Arc::downgrade(&line));
            line
        });
        let more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        line.waiting.fetch_update(Relaxed, Relaxed, more).ok().map(|_| InLine(line))
    }
}

impl InLine {
    /// Waits until it is the first; it is while it holds what is returned.
    pub(super) async fn first(&self) -> Option<SemaphorePermit<'_>> {
        // Nobody closes it.
        self.0.head.acquire().await.ok()
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn which(tenant: &str) -> Which {
        Which {
            address: Address::parse("h:1").unwrap(),
            identity: Identity::parse_spiffe("spiffe://a.example/x").unwrap(),
            tenant: TrustDomain::parse(tenant).unwrap(),
        }
    }

    #[tokio::test]
    async fn one_is_the_first_and_tenants_do_not_wait_for_each_other() {
        let lines = Lines::default();
        let (a, b) = (lines.join(which("a"), 2).unwrap(), lines.join(which("a"), 2).unwrap());
        assert!(lines.join(which("a"), 2).is_none(), "the line is full");
        let first = a.first().await;
        assert!(futures::poll!(std::pin::pin!(b.first())).is_pending());
        let other = lines.join(which("b"), 2).unwrap();
        assert!(other.first().await.is_some(), "another tenant's line is its own");
        drop(first);
        drop(a);
        assert!(b.first().await.is_some());
        assert!(lines.join(which("a"), 2).is_some());
    }
}
