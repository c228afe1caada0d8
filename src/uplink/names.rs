//! Looks up the hosts of producers: `/etc/hosts` and DNS, each answer for as long as its time to live says.

use arc_swap::ArcSwapOption;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// The system's own configuration; a change of either is taken at the next look-up.
const SYSTEM: [&str; 2] = ["/etc/resolv.conf", "/etc/hosts"];
/// An answer is not asked for again sooner than this, however short its time to live.
const SHORTEST: Duration = Duration::from_secs(1);
/// An answer is asked for again after this, however long its time to live.
const LONGEST: Duration = Duration::from_secs(300);

/// Looks up hosts; one for each worker, because its sockets live on that worker's runtime.
#[derive(Default)]
pub(super) struct Names {
    /// Asked instead of the system's.
    servers: Vec<SocketAddr>,
    made: ArcSwapOption<Made>,
}

struct Made {
    resolver: TokioResolver,
    stamp: [Option<SystemTime>; 2],
}

impl Names {
    /// Asks these DNS servers; none means those of the system.
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self { servers, made: ArcSwapOption::empty() }
    }

    /// The addresses of a host, and until when they are believed.
    pub(super) async fn look_up(&self, host: &str) -> io::Result<(Vec<IpAddr>, Instant)> {
        let made = self.made()?;
        let answer = made.resolver.lookup_ip(host).await.map_err(io::Error::other)?;
        let left = answer.valid_until().saturating_duration_since(std::time::Instant::now());
        let until = Instant::now() + left.clamp(SHORTEST, LONGEST);
        Ok((answer.iter().collect(), until))
    }

    fn made(&self) -> io::Result<Arc<Made>> {
        let stamp = SYSTEM.map(|file| fs::metadata(file).and_then(|of| of.modified()).ok());
        if let Some(made) = self.made.load_full().filter(|made| made.stamp == stamp) {
            return Ok(made);
        }
        let made = Arc::new(Made { resolver: self.build()?, stamp });
        self.made.store(Some(made.clone()));
        Ok(made)
    }

    fn build(&self) -> io::Result<TokioResolver> {
        let servers = |servers| {
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let mut builder = if self.servers.is_empty() {
            // A machine without DNS still has its hosts file.
            Resolver::builder_tokio().unwrap_or_else(|error| {
                tracing::warn!(%error, "{} names no DNS server: only /etc/hosts is read", SYSTEM[0]);
                servers(Vec::new())
            })
        } else {
            servers(self.servers.iter().map(|at| server(*at)).collect())
        };
        let options = builder.options_mut();
        options.positive_min_ttl = Some(SHORTEST);
        options.positive_max_ttl = Some(LONGEST);
        // A name that comes into being is found soon: a producer may register before its DNS record stands.
        options.negative_max_ttl = Some(SHORTEST);
        builder.build().map_err(io::Error::other)
    }
}

fn server(at: SocketAddr) -> NameServerConfig {
    let mut server = NameServerConfig::udp_and_tcp(at.ip());
    for connection in &mut server.connections {
        connection.port = at.port();
    }
    server
}
