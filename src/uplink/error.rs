//! Why there is no connection to an endpoint.

use crate::identity::Refusal;
use crate::model::{Address, Forbidden};
use crate::transport;
use jiff::Timestamp;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Why there is no connection to an endpoint. Cheap to clone: all who wait for one dial get its error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The name of the host leads nowhere.
    #[error("{address}: the host name cannot be resolved: {cause}")]
    Unresolved {
        /// The endpoint.
        address: Address,
        /// What the resolver said.
        cause: Arc<io::Error>,
    },
    /// The name of the host leads to where no producer may be.
    #[error("{address}: {found} {why}")]
    Forbidden {
        /// The endpoint.
        address: Address,
        /// What its name leads to.
        found: SocketAddr,
        /// Why that is refused.
        why: Forbidden,
    },
    /// The rules for endpoints do not allow the address any more.
    #[error("{address}: no producer may be there now: it {why}")]
    Disallowed {
        /// The endpoint.
        address: Address,
        /// Why.
        why: Forbidden,
    },
    /// Nobody listens there, or the network does not lead there.
    #[error("{address}: cannot connect: {cause}")]
    Unconnected {
        /// The endpoint.
        address: Address,
        /// What the system said of the last address that was tried.
        cause: Arc<io::Error>,
    },
    /// It took too long.
    #[error("{address}: {phase} took longer than {after:?}")]
    TimedOut {
        /// The endpoint.
        address: Address,
        /// What was being done.
        phase: &'static str,
        /// The whole time that a dial may take.
        after: Duration,
    },
    /// We do not believe whoever answers there.
    #[error("{address}: refused by us: {refusal}")]
    Untrusted {
        /// The endpoint.
        address: Address,
        /// Why.
        refusal: Refusal,
    },
    /// Whoever answers there does not believe us, or does not speak TLS 1.2 or 1.3 with HTTP/2.
    #[error("{address}: the handshake failed: {refusal}")]
    Handshake {
        /// The endpoint.
        address: Address,
        /// What TLS said.
        refusal: Refusal,
    },
    /// TLS stands, and HTTP/2 does not.
    #[error("{address}: HTTP/2 failed: {}", chain(cause))]
    Http2 {
        /// The endpoint.
        address: Address,
        /// What HTTP/2 said.
        cause: transport::Error,
    },
    /// The last dial failed, and it is too early for another.
    #[error("failing since {since:.0}, the next attempt in {left:.0?}; the last: {last}")]
    BackingOff {
        /// Since when every dial has failed.
        since: Timestamp,
        /// When the next dial may be.
        left: Duration,
        /// How the last one failed.
        last: Box<Error>,
    },
    /// The endpoint carries as much as it may.
    #[error("{address}: {busy}")]
    Busy {
        /// The endpoint.
        address: Address,
        /// Which limit was met.
        busy: Busy,
    },
    /// All connections that this tenant may have to the endpoint are full.
    #[error("{address}: all {connections} connections are full")]
    AtCapacity {
        /// The endpoint.
        address: Address,
        /// How many there are.
        connections: usize,
    },
}

/// Which limit of an endpoint was met. Nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Busy {
    /// No place became free in time.
    #[error("no place became free within {0:?}")]
    Late(Duration),
    /// As many calls wait for a place as may.
    #[error("{0} calls wait for a place already")]
    Queue(usize),
    /// As many repeated calls are under way as may.
    #[error("{0} repeated calls are under way already")]
    Retries(usize),
    /// As many connections stand as may.
    #[error("{0} connections stand already")]
    Connections(usize),
}

impl Error {
    /// The endpoint that it is about.
    pub fn address(&self) -> &Address {
        match self {
            Error::Unresolved { address, .. }
            | Error::Forbidden { address, .. }
            | Error::Disallowed { address, .. }
            | Error::Unconnected { address, .. }
            | Error::TimedOut { address, .. }
            | Error::Untrusted { address, .. }
            | Error::Handshake { address, .. }
            | Error::Http2 { address, .. }
            | Error::Busy { address, .. }
            | Error::AtCapacity { address, .. } => address,
            Error::BackingOff { last, .. } => last.address(),
        }
    }

    /// What happened, for those who name the endpoint themselves.
    pub fn why(&self) -> String {
        let text = self.to_string();
        text.strip_prefix(&format!("{}: ", self.address())).map(str::to_owned).unwrap_or(text)
    }

    /// Since when it has been so, if it is not new.
    pub fn since(&self) -> Option<Timestamp> {
        match self {
            Error::BackingOff { since, .. } => Some(*since),
            _ => None,
        }
    }

    /// The reason for programs: `UPPER_SNAKE_CASE`, as in a condition and in `ErrorInfo`.
    pub fn reason(&self) -> &'static str {
        match self {
            Error::Unresolved { .. } => "HOST_UNRESOLVED",
            Error::Forbidden { .. } => "FORBIDDEN_ADDRESS",
            Error::Disallowed { why, .. } => why.reason(),
            Error::Unconnected { .. } => "CONNECTION_REFUSED",
            Error::TimedOut { .. } => "CONNECT_TIMEOUT",
            Error::Untrusted { refusal, .. } => match refusal {
                Refusal::WrongIdentity { .. } | Refusal::WrongDomain { .. } => "WRONG_IDENTITY",
                _ => "CERTIFICATE_REFUSED",
            },
            Error::Handshake { .. } => "HANDSHAKE_FAILED",
            Error::Http2 { .. } => "HTTP2_FAILED",
            Error::BackingOff { last, .. } => last.reason(),
            Error::Busy { busy: Busy::Late(_), .. } => "PENDING_TIMEOUT",
            Error::Busy { busy: Busy::Queue(_), .. } => "PENDING_OVERFLOW",
            Error::Busy { busy: Busy::Retries(_), .. } => "RETRY_OVERFLOW",
            Error::Busy { busy: Busy::Connections(_), .. } => "CONNECTION_OVERFLOW",
            Error::AtCapacity { .. } => "AT_CAPACITY",
        }
    }
}

/// An error with all its sources, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
