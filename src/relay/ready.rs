//! Waits for a producer, for methods that say `waitForReady`: the route is looked up again while nobody can be reached.

use super::director::Route;
use super::lend::{LONGEST_WAIT, PAUSE};
use super::route::Question;
use super::{Call, Error, Relay};
use crate::uplink::{self, Pool};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::pin::pin;
use tokio::time::{Instant, sleep, sleep_until};

/// Where the call goes once somebody can be reached; `None` if that is where it goes already, or nobody came in time:
/// then the attempts tell why.
///
/// The producers of now are asked each time, so that those that come meanwhile are found. Nothing was sent yet: the call
/// may go to any of them.
pub(super) async fn wait(
    (relay, pool): (&Relay, &Pool),
    call: &mut Call,
    first: &Route,
) -> Result<Option<Box<Route>>, Error> {
    let mut enough = pin!(sleep_until(call.course.began + LONGEST_WAIT));
    let mut later = None;
    loop {
        let route = later.as_deref().unwrap_or(first);
        tokio::select! {
            biased;
            gone = call.answer.closed() => return Err(Error::Consumer(gone)),
            // Whoever is dialled now goes on being dialled when the pause is over.
            true = is_up(pool, route) => return Ok(later),
            () = &mut enough => return Ok(later),
            () = sleep(PAUSE) => {}
        }
        // While it goes nowhere at all, the places of before are as good as any.
        later = relay
            .route(pool, Question { now: Instant::now(), ..call.question() }, None)
            .ok()
            .map(Box::new)
            .or(later);
    }
}

/// Whether one of its places, which are few, has a connection.
async fn is_up(pool: &Pool, route: &Route) -> bool {
    let tenant = &route.permit.caller().identity.trust_domain;
    let asked = route.targets.iter().map(|at| pool.connection(&at.producer, at.endpoint(), tenant));
    let mut asked: FuturesUnordered<_> = asked.collect();
    while let Some(lent) = asked.next().await {
        if matches!(lent, Ok(_) | Err(uplink::Error::AtCapacity { .. })) {
            return true;
        }
    }
    false
}
