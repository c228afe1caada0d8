//! The attempts of one call: one producer after the other, until one answers or no other may be tried.

use super::carry::{self, Answer, Answered, Downward, Upward, beside, lock};
use super::course::Course;
use super::director::Route;
use super::fallen::{Fallen, verdict};
use super::hedge::Raced;
use super::lend::addressed;
use super::meter::Meter;
use super::replay::Replay;
use super::retry::{Fall, IDEMPOTENT, Next, Retries};
use super::story::Story;
use super::{Error, Relay, budget, header};
use crate::access::Permit;
use crate::model::Version;
use crate::model::service_config::{
    CallPolicy, HedgingPolicy, Idempotent, MethodConfig, RetryPolicy, Status,
};
use crate::transport::Recv;
use crate::uplink::{Pool, Turn, Verdict};
use crate::usage;
use futures::FutureExt;
use futures::future::{Fuse, pending};
use http::{Request, request};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
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
    /// Where it is counted, however it ends.
    pub(super) counted: usage::Call<'a>,
    pub(super) answer: &'a mut Answer,
    pub(super) course: &'a mut Course,
    pub(super) story: Option<&'a mut Story>,
    /// Its turn at the endpoint where it is now.
    pub(super) turn: &'a mut Option<Turn>,
    /// The target whose turn it is.
    pub(super) next: usize,
    /// The only version that it may go to now; none while it surely ran nowhere.
    pub(super) within: Option<&'a Arc<Version>>,
}

/// What passes in each direction.
pub(super) struct Meters {
    pub(super) up: Meter,
    pub(super) down: Meter,
}

impl<'a> Attempts<'a> {
    /// Carries the request to whoever answers it. The number of the answer's status.
    pub(super) async fn run(mut self, request: Request<Recv>, meters: &mut Meters) -> Result<u8, Error> {
        let (relay, permit) = (self.relay, &self.route.permit);
        budget::called(permit.version(), relay.retries);
        let (mut head, from) = request.into_parts();
        header::edit_request(&mut head.headers, permit, &relay.broker, self.left()?)?;
        let end = from.is_end();
        let replay = Mutex::new(Replay::of(&head, end, relay.replay));
        let mut upward = Upward::new(from, &mut meters.up);
        let hedging = self.hedging();
        if hedging.is_some() {
            Box::pin(self.collect(&mut upward, &replay)).await?;
        }
        let status = match hedging {
            Some(policy) if lock(&replay).is_whole() => {
                drop(upward);
                // On the heap: its size must not be that of every call.
                Box::pin(self.hedged(policy, head, &replay, &mut meters.down)).await?
            }
            _ => self.one_by_one((head, end), upward, &replay, &mut meters.down).await?,
        };
        self.counted.end(status == 0);
        Ok(status)
    }

    async fn hedged(
        &mut self,
        policy: &HedgingPolicy,
        head: request::Parts,
        replay: &Mutex<Replay>,
        down: &mut Meter,
    ) -> Result<u8, Error> {
        let Raced { response, mut moving, at } = self.race(policy, head, replay).await?;
        lock(replay).release();
        let permit = self.goes_to(at);
        self.pass(response, permit, down, Pin::new(&mut moving)).await
    }

    async fn one_by_one(
        &mut self,
        (head, end): (request::Parts, bool),
        mut upward: Upward<'_>,
        replay: &Mutex<Replay>,
        down: &mut Meter,
    ) -> Result<u8, Error> {
        let (mut first, mut fallen, mut retries) = (Some(head), None, None);
        loop {
            let made = retries.as_ref().map_or(1, Retries::made);
            let (lent, target) = match (self.lend(made > 1).await, fallen.take()) {
                (Ok(lent), _) => lent,
                // What the attempt before came to tells more than that there is no other.
                (Err(Error::NoConnection { .. }), Some(fell)) => {
                    return Box::pin(self.fail(fell, down)).await;
                }
                (Err(error), _) => return Err(error),
            };
            let mut head = match first.take() {
                Some(head) => head,
                None => self.head_again(replay, made - 1)?,
            };
            let sent = self.course.sends(&mut head.headers);
            self.takes(lent.turn);
            let permit = self.goes_to(target);
            let head = addressed(head, self.route.targets[target].endpoint());
            let fell = match lent.connection.send(head, end) {
                Err(error) => Fallen::Lost(error),
                Ok((response, up)) => {
                    let mut moving = pin!(upward.send(up, replay).fuse());
                    let headed = {
                        let head = pin!(carry::head(response, self.answer));
                        beside(head, moving.as_mut()).await
                    };
                    match headed.map(Fallen::of) {
                        Ok(Ok(response)) => {
                            lock(replay).release();
                            return self.pass(response, permit, down, moving).await;
                        }
                        Ok(Err(fell)) => fell,
                        Err(Error::Producer(error)) => Fallen::Lost(error),
                        Err(error) => return Err(error),
                    }
                }
            };
            let retries = retries.get_or_insert_with(Retries::new);
            let Some(pause) = self.next(&fell, self.version_at(target), retries, replay) else {
                return Box::pin(self.fail(fell, down)).await;
            };
            self.end(fell.verdict());
            if let Some(story) = &mut self.story {
                story.fell(&self.route.targets[target], fell.word());
            }
            self.course.tries.end(sent, fell.told());
            fallen = Some(fell);
            self.rest(pause).await?;
        }
    }

    /// How long until the call is sent again after it failed at `version`; `None` if it must not be.
    fn next(
        &mut self,
        fell: &Fallen,
        version: &'a Arc<Version>,
        retries: &mut Retries,
        replay: &Mutex<Replay>,
    ) -> Option<Duration> {
        let (fall, rates) = (fell.fall(), self.relay.retries);
        let policy = self.retrying(version);
        if let (Fall::Told(status, _), Some(policy)) = (fall, policy)
            && policy.retryable.contains(status)
        {
            budget::ended(version, rates, false);
        }
        if !lock(replay).is_kept() {
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
        moving: Pin<&mut Fuse<impl Future<Output = Result<(), Error>>>>,
    ) -> Result<u8, Error> {
        if let Some(turn) = self.turn {
            turn.answered();
        }
        self.course.head = Some(self.course.began.elapsed());
        let Self { answer, story, course, .. } = self;
        let way = Downward { permit, meter, answer, story: story.as_deref_mut(), load: &mut course.load };
        let passed = beside(pin!(way.pass(response)), moving).await;
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
                self.pass(*response, permit, meter, pin!(pending().fuse())).await
            }
        }
    }

    /// Its turn at an endpoint begins.
    fn takes(&mut self, mut turn: Turn) {
        turn.until(self.deadline);
        *self.turn = Some(turn);
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

    /// What the producer is told of the time until the deadline. A timer fires up to a millisecond late: enough for a
    /// producer to begin what nobody waits for.
    pub(super) fn left(&self) -> Result<Option<Duration>, Error> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::DeadlineExceeded);
        }
        Ok(Some(left - self.relay.hop.min(left / 10)))
    }

    /// The head for one more attempt.
    pub(super) fn head_again(&self, replay: &Mutex<Replay>, previous: u32) -> Result<request::Parts, Error> {
        let left = self.left()?;
        let mut head = lock(replay).head().ok_or(Error::Stopped("it could not be sent again"))?;
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
