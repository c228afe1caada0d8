//! Resets are paced: one consumer's cancellations must not end the connection that others use too.
//!
//! A server keeps count of streams that were reset before it looked at them, and ends the whole connection when there
//! are too many (CVE-2023-44487; h2 allows 20). Fifty callers who change their mind at once are enough. So only a few
//! resets are under way that the peer may not be ready for; the others wait until it answers something that was sent
//! later, which shows that it has come so far, or for a short while.

use super::link::{Link, Stream};
use crate::lifecycle;
use h2::Reason;
use h2::client::ResponseFuture;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// After so long without a sign of life, as many again.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often those that wait are looked at.
const LOOK: Duration = Duration::from_millis(10);
/// So many resets within [`WINDOW`] wear a connection out: Netty, and grpc-java on it, end it at 200 in 30 seconds.
const WEAR: u32 = 128;
/// The time that wear is counted in.
const WINDOW: Duration = Duration::from_secs(30);

/// The resets of one connection that we opened.
#[derive(Debug)]
pub(super) struct Pacing {
    /// Resets that may be under way before their streams are accepted.
    at_once: usize,
    /// The youngest stream that was answered. Servers accept streams in their order: all before it were looked at.
    answered: AtomicU32,
    /// The youngest stream that was opened.
    opened: AtomicU32,
    worn: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Resets that the peer may not have been ready for.
    spent: usize,
    /// When the first of them was sent.
    since: Option<Instant>,
    /// The youngest stream that was opened before the last of them.
    marker: u32,
    /// Each holds its place among the open streams, so there are no more than those.
    waiting: VecDeque<Waiting>,
    is_watched: bool,
    /// Resets in the current window, and when it began.
    worn: u32,
    window: Option<Instant>,
}

/// A stream that nobody wants any more, and whose reset would come too early.
#[derive(Debug)]
struct Waiting {
    stream: Arc<Stream>,
    response: Option<ResponseFuture>,
    reason: Reason,
}

impl Pacing {
    pub(super) fn new(at_once: usize) -> Self {
        let (answered, opened) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { at_once, answered, opened, worn: AtomicBool::new(false), state: Mutex::default() }
    }

    /// A stream was opened.
    pub(super) fn opened(&self, id: u32) {
        self.opened.fetch_max(id, Ordering::Relaxed);
    }

    /// The head of its answer came.
    pub(super) fn answered(&self, id: u32) {
        self.answered.fetch_max(id, Ordering::Relaxed);
    }

    /// Whether so many streams were reset of late that the peer may soon take it for an attack.
    pub(super) fn is_worn(&self) -> bool {
        self.worn.load(Ordering::Relaxed)
    }

    fn is_accepted(&self, id: u32) -> bool {
        id <= self.answered.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Resets a stream, now or as soon as the peer can bear it. `response` is the answer that nobody waits for any more.
pub(super) fn reset(stream: &Arc<Stream>, response: Option<ResponseFuture>, reason: Reason) {
    if stream.is_reset() {
        return;
    }
    let (link, now) = (stream.link(), Instant::now());
    let mut state = link.pacing().state();
    if state.may(link.pacing(), stream.id(), now) {
        drop(state);
        return stream.reset(reason);
    }
    if Handle::try_current().is_err() {
        // At the end of a runtime all connections end.
        drop(state);
        return stream.reset(reason);
    }
    state.waiting.push_back(Waiting { stream: stream.clone(), response, reason });
    if !std::mem::replace(&mut state.is_watched, true) {
        let link = link.clone();
        drop(state);
        lifecycle::spawn("paced resets", watch(link));
    }
}

/// Sends what waits, until nothing does.
async fn watch(link: Arc<Link>) {
    loop {
        sleep(LOOK).await;
        let ready = link.pacing().state().ready(link.pacing(), link.is_over());
        let Some(ready) = ready else { return };
        // Outside of the lock: a stream that falls asks for its own reset.
        for waiting in ready {
            waiting.stream.reset(waiting.reason);
        }
    }
}

impl State {
    /// Whether this stream may be reset now; if so, it is counted.
    fn may(&mut self, pacing: &Pacing, id: u32, now: Instant) -> bool {
        if !pacing.is_accepted(id) {
            let caught_up = pacing.answered.load(Ordering::Relaxed) > self.marker;
            if caught_up || self.since.is_some_and(|since| now - since >= PATIENCE) {
                (self.spent, self.since) = (0, None);
            }
            if self.spent >= pacing.at_once {
                return false;
            }
            self.spent += 1;
            self.since.get_or_insert(now);
            self.marker = pacing.opened.load(Ordering::Relaxed);
        }
        if self.window.is_none_or(|began| now - began >= WINDOW) {
            (self.window, self.worn) = (Some(now), 0);
        }
        self.worn += 1;
        if self.worn >= WEAR {
            pacing.worn.store(true, Ordering::Relaxed);
        }
        true
    }

    /// Those that may be reset now; `None` when nothing waits, and nobody looks any more.
    fn ready(&mut self, pacing: &Pacing, is_over: bool) -> Option<Vec<Waiting>> {
        if self.waiting.is_empty() {
            self.is_watched = false;
            return None;
        }
        let now = Instant::now();
        let (mut ready, mut left) = (Vec::new(), VecDeque::new());
        for mut waiting in std::mem::take(&mut self.waiting) {
            let id = waiting.stream.id();
            if waiting.has_answer() {
                pacing.answered(id);
            }
            match waiting.stream.is_reset() || is_over || self.may(pacing, id, now) {
                true => ready.push(waiting),
                false => left.push_back(waiting),
            }
        }
        self.waiting = left;
        Some(ready)
    }
}

impl Waiting {
    fn has_answer(&mut self) -> bool {
        let Some(response) = &mut self.response else { return false };
        let answer = Pin::new(response).poll(&mut Context::from_waker(Waker::noop()));
        match answer {
            Poll::Pending => false,
            Poll::Ready(answer) => {
                self.response = None;
                answer.is_ok()
            }
        }
    }
}
