//! One call from its arrival to its end: what is wanted, where it goes, and what came of it.

use super::attempt::{Attempts, Meters};
use super::carry::Answer;
use super::course::{Course, Side};
use super::director::Route;
use super::meter::Meter;
use super::ready;
use super::replay;
use super::route::Question;
use super::story::Story;
use super::watch::Watch;
use super::{Error, Failure, Intent, budget, deadline};
use crate::access::{Caller, Policy};
use crate::catalog;
use crate::model::BrokerId;
use crate::model::service_config::MethodConfig;
use crate::telemetry::Telemetry;
use crate::transport::{Exchange, Recv};
use crate::uplink::{self, Peers, Pool, Turn};
use crate::usage::Recorder;
use http::{HeaderMap, Request};
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

/// One call, as it arrived.
#[derive(Debug)]
pub struct Call {
    /// What is wanted.
    pub wish: Wish,
    /// The request and the way to answer it.
    pub exchange: Exchange,
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

/// A call that is over.
#[derive(Debug)]
pub struct Ended {
    /// What was wanted.
    pub wish: Wish,
    /// What happened.
    pub course: Course,
    /// What the consumer is still to be told; nothing if the answer was passed on whole.
    pub failure: Option<Failure>,
}

impl Relay {
    /// Carries a call to its owner and the answer back, unless `stop` says before why it must not go on.
    pub async fn forward(&self, pool: &Pool, call: Call, stop: impl Future<Output = &'static str>) -> Ended {
        let Call { wish, exchange } = call;
        let course = Course::begin();
        let mut story = Story::begin(&wish.intent, &self.broker);
        let question = Question {
            caller: &wish.caller,
            service: &wish.service,
            intent: &wish.intent,
            metadata: Some(exchange.request.headers()),
        };
        let route = self.route(pool, question, story.as_deref_mut());
        let method = route.as_ref().ok().and_then(|route| method(route, &wish));
        let limit = |said: Option<u32>| Meter::new(self.message_bytes.min(said.unwrap_or(u32::MAX)));
        let mut journey = Journey {
            course,
            answer: Answer::Unsent(exchange.respond),
            story,
            turn: None,
            meters: Meters {
                up: limit(method.and_then(|method| method.max_request_bytes)),
                down: limit(method.and_then(|method| method.max_response_bytes)),
            },
        };
        let version = route.as_ref().ok().map(|route| route.permit.version());
        journey.course.watch = Watch::begin(&self.telemetry, &wish, version, exchange.request.headers());
        let mut later = None;
        let outcome = match &route {
            Ok(route) => journey.go(self, pool, (route, &mut later), (&wish, exchange.request), stop).await,
            Err(refusal) => Err(refusal.clone().into()),
        };
        journey.course.route = later.map(|later| *later).or(route.ok());
        journey.end(wish, outcome)
    }
}

/// What outlives every attempt of a call, and the call itself.
struct Journey {
    course: Course,
    answer: Answer,
    story: Option<Box<Story>>,
    turn: Option<Turn>,
    meters: Meters,
}

impl Journey {
    /// Everything of a call that has to end with its deadline, or when it is stopped. It goes `later` elsewhere if it
    /// waits for a producer and another comes.
    async fn go(
        &mut self,
        relay: &Relay,
        pool: &Pool,
        (mut route, later): (&Route, &mut Option<Box<Route>>),
        (wish, request): (&Wish, Request<Recv>),
        stop: impl Future<Output = &'static str>,
    ) -> Result<u8, Error> {
        let Self { course, answer, story, turn, meters } = self;
        let mut method = method(route, wish);
        let deadline = method.map_or(wish.deadline, |method| within(method, wish.deadline, course.began));
        let mut stop = pin!(stop);
        if method.is_some_and(|method| method.wait_for_ready) {
            let Wish { caller, service, intent, .. } = wish;
            let question = Question { caller, service, intent, metadata: Some(request.headers()) };
            // On the heap: its size must not be that of every call.
            let ready = Box::pin(ready::wait((relay, pool), question, route, answer, course.began));
            *later = tokio::select! {
                biased;
                found = ready => found?,
                () = deadline::passed(deadline) => return Err(Error::DeadlineExceeded),
                why = stop.as_mut() => return Err(Error::Stopped(why)),
            };
            route = later.as_deref().unwrap_or(route);
            method = self::method(route, wish);
        }
        let permit = &route.permit;
        let attempts = Attempts {
            relay,
            pool,
            route,
            path: (&wish.service, &wish.method),
            method,
            deadline,
            counted: relay.usage.begin(&permit.version().name, &permit.caller().identity),
            answer,
            course,
            story: story.as_deref_mut(),
            turn,
            next: 0,
            within: None,
        };
        tokio::select! {
            biased;
            outcome = attempts.run(request, meters) => outcome,
            () = deadline::passed(deadline) => Err(Error::DeadlineExceeded),
            why = stop => Err(Error::Stopped(why)),
        }
    }

    fn end(self, wish: Wish, outcome: Result<u8, Error>) -> Ended {
        let Self { mut course, answer, story, turn, meters } = self;
        // It judges by itself whether the deadline tells of the endpoint.
        drop(turn);
        (course.request, course.response) = (meters.up.tally(), meters.down.tally());
        course.ended_by = match &outcome {
            Ok(_) | Err(Error::Producer(_) | Error::BadAnswer(_)) => Side::Producer,
            Err(Error::Consumer(_)) => Side::Consumer,
            Err(_) => Side::Broker,
        };
        let failure = match outcome {
            Ok(status) => {
                course.status = Some(status);
                None
            }
            Err(error) => {
                let mut told = HeaderMap::new();
                if let Some(story) = story {
                    story.tell(&mut told);
                }
                Some(Failure { error, answer, told })
            }
        };
        Ended { wish, course, failure }
    }
}

/// How the version that a call goes to wants its method to be called.
fn method<'a>(route: &'a Route, wish: &Wish) -> Option<&'a MethodConfig> {
    let config = route.permit.version().facts.service_config.as_ref()?;
    config.method(&wish.service, &wish.method)
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
