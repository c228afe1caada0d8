//! Decides where a call goes: one snapshot, no waiting, no I/O. Calls and explanations run the same decision.
//!
//! Flow: the claim (the owner's, or the one asked for) → its versions that are visible, asked for and not retired →
//! those that can be called → the split's draw, or the best → a few of its endpoints: the nearest that are healthy enough,
//! and of two drawn the better one.
//! Where a version serves is sorted once into a roster, which each worker keeps: a call costs the same for one producer
//! and for ten thousand. Explanations look at every endpoint anew, and draw from a roster made in the same way.

mod explanation;
mod look;
mod order;
mod pick;
mod refusal;
mod ring;
mod roster;
mod rosters;
mod survey;
mod trace;

pub use explanation::{Candidate, Explanation, OwnerRule, Share, explain};
pub use look::{BELIEVED, Look, Standing};
pub use refusal::Refusal;
pub use rosters::Rosters;
pub use trace::{Outcome, VersionRule};

use super::Intent;
use crate::access::{Caller, Permit, Policy};
use crate::catalog::{Claim, Claims, Snapshot};
use crate::model::{Endpoint, Producer};
use crate::uplink::{Balance, Meter};
use http::HeaderMap;
use jiff::Timestamp;
use pick::Pick;
use std::sync::Arc;
use survey::Survey;
use trace::{Off, Place, Trace};

/// So many endpoints are drawn for one call: more would not be tried.
pub const MOST_TARGETS: usize = 5;

/// All that a decision is made of, but for what probing and calls have shown. The same always gives the same route.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who offers what.
    pub snapshot: &'a Snapshot,
    /// Who may call what.
    pub policy: &'a Policy,
    /// Who calls.
    pub caller: &'a Arc<Caller>,
    /// The service, as it stands in the path.
    pub service: &'a str,
    /// What the caller asks of the route.
    pub intent: &'a Intent,
    /// Where we stand: `region/zone`.
    pub locality: &'a str,
    /// When.
    pub now: Timestamp,
    /// From what all that is left to chance is drawn.
    pub draw: u64,
    /// The call's metadata, if it is a call: a version may keep calls of one key with one endpoint.
    pub metadata: Option<&'a HeaderMap>,
    /// How calls are shared among endpoints.
    pub rules: &'a Balance,
    /// When, in nanoseconds of the clock of all estimates.
    pub tick: u64,
    /// The revision of what probes saw: rosters that were made of another are not used.
    pub seen: u64,
}

/// Where a call may go, the best place first.
#[derive(Debug, Clone)]
pub struct Route {
    /// Proof that the caller may call the chosen version.
    pub permit: Permit,
    /// The same for the versions to fall back to; none without a split.
    others: Vec<Permit>,
    /// Endpoints to try in this order, all different, at most [`MOST_TARGETS`]. Never empty.
    pub targets: Vec<Target>,
}

/// One place that serves the call.
#[derive(Debug, Clone)]
pub struct Target {
    /// Who serves there.
    pub producer: Arc<Producer>,
    /// Which of its endpoints.
    pub endpoint: usize,
    /// Which of the route's versions: 0 is the chosen one.
    version: usize,
    /// What the worker that chose it counts there.
    meter: Option<Arc<Meter>>,
}

impl Route {
    /// Proof that the caller may call what one of the targets serves.
    pub fn permit_at(&self, target: &Target) -> &Permit {
        target.version.checked_sub(1).and_then(|other| self.others.get(other)).unwrap_or(&self.permit)
    }
}

impl Target {
    /// What the worker that chose it counts there.
    pub(super) fn meter(&self) -> Option<&Arc<Meter>> {
        self.meter.as_ref()
    }

    /// The endpoint to dial.
    pub fn endpoint(&self) -> &Endpoint {
        &self.producer.endpoints[self.endpoint]
    }
}

/// Chooses the versions that a call goes to, and their endpoints; `look` tells how an endpoint was when it was last
/// probed, and what calls showed of it. Rosters are taken from `kept`, and put there.
pub fn choose(
    ask: &Ask<'_>,
    look: impl Fn(&Producer, &Endpoint) -> Look,
    kept: Option<&mut Rosters>,
) -> Result<Route, Refusal> {
    decide(ask, &look, kept, &mut Off)
}

fn decide<T: Trace>(
    ask: &Ask<'_>,
    look: &impl Fn(&Producer, &Endpoint) -> Look,
    kept: Option<&mut Rosters>,
    trace: &mut T,
) -> Result<Route, Refusal> {
    let claims = ask.snapshot.service(ask.service);
    let claim = claims.and_then(|claims| match &ask.intent.platform {
        Some(platform) => claims.of(platform.as_str()),
        None => claims.owner(),
    });
    let decided = match claim {
        Some(claim) => {
            // How old the knowledge of each endpoint may be is the call's own wish: no kept roster knows it.
            let kept = kept.filter(|_| ask.intent.max_staleness.is_none());
            match kept.and_then(|kept| decide_within(claim, ask, look, Some(kept), trace).ok()) {
                Some(route) => Ok(route),
                // Why a call goes nowhere is told by looking at each endpoint.
                None => decide_within(claim, ask, look, None, trace),
            }
        }
        None => Err(refusal::nobody(ask)),
    };
    if let (true, Some(claims)) = (T::ON, claims) {
        trace.claim(claims, claim);
        tell_others(claims, claim, ask, trace);
    }
    decided
}

fn decide_within<T: Trace>(
    claim: &Claim,
    ask: &Ask<'_>,
    look: &impl Fn(&Producer, &Endpoint) -> Look,
    kept: Option<&mut Rosters>,
    trace: &mut T,
) -> Result<Route, Refusal> {
    let mut survey = Survey::new(ask, look, kept, trace);
    let mut pick = Pick::new(survey.is_split(claim));
    for (index, offering) in claim.offerings.iter().enumerate() {
        let Some(found) = survey.examine(index, offering) else { continue };
        pick.take(found);
        if !T::ON && pick.is_settled() {
            break;
        }
    }
    match pick.route(&mut survey) {
        Some(route) => Ok(route),
        None => Err(refusal::of_claim(ask, claim, survey.evidence)),
    }
}

/// Accounts for the versions of other platforms.
fn tell_others<T: Trace>(claims: &Claims, chosen: Option<&Claim>, ask: &Ask<'_>, trace: &mut T) {
    let others = claims.iter().filter(|claim| chosen.is_none_or(|chosen| chosen.platform != claim.platform));
    for offering in others.flat_map(|claim| &claim.offerings) {
        let version = &offering.version;
        trace.left_out(Place::version(usize::MAX, version), Outcome::OtherPlatform, || {
            match &ask.intent.platform {
                Some(platform) => format!("{platform} was asked for"),
                None => format!(
                    "another owns the name; ask for it with portolan-platform: {}",
                    version.name.platform
                ),
            }
        });
    }
}

#[cfg(test)]
mod tests;
