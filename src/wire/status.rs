//! Conditions, as `portolan.status.v1` and `grpc.health.v1` show them.

use super::catalog::freshness;
use super::pb::grpc::health::v1::health_check_response::ServingStatus;
use super::pb::portolan::catalog::v1 as pb_catalog;
use super::pb::portolan::status::v1 as pb;
use super::time::timestamp;
use crate::model::{Condition, Drift, State};

/// A condition on the wire.
pub fn condition(condition: &Condition) -> pb::Condition {
    pb::Condition {
        state: state(condition.state).into(),
        reason: condition.reason.to_owned(),
        message: condition.message.clone(),
        since: Some(timestamp(condition.since)),
        observe_time: Some(timestamp(condition.observed)),
        freshness: freshness(condition.freshness).into(),
        r#type: String::new(),
    }
}

/// A drift as a further condition.
pub fn drift(drift: &Drift) -> pb::Condition {
    let origin = if drift.origin.is_empty() { String::new() } else { format!(" ({})", drift.origin) };
    pb::Condition {
        state: pb::State::Degraded.into(),
        reason: drift.reason.to_owned(),
        message: format!("{}{origin}: {}", drift.subject, drift.message),
        since: Some(timestamp(drift.since)),
        observe_time: None,
        freshness: pb_catalog::Freshness::Live.into(),
        r#type: "DRIFT".to_owned(),
    }
}

/// A state on the wire.
pub fn state(state: State) -> pb::State {
    match state {
        State::Serving => pb::State::Serving,
        State::Degraded => pb::State::Degraded,
        State::NotServing => pb::State::NotServing,
        State::Unknown => pb::State::Unknown,
    }
}

/// A state from the wire; what is not known here, nobody knows.
pub(super) fn parse_state(state: i32) -> State {
    match pb::State::try_from(state) {
        Ok(pb::State::Serving) => State::Serving,
        Ok(pb::State::Degraded) => State::Degraded,
        Ok(pb::State::NotServing) => State::NotServing,
        Ok(pb::State::Unknown | pb::State::Unspecified) | Err(_) => State::Unknown,
    }
}

/// A state in the words of `grpc.health.v1`: it knows no degrees, and what is degraded still serves.
pub fn serving_status(state: State) -> ServingStatus {
    match state {
        State::Serving | State::Degraded => ServingStatus::Serving,
        State::NotServing => ServingStatus::NotServing,
        State::Unknown => ServingStatus::Unknown,
    }
}
