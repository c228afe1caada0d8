//! Moves one call: frames both ways as each side takes them, a head and trailers back.
//!
//! Polled by hand: a call's future is as large as all that it may ever hold at once, and what is large is slow.

use super::meter::Meter;
use super::story::Story;
use super::{BadAnswer, Error, answer, header};
use crate::access::Permit;
use crate::transport::client::Response;
use crate::transport::{self, Recv, Respond, Send};
use crate::uplink::{Load, orca};
use bytes::Bytes;
use http::{HeaderMap, response};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// How far the answer to the consumer has come. Whoever fails a call ends it from there.
#[derive(Debug)]
pub enum Answer {
    /// Nothing was sent: a whole answer can be.
    Unsent(Respond),
    /// The head was sent: only trailers or a reset can follow.
    Open(Send),
    /// All was sent.
    Over,
}

/// An answer on its way to the consumer.
pub(super) struct Downward<'a> {
    pub(super) meter: &'a mut Meter,
    pub(super) answer: &'a mut Answer,
    pub(super) story: Option<&'a mut Story>,
    /// Where what the producer says of its load goes.
    pub(super) load: &'a mut Option<Load>,
    pub(super) from: Option<Recv>,
    /// The frame that is being sent.
    hand: Bytes,
    /// Its bytes, until they are handed on.
    owed: usize,
}

/// A producer's answer; without a body if its head ended it (Trailers-Only).
pub(super) type Answered = http::Response<Option<Recv>>;

impl Answer {
    /// Ready when the consumer has reset the stream or is gone.
    pub(super) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<transport::Error> {
        match self {
            Answer::Unsent(respond) => respond.poll_closed(cx),
            Answer::Open(send) => send.poll_closed(cx),
            Answer::Over => Poll::Pending,
        }
    }

    /// Waits until the consumer has reset the stream or is gone.
    pub(super) async fn closed(&mut self) -> transport::Error {
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    fn open(&mut self, head: http::Response<()>, end: bool) -> Result<(), transport::Error> {
        if let Answer::Unsent(respond) = std::mem::replace(self, Answer::Over) {
            let send = respond.send(head, end)?;
            if !end {
                *self = Answer::Open(send);
            }
        }
        Ok(())
    }
}

/// Runs `main` to its end, and moves the request beside it. A request that breaks ends both.
pub(super) fn beside<T>(
    mut main: impl FnMut(&mut Context<'_>) -> Poll<Result<T, Error>>,
    mut upward: impl FnMut(&mut Context<'_>) -> Poll<Result<(), Error>>,
) -> impl Future<Output = Result<T, Error>> {
    poll_fn(move |cx| {
        if let Poll::Ready(done) = main(cx) {
            return Poll::Ready(done);
        }
        match upward(cx) {
            // A producer that no longer listens may have answered already: its answer tells how the call went.
            Poll::Ready(Ok(()) | Err(Error::Producer(_))) => main(cx),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    })
}

/// Ready with the head of a producer's answer, or when the consumer no longer waits for it.
pub(super) fn poll_head(
    response: &mut Response,
    answer: &mut Answer,
    cx: &mut Context<'_>,
) -> Poll<Result<http::Response<Recv>, Error>> {
    if let Poll::Ready(head) = Pin::new(response).poll(cx) {
        return Poll::Ready(head.map_err(Error::Producer));
    }
    answer.poll_closed(cx).map(|gone| Err(Error::Consumer(gone)))
}

impl<'a> Downward<'a> {
    /// An answer of which nothing was passed on.
    pub(super) fn new(
        meter: &'a mut Meter,
        answer: &'a mut Answer,
        story: Option<&'a mut Story>,
        load: &'a mut Option<Load>,
    ) -> Self {
        Self { meter, answer, story, load, from: None, hand: Bytes::new(), owed: 0 }
    }

    /// Passes the head on. The number of its status, if it was all of the answer.
    pub(super) fn open(&mut self, response: Answered, permit: &Permit) -> Result<Option<u8>, Error> {
        let (mut head, from): (response::Parts, _) = response.into_parts();
        let end = from.is_none();
        self.from = from;
        let status = answer::judge_head(&head, end)?;
        if end {
            *self.load = orca::read(&head.headers);
        }
        header::edit_response(&mut head.headers, permit);
        if let Some(story) = &mut self.story {
            story.answered();
            if end {
                story.tell(&mut head.headers);
            }
        }
        self.answer.open(http::Response::from_parts(head, ()), end).map_err(Error::Consumer)?;
        Ok(status)
    }

    /// Passes all else on. Ready once, with the number of its status.
    pub(super) fn poll_pass(&mut self, cx: &mut Context<'_>) -> Poll<Result<u8, Error>> {
        let passed = self.poll_frames(cx);
        let Poll::Ready(trailers) = passed else {
            return self.answer.poll_closed(cx).map(|gone| Err(Error::Consumer(gone)));
        };
        let mut trailers = trailers?;
        let status = answer::judge_trailers(&trailers)?;
        *self.load = orca::read(&trailers);
        header::edit_trailers(&mut trailers);
        if let Some(story) = &self.story {
            story.tell(&mut trailers);
        }
        if let Answer::Open(to) = self.answer {
            to.trailers(trailers).map_err(Error::Consumer)?;
            *self.answer = Answer::Over;
        }
        Poll::Ready(Ok(status))
    }

    /// Ready with the trailers.
    fn poll_frames(&mut self, cx: &mut Context<'_>) -> Poll<Result<HeaderMap, Error>> {
        let (Answer::Open(to), Some(from)) = (&mut *self.answer, &mut self.from) else {
            return Poll::Ready(Err(BadAnswer::NoStatus.into()));
        };
        loop {
            if self.owed > 0 {
                ready!(to.poll_frame(&mut self.hand, false, cx)).map_err(Error::at_consumer)?;
                from.release(std::mem::take(&mut self.owed));
            }
            let Some(data) = ready!(from.poll_frame(cx)) else { break };
            self.hand = data.map_err(Error::Producer)?;
            self.meter.feed(&self.hand)?;
            self.owed = self.hand.len();
        }
        let trailers = ready!(from.poll_trailers(cx)).map_err(Error::Producer)?;
        Poll::Ready(trailers.ok_or_else(|| BadAnswer::NoStatus.into()))
    }
}
