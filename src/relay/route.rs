//! Where a call goes now: the director's decision over what this broker knows at this moment.

use super::director::{self, Ask, BELIEVED, Explanation, Look, Refusal, Rosters, Route, Standing};
use super::story::{self, Story};
use super::{Intent, Relay};
use crate::access::Caller;
use crate::catalog::Snapshot;
use crate::model::{Endpoint, Producer, State};
use crate::uplink::{Desk, Observation, Pool, Seen};
use http::HeaderMap;
use jiff::Timestamp;
use std::cell::RefCell;
use std::sync::Arc;
use tokio::time::Instant;

thread_local! {
    /// The rosters of the worker whose thread this is: made of what all know, for itself alone.
    static ROSTERS: RefCell<Option<Rosters>> = const { RefCell::new(None) };
}

/// Who calls what, and what it asks of the route.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) caller: &'a Arc<Caller>,
    pub(super) service: &'a str,
    pub(super) intent: &'a Intent,
    pub(super) metadata: Option<&'a HeaderMap>,
    pub(super) now: Instant,
}

impl Relay {
    /// Where a call goes now; it is told to those who asked.
    pub(super) fn route(
        &self,
        pool: &Pool,
        question: Question<'_>,
        story: Option<&mut Story>,
    ) -> Result<Route, Refusal> {
        let (snapshot, seen, desk) = (self.catalog.load(), self.observations.load(), pool.desk());
        let ask = Ask { tick: desk.at(question.now), ..self.ask(&snapshot, &seen, question) };
        let look =
            |producer: &Producer, endpoint: &Endpoint| look_from(desk, &seen, producer, endpoint, &ask);
        if let Some(story) = story {
            let (route, told) = director::explain(&ask, look, story::CANDIDATES);
            story.decided(&told, route.as_ref());
            return route;
        }
        ROSTERS.with_borrow_mut(|kept| {
            kept.take_if(|kept| !kept.desk().is(desk));
            let kept = kept.get_or_insert_with(|| Rosters::new(desk.clone()));
            director::choose(&ask, look, Some(kept))
        })
    }

    /// Why a call would not be carried now; `None` if it would.
    pub fn refusal(&self, caller: &Arc<Caller>, service: &str, intent: &Intent) -> Option<Refusal> {
        let (snapshot, seen) = (self.catalog.load(), self.observations.load());
        let ask = self.ask(
            &snapshot,
            &seen,
            Question { caller, service, intent, metadata: None, now: Instant::now() },
        );
        director::choose(&ask, |producer, at| self.look(&seen, producer, at, &ask), None).err()
    }

    /// Where a call with such metadata would go now, and why; at most `limit` candidates are told.
    ///
    /// What it costs to call an endpoint is known to each worker apart: between endpoints that serve alike, the one told
    /// first is drawn by weight alone.
    pub fn explain(
        &self,
        caller: &Arc<Caller>,
        (service, metadata): (&str, &HeaderMap),
        intent: &Intent,
        limit: usize,
    ) -> Explanation {
        let (snapshot, seen) = (self.catalog.load(), self.observations.load());
        let question = Question { caller, service, intent, metadata: Some(metadata), now: Instant::now() };
        let ask = self.ask(&snapshot, &seen, question);
        director::explain(&ask, |producer, at| self.look(&seen, producer, at, &ask), limit).1
    }

    fn ask<'a>(&'a self, snapshot: &'a Snapshot, seen: &Seen, question: Question<'a>) -> Ask<'a> {
        let Question { caller, service, intent, metadata, .. } = question;
        Ask {
            snapshot,
            policy: &self.policy,
            caller,
            service,
            intent,
            locality: &self.locality,
            now: Timestamp::now(),
            draw: fastrand::u64(..),
            metadata,
            rules: &self.peers.rules().balance,
            tick: 0,
            seen: seen.revision(),
        }
    }

    /// As somebody sees it who counts nothing.
    fn look(&self, seen: &Seen, producer: &Producer, endpoint: &Endpoint, ask: &Ask<'_>) -> Look {
        let look = probed(seen.get(&producer.name, &endpoint.address).map(AsRef::as_ref), ask);
        Look { ejected: self.peers.ejection(producer, endpoint), ..look }
    }
}

/// As a worker sees it.
fn look_from(desk: &Desk, seen: &Seen, producer: &Producer, endpoint: &Endpoint, ask: &Ask<'_>) -> Look {
    let look = probed(seen.get(&producer.name, &endpoint.address).map(AsRef::as_ref), ask);
    let meter = desk.meter(producer, endpoint);
    // One that was gone and answers again begins anew, whatever calls showed of it before.
    meter.peer().seen(!matches!(look.standing, Standing::Unreachable { .. }));
    let ejected = if meter.peer().is_out(ask.tick) { meter.peer().ejection() } else { None };
    Look { ejected, meter: Some(meter), ..look }
}

/// As the last probe saw it.
fn probed(seen: Option<&Observation>, ask: &Ask<'_>) -> Look {
    let Some(seen) = seen else { return Look::UNSEEN };
    // One that is silent answered until it fell silent, give or take a probe.
    let answered = Some(if seen.is_reachable { seen.observed } else { seen.since });
    // What nobody has confirmed for long is no reason to keep calls away: the call itself will tell.
    let standing = match ask.now.duration_since(seen.observed) < BELIEVED {
        true if !seen.is_reachable => Standing::Unreachable { why: seen.message.clone(), since: seen.since },
        true if seen.of(ask.service) == State::NotServing => Standing::NotServing { since: seen.since },
        _ => Standing::Up,
    };
    Look { standing, answered, ..Look::UNSEEN }
}
