//! One call from its arrival to its end: route, connection, headers, the way there and back.

use super::carry::{Answer, Legs, carry};
use super::director::{self, Ask, BELIEVED, Explanation, Look, Refusal, Route, Standing, Target};
use super::story::{self, Story};
use super::{BadAnswer, Intent, Loop, Oversize, deadline, header};
use crate::access::{Caller, Policy};
use crate::catalog::{self, Snapshot};
use crate::model::{BrokerId, Endpoint, PlatformName, Producer, State};
use crate::transport::{self, Exchange, Recv, client};
use crate::uplink::{self, Pool};
use crate::usage::Recorder;
use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, Request, Uri};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::time::Instant;

/// How many endpoints are tried while nothing has reached a producer.
const TRIES: usize = 3;

/// Carries calls to their owners. One for all workers; each brings its own [`Pool`].
#[derive(Debug, Clone)]
pub struct Relay {
    /// Who offers what.
    pub catalog: catalog::Reader,
    /// Who may call what.
    pub policy: Arc<Policy>,
    /// What the prober saw.
    pub observations: uplink::Observations,
    /// Where calls are counted.
    pub usage: Recorder,
    /// Our own id, for the loop guard.
    pub broker: BrokerId,
    /// Where we stand: `region/zone`.
    pub locality: Arc<str>,
    /// The longest message, in bytes, in either direction.
    pub message_bytes: u32,
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
    /// The service, as it stands in the path.
    pub service: String,
    /// What it asks of the route.
    pub intent: Intent,
    /// When the consumer stops waiting.
    pub deadline: Option<Instant>,
}

/// A call that did not end as the producer wanted, and from where its answer can be ended.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// How far the answer had come.
    pub answer: Answer,
    /// What its trailers tell of the route, if the call asked for it.
    pub told: HeaderMap,
}

/// Why a call failed on its way.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It goes nowhere.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It came here before.
    #[error(transparent)]
    Loop(#[from] Loop),
    /// No producer could be reached; nothing was sent.
    #[error("no producer of {platform} could be reached: {}", text(tried))]
    NoConnection {
        /// Who owns the service.
        platform: PlatformName,
        /// What happened at each endpoint that was tried.
        tried: Vec<uplink::Error>,
        /// Since when it has been so, as far as this broker knows.
        since: Timestamp,
    },
    /// The producer, or the connection to it, ended the call.
    #[error("the producer ended the call")]
    Producer(#[source] transport::Error),
    /// The consumer ended the call.
    #[error("the consumer ended the call")]
    Consumer(#[source] transport::Error),
    /// The producer's answer is not gRPC.
    #[error(transparent)]
    BadAnswer(#[from] BadAnswer),
    /// A message is over the limit.
    #[error("a message of {} bytes is over the limit of {}", .0.length, .0.limit)]
    Oversize(Oversize),
    /// The consumer's deadline passed.
    #[error("the deadline of the call passed")]
    DeadlineExceeded,
    /// The broker stopped the call, and why.
    #[error("the call was stopped: {0}")]
    Stopped(&'static str),
}

impl From<Oversize> for Error {
    fn from(oversize: Oversize) -> Self {
        Error::Oversize(oversize)
    }
}

impl Relay {
    /// Carries a call to its owner and the answer back, unless `stop` says before why it must not go on.
    pub async fn forward(
        &self,
        pool: &Pool,
        call: Call,
        stop: impl Future<Output = &'static str>,
    ) -> Result<(), Failure> {
        let Call { wish, exchange } = call;
        let mut answer = Answer::Unsent(exchange.respond);
        let mut story = Story::begin(&wish.intent, &self.broker);
        let error = {
            let work = self.work(pool, &wish, exchange.request, &mut answer, story.as_deref_mut());
            let outcome = tokio::select! {
                biased;
                outcome = work => outcome,
                () = deadline::passed(wish.deadline) => Err(Error::DeadlineExceeded),
                why = stop => Err(Error::Stopped(why)),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(error) => error,
            }
        };
        let mut told = HeaderMap::new();
        if let Some(story) = story {
            story.tell(&mut told);
        }
        Err(Failure { error, answer, told })
    }

    async fn work(
        &self,
        pool: &Pool,
        wish: &Wish,
        request: Request<Recv>,
        answer: &mut Answer,
        mut story: Option<&mut Story>,
    ) -> Result<(), Error> {
        let route = self.route(wish, story.as_deref_mut())?;
        // Counted when it falls, however the call ends.
        let mut counted = self.usage.begin(&route.permit.version().name, &route.permit.caller().identity);
        let (mut head, request) = request.into_parts();
        let left = wish.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // A timer fires up to a millisecond late: enough for a producer to begin what nobody waits for.
            return Err(Error::DeadlineExceeded);
        }
        header::edit_request(&mut head.headers, &route.permit, &self.broker, left)?;

        let (connection, target) = tokio::select! {
            biased;
            // First: a call that is gone already must not reach the producer, where many early resets end a connection.
            gone = answer.closed() => return Err(Error::Consumer(gone)),
            (lent, tried) = lend(pool, &route) => {
                if let Some(story) = &mut story {
                    story.tried(&tried);
                }
                lent.ok_or_else(|| self.no_connection(&route, tried))?
            }
        };
        if let Some(story) = &mut story {
            story.connected(&route, target);
        }
        head.uri = address(std::mem::take(&mut head.uri), target.endpoint());
        head.extensions.clear();
        let (response, up) =
            connection.send(Request::from_parts(head, ()), request.is_end()).map_err(Error::Producer)?;
        let permit = route.permit_at(target);
        counted.goes_to(&permit.version().name);
        let legs = Legs { request, up, response };
        let is_ok = carry(legs, permit, self.message_bytes, answer, story).await?;
        counted.end(is_ok);
        Ok(())
    }

    /// The earliest failure that the pool or the prober saw counts; this one, if it is the first.
    fn no_connection(&self, route: &Route, tried: Vec<uplink::Error>) -> Error {
        let seen = self.observations.load();
        let probed =
            route.targets.iter().filter_map(|at| seen.get(&at.producer.name, &at.endpoint().address));
        let probed = probed.filter(|seen| !seen.is_reachable).map(|seen| seen.since);
        let since = tried.iter().filter_map(uplink::Error::since).chain(probed).min();
        let platform = route.permit.version().name.platform.clone();
        Error::NoConnection { platform, tried, since: since.unwrap_or_else(Timestamp::now) }
    }

    /// Where a call goes now; it is told to those who asked.
    fn route(&self, wish: &Wish, story: Option<&mut Story>) -> Result<Route, Refusal> {
        let snapshot = self.catalog.load();
        let ask = self.ask(&snapshot, &wish.caller, &wish.service, &wish.intent);
        let seen = self.observations.load();
        let look = |producer: &Producer, endpoint: &Endpoint| look(&seen, producer, endpoint, &ask);
        let Some(story) = story else { return director::choose(&ask, look) };
        let (route, told) = director::explain(&ask, look, story::CANDIDATES);
        story.decided(&told, route.as_ref());
        route
    }

    /// Why a call would not be carried now; `None` if it would.
    pub fn refusal(&self, caller: &Arc<Caller>, service: &str, intent: &Intent) -> Option<Refusal> {
        let snapshot = self.catalog.load();
        let ask = self.ask(&snapshot, caller, service, intent);
        let seen = self.observations.load();
        director::choose(&ask, |producer, endpoint| look(&seen, producer, endpoint, &ask)).err()
    }

    /// Where a call would go now, and why; at most `limit` candidates are told.
    pub fn explain(&self, caller: &Arc<Caller>, service: &str, intent: &Intent, limit: usize) -> Explanation {
        let snapshot = self.catalog.load();
        let ask = self.ask(&snapshot, caller, service, intent);
        let seen = self.observations.load();
        director::explain(&ask, |producer, endpoint| look(&seen, producer, endpoint, &ask), limit).1
    }

    fn ask<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        caller: &'a Arc<Caller>,
        service: &'a str,
        intent: &'a Intent,
    ) -> Ask<'a> {
        Ask {
            snapshot,
            policy: &self.policy,
            caller,
            service,
            intent,
            locality: &self.locality,
            now: Timestamp::now(),
            draw: fastrand::u64(..),
        }
    }
}

/// Lends a connection to the first endpoint that has one; the next is tried only while nothing was sent. With it, what
/// happened at those before.
async fn lend<'a>(
    pool: &Pool,
    route: &'a Route,
) -> (Option<(client::Connection, &'a Target)>, Vec<uplink::Error>) {
    let tenant = &route.permit.caller().identity.trust_domain;
    let mut tried = Vec::new();
    for target in route.targets.iter().take(TRIES) {
        match pool.connection(&target.producer, target.endpoint(), tenant).await {
            Ok(connection) => return (Some((connection, target)), tried),
            Err(error) => tried.push(error),
        }
    }
    (None, tried)
}

/// The consumer's own authority stays; a request without one gets the endpoint's.
fn address(uri: Uri, endpoint: &Endpoint) -> Uri {
    let mut parts: Parts = uri.into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    if parts.authority.is_none() {
        parts.authority = Authority::try_from(endpoint.address.to_string()).ok();
    }
    Uri::from_parts(parts).unwrap_or_default()
}

fn look(seen: &uplink::Seen, producer: &Producer, endpoint: &Endpoint, ask: &Ask<'_>) -> Look {
    let Some(seen) = seen.get(&producer.name, &endpoint.address) else { return Look::UNSEEN };
    // One that is silent answered until it fell silent, give or take a probe.
    let answered = Some(if seen.is_reachable { seen.observed } else { seen.since });
    // What nobody has confirmed for long is no reason to keep calls away: the call itself will tell.
    let standing = match ask.now.duration_since(seen.observed) < BELIEVED {
        true if !seen.is_reachable => Standing::Unreachable { why: seen.message.clone(), since: seen.since },
        true if seen.of(ask.service) == State::NotServing => Standing::NotServing { since: seen.since },
        _ => Standing::Up,
    };
    Look { standing, answered }
}

fn text(tried: &[uplink::Error]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
