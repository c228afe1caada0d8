//! One call from its arrival to its end: what is wanted, where it goes, and what came of it.

use super::attempt::{Attempts, Meters};
use super::carry::Answer;
use super::course::{Course, Side};
use super::director::Route;
use super::meter::Meter;
use super::replay;
use super::route::Question;
use super::story::Story;
use super::watch::Watch;
use super::{Error, Failure, Intent, deadline};
use crate::access::{Caller, Policy};
use crate::catalog;
use crate::model::BrokerId;
use crate::telemetry::Telemetry;
use crate::transport::{Exchange, Recv};
use crate::uplink::{self, Peers, Pool};
use crate::usage::Recorder;
use http::{HeaderMap, Request};
use std::net::SocketAddr;
use std::sync::Arc;
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
        let mut journey = Journey {
            course: Course::begin(),
            answer: Answer::Unsent(exchange.respond),
            story: Story::begin(&wish.intent, &self.broker),
            meters: Meters { up: Meter::new(self.message_bytes), down: Meter::new(self.message_bytes) },
        };
        let question = Question {
            caller: &wish.caller,
            service: &wish.service,
            intent: &wish.intent,
            metadata: Some(exchange.request.headers()),
        };
        let route = self.route(pool, question, journey.story.as_deref_mut());
        let version = route.as_ref().ok().map(|route| route.permit.version());
        journey.course.watch = Watch::begin(&self.telemetry, &wish, version, exchange.request.headers());
        let outcome = match route {
            Ok(route) => {
                let outcome = journey.go(self, pool, &route, (exchange.request, wish.deadline), stop).await;
                journey.course.route = Some(route);
                outcome
            }
            Err(refusal) => Err(refusal.into()),
        };
        journey.end(wish, outcome)
    }
}

/// What outlives every attempt of a call, and the call itself.
struct Journey {
    course: Course,
    answer: Answer,
    story: Option<Box<Story>>,
    meters: Meters,
}

impl Journey {
    /// Everything of a call that has to end with its deadline, or when it is stopped.
    async fn go(
        &mut self,
        relay: &Relay,
        pool: &Pool,
        route: &Route,
        (request, deadline): (Request<Recv>, Option<Instant>),
        stop: impl Future<Output = &'static str>,
    ) -> Result<u8, Error> {
        let Self { course, answer, story, meters } = self;
        let story = story.as_deref_mut();
        let attempts = Attempts { relay, pool, route, deadline, answer, course, story, next: 0 };
        tokio::select! {
            biased;
            outcome = attempts.run(request, meters) => outcome,
            () = deadline::passed(deadline) => Err(Error::DeadlineExceeded),
            why = stop => Err(Error::Stopped(why)),
        }
    }

    fn end(self, wish: Wish, outcome: Result<u8, Error>) -> Ended {
        let Self { mut course, answer, story, meters } = self;
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
