//! The attempts of one call: one producer after the other, until one answers or no other may be tried.

use super::carry::{self, Answer, Answered, Downward, beside};
use super::course::Course;
use super::director::Route;
use super::fallen::{Fallen, verdict};
use super::hedge::Raced;
use super::lend::addressed;
use super::meter::Meter;
use super::replay::Replay;
use super::retry::{Fall, IDEMPOTENT, Next, Retries};
use super::story::Story;
use super::upward::Upward;
use super::{Error, Relay, budget, header};
use crate::access::Permit;
use crate::model::Version;
use crate::model::service_config::{
    CallPolicy, HedgingPolicy, Idempotent, MethodConfig, RetryPolicy, Status,
};
use crate::uplink::{Pool, Turn, Verdict};
use crate::usage;
use futures::FutureExt;
use http::request;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// The attempts of one call.
pub(super) struct Attempts<'a> {
    pub(super) relay: &'a Relay,
    pub(super) pool: &'a Pool,
    pub(super) route: &'a Route,
    /// The service and the method.
    pub(super) path: (&'a str, &'a str),
    /// How its version wants it to be called.
    pub(super) method: Option<&'a MethodConfig>,
    pub(super) deadline: Option<Instant>,
    /// The request's head, until it is sent for the first time.
    pub(super) head: &'a mut Option<request::Parts>,
    /// Where it is counted, however it ends.
    pub(super) counted: usage::Call<'a>,
    pub(super) answer: &'a mut Answer,
    pub(super) course: &'a mut Course,
    pub(super) story: Option<&'a mut Story>,
    /// Its turn at the endpoint where it is now.
    pub(super) turn: Option<Turn>,
    /// When the attempt began.
    pub(super) now: Instant,
    /// The target whose turn it is.
    pub(super) next: usize,
    /// The only version that it may go to now; none while it surely ran nowhere.
    pub(super) within: Option<&'a Arc<Version>>,
}

/// What is remembered of a call from its second attempt on.
struct Again {
    retries: Retries,
    fell: Fallen,
}

impl<'a> Attempts<'a> {
    /// Carries the request to whoever answers it. The number of the answer's status.
    pub(super) async fn run(&mut self, upward: &mut Upward<'_>, down: &mut Meter) -> Result<u8, Error> {
        let Some(policy) = self.hedging() else { return self.one_by_one(upward, down).await };
        // On the heap: its size must not be that of every call.
        Box::pin(async {
            self.collect(upward).await?;
            match upward.replay.is_whole() {
                true => self.hedged(policy, &mut upward.replay, down).await,
                false => self.one_by_one(upward, down).await,
            }
        })
        .await
    }

    async fn hedged(
        &mut self,
        policy: &HedgingPolicy,
        replay: &mut Replay,
        down: &mut Meter,
    ) -> Result<u8, Error> {
        let Raced { response, mut moving, at } = self.race(policy, replay).await?;
        replay.release();
        let permit = self.goes_to(at);
        self.pass(response, permit, down, |cx| moving.poll_unpin(cx)).await
    }

    async fn one_by_one(&mut self, upward: &mut Upward<'_>, down: &mut Meter) -> Result<u8, Error> {
        let mut again: Option<Box<Again>> = None;
        loop {
            let made = again.as_ref().map_or(1, |again| again.retries.made());
            let (lent, at) = match self.lend(made > 1).await {
                Ok(lent) => lent,
                // What the attempt before came to tells more than that there is no other.
                Err(error) => match again.filter(|_| matches!(error, Error::NoConnection { .. })) {
                    Some(again) => return Box::pin(self.fail(again.fell, down)).await,
                    None => return Err(error),
                },
            };
            let mut head = match self.head.take() {
                Some(head) => head,
                None => self.head_again(&upward.replay, made - 1)?,
            };
            let sent = self.course.sends(&mut head.headers, self.now);
            self.takes(lent.turn);
            let permit = self.goes_to(at);
            let head = addressed(head, self.route.targets[at].endpoint());
            let fell = match lent.connection.send_once(head, upward.is_bare) {
                Err(error) => Fallen::Lost(error),
                Ok((mut response, up)) => {
                    upward.begin(up);
                    let answer = &mut *self.answer;
                    let head = |cx: &mut Context<'_>| carry::poll_head(&mut response, answer, cx);
                    match beside(head, |cx| upward.poll_send(cx)).await.map(Fallen::of) {
                        Ok(Ok(response)) => {
                            upward.answered();
                            return self.pass(response, permit, down, |cx| upward.poll_send(cx)).await;
                        }
                        Ok(Err(fell)) => fell,
                        Err(Error::Producer(error)) => Fallen::Lost(error),
                        Err(error) => return Err(error),
                    }
                }
            };
            upward.stop();
            let mut retries = again.take().map_or_else(Retries::new, |again| again.retries);
            let Some(pause) = self.next(&fell, self.version_at(at), &mut retries, &upward.replay) else {
                return Box::pin(self.fail(fell, down)).await;
            };
            self.end(fell.verdict());
            if let Some(story) = &mut self.story {
                story.fell(&self.route.targets[at], fell.word());
            }
            self.course.tries.end(sent, fell.told());
            again = Some(Box::new(Again { retries, fell }));
            self.rest(pause).await?;
        }
    }

    /// How long until the call is sent again after it failed at `version`; `None` if it must not be.
    fn next(
        &mut self,
        fell: &Fallen,
        version: &'a Arc<Version>,
        retries: &mut Retries,
        replay: &Replay,
    ) -> Option<Duration> {
        let (fall, rates) = (fell.fall(), self.relay.retries);
        let policy = self.retrying(version);
        if let (Fall::Told(status, _), Some(policy)) = (fall, policy)
            && policy.retryable.contains(status)
        {
            budget::ended(version, rates, false);
        }
        if !replay.is_kept() {
            return None;
        }
        match retries.next(fall, policy, fastrand::f64(), || budget::take(version, rates)) {
            Next::Stop => None,
            Next::Transparent => {
                self.course.transparent += 1;
                Some(Duration::ZERO)
            }
            Next::After(pause) => {
                self.within = Some(version);
                Some(pause)
            }
        }
    }

    /// Passes an answer on; the rest of the request moves beside it.
    async fn pass(
        &mut self,
        response: Answered,
        permit: &Permit,
        meter: &mut Meter,
        moving: impl FnMut(&mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Result<u8, Error> {
        let now = Instant::now();
        if let Some(turn) = &mut self.turn {
            turn.answered_at(now);
        }
        self.course.head = Some(now.saturating_duration_since(self.course.began));
        let Self { answer, story, course, .. } = self;
        let mut way = Downward::new(meter, answer, story.as_deref_mut(), &mut course.load);
        let passed = match way.open(response, permit) {
            Ok(Some(status)) => Ok(status),
            Ok(None) => beside(|cx| way.poll_pass(cx), moving).await,
            Err(error) => Err(error),
        };
        drop(way);
        if let (Some(turn), Some(load)) = (&self.turn, &self.course.load) {
            turn.load(load);
        }
        if matches!(passed, Ok(0)) && self.is_throttled() {
            budget::ended(self.route.permit.version(), self.relay.retries, true);
        }
        self.end(match &passed {
            Ok(status) if Status::new(*status) == Some(Status::UNAVAILABLE) => Some(Verdict::Unavailable),
            Ok(_) => Some(Verdict::Answered),
            Err(Error::BadAnswer(_)) => Some(Verdict::Lost),
            Err(Error::Producer(error)) => verdict(error),
            // The consumer's matter, or ours.
            Err(_) => None,
        });
        passed
    }

    /// Ends the call as its last attempt ended.
    pub(super) async fn fail(&mut self, fell: Fallen, meter: &mut Meter) -> Result<u8, Error> {
        match fell {
            Fallen::Lost(error) => {
                self.end(verdict(&error));
                Err(Error::at_producer(error))
            }
            Fallen::Told(response, _) => {
                let permit = self.goes_to(self.course.target.unwrap_or_default());
                self.pass(*response, permit, meter, |_| Poll::Pending).await
            }
        }
    }

    /// Its turn at an endpoint begins.
    fn takes(&mut self, mut turn: Turn) {
        turn.until(self.deadline);
        self.turn = Some(turn);
    }

    /// Ends its turn at the endpoint; without a verdict it is judged neither way.
    fn end(&mut self, verdict: Option<Verdict>) {
        if let (Some(turn), Some(verdict)) = (self.turn.take(), verdict) {
            turn.end(verdict);
        }
    }

    /// Counts it for the version of one of the targets, and says why it may be called.
    fn goes_to(&mut self, at: usize) -> &'a Permit {
        let route = self.route;
        let permit = route.targets.get(at).map_or(&route.permit, |target| route.permit_at(target));
        self.counted.goes_to(&permit.version().name);
        permit
    }

    /// The call is over, well or not.
    pub(super) fn over(self, is_ok: bool) {
        // Its turn, if it still has one, judges by itself whether the deadline tells of the endpoint.
        self.counted.end(is_ok);
    }

    /// The head for one more attempt.
    pub(super) fn head_again(&self, replay: &Replay, previous: u32) -> Result<request::Parts, Error> {
        let left = left(self.deadline, self.relay.hop)?;
        let mut head = replay.head().ok_or(Error::Stopped("it could not be sent again"))?;
        header::edit_again(&mut head.headers, left, previous);
        Ok(head)
    }

    fn hedging(&self) -> Option<&'a HedgingPolicy> {
        match &self.method?.policy {
            Some(CallPolicy::Hedge(policy)) if self.idempotent(self.route.permit.version())?.unary => {
                Some(policy)
            }
            _ => None,
        }
    }

    /// How a version wants the call to be repeated.
    fn retrying(&self, version: &'a Version) -> Option<&'a RetryPolicy> {
        let config = version.facts.service_config.as_ref();
        match config.and_then(|config| config.method(self.path.0, self.path.1)?.policy.as_ref()) {
            Some(CallPolicy::Retry(policy)) => Some(policy),
            _ => self.idempotent(version).map(|_| &IDEMPOTENT),
        }
    }

    fn idempotent(&self, version: &'a Version) -> Option<&'a Idempotent> {
        version.facts.idempotent(self.path.0, self.path.1)
    }

    fn is_throttled(&self) -> bool {
        let config = self.route.permit.version().facts.service_config.as_ref();
        config.is_some_and(|config| config.throttling().is_some())
    }
}

/// What a producer is told of the time until the deadline. A timer fires up to a millisecond late: enough for it to begin
/// what nobody waits for.
pub(super) fn left(deadline: Option<Instant>, hop: Duration) -> Result<Option<Duration>, Error> {
    let Some(deadline) = deadline else { return Ok(None) };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(Error::DeadlineExceeded);
    }
    Ok(Some(left - hop.min(left / 10)))
}
