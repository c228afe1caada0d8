//! The attempts of one call: one producer after the other, until one answers or no other may be tried.

use super::carry::{self, Answer, Downward, Upward, beside, lock};
use super::course::Course;
use super::director::{Route, Target};
use super::meter::Meter;
use super::replay::Replay;
use super::story::Story;
use super::{Error, Relay, header};
use crate::model::Endpoint;
use crate::transport::{self, Reason, Recv};
use crate::uplink::{self, Busy, Lent, Pool, Turn, Verdict};
use futures::FutureExt;
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Uri, request};
use jiff::Timestamp;
use std::pin::pin;
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How many endpoints one attempt asks for a connection.
const DIALS: usize = 3;
/// The number of a `grpc-status` by which a producer, or a proxy before it, says that it cannot serve now.
const UNAVAILABLE: u8 = 14;
/// How often a call is sent again because it surely reached nobody.
const TRANSPARENT: u32 = 5;

/// The attempts of one call.
pub(super) struct Attempts<'a> {
    pub(super) relay: &'a Relay,
    pub(super) pool: &'a Pool,
    pub(super) route: &'a Route,
    pub(super) deadline: Option<Instant>,
    pub(super) answer: &'a mut Answer,
    pub(super) course: &'a mut Course,
    pub(super) story: Option<&'a mut Story>,
    /// The target whose turn it is.
    pub(super) next: usize,
}

/// What passes in each direction.
pub(super) struct Meters {
    pub(super) up: Meter,
    pub(super) down: Meter,
}

impl<'a> Attempts<'a> {
    /// Carries the request to whoever answers it. The number of the answer's status.
    pub(super) async fn run(mut self, request: Request<Recv>, meters: &mut Meters) -> Result<u8, Error> {
        let (relay, route) = (self.relay, self.route);
        // Counted when it falls, however the call ends.
        let mut counted = relay.usage.begin(&route.permit.version().name, &route.permit.caller().identity);
        let (mut head, from) = request.into_parts();
        header::edit_request(&mut head.headers, &route.permit, &relay.broker, self.left()?)?;
        let end = from.is_end();
        let replay = Mutex::new(Replay::of(&head, end, relay.replay));
        let mut upward = Upward::new(from, &mut meters.up);
        let (mut first, mut failed) = (Some(head), None);
        loop {
            let (Lent { connection, mut turn }, target) = self.lend(failed.take()).await?;
            turn.until(self.deadline);
            let mut head = match first.take() {
                Some(head) => head,
                None => self.head_again(&replay)?,
            };
            let sent = self.course.sends(&mut head.headers);
            let error = match connection.send(addressed(head, target.endpoint()), end) {
                Err(error) => error,
                Ok((response, up)) => {
                    let permit = route.permit_at(target);
                    counted.goes_to(&permit.version().name);
                    let mut upward = pin!(upward.send(up, &replay).fuse());
                    match beside(carry::head(response, self.answer), upward.as_mut()).await {
                        Ok(response) => {
                            turn.answered();
                            lock(&replay).release();
                            self.course.head = Some(self.course.began.elapsed());
                            let Self { answer, story, course, .. } = self;
                            let (meter, load) = (&mut meters.down, &mut course.load);
                            let way = Downward { permit, meter, answer, story, load };
                            let outcome = beside(way.pass(response), upward).await;
                            if let Some(load) = &course.load {
                                turn.load(load);
                            }
                            judge(turn, &outcome);
                            let status = outcome?;
                            counted.end(status == 0);
                            return Ok(status);
                        }
                        Err(Error::Producer(error)) => error,
                        Err(error) => return Err(error),
                    }
                }
            };
            if let Some(verdict) = verdict(&error) {
                turn.end(verdict);
            }
            if !self.goes_again(&error) || !lock(&replay).is_kept() {
                return Err(Error::Producer(error));
            }
            self.course.tries.end(sent, None);
            failed = Some(error);
        }
    }

    /// Whether a call that ended so may be sent again: what surely reached nobody cannot run twice.
    fn goes_again(&mut self, error: &transport::Error) -> bool {
        // Who refuses streams is there and has too much to do: once is enough to find another.
        let most = if error.reason() == Some(Reason::REFUSED_STREAM) { 1 } else { TRANSPARENT };
        let goes = error.is_unprocessed() && self.course.transparent < most;
        self.course.transparent += u32::from(goes);
        goes
    }

    /// The time until the deadline. A timer fires up to a millisecond late: enough for a producer to begin what nobody
    /// waits for.
    fn left(&self) -> Result<Option<Duration>, Error> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) { Err(Error::DeadlineExceeded) } else { Ok(left) }
    }

    /// The head for one more attempt.
    fn head_again(&self, replay: &Mutex<Replay>) -> Result<request::Parts, Error> {
        let left = self.left()?;
        let mut head = lock(replay).head().ok_or(Error::Stopped("it could not be sent again"))?;
        header::edit_again(&mut head.headers, left);
        Ok(head)
    }

    /// Lends a connection to the next endpoint that has one; another is tried only while nothing was sent. Without any
    /// the call ends as the attempt before did, if there was one.
    async fn lend(&mut self, failed: Option<transport::Error>) -> Result<(Lent, &'a Target), Error> {
        let Route { targets, permit, .. } = self.route;
        let tenant = &permit.caller().identity.trust_domain;
        let mut tried = Vec::new();
        for _ in 0..targets.len().min(DIALS) {
            let at = self.next % targets.len();
            self.next = at + 1;
            let target = &targets[at];
            let lent = tokio::select! {
                biased;
                // First: a call that is gone already must not reach the producer, where many early resets end a
                // connection.
                gone = self.answer.closed() => return Err(Error::Consumer(gone)),
                lent = self.pool.lend(&target.producer, target.endpoint(), tenant) => lent,
            };
            match lent {
                Ok(lent) => {
                    self.course.target = Some(at);
                    if let Some(story) = &mut self.story {
                        story.tried(&tried);
                        story.connected(self.route, target);
                    }
                    return Ok((lent, target));
                }
                Err(error) => {
                    // Where this one had to be waited for the others are no better: a call waits once.
                    let has_waited = matches!(error, uplink::Error::Busy { busy: Busy::Late(_), .. });
                    tried.push(error);
                    if has_waited {
                        break;
                    }
                }
            }
        }
        if let Some(story) = &mut self.story {
            story.tried(&tried);
        }
        Err(failed.map_or_else(|| self.no_connection(tried), Error::Producer))
    }

    /// The earliest failure that the pool or the prober saw counts; this one, if it is the first.
    fn no_connection(&self, tried: Vec<uplink::Error>) -> Error {
        let seen = self.relay.observations.load();
        let targets = self.route.targets.iter();
        let probed = targets.filter_map(|at| seen.get(&at.producer.name, &at.endpoint().address));
        let probed = probed.filter(|seen| !seen.is_reachable).map(|seen| seen.since);
        let since = tried.iter().filter_map(uplink::Error::since).chain(probed).min();
        let platform = self.route.permit.version().name.platform.clone();
        Error::NoConnection { platform, tried, since: since.unwrap_or_else(Timestamp::now) }
    }
}

/// Tells the endpoint's counters how an attempt ended whose answer had begun.
fn judge(turn: Turn, outcome: &Result<u8, Error>) {
    match outcome {
        Ok(UNAVAILABLE) => turn.end(Verdict::Unavailable),
        Ok(_) => turn.end(Verdict::Answered),
        Err(Error::BadAnswer(_)) => turn.end(Verdict::Lost),
        Err(Error::Producer(error)) => {
            if let Some(verdict) = verdict(error) {
                turn.end(verdict);
            }
        }
        // The consumer's matter, or ours.
        Err(_) => {}
    }
}

/// What an error tells of the endpoint; nothing if the connection ended as connections may, or it is our own limit.
fn verdict(error: &transport::Error) -> Option<Verdict> {
    match error {
        transport::Error::GoAway { reason: Reason::NO_ERROR, .. }
        | transport::Error::AtCapacity { .. }
        | transport::Error::OverShare { .. }
        | transport::Error::Malformed(_) => None,
        _ => Some(Verdict::Lost),
    }
}

/// A request for this endpoint. The consumer's own authority stays; a request without one gets the endpoint's.
fn addressed(mut head: request::Parts, endpoint: &Endpoint) -> Request<()> {
    let mut uri: Parts = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTPS);
    if uri.authority.is_none() {
        uri.authority = Authority::try_from(endpoint.address.authority()).ok();
    }
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    head.extensions.clear();
    Request::from_parts(head, ())
}
