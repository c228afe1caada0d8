//! Holds a typed service to the caller's deadline: before its answer, and in the middle of it.

use super::fault::Fault;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::Status;

/// A body that ends with DEADLINE_EXCEEDED when its time is over.
pub(super) struct Until<B> {
    body: Option<B>,
    deadline: Pin<Box<Sleep>>,
}

impl<B> Until<B> {
    /// Lets `body` run until `deadline`.
    pub(super) fn new(body: B, deadline: Instant) -> Self {
        Self { body: Some(body), deadline: Box::pin(sleep_until(deadline)) }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Until<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        if self.deadline.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.body = None;
        let mut trailers = HeaderMap::new();
        match Status::from(Fault::deadline_exceeded()).add_header(&mut trailers) {
            Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            Err(_) => Poll::Ready(None),
        }
    }

    // A status alone stays one HEADERS frame with END_STREAM: clients read anything else as headers without trailers.
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt, StreamBody};
    use std::convert::Infallible;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_outlives_its_deadline_ends_with_the_status() {
        let endless = futures::stream::unfold(0u8, |n| async move {
            // The clock is paused: nobody waits.
            tokio::time::sleep(Duration::from_secs(2)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(vec![n]))), n + 1))
        });
        let body = StreamBody::new(Box::pin(endless));
        let collected = Until::new(body, Instant::now() + Duration::from_secs(5)).collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "4");
        assert_eq!(collected.to_bytes().len(), 2);
    }
}
