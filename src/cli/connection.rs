//! The flags by which every client command finds its broker.

use crate::client::{self, Address, Channel, Profile, Target, TrustDomain, parse_duration};
use std::path::PathBuf;
use std::time::Duration;

/// Precedence: flag, then environment, then profile.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Connection (a flag wins over its variable, a variable over the profile)")]
pub(super) struct Connection {
    /// The broker
    #[arg(long, short = 'a', env = "PORTOLAN_ADDRESS", value_name = "HOST:PORT", value_parser = Address::parse, hide_env_values = true)]
    address: Option<Address>,
    /// Authorities that vouch for the broker, PEM
    #[arg(long, env = "PORTOLAN_CA", value_name = "FILE", hide_env_values = true)]
    ca: Option<PathBuf>,
    /// Your certificate and its chain, PEM
    #[arg(long, env = "PORTOLAN_CERT", value_name = "FILE", hide_env_values = true)]
    cert: Option<PathBuf>,
    /// The key of your certificate, PEM
    #[arg(long, env = "PORTOLAN_KEY", value_name = "FILE", hide_env_values = true)]
    key: Option<PathBuf>,
    /// The broker must have exactly this SPIFFE id
    #[arg(long, env = "PORTOLAN_IDENTITY", value_name = "SPIFFE_ID", hide_env_values = true)]
    identity: Option<String>,
    /// The broker may be any workload of this trust domain
    #[arg(long, env = "PORTOLAN_TRUST_DOMAIN", value_name = "NAME", value_parser = TrustDomain::parse, hide_env_values = true)]
    trust_domain: Option<TrustDomain>,
    /// The host name in the broker's certificate, if it is not that of the address
    #[arg(long, env = "PORTOLAN_SERVER_NAME", value_name = "HOST", hide_env_values = true)]
    server_name: Option<String>,
    /// How long a connection may take [default: 10s]
    #[arg(long, env = "PORTOLAN_TIMEOUT", value_name = "DURATION", value_parser = parse_duration, hide_env_values = true)]
    timeout: Option<Duration>,
    /// A file that holds these flags (address = "…", ca = "…"), or its NAME in ~/.config/portolan/profiles/NAME.toml
    #[arg(long, short = 'p', env = "PORTOLAN_PROFILE", value_name = "NAME|FILE", hide_env_values = true)]
    profile: Option<String>,
}

impl Connection {
    /// The broker that flags, environment and profile describe.
    pub(super) fn target(self) -> anyhow::Result<Target> {
        let lowest = self.profile.as_deref().map(Profile::load).transpose()?.unwrap_or_default();
        let given = Profile {
            address: self.address,
            ca: self.ca,
            cert: self.cert,
            key: self.key,
            identity: self.identity,
            trust_domain: self.trust_domain,
            server_name: self.server_name,
            timeout: self.timeout,
        };
        Ok(given.or(lowest).target()?)
    }

    /// A connection to that broker.
    pub(super) async fn open(self) -> anyhow::Result<Channel> {
        Ok(client::connect(&self.target()?).await?)
    }
}
