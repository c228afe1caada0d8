//! One call from its arrival to its end: what is wanted, where it goes, and what came of it.

use super::attempt::{Attempts, left};
use super::carry::Answer;
use super::course::Course;
use super::director::Route;
use super::meter::Meter;
use super::ready;
use super::replay::{self, Replay};
use super::route::Question;
use super::story::Story;
use super::upward::Upward;
use super::watch::Watch;
use super::{Error, Failure, Intent, budget, deadline, header};
use crate::access::{Caller, Policy};
use crate::catalog;
use crate::model::service_config::MethodConfig;
use crate::model::{BrokerId, Version};
use crate::telemetry::Telemetry;
use crate::transport::{Exchange, Recv};
use crate::uplink::{self, Peers, Pool};
use crate::usage::Recorder;
use http::{HeaderMap, HeaderValue, request};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Carries calls to their owners. One for all workers; each brings its own [`Pool`].
#[derive(Debug, Clone)]
pub struct Relay {
    /// Who offers what.
    pub catalog: catalog::Reader,
    /// Who may call what.
    pub policy: Arc<Policy>,
    /// What the prober saw.
    pub observations: uplink::Observations,
    /// What calls showed of endpoints.
    pub peers: Peers,
    /// Where calls are counted.
    pub usage: Recorder,
    /// Our own id, for the loop guard.
    pub broker: BrokerId,
    /// The same as it is written into [`portolan-via`](super::via).
    pub via: HeaderValue,
    /// Where we stand: `region/zone`.
    pub locality: Arc<str>,
    /// The longest message, in bytes, in either direction.
    pub message_bytes: u32,
    /// How much of a call is kept, so that it can be sent again.
    pub replay: replay::Limits,
    /// How much is retried.
    pub retries: budget::Rates,
    /// Kept back from each deadline, so that a producer gives up before we do.
    pub hop: Duration,
    /// What is told of calls.
    pub telemetry: Telemetry,
}

/// One call, from its arrival to its end. It has one place on the heap, and all that happens to it happens there.
#[derive(Debug)]
pub struct Call {
    /// What is wanted.
    pub wish: Wish,
    /// What has happened.
    pub course: Course,
    /// The request's head, until it is sent for the first time.
    head: Option<request::Parts>,
    /// The rest of the request.
    from: Recv,
    /// The way to answer it.
    pub(super) answer: Answer,
}

/// Who wants what until when.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Who calls.
    pub caller: Arc<Caller>,
    /// From where.
    pub peer: SocketAddr,
    /// The service, as it stands in the path.
    pub service: String,
    /// The method, as it stands in the path.
    pub method: String,
    /// What it asks of the route.
    pub intent: Intent,
    /// When the consumer stops waiting.
    pub deadline: Option<Instant>,
}

impl Call {
    /// A call that begins now.
    pub fn begin(wish: Wish, exchange: Exchange) -> Box<Self> {
        let (head, from) = exchange.request.into_parts();
        let answer = Answer::Unsent(exchange.respond);
        Box::new(Self { wish, course: Course::begin(), head: Some(head), from, answer })
    }
}

impl Relay {
    /// Carries a call to its owner and the answer back, unless `stop` says before why it must not go on. What the
    /// consumer is still to be told; nothing if the answer was passed on whole.
    pub async fn forward(
        &self,
        pool: &Pool,
        call: &mut Call,
        stop: impl Future<Output = &'static str>,
    ) -> Option<Box<Failure>> {
        let mut story = Story::begin(&call.wish.intent, &self.broker);
        let routed = self.route(pool, call.question(), story.as_deref_mut());
        let version = routed.as_ref().ok().map(|route| route.permit.version());
        call.course.watch = Watch::begin(&self.telemetry, &call.wish, version, call.metadata());
        let outcome = match routed {
            Ok(mut route) => {
                let outcome = self.go(pool, &mut route, call, story.as_deref_mut(), stop).await;
                call.course.route = Some(route);
                outcome
            }
            Err(refusal) => Err(refusal.into()),
        };
        call.course.end(&outcome);
        let error = outcome.err()?;
        let mut told = HeaderMap::new();
        if let Some(story) = story {
            story.tell(&mut told);
        }
        Some(Box::new(Failure { error, answer: std::mem::replace(&mut call.answer, Answer::Over), told }))
    }

    /// Everything of a call that has to end with its deadline, or when it is stopped. Its route is another if it waits for
    /// a producer and one comes elsewhere.
    async fn go(
        &self,
        pool: &Pool,
        route: &mut Route,
        call: &mut Call,
        story: Option<&mut Story>,
        stop: impl Future<Output = &'static str>,
    ) -> Result<u8, Error> {
        let mut stop = pin!(stop);
        let first = method(route.permit.version(), &call.wish);
        let deadline =
            first.map_or(call.wish.deadline, |method| within(method, call.wish.deadline, call.course.began));
        if first.is_some_and(|method| method.wait_for_ready) {
            // On the heap: its size must not be that of every call.
            let ready = Box::pin(ready::wait((self, pool), call, route));
            let found = tokio::select! {
                biased;
                found = ready => found,
                () = deadline::passed(deadline) => Err(Error::DeadlineExceeded),
                why = stop.as_mut() => Err(Error::Stopped(why)),
            };
            match found {
                Ok(Some(later)) => *route = *later,
                Ok(None) => {}
                Err(error) => {
                    let permit = &route.permit;
                    self.usage.record(&permit.version().name, &permit.caller().identity, false);
                    return Err(error);
                }
            }
        }
        let Call { wish, course, head, from, answer } = call;
        let route = &*route;
        let permit = &route.permit;
        let counted = self.usage.begin(&permit.version().name, &permit.caller().identity);
        budget::called(permit.version(), self.retries);
        let method = method(permit.version(), wish);
        let Some(parts) = head else { return Err(Error::Stopped("it was sent before")) };
        let by = (&self.broker, &self.via);
        header::edit_request(&mut parts.headers, permit, by, left(deadline, self.hop)?)?;
        let replay = Replay::of(parts, from.is_end(), self.replay);
        let limit = |said: Option<u32>| Meter::new(self.message_bytes.min(said.unwrap_or(u32::MAX)));
        let mut up = limit(method.and_then(|method| method.max_request_bytes));
        let mut down = limit(method.and_then(|method| method.max_response_bytes));
        let mut upward = Upward::new(from, &mut up, replay);
        let mut attempts = Attempts {
            relay: self,
            pool,
            route,
            path: (&wish.service, &wish.method),
            method,
            deadline,
            head,
            counted,
            answer,
            now: course.began,
            course: &mut *course,
            story,
            turn: None,
            next: 0,
            within: None,
        };
        let outcome = tokio::select! {
            biased;
            outcome = attempts.run(&mut upward, &mut down) => outcome,
            () = deadline::passed(deadline) => Err(Error::DeadlineExceeded),
            why = stop.as_mut() => Err(Error::Stopped(why)),
        };
        drop(upward);
        attempts.over(matches!(outcome, Ok(0)));
        (course.request, course.response) = (up.tally(), down.tally());
        outcome
    }
}

impl Call {
    pub(super) fn question(&self) -> Question<'_> {
        let Wish { caller, service, intent, .. } = &self.wish;
        Question { caller, service, intent, metadata: self.metadata(), now: self.course.began }
    }

    fn metadata(&self) -> Option<&HeaderMap> {
        self.head.as_ref().map(|head| &head.headers)
    }
}

/// How a version wants a method to be called.
fn method<'a>(version: &'a Version, wish: &Wish) -> Option<&'a MethodConfig> {
    version.facts.service_config.as_ref()?.method(&wish.service, &wish.method)
}

/// The deadline of a call as its method has it: never later than its timeout, and never none if it says one.
fn within(method: &MethodConfig, asked: Option<Instant>, began: Instant) -> Option<Instant> {
    let after = |timeout: Option<Duration>| timeout.and_then(|timeout| began.checked_add(timeout));
    let most = after(method.timeout);
    let asked = asked.or_else(|| after(method.default_timeout));
    match (asked, most) {
        (Some(asked), Some(most)) => Some(asked.min(most)),
        (asked, most) => asked.or(most),
    }
}
