//! Moves one call: frames both ways as each side takes them, a head and trailers back.

use super::meter::Meter;
use super::replay::Replay;
use super::story::Story;
use super::{BadAnswer, Error, answer, header};
use crate::access::Permit;
use crate::transport::client::Response;
use crate::transport::{self, Recv, Respond, Send};
use crate::uplink::{Load, orca};
use bytes::Bytes;
use futures::future::Fuse;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    from: Recv,
    meter: &'a mut Meter,
    /// Whether the head was all of it.
    is_bare: bool,
    /// Whether a producer got something of it already.
    is_again: bool,
    /// Bytes that were read and are not handed on yet: the consumer may send as many more when they are.
    owed: usize,
    /// A frame that was read and did not fit into the copy, and whether it is the last.
    hand: Option<(Bytes, bool)>,
}

/// What an answer passes on its way to the consumer.
pub(super) struct Downward<'a> {
    pub(super) permit: &'a Permit,
    pub(super) meter: &'a mut Meter,
    pub(super) answer: &'a mut Answer,
    pub(super) story: Option<&'a mut Story>,
    /// Where what the producer says of its load goes.
    pub(super) load: &'a mut Option<Load>,
}

impl Answer {
    /// Waits until the consumer has reset the stream or is gone.
    pub(super) async fn closed(&mut self) -> transport::Error {
        match self {
            Answer::Unsent(respond) => respond.closed().await,
            Answer::Open(send) => send.closed().await,
            Answer::Over => std::future::pending().await,
        }
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

/// A producer's answer; without a body if its head ended it (Trailers-Only).
pub(super) type Answered = http::Response<Option<Recv>>;

/// Runs `main` to its end, and moves the request beside it. A request that breaks ends both.
pub(super) async fn beside<T>(
    mut main: Pin<&mut impl Future<Output = Result<T, Error>>>,
    upward: Pin<&mut Fuse<impl Future<Output = Result<(), Error>>>>,
) -> Result<T, Error> {
    tokio::select! {
        biased;
        done = &mut main => done,
        sent = upward => match sent {
            // It is the consumer who is over its share: no answer may hide it.
            Err(Error::Producer(error @ transport::Error::OverShare { .. })) => Err(Error::Producer(error)),
            // A producer that no longer listens may have answered already: its answer tells how the call went.
            Ok(()) | Err(Error::Producer(_)) => main.await,
            Err(error) => Err(error),
        },
    }
}

/// Waits for the head of a producer's answer, as long as the consumer does.
pub(super) async fn head(response: Response, answer: &mut Answer) -> Result<http::Response<Recv>, Error> {
    tokio::select! {
        biased;
        response = response => response.map_err(Error::Producer),
        gone = answer.closed() => Err(Error::Consumer(gone)),
    }
}

impl<'a> Upward<'a> {
    pub(super) fn new(from: Recv, meter: &'a mut Meter) -> Self {
        let is_bare = from.is_end();
        Self { from, meter, is_bare, is_again: false, owed: 0, hand: None }
    }

    /// Sends the whole request to one producer: what others got before, then what still comes.
    pub(super) async fn send(&mut self, mut to: Send, replay: &Mutex<Replay>) -> Result<(), Error> {
        if self.is_bare {
            return Ok(());
        }
        if std::mem::replace(&mut self.is_again, true) && self.send_again(&mut to, replay).await? {
            return Ok(());
        }
        if let Some((data, end)) = self.hand.take() {
            lock(replay).release();
            to.frame(data, end).await.map_err(Error::Producer)?;
            if end {
                return Ok(());
            }
        }
        while let Some(data) = self.from.frame().await {
            let data = data.map_err(Error::Consumer)?;
            self.meter.feed(&data)?;
            let end = self.from.is_end();
            self.owed = data.len();
            lock(replay).push(&data, end);
            to.frame(data, end).await.map_err(Error::at_producer)?;
            self.settle();
            if end {
                return Ok(());
            }
        }
        match self.from.trailers().await.map_err(Error::Consumer)? {
            Some(mut trailers) => {
                // gRPC knows none in a request: who sends them gets one attempt.
                lock(replay).release();
                header::edit_request_trailers(&mut trailers);
                to.trailers(trailers).map_err(Error::Producer)
            }
            None => {
                lock(replay).push(&Bytes::new(), true);
                to.frame(Bytes::new(), true).await.map_err(Error::Producer)
            }
        }
    }

    /// Reads all that fits into the copy, and sends nothing.
    pub(super) async fn collect(&mut self, replay: &Mutex<Replay>) -> Result<(), Error> {
        if self.is_bare {
            return Ok(());
        }
        self.is_again = true;
        while let Some(data) = self.from.frame().await {
            let data = data.map_err(Error::Consumer)?;
            self.meter.feed(&data)?;
            let end = self.from.is_end();
            self.owed += data.len();
            if !lock(replay).fits(data.len()) {
                self.hand = Some((data, end));
                return Ok(());
            }
            lock(replay).push(&data, end);
            if end {
                self.settle();
                return Ok(());
            }
        }
        // gRPC knows no trailers in a request.
        self.from.trailers().await.map_err(Error::Consumer)?;
        lock(replay).push(&Bytes::new(), true);
        self.settle();
        Ok(())
    }

    /// Sends what was read before. True if it was all.
    async fn send_again(&mut self, to: &mut Send, replay: &Mutex<Replay>) -> Result<bool, Error> {
        for place in 0.. {
            let Some((data, end)) = lock(replay).frame(place) else { break };
            to.frame(data, end).await.map_err(Error::at_producer)?;
            if end {
                self.settle();
                return Ok(true);
            }
        }
        self.settle();
        Ok(false)
    }

    fn settle(&mut self) {
        self.from.release(std::mem::take(&mut self.owed));
    }
}

impl Downward<'_> {
    /// Passes a whole answer on. The number of its status, at its end.
    pub(super) async fn pass(self, response: Answered) -> Result<u8, Error> {
        let Self { permit, meter, answer, mut story, load } = self;
        let (mut head, from) = response.into_parts();
        let end = from.is_none();
        let status = answer::judge_head(&head, end)?;
        if end {
            *load = orca::read(&head.headers);
        }
        header::edit_response(&mut head.headers, permit);
        if let Some(story) = &mut story {
            story.answered();
            if end {
                story.tell(&mut head.headers);
            }
        }
        answer.open(http::Response::from_parts(head, ()), end).map_err(Error::Consumer)?;
        if let Some(status) = status {
            return Ok(status);
        }
        let (Answer::Open(to), Some(mut from)) = (&mut *answer, from) else {
            return Err(BadAnswer::NoStatus.into());
        };
        move_frames(&mut from, to, meter).await?;
        let mut trailers = from.trailers().await.map_err(Error::Producer)?.ok_or(BadAnswer::NoStatus)?;
        let status = answer::judge_trailers(&trailers)?;
        *load = orca::read(&trailers);
        header::edit_trailers(&mut trailers);
        if let Some(story) = story {
            story.tell(&mut trailers);
        }
        let sent = to.trailers(trailers).map_err(Error::Consumer);
        *answer = Answer::Over;
        sent.map(|()| status)
    }
}

async fn move_frames(from: &mut Recv, to: &mut Send, meter: &mut Meter) -> Result<(), Error> {
    loop {
        let data = tokio::select! {
            biased;
            data = from.frame() => data,
            gone = to.closed() => return Err(Error::Consumer(gone)),
        };
        let Some(data) = data else { return Ok(()) };
        let data = data.map_err(Error::Producer)?;
        meter.feed(&data)?;
        let length = data.len();
        to.frame(data, false).await.map_err(Error::at_consumer)?;
        from.release(length);
    }
}

/// Never held across an await; a panic elsewhere leaves a copy that is at worst not used.
pub(super) fn lock(replay: &Mutex<Replay>) -> MutexGuard<'_, Replay> {
    replay.lock().unwrap_or_else(PoisonError::into_inner)
}
