//! What is received on one stream: small frames put together, each byte counted until it is handed on.

use super::gauge::Gauge;
use super::link::Stream;
use super::{Error, pacing};
use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::HeaderMap;
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Small frames that have arrived are put together up to this size: HTTP/2 gives no meaning to where they are cut, and
/// each costs as much as a large one.
const ROOM: usize = 16 * 1024;
/// A frame of this size is handed on as it is.
const LARGE: usize = ROOM / 2;

thread_local! {
    /// Where frames are put together.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What the peer sends on one stream: body frames, then trailers.
///
/// Dropping it ends an outbound stream: CANCEL, unless both directions have ended. On an inbound one the answer may
/// go on.
#[derive(Debug)]
pub struct Recv {
    stream: RecvStream,
    gauge: Gauge,
    /// Handed out and not yet released.
    held: usize,
    /// A large frame that arrived behind small ones: it is next.
    next: Option<Bytes>,
    left: Left,
    outbound: Option<Arc<Stream>>,
}

/// What is known to be left of a stream that is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// Perhaps more frames.
    Frames,
    /// No frame; perhaps trailers.
    Trailers,
    /// Nothing.
    Nothing,
}

impl Recv {
    pub(super) fn inbound(stream: RecvStream, gauge: Gauge) -> Self {
        Self { stream, gauge, held: 0, next: None, left: Left::Frames, outbound: None }
    }

    pub(super) fn outbound(stream: RecvStream, gauge: Gauge, of: Arc<Stream>) -> Self {
        Self { stream, gauge, held: 0, next: None, left: Left::Frames, outbound: Some(of) }
    }

    /// The next piece of the body: a frame, or small ones that have arrived together. `None` when the body is over and
    /// [`trailers`](Self::trailers) may be asked for.
    ///
    /// Its bytes count against the peer's window until they are [released](Self::release).
    pub async fn frame(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// [`frame`](Self::frame), for hand-written futures.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        let data = match self.next.take() {
            Some(next) => next,
            None => match ready!(self.poll_data(cx)) {
                Some(Ok(data)) => self.gather(data, cx),
                Some(Err(error)) => return Poll::Ready(Some(Err(self.failed(error)))),
                None => return Poll::Ready(None),
            },
        };
        self.held += data.len();
        self.gauge.add(data.len());
        Poll::Ready(Some(Ok(data)))
    }

    /// Puts what has arrived behind a small frame together with it. An error found here is found again.
    fn gather(&mut self, first: Bytes, cx: &mut Context<'_>) -> Bytes {
        if first.len() >= LARGE {
            return first;
        }
        if self.stream.is_end_stream() {
            self.left = Left::Nothing;
            return first;
        }
        let mut all: Option<Vec<u8>> = None;
        let mut length = first.len();
        while let Poll::Ready(Some(Ok(data))) = self.poll_data(cx) {
            length += data.len();
            if data.len() >= LARGE || length > ROOM {
                self.next = Some(data);
                break;
            }
            all.get_or_insert_with(|| scratch(&first)).extend_from_slice(&data);
        }
        match all {
            None => first,
            Some(all) => {
                let together = Bytes::copy_from_slice(&all);
                SCRATCH.set(all);
                together
            }
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        if self.left != Left::Frames {
            return Poll::Ready(None);
        }
        let data = ready!(self.stream.poll_data(cx));
        self.heard();
        if data.is_none() {
            self.left = Left::Trailers;
        }
        Poll::Ready(data)
    }

    /// Lets the peer send as many bytes more. To be called when they were handed on, not before.
    pub fn release(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        if bytes == 0 {
            return;
        }
        self.held -= bytes;
        self.gauge.sub(bytes);
        // It fails only for more than was received, and `held` knows what was.
        let _ = self.stream.flow_control().release_capacity(bytes);
    }

    /// The trailers, after the last frame; `None` if the peer ended without any.
    pub async fn trailers(&mut self) -> Result<Option<HeaderMap>, Error> {
        poll_fn(|cx| self.poll_trailers(cx)).await
    }

    /// [`trailers`](Self::trailers), for hand-written futures.
    pub fn poll_trailers(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<HeaderMap>, Error>> {
        if self.left == Left::Nothing {
            return Poll::Ready(Ok(None));
        }
        let trailers = ready!(self.stream.poll_trailers(cx)).map_err(|error| self.failed(error));
        self.heard();
        Poll::Ready(trailers)
    }

    /// Whether nothing is left: no frame, no trailers. True right after a head with END_STREAM.
    pub fn is_end(&self) -> bool {
        self.next.is_none() && (self.left == Left::Nothing || self.stream.is_end_stream())
    }

    /// Why nothing more is begun for whoever sends this, while it holds more than its share.
    pub fn refusal(&self) -> Option<Error> {
        self.gauge.refusal()
    }

    /// Bytes that arrived and are not released yet; at most one stream window.
    pub fn buffered(&mut self) -> usize {
        self.stream.flow_control().used_capacity()
    }

    fn heard(&self) {
        if let Some(stream) = &self.outbound {
            stream.heard();
        }
    }

    fn failed(&self, error: h2::Error) -> Error {
        match &self.outbound {
            Some(stream) => stream.failed(error),
            None => error.into(),
        }
    }
}

impl Drop for Recv {
    fn drop(&mut self) {
        self.gauge.sub(self.held);
        if let Some(stream) = self.outbound.take().filter(|stream| !(stream.is_sent() && self.is_end())) {
            pacing::reset(&stream, None, Reason::CANCEL);
        }
    }
}

/// The thread's scratch, with a first frame in it.
fn scratch(first: &[u8]) -> Vec<u8> {
    let mut all = SCRATCH.take();
    all.clear();
    all.extend_from_slice(first);
    all
}
