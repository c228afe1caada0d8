//! The inbound leg: a connection that somebody else opened, and the requests on it.

use super::batch::Batch;
use super::gauge::{Counted, Gauge};
use super::keepalive::{Keepalive, Traffic};
use super::stream::reset;
use super::{Error, Recv, Send, Settings};
use h2::Reason;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep, sleep, timeout};

/// A connection that somebody else opened. It moves only while [`accept`](Self::accept) is awaited.
#[derive(Debug)]
pub struct Connection<IO> {
    h2: h2::server::Connection<Batch<IO>, Counted>,
    io: Batch<IO>,
    /// Requests of the last poll that nobody has asked for yet; at most as many as streams may be open.
    arrived: VecDeque<Exchange>,
    /// How the connection ended, while something that arrived before has not been asked for.
    ended: Option<Option<h2::Error>>,
    keepalive: Keepalive,
    idle: Idle,
    gauge: Gauge,
    leaving: bool,
    over: bool,
}

/// A request and the way to answer it.
#[derive(Debug)]
pub struct Exchange {
    /// The head, and its body to be read.
    pub request: http::Request<Recv>,
    /// Where the answer goes.
    pub respond: Respond,
}

/// The way to answer one request. Dropped without an answer, it resets the stream with INTERNAL_ERROR.
#[derive(Debug)]
pub struct Respond {
    h2: h2::server::SendResponse<Counted>,
    gauge: Gauge,
    done: bool,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    /// Greets the client, and waits for its preface at most `settings.handshake_timeout`.
    pub async fn handshake(io: IO, settings: &Settings) -> Result<Self, Error> {
        let io = Batch::new(io);
        let greeting = io.drive(builder(settings).handshake(io.clone()));
        let mut h2 = timeout(settings.handshake_timeout, greeting)
            .await
            .map_err(|_| Error::Silent { what: "HTTP/2 preface", after: settings.handshake_timeout })??;
        let keepalive = Keepalive::new(h2.ping_pong(), settings);
        let idle = Idle::new(settings.idle_timeout);
        Ok(Self {
            h2,
            io,
            arrived: VecDeque::new(),
            ended: None,
            keepalive,
            idle,
            gauge: settings.buffered.clone(),
            leaving: false,
            over: false,
        })
    }

    /// The next request; `None` when the connection is over. An error is the last thing that it says.
    ///
    /// All streams of the connection move only while this is awaited, also after a
    /// [shutdown](Self::graceful_shutdown). Dropping the future loses nothing: it suits `select!`.
    pub async fn accept(&mut self) -> Option<Result<Exchange, Error>> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Gives each request away as soon as it is there, until the connection is over. What it says last, if that is an
    /// error.
    ///
    /// As [`accept`](Self::accept) again and again, but the connection is polled once each time that it wakes.
    pub async fn serve(&mut self, mut take: impl FnMut(Exchange)) -> Option<Error> {
        poll_fn(|cx| {
            loop {
                match self.poll_accept(cx) {
                    Poll::Ready(Some(Ok(exchange))) => take(exchange),
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error)),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
                self.arrived.drain(..).for_each(&mut take);
                // It was polled until it had nothing more, and wakes us when it has.
                if self.ended.is_none() && !self.over {
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    /// Says goodbye (GOAWAY): what is open finishes, new streams go elsewhere, then `accept` returns `None`.
    pub fn graceful_shutdown(&mut self) {
        self.leaving = true;
        self.h2.graceful_shutdown();
    }

    /// Ends everything at once, with a GOAWAY that says why. `accept` must still be awaited, for it to be sent.
    pub fn abrupt_shutdown(&mut self, reason: Reason) {
        self.leaving = true;
        self.h2.abrupt_shutdown(reason);
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Exchange, Error>>> {
        if self.over {
            return Poll::Ready(None);
        }
        if let Poll::Ready(error) = self.keepalive.poll(cx, || Traffic::Any) {
            return self.end(Some(error));
        }
        loop {
            if let Some(exchange) = self.arrived.pop_front() {
                return Poll::Ready(Some(Ok(exchange)));
            }
            let polled = match self.ended.take() {
                Some(ended) => Poll::Ready(ended),
                None => self.take_arrived(cx),
            };
            match polled {
                // What arrived comes first.
                Poll::Ready(ended) if !self.arrived.is_empty() => self.ended = Some(ended),
                Poll::Pending if !self.arrived.is_empty() => {}
                // A client that hears our goodbye may hang up before its last frame.
                Poll::Ready(Some(error)) if self.leaving && error.is_io() => return self.end(None),
                Poll::Ready(error) => return self.end(error.map(Error::from)),
                Poll::Pending if self.idle.poll(self.h2.has_streams(), cx).is_ready() => {
                    self.graceful_shutdown();
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Takes all requests that are there in one go: each poll of h2 looks at the socket and at every queue. Tells how
    /// the connection ended, if it did.
    fn take_arrived(&mut self, cx: &mut Context<'_>) -> Poll<Option<h2::Error>> {
        let Self { h2, io, arrived, gauge, idle, .. } = self;
        io.poll(cx, |cx| {
            loop {
                match h2.poll_accept(cx) {
                    Poll::Ready(Some(Ok((request, h2)))) => {
                        // Its stream may be over before anybody asks whether one is open.
                        idle.timer = None;
                        let request = request.map(|body| Recv::inbound(body, gauge.clone()));
                        arrived.push_back(Exchange {
                            request,
                            respond: Respond { h2, gauge: gauge.clone(), done: false },
                        });
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(error)),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
    }

    fn end(&mut self, error: Option<Error>) -> Poll<Option<Result<Exchange, Error>>> {
        self.over = true;
        Poll::Ready(error.map(Err))
    }
}

impl Respond {
    /// Sends the head of the answer; with `end` it is the whole answer, as one HEADERS frame with END_STREAM.
    pub fn send(mut self, head: http::Response<()>, end: bool) -> Result<Send, Error> {
        let sent = self.h2.send_response(head, end);
        self.done = sent.is_ok();
        match sent {
            Ok(stream) => Ok(Send::inbound(stream, self.gauge.clone(), end)),
            Err(error) => Err(match self.poll_closed(&mut Context::from_waker(std::task::Waker::noop())) {
                Poll::Ready(reset) => reset,
                Poll::Pending => error.into(),
            }),
        }
    }

    /// Refuses to answer.
    pub fn reset(mut self, reason: Reason) {
        self.done = true;
        self.h2.send_reset(reason);
    }

    /// Waits until the consumer resets the stream or is gone. It suits `select!` while an answer is prepared.
    pub async fn closed(&mut self) -> Error {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// [`closed`](Self::closed), for hand-written futures.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.h2.poll_reset(cx).map(reset)
    }
}

impl Drop for Respond {
    fn drop(&mut self) {
        if !self.done {
            self.h2.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

fn builder(settings: &Settings) -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .initial_window_size(settings.stream_window)
        .initial_connection_window_size(settings.connection_window())
        .max_frame_size(settings.max_frame_size)
        .max_header_list_size(settings.max_header_list_size)
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_concurrent_reset_streams(settings.max_remembered_resets)
        .max_pending_accept_reset_streams(settings.max_pending_resets)
        .max_local_error_reset_streams(Some(settings.max_local_error_resets))
        .max_send_buffer_size(settings.send_buffer);
    builder
}

/// Notices that a connection has had no stream for long.
#[derive(Debug)]
struct Idle {
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    fn new(limit: Option<Duration>) -> Self {
        Self { limit, timer: None }
    }

    /// Ready once, when the limit is reached.
    fn poll(&mut self, busy: bool, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else { return Poll::Pending };
        if busy {
            self.timer = None;
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        timer.as_mut().reset(Instant::now() + limit);
        self.limit = None;
        Poll::Ready(())
    }
}
