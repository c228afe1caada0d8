//! Why a broker does not start.

use crate::federation::Misconfigured;
use crate::{descriptors, identity, store};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Certificates, keys, bundles or revocation lists cannot be used; all of them are named.
    #[error("{}", lines(.0))]
    Identity(Vec<identity::Fault>),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The access log cannot be written.
    #[error("cannot write the access log to {}", path.display())]
    AccessLog {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The data directory cannot be used.
    #[error("cannot use the data directory")]
    Store(#[from] store::Error),
    /// Producers of the configuration file are at fault; all of them are named.
    #[error(transparent)]
    Producers(#[from] Misconfigured),
    /// The broker's own descriptors are not sound: a fault of this build.
    #[error("the broker's own descriptors are not sound")]
    Descriptors(#[from] descriptors::Error),
    /// A worker cannot be started.
    #[error("cannot start a worker")]
    Worker(#[source] io::Error),
}

fn lines(faults: &[identity::Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
