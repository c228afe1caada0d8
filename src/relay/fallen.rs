//! An attempt that failed before anything of its answer was passed on, and what follows from how.

use super::answer;
use super::carry::Answered;
use super::retry::{self, Fall, Pushback};
use crate::model::service_config::Status;
use crate::transport::{self, Reason, Recv};
use crate::uplink::Verdict;
use http::Response;

/// An attempt that failed before anything of its answer was passed on.
pub(super) enum Fallen {
    /// The stream ended.
    Lost(transport::Error),
    /// The answer is nothing but a status (Trailers-Only).
    Told(Box<Answered>, Status),
}

impl Fallen {
    /// Whether an answer is nothing but a status that is not OK. What is no good answer is judged when it is passed on.
    pub(super) fn of(response: Response<Recv>) -> Result<Answered, Self> {
        // Now: of a stream that is reset later nobody can tell whether it had ended.
        let response = response.map(|body| Some(body).filter(|body| !body.is_end()));
        if response.body().is_some() {
            return Ok(response);
        }
        match answer::judge_trailers(response.headers()).ok().and_then(Status::new) {
            Some(status) if status != Status::OK => Err(Fallen::Told(Box::new(response), status)),
            _ => Ok(response),
        }
    }

    /// The same, as far as another attempt depends on it.
    pub(super) fn fall(&self) -> Fall {
        match self {
            Fallen::Lost(error) => Fall::of(error),
            Fallen::Told(response, status) => Fall::Told(*status, Pushback::of(response.headers())),
        }
    }

    /// The number of its status, if it has one.
    pub(super) fn told(&self) -> Option<u8> {
        match self {
            Fallen::Lost(_) => None,
            Fallen::Told(_, status) => Some(status.number()),
        }
    }

    /// How it is told to who asked.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Fallen::Lost(error) => retry::status(error).name(),
            Fallen::Told(_, status) => status.name(),
        }
    }

    /// What it tells of the endpoint, if it does.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        match self {
            Fallen::Lost(error) => verdict(error),
            Fallen::Told(_, status) if *status == Status::UNAVAILABLE => Some(Verdict::Unavailable),
            Fallen::Told(..) => Some(Verdict::Answered),
        }
    }
}

/// What an error tells of the endpoint; nothing if the connection ended as connections may, or it is our own limit.
pub(super) fn verdict(error: &transport::Error) -> Option<Verdict> {
    match error {
        transport::Error::GoAway { reason: Reason::NO_ERROR, .. }
        | transport::Error::AtCapacity { .. }
        | transport::Error::OverShare { .. }
        | transport::Error::Malformed(_) => None,
        _ => Some(Verdict::Lost),
    }
}
