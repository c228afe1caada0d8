//! A broker to be reached, with all that is needed for it.

use crate::client::Profile;
use crate::identity::Files;
use crate::model::{Address, Identity, ParseIdentityError, TrustDomain};
use std::path::PathBuf;
use std::time::Duration;

/// A broker to be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub address: Address,
    /// PEM file with the authorities that vouch for it.
    pub ca: PathBuf,
    /// Who must answer.
    pub whom: Whom,
    /// Our own certificate and key.
    pub files: Files,
    /// How long a connection may take, handshakes included.
    pub timeout: Duration,
}

/// Who must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Exactly this identity.
    Identity(Identity),
    /// Any workload of this trust domain.
    Domain(TrustDomain),
    /// Whoever holds a certificate for this host name or IP address.
    Host(String),
}

/// What a profile does not tell, or tells wrongly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Fields that have no default.
    #[error(
        "to reach the broker, {0} needed; give the flags, set the variables, or name a profile that holds them (--profile, PORTOLAN_PROFILE)"
    )]
    Fields(String),
    /// What is given as the broker's identity is none.
    #[error("--identity (PORTOLAN_IDENTITY) is the broker's SPIFFE id, such as spiffe://hub.example/broker")]
    Identity(#[source] ParseIdentityError),
}

impl Missing {
    /// Names every field that is open and has no default.
    pub(super) fn fields(profile: &Profile) -> Self {
        let open = [
            (profile.address.is_none(), "the broker's host:port (--address, PORTOLAN_ADDRESS)"),
            (profile.ca.is_none(), "the broker's authorities in PEM (--ca, PORTOLAN_CA)"),
            (profile.cert.is_none(), "your certificate (--cert, PORTOLAN_CERT)"),
            (profile.key.is_none(), "your key (--key, PORTOLAN_KEY)"),
        ];
        let open: Vec<_> = open.into_iter().filter(|(open, _)| *open).map(|(_, name)| name).collect();
        let verb = if open.len() == 1 { "is" } else { "are" };
        Missing::Fields(format!("{} {verb}", open.join(", ")))
    }
}
