//! Finds the endpoint for the next attempt: the one whose turn it is, or the next that has a connection.

use super::Error;
use super::attempt::Attempts;
use super::director::Route;
use crate::model::{Endpoint, Version};
use crate::uplink::{self, Busy, Lent};
use http::uri::{Authority, Parts, Scheme};
use http::{Request, Uri, request};
use jiff::Timestamp;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many endpoints one attempt asks for a connection.
const DIALS: usize = 3;
/// How long a call that waits for its producer pauses before it asks again.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How long it waits without a deadline.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl<'a> Attempts<'a> {
    /// A connection for the next attempt, and which target it leads to. `is_retry` says that the one before may have reached a producer.
    pub(super) async fn lend(&mut self, is_retry: bool) -> Result<(Lent, usize), Error> {
        // First: a call that is gone already must not reach the producer, where many early resets end a connection.
        poll_fn(|cx| match self.answer.poll_closed(cx) {
            Poll::Ready(gone) => Poll::Ready(Err(Error::Consumer(gone))),
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        // Only the first attempt of a call that cannot have waited began with the call.
        if self.course.attempts > 0 || self.method.is_some() {
            self.now = Instant::now();
        }
        if !is_retry && let Some(lent) = self.lend_now() {
            return Ok(lent);
        }
        let lent = Box::pin(self.lend_later(is_retry)).await;
        self.now = Instant::now();
        lent
    }

    /// Most calls have to wait for nothing.
    fn lend_now(&mut self) -> Option<(Lent, usize)> {
        let Route { targets, permit, .. } = self.route;
        let at = self.next % targets.len().max(1);
        let target = targets.get(at).filter(|_| self.is_within(at))?;
        let tenant = &permit.caller().identity.trust_domain;
        let lent =
            self.pool.lend_now(&target.producer, target.endpoint(), target.meter(), tenant, self.now)?;
        self.next = at + 1;
        self.lent(at, &[]);
        Some((lent, at))
    }

    async fn lend_later(&mut self, is_retry: bool) -> Result<(Lent, usize), Error> {
        let until = self.course.began + LONGEST_WAIT;
        loop {
            let tried = match self.try_lend(is_retry).await? {
                Ok(lent) => return Ok(lent),
                Err(tried) => tried,
            };
            if !self.method.is_some_and(|method| method.wait_for_ready) || Instant::now() >= until {
                return Err(self.no_connection(tried));
            }
            self.rest(PAUSE).await?;
        }
    }

    /// Whether an attempt may go there: what may have run is only repeated by the version that allows it.
    pub(super) fn is_within(&self, at: usize) -> bool {
        self.within.is_none_or(|version| Arc::ptr_eq(version, self.version_at(at)))
    }

    /// The version that a target serves.
    pub(super) fn version_at(&self, at: usize) -> &'a Arc<Version> {
        let route = self.route;
        route.targets.get(at).map_or(&route.permit, |target| route.permit_at(target)).version()
    }

    /// Waits, as long as the consumer does.
    pub(super) async fn rest(&mut self, pause: Duration) -> Result<(), Error> {
        if pause.is_zero() {
            return Ok(());
        }
        tokio::select! {
            biased;
            gone = self.answer.closed() => Err(Error::Consumer(gone)),
            () = Box::pin(sleep(pause)) => Ok(()),
        }
    }

    async fn try_lend(&mut self, is_retry: bool) -> Result<Result<(Lent, usize), Vec<uplink::Error>>, Error> {
        let Route { targets, permit, .. } = self.route;
        let tenant = &permit.caller().identity.trust_domain;
        let mut tried = Vec::new();
        for _ in 0..targets.len() {
            let at = self.next % targets.len();
            self.next = at + 1;
            let target = &targets[at];
            if tried.len() == DIALS || !self.is_within(at) {
                continue;
            }
            let lending = async {
                let (pool, producer, endpoint) = (self.pool, &target.producer, target.endpoint());
                match is_retry {
                    true => pool.lend_again(producer, endpoint, tenant).await,
                    false => pool.lend(producer, endpoint, tenant).await,
                }
            };
            let lent = tokio::select! {
                biased;
                gone = self.answer.closed() => return Err(Error::Consumer(gone)),
                lent = lending => lent,
            };
            match lent {
                Ok(lent) => {
                    self.lent(at, &tried);
                    return Ok(Ok((lent, at)));
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
        Ok(Err(tried))
    }

    fn lent(&mut self, at: usize, tried: &[uplink::Error]) {
        self.course.target = Some(at);
        if let (Some(story), Some(target)) = (&mut self.story, self.route.targets.get(at)) {
            story.tried(tried);
            story.connected(self.route, target);
        }
    }

    /// The earliest failure that the pool or the prober saw counts; this one, if it is the first.
    pub(super) fn no_connection(&self, tried: Vec<uplink::Error>) -> Error {
        let seen = self.relay.observations.load();
        let targets = self.route.targets.iter();
        let probed = targets.filter_map(|at| seen.get(&at.producer.name, &at.endpoint().address));
        let probed = probed.filter(|seen| !seen.is_reachable).map(|seen| seen.since);
        let since = tried.iter().filter_map(uplink::Error::since).chain(probed).min();
        let platform = self.route.permit.version().name.platform.clone();
        Error::NoConnection { platform, tried, since: since.unwrap_or_else(Timestamp::now) }
    }
}

/// A request for this endpoint. The consumer's own authority stays; a request without one gets the endpoint's.
pub(super) fn addressed(mut head: request::Parts, endpoint: &Endpoint) -> Request<()> {
    let mut uri: Parts = std::mem::take(&mut head.uri).into_parts();
    uri.scheme = Some(Scheme::HTTPS);
    if uri.authority.is_none() {
        uri.authority = Authority::try_from(endpoint.address.authority()).ok();
    }
    head.uri = Uri::from_parts(uri).unwrap_or_default();
    head.extensions.clear();
    Request::from_parts(head, ())
}
