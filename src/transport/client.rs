//! The outbound leg: a connection that we opened, and the requests on it.

use super::batch::Batch;
use super::gauge::Counted;
use super::keepalive::Keepalive;
use super::link::{Ended, Lease, Link, Stream};
use super::{Error, Recv, Send, Settings, pacing};
use h2::Reason;
use h2::client::{ResponseFuture, SendRequest};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

/// A connection that we opened. Clones are the same connection; it closes when the last of them and the last stream
/// are gone.
#[derive(Clone)]
pub struct Connection {
    requests: SendRequest<Counted>,
    link: Arc<Link>,
}

/// Moves the bytes of one connection: to be [run](Self::run) in a task of its own.
pub struct Driver<IO> {
    h2: h2::client::Connection<Batch<IO>, Counted>,
    io: Batch<IO>,
    keepalive: Keepalive,
    ended: Ended,
}

/// How a connection ended.
#[derive(Debug)]
pub struct Over {
    /// Why.
    pub cause: Error,
    /// Whether the peer had answered anything on it.
    pub served: bool,
}

/// The answer that is awaited. Dropped before it has come, it cancels the stream.
#[derive(Debug)]
pub struct Response {
    /// Taken when it falls.
    h2: Option<ResponseFuture>,
    stream: Option<Arc<Stream>>,
}

/// Opens a connection on `io`, and waits for the peer's SETTINGS: only then is it up. (In TLS 1.3 a peer refuses our
/// certificate after `connect` has succeeded; it shows here.)
pub async fn connect<IO>(io: IO, settings: &Settings) -> Result<(Connection, Driver<IO>), Error>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let greeting = async {
        let io = Batch::new(io);
        let (requests, mut h2) = io.drive(builder(settings).handshake(io.clone())).await?;
        let link = Arc::new(Link::new(settings));
        let keepalive = Keepalive::new(h2.ping_pong(), settings);
        let mut driver = Driver { h2, io, keepalive, ended: Ended::new(link.clone()) };
        let up = poll_fn(|cx| match driver.poll(cx) {
            _ if driver.h2.max_concurrent_send_streams() != UNKNOWN => Poll::Ready(Ok(())),
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        });
        up.await?;
        Ok((Connection { requests, link }, driver))
    };
    timeout(settings.handshake_timeout, greeting)
        .await
        .map_err(|_| Error::Silent { what: "HTTP/2 SETTINGS", after: settings.handshake_timeout })?
}

impl Connection {
    /// Sends a head; with `end` it is the whole request. The URI needs a scheme and an authority.
    ///
    /// Fails at once, and never queues, if the connection is full or on its way out.
    pub fn send(&self, head: http::Request<()>, end: bool) -> Result<(Response, Send), Error> {
        self.clone().send_once(head, end)
    }

    /// [`send`](Self::send), by a handle that is for this one request.
    pub fn send_once(mut self, head: http::Request<()>, end: bool) -> Result<(Response, Send), Error> {
        let lease = Lease::take(&self.link, self.limit())?;
        let (h2, send) = self.requests.send_request(head, end).map_err(|e| self.link.unsent(e))?;
        let stream = Arc::new(Stream::new(send, end, lease));
        let send = Send::outbound(stream.clone(), self.link.gauge().clone(), end);
        Ok((Response { h2: Some(h2), stream: Some(stream) }, send))
    }

    /// Streams that are open now.
    pub fn in_flight(&self) -> usize {
        self.link.in_flight()
    }

    /// How many streams may be open at once: the lower of the peer's limit and ours.
    pub fn limit(&self) -> usize {
        self.requests.current_max_send_streams().min(self.link.limit())
    }

    /// Whether new requests may be sent on it: neither side has said goodbye.
    pub fn is_open(&self) -> bool {
        self.clone().room().is_some()
    }

    /// How many streams more may be opened on it, and how many may be open at once; `None` if one side has said goodbye.
    pub fn room(&mut self) -> Option<(usize, usize)> {
        let is_open = |ready| matches!(ready, Poll::Ready(Ok(())));
        if self.link.is_over() || !is_open(self.requests.poll_ready(&mut Context::from_waker(Waker::noop())))
        {
            return None;
        }
        let limit = self.limit();
        Some((limit.saturating_sub(self.in_flight()), limit))
    }

    /// Whether it is open and carries less than it may.
    pub fn has_room(&self) -> bool {
        self.in_flight() < self.limit() && self.is_open()
    }

    /// Streams whose frames the peer got wrong, so far; h2 gives the whole connection up at
    /// `max_local_error_resets`, so that it should be retired before.
    pub fn faults(&self) -> usize {
        self.link.faults()
    }

    /// Whether it is to be replaced, because the peer may soon take the resets on it for an attack.
    pub fn is_worn(&self) -> bool {
        self.link.pacing().is_worn()
    }

    /// Whether streams on it wait until the peer takes more, and none has gone on for a while: a new one might wait too.
    pub fn is_stalled(&self) -> bool {
        self.link.is_stalled()
    }

    /// Waits until the connection is over and says why.
    pub async fn closed(&self) -> Error {
        self.link.over().await
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Driver<IO> {
    /// Moves bytes until the connection is over and says why. Dropping it cuts the connection.
    pub async fn run(self) -> Error {
        self.run_until(std::future::pending()).await.cause
    }

    /// [`run`](Self::run), cut for the reason that `cut` gives.
    pub async fn run_until(mut self, cut: impl Future<Output = &'static str>) -> Over {
        let cause = tokio::select! {
            biased;
            cause = poll_fn(|cx| self.poll(cx)) => cause,
            why = cut => Error::Closed(why),
        };
        Over { cause: self.ended.because(cause), served: self.ended.link().has_served() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if let Poll::Ready(silent) = self.keepalive.poll(cx, || self.ended.link().traffic()) {
            return Poll::Ready(silent);
        }
        let Self { h2, io, .. } = self;
        io.poll(cx, |cx| Pin::new(h2).poll(cx)).map(|over| match over {
            Ok(()) => Error::Closed("it was no longer used, or the peer closed it"),
            Err(error) => error.into(),
        })
    }
}

impl Future for Response {
    type Output = Result<http::Response<Recv>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let taken = || Poll::Ready(Err(Error::Closed("the answer was taken already")));
        let Some(h2) = &mut self.h2 else { return taken() };
        let answer = ready!(Pin::new(h2).poll(cx));
        let Some(stream) = self.stream.take() else { return taken() };
        stream.heard();
        Poll::Ready(match answer {
            Ok(answer) => {
                stream.served();
                let gauge = stream.gauge().clone();
                Ok(answer.map(|body| Recv::outbound(body, gauge, stream)))
            }
            Err(error) => Err(stream.failed(error)),
        })
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            pacing::reset(&stream, self.h2.take(), Reason::CANCEL);
        }
    }
}

/// Before the peer's SETTINGS h2 may send as many streams: none. A peer that allows none is not up either.
const UNKNOWN: usize = 0;

fn builder(settings: &Settings) -> h2::client::Builder {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_max_send_streams(UNKNOWN)
        .initial_window_size(settings.stream_window)
        .initial_connection_window_size(settings.connection_window())
        .max_frame_size(settings.max_frame_size)
        .max_header_list_size(settings.max_header_list_size)
        .max_concurrent_reset_streams(settings.max_remembered_resets)
        .max_local_error_reset_streams(Some(settings.max_local_error_resets))
        .max_send_buffer_size(settings.send_buffer);
    builder
}
