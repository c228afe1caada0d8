//! Why a call failed on its way.

use super::director::Refusal;
use super::{Answer, BadAnswer, Loop, Oversize};
use crate::model::{PlatformName, TrustDomain};
use crate::{transport, uplink};
use http::HeaderMap;
use jiff::Timestamp;

/// A call that did not end as the producer wanted, and from where its answer can be ended.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub error: Error,
    /// How far the answer had come.
    pub answer: Answer,
    /// What its trailers tell of the route, if the call asked for it.
    pub told: HeaderMap,
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
    /// The broker holds as many bytes as it may, and more than an equal share of them for this consumer's trust domain.
    #[error("the calls of {tenant} hold more than their share of {limit} bytes")]
    OverShare {
        /// Whose.
        tenant: TrustDomain,
        /// Bytes that all calls may hold.
        limit: usize,
    },
    /// The consumer's deadline passed.
    #[error("the deadline of the call passed")]
    DeadlineExceeded,
    /// The broker stopped the call, and why.
    #[error("the call was stopped: {0}")]
    Stopped(&'static str),
}

impl Error {
    /// What ended the way to the producer.
    pub(super) fn at_producer(error: transport::Error) -> Self {
        Self::over_share(error).unwrap_or_else(Error::Producer)
    }

    /// What ended the way back to the consumer.
    pub(super) fn at_consumer(error: transport::Error) -> Self {
        Self::over_share(error).unwrap_or_else(Error::Consumer)
    }

    fn over_share(error: transport::Error) -> Result<Self, transport::Error> {
        match error {
            transport::Error::OverShare { tenant, limit } => Ok(Error::OverShare { tenant, limit }),
            error => Err(error),
        }
    }
}

impl From<Oversize> for Error {
    fn from(oversize: Oversize) -> Self {
        Error::Oversize(oversize)
    }
}

fn text(tried: &[uplink::Error]) -> String {
    tried.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
