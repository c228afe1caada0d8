//! What probing and calls have shown of an endpoint, as far as a decision needs it.

use crate::model::{Freshness, Producer};
use crate::uplink::{Ejection, Meter};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// How long a probe's word is believed; far longer than from one probe to the next.
pub const BELIEVED: SignedDuration = SignedDuration::from_secs(120);

/// What probing and calls have shown of an endpoint.
#[derive(Debug, Clone)]
pub struct Look {
    /// How it looked.
    pub standing: Standing,
    /// When it last answered a probe; `None` if it never has.
    pub answered: Option<Timestamp>,
    /// Why calls leave it out for a time; `None` if they do not.
    pub ejected: Option<Ejection>,
    /// What the worker counts there; `None` where nobody counts: then all endpoints cost the same.
    pub meter: Option<Arc<Meter>>,
}

/// How an endpoint looked when it was last probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It serves, or nobody has looked yet.
    Up,
    /// It cannot be reached.
    Unreachable {
        /// What the dialler said.
        why: String,
        /// Since when.
        since: Timestamp,
    },
    /// It answers that it does not serve.
    NotServing {
        /// Since when.
        since: Timestamp,
    },
}

impl Look {
    /// Nobody has looked yet.
    pub const UNSEEN: Look = Look { standing: Standing::Up, answered: None, ejected: None, meter: None };

    /// When it takes calls again if it is left out, in nanoseconds of the clock of all estimates; 0 if nobody counts.
    pub(super) fn back(&self) -> u64 {
        self.meter.as_ref().map_or(0, |meter| meter.peer().out_until())
    }
}

/// Since when the knowledge of a producer is too old; `None` while it is young enough.
///
/// A lease in force is knowledge of now, and one that ended is as old as its last renewal. Who holds no lease is known
/// by probing: of now while probes are answered, else as old as the last answer, or as its own declaration.
pub(super) fn too_old(
    producer: &Producer,
    look: Option<&Look>,
    max: Duration,
    now: Timestamp,
) -> Option<Timestamp> {
    let is_live = producer.freshness == Freshness::Live;
    let known = match (producer.lease_expires, look) {
        (Some(_), _) if is_live => return None,
        (Some(_), _) => producer.updated,
        (None, Some(look)) if is_live && answers_now(look, now) => return None,
        (None, look) => {
            look.and_then(|look| look.answered).map_or(producer.updated, |at| at.max(producer.updated))
        }
    };
    let age = Duration::try_from(now.duration_since(known)).unwrap_or_default();
    (max.is_zero() || age > max).then_some(known)
}

fn answers_now(look: &Look, now: Timestamp) -> bool {
    let is_young = |at: Timestamp| now.duration_since(at) < BELIEVED;
    !matches!(look.standing, Standing::Unreachable { .. }) && look.answered.is_some_and(is_young)
}
