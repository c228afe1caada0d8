//! Moves one call: a head there, frames both ways as each side takes them, a head and trailers back.

use super::{BadAnswer, Error, answer, header, meter::Meter, story::Story};
use crate::access::Permit;
use crate::transport::client::Response;
use crate::transport::{self, Recv, Respond, Send};
use bytes::Bytes;
use std::pin::pin;

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

/// Both halves of the stream to the producer, and what arrives from the consumer.
pub(super) struct Legs {
    pub(super) request: Recv,
    pub(super) up: Send,
    pub(super) response: Response,
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

/// Carries a call until its answer is complete. True if the producer's status is OK.
pub(super) async fn carry(
    legs: Legs,
    permit: &Permit,
    limit: u32,
    answer: &mut Answer,
    story: Option<&mut Story>,
) -> Result<bool, Error> {
    let Legs { request, up, response } = legs;
    let mut upward = pin!(move_up(request, up, limit));
    let mut downward = pin!(move_down(response, permit, limit, answer, story));
    tokio::select! {
        biased;
        done = &mut downward => done,
        sent = &mut upward => match sent {
            // A producer that no longer listens may have answered already: its answer tells how the call went.
            Ok(()) | Err(Error::Producer(_)) => downward.await,
            Err(error) => Err(error),
        },
    }
}

async fn move_up(mut from: Recv, mut to: Send, limit: u32) -> Result<(), Error> {
    if from.is_end() {
        return Ok(());
    }
    let mut meter = Meter::new(limit);
    while let Some(data) = from.frame().await {
        let data = data.map_err(Error::Consumer)?;
        meter.feed(&data)?;
        let (length, end) = (data.len(), from.is_end());
        to.frame(data, end).await.map_err(Error::Producer)?;
        from.release(length);
        if end {
            return Ok(());
        }
    }
    match from.trailers().await.map_err(Error::Consumer)? {
        Some(mut trailers) => {
            header::edit_request_trailers(&mut trailers);
            to.trailers(trailers).map_err(Error::Producer)
        }
        None => to.frame(Bytes::new(), true).await.map_err(Error::Producer),
    }
}

async fn move_down(
    response: Response,
    permit: &Permit,
    limit: u32,
    answer: &mut Answer,
    mut story: Option<&mut Story>,
) -> Result<bool, Error> {
    let response = tokio::select! {
        biased;
        response = response => response.map_err(Error::Producer)?,
        gone = answer.closed() => return Err(Error::Consumer(gone)),
    };
    let (mut head, mut from) = response.into_parts();
    let end = from.is_end();
    answer::judge_head(&head, end)?;
    header::edit_response(&mut head.headers, permit);
    let is_ok = answer::is_ok(&head.headers);
    if let Some(story) = &mut story {
        story.answered();
        if end {
            story.tell(&mut head.headers);
        }
    }
    answer.open(http::Response::from_parts(head, ()), end).map_err(Error::Consumer)?;
    let Answer::Open(to) = answer else { return Ok(is_ok) };

    move_frames(&mut from, to, limit).await?;
    let mut trailers = from.trailers().await.map_err(Error::Producer)?.ok_or(BadAnswer::NoStatus)?;
    answer::judge_trailers(&trailers)?;
    let is_ok = answer::is_ok(&trailers);
    header::edit_trailers(&mut trailers);
    if let Some(story) = story {
        story.tell(&mut trailers);
    }
    let sent = to.trailers(trailers).map_err(Error::Consumer);
    *answer = Answer::Over;
    sent.map(|()| is_ok)
}

async fn move_frames(from: &mut Recv, to: &mut Send, limit: u32) -> Result<(), Error> {
    let mut meter = Meter::new(limit);
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
        to.frame(data, false).await.map_err(Error::Consumer)?;
        from.release(length);
    }
}
