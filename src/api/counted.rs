//! Counts calls to our own services: each begins here, and ends with the last frame of its answer.

use super::fault::Fault;
use crate::telemetry::{Meters, Open, Outcome, Repeats};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// The status of a call whose answer did not reach its end (CANCELLED).
const CANCELLED: u8 = 1;

/// A call under way; counted when it falls.
#[derive(Debug)]
pub(super) struct Counted {
    meters: Meters,
    open: Open,
    began: Instant,
    outcome: Outcome,
}

/// An answer whose last frame tells how the call went.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    counted: Option<Counted>,
}

/// Counts a call that goes nowhere, and why.
pub(super) fn turned_away(meters: Option<&Meters>, fault: &Fault) {
    let Some(meters) = meters else { return };
    let outcome = Outcome { status: fault.number(), ..Outcome::default() };
    meters.close(meters.open_unrouted(), &outcome, [], Repeats::default());
    meters.refuse(fault.reason());
}

impl Counted {
    /// A call to a method of ours has begun.
    pub(super) fn begin(meters: &Meters, (service, method): (&'static str, &'static str)) -> Self {
        let outcome = Outcome { status: CANCELLED, ..Outcome::default() };
        let open = meters.open_own(service, method);
        Self { meters: meters.clone(), open, began: Instant::now(), outcome }
    }

    /// The status, wherever it stands.
    fn read(&mut self, headers: &HeaderMap) {
        let status = headers.get("grpc-status").and_then(|status| status.to_str().ok()?.parse().ok());
        self.outcome.status = status.unwrap_or(self.outcome.status);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.outcome.duration = self.began.elapsed();
        self.meters.close(self.open, &self.outcome, [], Repeats::default());
    }
}

/// An answer whose call is counted when its last frame was taken, or when it falls.
pub(super) fn watched<B>(answer: Response<B>, mut counted: Option<Counted>) -> Response<Answer<B>> {
    if let Some(counted) = &mut counted {
        counted.read(answer.headers());
    }
    answer.map(|body| Answer { body, counted })
}

impl<B: Body<Data = Bytes> + Unpin> Body for Answer<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Ok(frame)), Some(counted)) = (&frame, &mut self.counted) {
            match (frame.data_ref(), frame.trailers_ref()) {
                (Some(data), _) => counted.outcome.sent += data.len() as u64,
                (_, Some(trailers)) => counted.read(trailers),
                _ => {}
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
