//! What is sent on one stream: frames are moved, and flow control reaches from end to end.

use super::budget::Aside;
use super::gauge::{Counted, Gauge, Tally};
use super::link::Stream;
use super::{Error, pacing};
use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// As many bytes of a stream may wait in h2 for a window. The first frame goes out with the head: one write instead of
/// two. And small frames need no asking for room.
const EARLY: usize = 16 * 1024;
/// What we send on one stream: body frames, then trailers or a reset.
///
/// Dropped before its end, it resets the stream: CANCEL as a client, INTERNAL_ERROR as a server.
#[derive(Debug)]
pub struct Send {
    side: Side,
    tally: Arc<Tally>,
    /// What is set aside while it waits.
    aside: Option<Box<Aside>>,
    done: bool,
}

#[derive(Debug)]
enum Side {
    Client(Arc<Stream>),
    Server(SendStream<Counted>),
}

impl Send {
    pub(super) fn inbound(stream: SendStream<Counted>, gauge: Gauge, done: bool) -> Self {
        Self { side: Side::Server(stream), tally: Tally::new(gauge), aside: None, done }
    }

    pub(super) fn outbound(stream: Arc<Stream>, gauge: Gauge, done: bool) -> Self {
        Self { side: Side::Client(stream), tally: Tally::new(gauge), aside: None, done }
    }

    /// Sends a body frame, and the end of the stream with it if `end`. Waits until the peer's window takes it; a little
    /// may wait in its place.
    ///
    /// If the peer reset the stream, its answer may be complete all the same: the response tells, not this error.
    pub async fn frame(&mut self, mut data: Bytes, end: bool) -> Result<(), Error> {
        poll_fn(|cx| self.poll_frame(&mut data, end, cx)).await
    }

    /// [`frame`](Self::frame), for hand-written futures; what has gone is taken out of `data`.
    pub fn poll_frame(
        &mut self,
        data: &mut Bytes,
        end: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        while !data.is_empty() && self.tally.waiting() + data.len() > EARLY {
            let room = ready!(self.poll_room(data.len(), cx))?;
            if room >= data.len() {
                break;
            }
            self.push(data.split_to(room), false)?;
        }
        let data = std::mem::take(data);
        // An empty frame says nothing, and many of them count as an attack.
        Poll::Ready(if data.is_empty() && !end { Ok(()) } else { self.push(data, end) })
    }

    /// Sends trailers and ends the stream.
    pub fn trailers(&mut self, trailers: HeaderMap) -> Result<(), Error> {
        let sent = self.with(|stream| stream.send_trailers(trailers));
        self.sent(sent.is_ok());
        sent.map_err(|error| self.refused(error))
    }

    /// Ends the stream at once, in both directions.
    pub fn reset(&mut self, reason: Reason) {
        self.done = true;
        match &mut self.side {
            Side::Client(stream) => pacing::reset(stream, None, reason),
            Side::Server(stream) => stream.send_reset(reason),
        }
    }

    /// Waits until the peer resets the stream or the connection is gone. Pending for ever on a stream that ends well.
    pub async fn closed(&mut self) -> Error {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// [`closed`](Self::closed), for hand-written futures.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.with(|stream| stream.poll_reset(cx)).map(reset)
    }

    fn poll_room(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let room = self.with(|stream| {
            stream.reserve_capacity(wanted);
            match stream.capacity() {
                0 => stream.poll_capacity(cx),
                room => Poll::Ready(Some(Ok(room))),
            }
        });
        if let Side::Client(stream) = &self.side {
            if room.is_pending() { stream.waits() } else { stream.moves() }
        }
        let Poll::Ready(room) = room else { return self.set_aside(cx) };
        self.aside = None;
        Poll::Ready(match room {
            Some(room) => room.map_err(Error::from),
            None => Err(match self.poll_closed(cx) {
                Poll::Ready(error) => error,
                Poll::Pending => Error::Closed("the stream has ended"),
            }),
        })
    }

    /// While it waits, the other direction of its call piles up.
    fn set_aside(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Error>> {
        let Some(tenant) = self.tally.gauge().tenant() else { return Poll::Pending };
        let stands = match &self.aside {
            Some(aside) => aside.check(cx),
            None => Aside::of(tenant, cx).map(|aside| self.aside = Some(Box::new(aside))),
        };
        match stands {
            Ok(()) => Poll::Pending,
            Err(over) => Poll::Ready(Err(over)),
        }
    }

    fn push(&mut self, data: Bytes, end: bool) -> Result<(), Error> {
        let data = Counted::new(data, &self.tally);
        let sent = self.with(|stream| stream.send_data(data, end));
        self.sent(end && sent.is_ok());
        sent.map_err(|error| self.refused(error))
    }

    fn sent(&mut self, all: bool) {
        self.done |= all;
        if let (true, Side::Client(stream)) = (all, &self.side) {
            stream.sent();
        }
    }

    /// h2 says "inactive stream" where the reason is that the peer reset it.
    fn refused(&mut self, error: h2::Error) -> Error {
        match self.poll_closed(&mut Context::from_waker(std::task::Waker::noop())) {
            Poll::Ready(reset) => reset,
            Poll::Pending => error.into(),
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut SendStream<Counted>) -> T) -> T {
        match &mut self.side {
            Side::Client(stream) => stream.with(act),
            Side::Server(stream) => act(stream),
        }
    }
}

impl Drop for Send {
    fn drop(&mut self) {
        if let Side::Client(stream) = &self.side {
            stream.moves();
        }
        if !self.done {
            let reason = match self.side {
                Side::Client(_) => Reason::CANCEL,
                Side::Server(_) => Reason::INTERNAL_ERROR,
            };
            self.reset(reason);
        }
    }
}

/// What `poll_reset` found. It does not say who did it; nobody who asks has done it himself.
pub(super) fn reset(found: Result<Reason, h2::Error>) -> Error {
    match found {
        Ok(reason) => Error::Reset { reason, remote: true },
        Err(error) => error.into(),
    }
}
