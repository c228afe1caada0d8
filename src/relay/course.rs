//! What happened to one call: plain data, filled as it goes, read once at its end by whoever counts, logs and traces.

use super::Error;
use super::director::{Route, Target};
use super::tries::Tries;
use super::watch::Watch;
use crate::model::Version;
use crate::uplink::Load;
use http::HeaderMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What happened to one call.
#[derive(Debug)]
pub struct Course {
    /// When the relay got it.
    pub began: Instant,
    /// Where it might go; `None` if it was refused.
    pub route: Option<Route>,
    /// Which of the route's targets it went to last; `None` if no producer had a connection for it.
    pub target: Option<usize>,
    /// Requests that were sent to producers for it: the first, retries, hedges.
    pub attempts: u32,
    /// Each of them, if anybody counts or follows the call.
    pub tries: Tries,
    /// Those that surely reached nobody and were sent again for that.
    pub transparent: u32,
    /// Those that were sent beside another that was still awaited.
    pub hedges: u32,
    /// From the beginning to the head of the answer that was passed on.
    pub head: Option<Duration>,
    /// The number of its `grpc-status`, as the consumer was told it; `None` if it was told none.
    pub status: Option<u8>,
    /// What came from the consumer.
    pub request: Tally,
    /// What came from the producer.
    pub response: Tally,
    /// Who ended it.
    pub ended_by: Side,
    /// How loaded its producer says it is, in the last trailers.
    pub load: Option<Load>,
    /// For those who watch.
    pub(super) watch: Watch,
}

/// The messages of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages, by their length prefixes.
    pub messages: u64,
    /// Bytes of the body, prefixes included.
    pub bytes: u64,
}

/// Who ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It answered to the end, or broke the call off.
    Producer,
    /// It cancelled, or its connection is gone.
    Consumer,
    /// We refused it, its time was over, or it could not be carried.
    Broker,
}

impl Course {
    /// A call that begins now.
    pub(super) fn begin() -> Self {
        Self {
            began: Instant::now(),
            route: None,
            target: None,
            attempts: 0,
            tries: Tries::default(),
            transparent: 0,
            hedges: 0,
            head: None,
            status: None,
            request: Tally::default(),
            response: Tally::default(),
            ended_by: Side::Broker,
            load: None,
            watch: Watch::default(),
        }
    }

    /// One more attempt is sent to the target, with these headers. Its place among the tries.
    pub(super) fn sends(&mut self, headers: &mut HeaderMap, now: Instant) -> usize {
        self.attempts += 1;
        if !self.watch.is_on() {
            return 0;
        }
        let span = self.watch.sends(headers);
        self.tries.begin(self.target.unwrap_or(0), span, now)
    }

    /// It is over; with the number of the status that was passed on, if one was.
    pub(super) fn end(&mut self, outcome: &Result<u8, Error>) {
        self.ended_by = match outcome {
            Ok(_) | Err(Error::Producer(_) | Error::BadAnswer(_)) => Side::Producer,
            Err(Error::Consumer(_)) => Side::Consumer,
            Err(_) => Side::Broker,
        };
        self.status = outcome.as_ref().ok().copied();
    }

    /// The place that it went to last.
    pub fn target(&self) -> Option<&Target> {
        self.route.as_ref()?.targets.get(self.target?)
    }

    /// The version that it went to, or was meant for; `None` if it was refused.
    pub fn version(&self) -> Option<&Arc<Version>> {
        let route = self.route.as_ref()?;
        Some(self.target().map_or(&route.permit, |target| route.permit_at(target)).version())
    }
}
