//! The request of one call on its way up: read once, and sent to one producer after the other until one answers.
//!
//! Polled by hand, as [`carry`](super::carry) is.

use super::meter::Meter;
use super::replay::Replay;
use super::{Error, header};
use crate::transport::{Recv, Send};
use bytes::Bytes;
use std::task::{Context, Poll, ready};

/// The request on its way: read once from the consumer, sent to one producer after the other until one answers.
pub(super) struct Upward<'a> {
    from: &'a mut Recv,
    meter: &'a mut Meter,
    /// Whether the head was all of it.
    pub(super) is_bare: bool,
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
