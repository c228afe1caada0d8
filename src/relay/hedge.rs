//! Several attempts of one call beside each other: the first that answers is passed on, the others are cancelled (gRFC
//! A6, "Hedging Policy"). Only for calls that are here whole and may run more than once.

use super::attempt::Attempts;
use super::carry::{self, Answered};
use super::director::{Route, Target};
use super::fallen::Fallen;
use super::lend::addressed;
use super::replay::Replay;
use super::retry::{Fall, Pushback};
use super::upward::Upward;
use super::{Error, budget};
use crate::model::TrustDomain;
use crate::model::service_config::{HedgingPolicy, Status};
use crate::transport::{self, Send};
use crate::uplink::{self, Lent, Pool, Turn, Verdict};
use bytes::Bytes;
use futures::future::{BoxFuture, Fuse};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use http::request;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Context;
use tokio::time::{Instant, sleep};

/// A request that is on its way beside its answer.
type Moving = Fuse<BoxFuture<'static, Result<(), Error>>>;

/// The answer that won.
pub(super) struct Raced {
    pub(super) response: Answered,
    pub(super) moving: Moving,
    /// The target that gave it.
    pub(super) at: usize,
}

/// What an attempt came to.
struct Done {
    at: usize,
    /// Its place among the tries.
    sent: usize,
    turn: Option<Turn>,
    outcome: Result<(Answered, Moving), Failed>,
}

enum Failed {
    Fallen(Fallen),
    Unlent(uplink::Error),
}

/// The frames of a body, the last with its end.
type Frames = Arc<[(Bytes, bool)]>;

impl<'a> Attempts<'a> {
    /// Reads the request whole, if it fits into its copy.
    pub(super) async fn collect(&mut self, upward: &mut Upward<'_>) -> Result<(), Error> {
        tokio::select! {
            biased;
            read = poll_fn(|cx| upward.poll_collect(cx)) => read,
            gone = self.answer.closed() => Err(Error::Consumer(gone)),
        }
    }

    /// Sends the request to one target, and after each delay to one more, until one answers.
    pub(super) async fn race(&mut self, policy: &HedgingPolicy, replay: &Replay) -> Result<Raced, Error> {
        let frames: Frames = replay.frames().into();
        let head = self.head.take().ok_or(Error::Stopped("it was sent before"))?;
        let mut racing = FuturesUnordered::new();
        let mut timer = pin!(sleep(policy.hedging_delay));
        let (mut may_more, mut is_due, mut failed) = (true, false, None);
        // What may run beside another is what this version allows.
        self.within = Some(self.route.permit.version());
        let mut under_way = Vec::new();
        racing.push(self.attempt(head, frames.clone(), &mut under_way));
        loop {
            let made = 1 + self.course.hedges;
            let mut more = may_more && made < policy.max_attempts;
            if more && is_due {
                is_due = false;
                may_more = budget::take(self.route.permit.version(), self.relay.retries);
                more = may_more;
                if may_more {
                    let head = self.head_again(replay, made)?;
                    racing.push(self.attempt(head, frames.clone(), &mut under_way));
                    timer.as_mut().reset(Instant::now() + policy.hedging_delay);
                    continue;
                }
            }
            if racing.is_empty()
                && !more
                && let Some((at, failed)) = failed.take()
            {
                return self.lost(at, None, failed);
            }
            let done = tokio::select! {
                biased;
                gone = self.answer.closed() => return Err(Error::Consumer(gone)),
                Some(done) = racing.next() => done,
                () = &mut timer, if more => {
                    is_due = true;
                    continue;
                }
            };
            let Done { at, sent, turn, outcome } = done;
            under_way.retain(|place| *place != sent);
            let judged = match outcome {
                Ok((response, moving)) => {
                    self.given_up(&under_way);
                    return Ok(self.won(at, turn, response, moving));
                }
                Err(failed) => judge(failed, policy),
            };
            match judged {
                (Ok(fell), pushback) => {
                    match pushback {
                        Pushback::Silent => is_due = true,
                        Pushback::After(pause) => timer.as_mut().reset(Instant::now() + pause),
                        Pushback::Never => may_more = false,
                    }
                    self.course.tries.end(sent, fell.told());
                    // Now: were it kept to the end, the deadline would judge it.
                    end(turn, fell.verdict());
                    failed = Some((at, fell));
                }
                (Err(fatal), _) => {
                    self.given_up(&under_way);
                    return self.lost(at, turn, fatal);
                }
            }
        }
    }

    /// One attempt, from the connection to the head of its answer.
    fn attempt(
        &mut self,
        mut head: request::Parts,
        frames: Frames,
        under_way: &mut Vec<usize>,
    ) -> impl Future<Output = Done> + use<'a> {
        let (pool, Route { targets, permit, .. }) = (self.pool, self.route);
        let places = (0..targets.len()).map(|more| (self.next + more) % targets.len());
        let at =
            places.into_iter().find(|at| self.is_within(*at)).unwrap_or(self.next % targets.len().max(1));
        self.next = at + 1;
        self.course.target = Some(at);
        let is_hedge = self.course.attempts > 0;
        let sent = self.course.sends(&mut head.headers, Instant::now());
        self.course.hedges += u32::from(is_hedge);
        under_way.push(sent);
        let tenant = &permit.caller().identity.trust_domain;
        one(pool, (at, sent, &targets[at]), tenant, (head, frames), (is_hedge, self.deadline))
    }

    /// Those that are under way are cancelled: another was quicker.
    fn given_up(&mut self, under_way: &[usize]) {
        for place in under_way {
            self.course.tries.end(*place, Some(Status::CANCELLED.number()));
        }
    }

    fn won(&mut self, at: usize, turn: Option<Turn>, response: Answered, moving: Moving) -> Raced {
        self.course.target = Some(at);
        self.turn = turn;
        if let (Some(story), Some(target)) = (&mut self.story, self.route.targets.get(at)) {
            story.connected(self.route, target);
        }
        Raced { response, moving, at }
    }

    /// The last failure is the call's.
    fn lost(&mut self, at: usize, turn: Option<Turn>, failed: Failed) -> Result<Raced, Error> {
        match failed {
            Failed::Fallen(Fallen::Told(response, _)) => {
                let nothing: BoxFuture<'static, _> = Box::pin(std::future::pending());
                Ok(self.won(at, turn, *response, nothing.fuse()))
            }
            Failed::Fallen(fell @ Fallen::Lost(_)) => {
                self.course.target = Some(at);
                end(turn, fell.verdict());
                Err(match fell {
                    Fallen::Lost(error) => Error::at_producer(error),
                    Fallen::Told(..) => Error::Stopped("it failed"),
                })
            }
            Failed::Unlent(error) => Err(self.no_connection(vec![error])),
        }
    }
}

/// Ends a turn; without a verdict it is judged neither way.
fn end(turn: Option<Turn>, verdict: Option<Verdict>) {
    if let (Some(turn), Some(verdict)) = (turn, verdict) {
        turn.end(verdict);
    }
}

impl Failed {
    /// The number of its status, if it has one.
    fn told(&self) -> Option<u8> {
        match self {
            Failed::Fallen(fell) => fell.told(),
            Failed::Unlent(_) => None,
        }
    }

    /// What it tells of the endpoint, if it does.
    fn verdict(&self) -> Option<Verdict> {
        match self {
            Failed::Fallen(fell) => fell.verdict(),
            Failed::Unlent(_) => None,
        }
    }
}

/// Whether the others go on after a failure, and what the producer says of more attempts.
fn judge(failed: Failed, policy: &HedgingPolicy) -> (Result<Failed, Failed>, Pushback) {
    let fall = match &failed {
        Failed::Unlent(_) => Fall::Unprocessed { refused: false },
        Failed::Fallen(fell) => fell.fall(),
    };
    match fall {
        Fall::Unprocessed { .. } => (Ok(failed), Pushback::Silent),
        // The method may run twice: that nobody was there is never the last word.
        Fall::Told(status, pushback)
            if status == Status::UNAVAILABLE || policy.non_fatal.contains(status) =>
        {
            (Ok(failed), pushback)
        }
        Fall::Told(_, pushback) => (Err(failed), pushback),
    }
}

async fn one(
    pool: &Pool,
    (at, sent, target): (usize, usize, &Target),
    tenant: &TrustDomain,
    (head, frames): (request::Parts, Frames),
    (is_hedge, deadline): (bool, Option<Instant>),
) -> Done {
    let lent = match is_hedge {
        true => pool.lend_again(&target.producer, target.endpoint(), tenant).await,
        false => pool.lend(&target.producer, target.endpoint(), tenant).await,
    };
    let Lent { connection, mut turn } = match lent {
        Ok(lent) => lent,
        Err(error) => return Done { at, sent, turn: None, outcome: Err(Failed::Unlent(error)) },
    };
    // Left unanswered until then it is judged like any other attempt.
    turn.until(deadline);
    let fallen = |error| Failed::Fallen(Fallen::Lost(error));
    let outcome = match connection.send_once(addressed(head, target.endpoint()), frames.is_empty()) {
        Err(error) => Err(fallen(error)),
        Ok((mut response, up)) => {
            let moving: BoxFuture<'static, _> = Box::pin(send(up, frames));
            let mut moving = moving.fuse();
            let head = |cx: &mut Context<'_>| Pin::new(&mut response).poll(cx).map_err(Error::Producer);
            match carry::beside(head, |cx| moving.poll_unpin(cx)).await {
                Ok(response) => {
                    Fallen::of(response).map(|response| (response, moving)).map_err(Failed::Fallen)
                }
                Err(Error::Producer(error)) => Err(fallen(error)),
                // It is the consumer who is over its share: no answer may hide it, and the endpoint has done nothing.
                Err(Error::OverShare { tenant, limit }) => {
                    Err(fallen(transport::Error::OverShare { tenant, limit }))
                }
                // Nothing else ends the way there: all of the request is here.
                Err(_) => Err(fallen(transport::Error::Closed("the attempt was given up"))),
            }
        }
    };
    Done { at, sent, turn: Some(turn), outcome }
}

async fn send(mut to: Send, frames: Frames) -> Result<(), Error> {
    for (data, end) in frames.iter() {
        to.frame(data.clone(), *end).await.map_err(Error::at_producer)?;
    }
    Ok(())
}
