//! How producers are dialled, and how many connections to them are kept.

use crate::model::EndpointRules;
use crate::transport::{self, Budget};
use std::net::SocketAddr;
use std::time::Duration;

/// How producers are dialled, and how many connections to them are kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// From the look-up of the name to the peer's first HTTP/2 SETTINGS.
    pub connect_timeout: Duration,
    /// After how long without a call a connection is closed.
    pub idle_timeout: Duration,
    /// After this time, give or take a tenth, a connection is replaced by a new one, and its calls finish.
    pub max_age: Duration,
    /// Connections to one endpoint for one tenant; the next is opened when those before are nearly full.
    pub max_connections: usize,
    /// The pause after a first failed dial; it doubles with each further one.
    pub min_backoff: Duration,
    /// The longest pause between two dials.
    pub max_backoff: Duration,
    /// Where a registered producer may be, and what its host name may lead to.
    pub rules: EndpointRules,
    /// DNS servers that are asked instead of the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// What the streams of each tenant may hold in memory, with all that others hold.
    pub budget: Budget,
    /// The limits of each connection.
    pub transport: transport::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(5 * 60),
            max_age: Duration::from_secs(30 * 60),
            max_connections: 32,
            min_backoff: Duration::from_millis(250),
            max_backoff: Duration::from_secs(30),
            rules: EndpointRules::default(),
            dns_servers: Vec::new(),
            budget: Budget::default(),
            transport: transport::Settings::default(),
        }
    }
}
