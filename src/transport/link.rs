//! What the handles, the streams and the driver of one outbound connection know together.

use super::gauge::{Counted, Gauge};
use super::keepalive::Traffic;
use super::pacing::Pacing;
use super::{Error, Settings};
use h2::{Reason, SendStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A connection on which no stream has moved for so long, although one wants to, holds its streams up.
const STALL: Duration = Duration::from_millis(100);

/// What the handles, the streams and the driver of one connection know together.
#[derive(Debug)]
pub(super) struct Link {
    limit: usize,
    gauge: Gauge,
    in_flight: AtomicUsize,
    faults: AtomicUsize,
    heard: AtomicBool,
    served: AtomicBool,
    closed: CancellationToken,
    cause: OnceLock<Error>,
    pacing: Pacing,
    /// Streams that wait until the peer takes more.
    waiting: AtomicUsize,
    /// When one of them began to wait, or went on, the last time: milliseconds after `born`.
    moved: AtomicU64,
    born: Instant,
}

impl Link {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            limit: settings.max_concurrent_streams as usize,
            gauge: settings.buffered.clone(),
            in_flight: AtomicUsize::new(0),
            faults: AtomicUsize::new(0),
            heard: AtomicBool::new(false),
            served: AtomicBool::new(false),
            closed: CancellationToken::new(),
            cause: OnceLock::new(),
            pacing: Pacing::new(settings.max_early_resets),
            waiting: AtomicUsize::new(0),
            moved: AtomicU64::new(0),
            born: Instant::now(),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn gauge(&self) -> &Gauge {
        &self.gauge
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn faults(&self) -> usize {
        self.faults.load(Ordering::Relaxed)
    }

    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    pub(super) fn pacing(&self) -> &Pacing {
        &self.pacing
    }

    /// Whether streams wait until the peer takes more, and none has gone on for a while. The peer's window of the whole
    /// connection may be used up by one of them: another stream would wait too.
    pub(super) fn is_stalled(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
            && self.age() > self.moved.load(Ordering::Relaxed) + STALL.as_millis() as u64
    }

    fn age(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn is_over(&self) -> bool {
        self.closed.is_cancelled()
    }

    pub(super) async fn over(&self) -> Error {
        self.closed.cancelled().await;
        self.cause()
    }

    pub(super) fn traffic(&self) -> Traffic {
        if self.heard.swap(false, Ordering::Relaxed) {
            Traffic::Heard
        } else if self.in_flight() == 0 {
            Traffic::Idle
        } else {
            Traffic::Silent
        }
    }

    fn cause(&self) -> Error {
        self.cause.get().cloned().unwrap_or(Error::Closed("its task ended"))
    }

    /// Why a head could not be sent. It surely reached nobody.
    pub(super) fn unsent(&self, error: h2::Error) -> Error {
        match Error::from(error) {
            Error::Malformed(error) => Error::Malformed(error),
            Error::GoAway { reason, .. } => Error::GoAway { reason, remote: true },
            _ => Error::Unsent(Box::new(self.cause())),
        }
    }
}

/// One outbound stream, shared by its two directions.
#[derive(Debug)]
pub(super) struct Stream {
    send: Mutex<SendStream<Counted>>,
    id: u32,
    sent: AtomicBool,
    waiting: AtomicBool,
    reset: AtomicBool,
    lease: Lease,
}

impl Stream {
    pub(super) fn new(send: SendStream<Counted>, sent: bool, lease: Lease) -> Self {
        let id = send.stream_id().into();
        lease.0.pacing.opened(id);
        let (send, sent) = (Mutex::new(send), AtomicBool::new(sent));
        Self { send, id, sent, waiting: AtomicBool::new(false), reset: AtomicBool::new(false), lease }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.lease.0
    }

    /// Ends the stream at once. Everybody else asks [`pacing::reset`](super::pacing::reset).
    pub(super) fn reset(&self, reason: Reason) {
        self.moves();
        if !self.reset.swap(true, Ordering::Relaxed) {
            self.with(|send| send.send_reset(reason));
        }
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset.load(Ordering::Relaxed)
    }

    /// It waits until the peer takes more.
    pub(super) fn waits(&self) {
        if !self.waiting.swap(true, Ordering::Relaxed) {
            let link = &self.lease.0;
            if link.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
                link.moved.store(link.age(), Ordering::Relaxed);
            }
        }
    }

    /// It goes on.
    pub(super) fn moves(&self) {
        if self.waiting.load(Ordering::Relaxed) && self.waiting.swap(false, Ordering::Relaxed) {
            let link = &self.lease.0;
            link.waiting.fetch_sub(1, Ordering::Relaxed);
            link.moved.store(link.age(), Ordering::Relaxed);
        }
    }

    pub(super) fn gauge(&self) -> &Gauge {
        &self.lease.0.gauge
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut SendStream<Counted>) -> T) -> T {
        act(&mut self.send.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Our direction has ended well.
    pub(super) fn sent(&self) {
        self.sent.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    pub(super) fn heard(&self) {
        self.lease.0.heard.store(true, Ordering::Relaxed);
    }

    pub(super) fn served(&self) {
        self.lease.0.served.store(true, Ordering::Relaxed);
        self.lease.0.pacing.answered(self.id);
    }

    /// Translates h2's error, and knows better why the connection is gone.
    pub(super) fn failed(&self, error: h2::Error) -> Error {
        // It has ended: there is nothing left to reset.
        self.reset.store(true, Ordering::Relaxed);
        match Error::from(error) {
            Error::Reset { reason, remote: false } => {
                self.lease.0.faults.fetch_add(1, Ordering::Relaxed);
                Error::Reset { reason, remote: false }
            }
            Error::Io(io) => match self.lease.0.cause.get() {
                // A GOAWAY says of the streams above it that nobody looked at them. h2 fails those with it; this one it
                // does not speak of, and it may have run.
                None | Some(Error::GoAway { .. }) => Error::Io(io),
                Some(cause) => cause.clone(),
            },
            other => other,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.moves();
    }
}

/// A place among the open streams; it is free again when the stream's last handle falls.
#[derive(Debug)]
pub(super) struct Lease(Arc<Link>);

impl Lease {
    pub(super) fn take(link: &Arc<Link>, limit: usize) -> Result<Self, Error> {
        let more = |open: usize| (open < limit).then_some(open + 1);
        match link.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(Self(link.clone())),
            Err(_) => Err(Error::AtCapacity { limit }),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells the handles that the connection is over, however its driver ends.
#[derive(Debug)]
pub(super) struct Ended(Arc<Link>);

impl Ended {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self(link)
    }

    pub(super) fn link(&self) -> &Link {
        &self.0
    }

    /// Notes why, unless that is known already.
    pub(super) fn because(&self, cause: Error) -> Error {
        self.0.cause.get_or_init(|| cause).clone()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.closed.cancel();
    }
}
