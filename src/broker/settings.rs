//! What each room is told of the one configuration file.

use super::config::{self, Config, Endpoints};
use crate::api::listener::Limits;
use crate::api::report::{Certificate, Certificates};
use crate::federation::discovery::Targets;
use crate::identity::{Credentials, Domain, Files, Trust};
use crate::model::{EndpointRules, Platform, Registration};
use crate::{federation, relay, status, transport, uplink};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A producer that comes back is not kept waiting for long.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

pub(super) fn files(config: &Config) -> Files {
    Files { certificate: config.tls.certificate.clone(), key: config.tls.key.clone() }
}

pub(super) fn domains(config: &Config) -> Vec<Domain> {
    let domain = |domain: &super::config::TrustDomain| Domain {
        name: domain.name.clone(),
        bundle: domain.bundle.clone(),
        crl: domain.crl.clone(),
        dns_suffixes: domain.dns_suffixes.clone(),
    };
    config.trust_domains.iter().map(domain).collect()
}

pub(super) fn platforms(config: &Config) -> Vec<Platform> {
    config.platforms.iter().map(|platform| platform.model()).collect()
}

/// What consumers may take.
pub(super) fn limits(config: &Config, budget: &transport::Budget) -> Limits {
    Limits {
        budget: budget.clone(),
        connection: inbound(config),
        handshake_timeout: config.timeouts.handshake,
        handshakes: config.limits.handshakes,
        max_age: config.timeouts.connection_age,
    }
}

/// The limits of consumers' connections.
fn inbound(config: &Config) -> transport::Settings {
    let limits = &config.limits;
    transport::Settings {
        stream_window: clamp(limits.stream_window),
        max_concurrent_streams: limits.streams,
        max_header_list_size: clamp(limits.header_bytes),
        handshake_timeout: config.timeouts.handshake,
        keepalive_interval: config.timeouts.keepalive_interval,
        keepalive_timeout: config.timeouts.keepalive_timeout,
        idle_timeout: Some(config.timeouts.idle),
        ..transport::Settings::default()
    }
}

/// What streams may hold all together.
fn budget(config: &Config) -> transport::Budget {
    let limit = usize::try_from(config.limits.buffered_bytes).unwrap_or(usize::MAX);
    transport::Budget::new(limit, clamp(config.limits.stream_window) as usize)
}

/// How producers are dialled; `own` is where the broker listens.
pub(super) fn outbound(config: &Config, own: &[SocketAddr]) -> uplink::Settings {
    uplink::Settings {
        rules: rules(config, own),
        dns_servers: config.dns.servers.clone(),
        budget: budget(config),
        max_age: config.timeouts.connection_age,
        connect_timeout: config.timeouts.connect,
        max_backoff: LONGEST_BACKOFF,
        transport: transport::Settings { idle_timeout: None, ..inbound(config) },
        ..uplink::Settings::default()
    }
}

/// How endpoints are treated for what calls show of them.
pub(super) fn peers(config: &Config) -> uplink::Rules {
    config::rules(&config.balance, &config.outliers, &config.breaker)
}

/// What a registration may ask for; `own` is where the broker listens.
pub(super) fn registrations(config: &Config, own: &[SocketAddr]) -> federation::Settings {
    let leases = &config.leases;
    federation::Settings {
        terms: federation::Terms {
            default: leases.default,
            shortest: leases.min,
            longest: leases.max,
            grace: leases.grace,
        },
        is_folder_watched: config.manifests.is_some(),
        trust_domains: config.trust_domains.iter().map(|domain| domain.name.clone()).collect(),
        endpoints: rules(config, own),
        ..federation::Settings::default()
    }
}

/// Where producers may be; `own` is where the broker listens.
fn rules(config: &Config, own: &[SocketAddr]) -> EndpointRules {
    let Endpoints { allow, unix } = config.endpoints.clone();
    EndpointRules { allow, unix, own: own.to_vec() }
}

/// How producers are probed.
pub(super) fn probes(config: &Config) -> status::Settings {
    status::Settings {
        interval: config.health.interval,
        timeout: config.health.timeout,
        ..status::Settings::default()
    }
}

/// The certificates that the broker stands on, as they are whenever somebody asks.
pub(super) fn certificates(config: &Config, trust: &Trust, credentials: &Credentials) -> Certificates {
    let (broker, trust, credentials) = (config.id.clone(), trust.clone(), credentials.clone());
    Arc::new(move || {
        let own = Certificate::Own(broker.clone(), credentials.validity());
        let authorities = trust.authorities().into_iter();
        [own].into_iter().chain(authorities.map(|(domain, v)| Certificate::Authority(domain, v))).collect()
    })
}

pub(super) fn message_bytes(config: &Config) -> u32 {
    clamp(config.limits.message_bytes)
}

/// How much of a call is kept, so that it can be sent again.
pub(super) fn replay(config: &Config) -> relay::replay::Limits {
    let bytes = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
    relay::replay::Limits {
        call: bytes(config.retries.replay_bytes),
        worker: bytes(config.retries.replay_bytes_in_all),
    }
}

/// How much is retried.
pub(super) fn retries(config: &Config) -> relay::budget::Rates {
    relay::budget::Rates {
        share: f64::from(config.retries.share_percent) / 100.0,
        at_least: config.retries.at_least.into(),
    }
}

pub(super) fn locality(config: &Config) -> Arc<str> {
    config.locality.as_str().into()
}

pub(super) fn workers(config: &Config) -> usize {
    match config.workers {
        0 => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        workers => workers,
    }
}

fn clamp(bytes: u64) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Producers that the file declares whole.
pub(super) fn configured(config: &Config) -> Vec<Registration> {
    let producers = config.producers.iter().filter(|producer| producer.target().is_none());
    producers.map(config::Producer::registration).collect()
}

/// Producers whose contracts are read from themselves.
pub(super) fn targets(config: &Config) -> Targets {
    let targets = config.producers.iter().filter_map(config::Producer::target);
    Arc::new(targets.map(|target| (target.registration.producer.clone(), Arc::new(target))).collect())
}
