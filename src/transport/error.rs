//! How a stream or a connection ends early.

use crate::model::TrustDomain;
use h2::Reason;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How a stream or a connection ended early. Cheap to clone: all streams of a connection end with its error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The stream was reset.
    #[error("the stream was reset {}: {reason}", by(*remote))]
    Reset {
        /// The code of the RST_STREAM frame.
        reason: Reason,
        /// True if the peer did it; false if we did, for a fault of the peer or by a dropped handle.
        remote: bool,
    },
    /// The connection is going away and this stream is not one that the sender of the GOAWAY still works on.
    #[error("the connection went away {}: {reason}", by(*remote))]
    GoAway {
        /// The code of the GOAWAY frame.
        reason: Reason,
        /// True if the peer said it; false if we did, for a fault of the peer.
        remote: bool,
    },
    /// The connection broke.
    #[error("the connection broke")]
    Io(#[source] Arc<io::Error>),
    /// The connection ended, or was cut by us.
    #[error("the connection is closed: {0}")]
    Closed(&'static str),
    /// The request was not sent, because the connection is closed.
    #[error("not sent")]
    Unsent(#[source] Box<Error>),
    /// The peer did not answer in time.
    #[error("no {what} within {after:?}")]
    Silent {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        after: Duration,
    },
    /// As many streams are open as this connection may carry.
    #[error("the connection carries its {limit} streams already")]
    AtCapacity {
        /// The lower of the peer's limit and ours.
        limit: usize,
    },
    /// The broker holds as many bytes as it may, and whoever calls holds more of them than others.
    #[error("streams of {tenant} hold more than its share of the {limit} bytes that all may hold")]
    OverShare {
        /// Who calls.
        tenant: TrustDomain,
        /// Bytes that streams may hold, all together.
        limit: usize,
    },
    /// A head or trailers that HTTP/2 does not allow, or a frame after the end. The caller's fault.
    #[error("not sendable over HTTP/2")]
    Malformed(#[source] Arc<h2::Error>),
}

impl Error {
    /// Whether the request surely never reached the application, so that it may be sent again elsewhere (RFC 9113
    /// §8.7). False means "perhaps it did".
    pub fn is_unprocessed(&self) -> bool {
        matches!(
            self,
            Error::Reset { reason: Reason::REFUSED_STREAM, remote: true }
                | Error::GoAway { remote: true, .. }
                | Error::AtCapacity { .. }
                | Error::Unsent(_)
        )
    }

    /// The code of the frame that ended the stream, if a frame did.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Error::Reset { reason, .. } | Error::GoAway { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// The transport error behind what a generated client returned, if one is.
    pub fn behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        let remote = error.is_remote();
        match error.reason() {
            Some(reason) if error.is_go_away() => Error::GoAway { reason, remote },
            Some(reason) => Error::Reset { reason, remote },
            None if error.is_io() => match error.into_io() {
                Some(io) => Error::Io(Arc::new(io)),
                None => Error::Closed("without a reason"),
            },
            None => Error::Malformed(Arc::new(error)),
        }
    }
}

fn by(remote: bool) -> &'static str {
    if remote { "by the peer" } else { "by us" }
}
