//! One call from its arrival to its end: route, connection, headers, the way there and back.

use super::carry::{Answer, Legs, carry};
use super::director::{self, Refusal, Route, Standing};
use super::{BadAnswer, Loop, Oversize, deadline, header};
use crate::access::{Caller, Policy};
use crate::catalog;
use crate::model::{BrokerId, Endpoint, PlatformName, Producer, State};
use crate::transport::{self, Exchange, Recv, client};
use crate::uplink::{self, Pool};
use crate::usage::Recorder;
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Uri};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::time::Instant;

/// How many endpoints are tried while nothing has reached a producer.
const TRIES: usize = 3;

/// How long a probe's word keeps calls away from an endpoint; far longer than from one probe to the next.
const BELIEVED: SignedDuration = SignedDuration::from_secs(120);

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
        let error = {
            let work = self.work(pool, &wish, exchange.request, &mut answer);
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
        Err(Failure { error, answer })
    }

    async fn work(
        &self,
        pool: &Pool,
        wish: &Wish,
        request: Request<Recv>,
        answer: &mut Answer,
    ) -> Result<(), Error> {
        let route = self.route(&wish.caller, &wish.service)?;
        // Counted when it falls, however the call ends.
        let counted = self.usage.begin(&route.permit.version().name, &route.permit.caller().identity);
        let (mut head, request) = request.into_parts();
        let left = wish.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            // A timer fires up to a millisecond late: enough for a producer to begin what nobody waits for.
            return Err(Error::DeadlineExceeded);
        }
        header::edit_request(&mut head.headers, &route.permit, &self.broker, left)?;

        let (connection, endpoint) = tokio::select! {
            biased;
            // First: a call that is gone already must not reach the producer, where many early resets end a connection.
            gone = answer.closed() => return Err(Error::Consumer(gone)),
            lent = lend(pool, &route) => lent.map_err(|tried| self.no_connection(&route, tried))?,
        };
        head.uri = address(std::mem::take(&mut head.uri), endpoint);
        head.extensions.clear();
        let (response, up) =
            connection.send(Request::from_parts(head, ()), request.is_end()).map_err(Error::Producer)?;
        let is_ok = carry(Legs { request, up, response }, &route.permit, self.message_bytes, answer).await?;
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

    /// Where a call of this caller goes now.
    pub fn route(&self, caller: &Arc<Caller>, service: &str) -> Result<Route, Refusal> {
        let seen = self.observations.load();
        let standing =
            |producer: &Producer, endpoint: &Endpoint| standing(&seen, producer, endpoint, service);
        director::choose(&self.catalog.load(), &self.policy, caller, service, &self.locality, standing)
    }
}

/// Lends a connection to the first endpoint that has one; the next is tried only while nothing was sent.
async fn lend<'a>(
    pool: &Pool,
    route: &'a Route,
) -> Result<(client::Connection, &'a Endpoint), Vec<uplink::Error>> {
    let tenant = &route.permit.caller().identity.trust_domain;
    let mut tried = Vec::new();
    for target in route.targets.iter().take(TRIES) {
        match pool.connection(&target.producer, target.endpoint(), tenant).await {
            Ok(connection) => return Ok((connection, target.endpoint())),
            Err(error) => tried.push(error),
        }
    }
    Err(tried)
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

fn standing(seen: &uplink::Seen, producer: &Producer, endpoint: &Endpoint, service: &str) -> Standing {
    let look = seen.get(&producer.name, &endpoint.address);
    // What nobody has confirmed for long is no reason to keep calls away: the call itself will tell.
    match look.filter(|look| Timestamp::now().duration_since(look.observed) < BELIEVED) {
        Some(seen) if !seen.is_reachable => {
            Standing::Unreachable { why: seen.message.clone(), since: seen.since }
        }
        Some(seen) if seen.of(service) == State::NotServing => Standing::NotServing { since: seen.since },
        _ => Standing::Up,
    }
}

fn text(tried: &[uplink::Error]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
