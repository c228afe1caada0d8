//! Moves one call: frames both ways as each side takes them, a head and trailers back.
//!
//! Polled by hand: a call's future is as large as all that it may ever hold at once, and what is large is slow.

use super::meter::Meter;
use super::replay::Replay;
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

/// The request on its way: read once from the consumer, sent to one producer after the other until one answers.
pub(super) struct Upward<'a> {
    from: &'a mut Recv,
    meter: &'a mut Meter,
    /// Whether the head was all of it.
    is_bare: bool,
    /// What was sent so far, kept for the next producer.
    pub(super) replay: Replay,
    /// The producer that gets it now.
    to: Option<Send>,
    /// The frame that is being sent, and whether it is the last.
    hand: Option<(Bytes, bool)>,
    /// Which of the kept frames is next, while what another got before is sent again.
    again: Option<usize>,
    /// Whether a producer got something of it already.
    is_begun: bool,
    /// Whether one has begun to answer: no other gets it any more.
    is_answered: bool,
    /// Bytes that were read and are not handed on yet: the consumer may send as many more when they are.
    owed: usize,
    /// A frame that was read and did not fit into the copy, and whether it is the last.
    beyond: Option<(Bytes, bool)>,
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

impl<'a> Upward<'a> {
    pub(super) fn new(from: &'a mut Recv, meter: &'a mut Meter, replay: Replay) -> Self {
        Self {
            is_bare: from.is_end(),
            from,
            meter,
            replay,
            to: None,
            hand: None,
            again: None,
            is_begun: false,
            is_answered: false,
            owed: 0,
            beyond: None,
        }
    }

    /// From now on this producer gets it: what others got before, then what still comes.
    pub(super) fn begin(&mut self, to: Send) {
        self.to = Some(to).filter(|_| !self.is_bare);
        // Whatever was in hand is in the copy too.
        self.hand = None;
        self.again = std::mem::replace(&mut self.is_begun, true).then_some(0);
    }

    /// A producer has begun to answer: the copy is kept only as long as it is still being sent.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
        if self.again.is_none() {
            self.replay.release();
        }
    }

    /// Nobody gets it any more, until it begins again.
    pub(super) fn stop(&mut self) {
        self.to = None;
    }

    /// Ready once, when all of it was sent or no more of it can be; pending for ever while nobody gets it.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let Some(mut to) = self.to.take() else { return Poll::Pending };
        let sent = self.poll_all(&mut to, cx);
        if sent.is_pending() {
            self.to = Some(to);
        }
        sent
    }

    /// Reads all that fits into the copy, and sends nothing.
    pub(super) fn poll_collect(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.is_begun = true;
        if self.is_bare {
            return Poll::Ready(Ok(()));
        }
        while let Some(data) = ready!(self.from.poll_frame(cx)) {
            let data = data.map_err(Error::Consumer)?;
            self.meter.feed(&data)?;
            let end = self.from.is_end();
            self.owed += data.len();
            if !self.replay.fits(data.len()) {
                self.beyond = Some((data, end));
                return Poll::Ready(Ok(()));
            }
            self.replay.push(&data, end);
            // The copy has bounds of its own: the consumer may send on.
            self.settle();
            if end {
                return Poll::Ready(Ok(()));
            }
        }
        // gRPC knows no trailers in a request.
        ready!(self.from.poll_trailers(cx)).map_err(Error::Consumer)?;
        self.replay.push(&Bytes::new(), true);
        Poll::Ready(Ok(()))
    }

    fn poll_all(&mut self, to: &mut Send, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if let Some((data, end)) = &mut self.hand {
                let end = *end;
                ready!(to.poll_frame(data, end, cx)).map_err(Error::at_producer)?;
                self.hand = None;
                if self.again.is_none() || end {
                    self.settle();
                }
                if end {
                    return Poll::Ready(Ok(()));
                }
            }
            if let Some(place) = self.again {
                self.hand = self.kept(place);
            } else {
                match ready!(self.from.poll_frame(cx)) {
                    Some(data) => self.take(data.map_err(Error::Consumer)?)?,
                    None => return self.poll_end(to, cx),
                }
            }
        }
    }

    /// What others got before, then what did not fit into the copy.
    fn kept(&mut self, place: usize) -> Option<(Bytes, bool)> {
        let frame = self.replay.frame(place);
        if frame.is_some() {
            self.again = Some(place + 1);
            return frame;
        }
        self.again = None;
        let beyond = self.beyond.take();
        if beyond.is_some() || self.is_answered {
            self.replay.release();
        }
        if beyond.is_none() {
            self.settle();
        }
        beyond
    }

    fn take(&mut self, data: Bytes) -> Result<(), Error> {
        self.meter.feed(&data)?;
        let end = self.from.is_end();
        self.owed += data.len();
        self.replay.push(&data, end);
        self.hand = Some((data, end));
        Ok(())
    }

    fn poll_end(&mut self, to: &mut Send, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let trailers = ready!(self.from.poll_trailers(cx)).map_err(Error::Consumer)?;
        let Some(mut trailers) = trailers else {
            self.replay.push(&Bytes::new(), true);
            return to.poll_frame(&mut Bytes::new(), true, cx).map_err(Error::at_producer);
        };
        // gRPC knows none in a request: who sends them gets one attempt.
        self.replay.release();
        header::edit_request_trailers(&mut trailers);
        Poll::Ready(to.trailers(trailers).map_err(Error::at_producer))
    }

    fn settle(&mut self) {
        self.from.release(std::mem::take(&mut self.owed));
    }
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
