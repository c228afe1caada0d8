//! Settings that all have a default: terms, limits, waits.

use super::reader::Table;
use super::schema;
use schemars::JsonSchema;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// How long registrations hold.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Leases {
    /// The term of a producer that asks for none.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "30s"))]
    pub default: Duration,
    /// How long an unrenewed producer stays in the routing table, as STALE.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "60s"))]
    pub grace: Duration,
    /// The shortest term that is granted.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5s"))]
    pub min: Duration,
    /// The longest term that is granted.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "10m"))]
    pub max: Duration,
}

/// What one connection, stream or message may take.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Limits {
    /// Open connections of consumers, all together.
    #[schemars(default, extend("default" = 10_000))]
    pub connections: usize,
    /// TLS handshakes under way at once.
    #[schemars(default, extend("default" = 512))]
    pub handshakes: usize,
    /// Open streams on one connection.
    #[schemars(default, extend("default" = 256))]
    pub streams: u32,
    /// All headers of one request together, as HTTP/2 counts them.
    #[schemars(schema_with = "schema::size", default, extend("default" = "32KiB"))]
    pub header_bytes: u64,
    /// One message of a routed call, in either direction.
    #[schemars(schema_with = "schema::size", default, extend("default" = "64MiB"))]
    pub message_bytes: u64,
    /// One message to the broker's own services, such as a registration with its descriptors.
    #[schemars(schema_with = "schema::size", default, extend("default" = "16MiB"))]
    pub own_message_bytes: u64,
    /// What may be under way unread on one stream: the memory that a reader who stalls costs.
    #[schemars(schema_with = "schema::size", default, extend("default" = "256KiB"))]
    pub stream_window: u64,
    /// What all streams together may hold while their readers are slow. When it is used up, whoever holds more than an equal share loses what it began last (RESOURCE_EXHAUSTED).
    #[schemars(schema_with = "schema::size", default, extend("default" = "1GiB"))]
    pub buffered_bytes: u64,
}

/// How long is waited for what.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Timeouts {
    /// For a consumer's TLS handshake and HTTP/2 preface.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5s"))]
    pub handshake: Duration,
    /// For a connection to a producer, handshake included.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "3s"))]
    pub connect: Duration,
    /// After so long without a frame a connection is pinged.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "30s"))]
    pub keepalive_interval: Duration,
    /// A ping unanswered for so long ends the connection.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "10s"))]
    pub keepalive_timeout: Duration,
    /// Kept back from each call's deadline, so that its producer gives up before we do; at most a tenth of the time left.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5ms"))]
    pub hop: Duration,
    /// A connection without a call for so long is closed.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "30m"))]
    pub idle: Duration,
    /// A connection older than this, give or take a tenth, is replaced: its calls finish, new ones go over a new one.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "30m"))]
    pub connection_age: Duration,
}

/// How the broker stops.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Drain {
    /// How long open calls may go on after SIGTERM; then they are cut.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "30s"))]
    pub deadline: Duration,
}

/// How producers are probed.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Health {
    /// Between two probes of one endpoint.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "5s"))]
    pub interval: Duration,
    /// For one probe; at most the interval.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "2s"))]
    pub timeout: Duration,
}

/// What is logged, on the standard error stream.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Log {
    /// For people or for programs.
    #[schemars(default, extend("default" = "text"))]
    pub format: LogFormat,
    /// What passes: a level (`info`), or levels by part (`info,portolan::uplink=debug`).
    #[schemars(default, extend("default" = "info"))]
    pub filter: String,
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Leases {
    fn default() -> Self {
        Self { default: 30 * SECOND, grace: 60 * SECOND, min: 5 * SECOND, max: 600 * SECOND }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            handshakes: 512,
            streams: 256,
            header_bytes: 32 * KIB,
            message_bytes: 64 * MIB,
            own_message_bytes: 16 * MIB,
            stream_window: 256 * KIB,
            buffered_bytes: GIB,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: 5 * SECOND,
            connect: 3 * SECOND,
            hop: 5 * MS,
            keepalive_interval: 30 * SECOND,
            keepalive_timeout: 10 * SECOND,
            idle: 1800 * SECOND,
            connection_age: 1800 * SECOND,
        }
    }
}

impl Default for Drain {
    fn default() -> Self {
        Self { deadline: 30 * SECOND }
    }
}

impl Default for Health {
    fn default() -> Self {
        Self { interval: 5 * SECOND, timeout: 2 * SECOND }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".into() }
    }
}

pub(super) fn leases(table: &Table<'_>) -> Option<Leases> {
    let or = Leases::default();
    let term = |name, or| table.get(name).map_or(Some(or), |field| field.duration(SECOND..=24 * HOUR));
    let (default, min, max) = (term("default", or.default), term("min", or.min), term("max", or.max));
    let grace = table.get("grace").map_or(Some(or.grace), |field| field.duration(Duration::ZERO..=24 * HOUR));
    let leases = Leases { default: default?, grace: grace?, min: min?, max: max? };
    if leases.min > leases.default || leases.default > leases.max {
        table.fault("the default term is not between min and max", "choose min ≤ default ≤ max");
        return None;
    }
    Some(leases)
}

pub(super) fn limits(table: &Table<'_>) -> Option<Limits> {
    let or = Limits::default();
    let count = |name, or: i64, most| table.get(name).map_or(Some(or), |field| field.whole(1..=most));
    let size = |name, or, range| table.get(name).map_or(Some(or), |field| field.size(range));
    let connections = count("connections", or.connections as i64, 10_000_000);
    let handshakes = count("handshakes", or.handshakes as i64, 1_000_000);
    let streams = count("streams", or.streams.into(), 100_000);
    let header_bytes = size("header_bytes", or.header_bytes, 8 * KIB..=MIB);
    let message_bytes = size("message_bytes", or.message_bytes, KIB..=4 * GIB);
    let own_message_bytes = size("own_message_bytes", or.own_message_bytes, 64 * KIB..=GIB);
    let stream_window = size("stream_window", or.stream_window, 64 * KIB..=64 * MIB);
    let buffered_bytes = size("buffered_bytes", or.buffered_bytes, MIB..=1024 * GIB);
    Some(Limits {
        connections: connections? as usize,
        handshakes: handshakes? as usize,
        streams: streams? as u32,
        header_bytes: header_bytes?,
        message_bytes: message_bytes?,
        own_message_bytes: own_message_bytes?,
        stream_window: stream_window?,
        buffered_bytes: buffered_bytes?,
    })
}

pub(super) fn timeouts(table: &Table<'_>) -> Option<Timeouts> {
    let or = Timeouts::default();
    let wait = |name, or, most| table.get(name).map_or(Some(or), |field| field.duration(100 * MS..=most));
    let handshake = wait("handshake", or.handshake, 60 * SECOND);
    let connect = wait("connect", or.connect, 60 * SECOND);
    let hop = table.get("hop").map_or(Some(or.hop), |field| field.duration(Duration::ZERO..=SECOND));
    let keepalive_interval = wait("keepalive_interval", or.keepalive_interval, HOUR);
    let keepalive_timeout = wait("keepalive_timeout", or.keepalive_timeout, HOUR);
    let idle = wait("idle", or.idle, 24 * HOUR);
    let connection_age = wait("connection_age", or.connection_age, 8760 * HOUR);
    Some(Timeouts {
        handshake: handshake?,
        connect: connect?,
        hop: hop?,
        keepalive_interval: keepalive_interval?,
        keepalive_timeout: keepalive_timeout?,
        idle: idle?,
        connection_age: connection_age?,
    })
}

pub(super) fn drain(table: &Table<'_>) -> Option<Drain> {
    let deadline = table
        .get("deadline")
        .map_or(Some(Drain::default().deadline), |field| field.duration(Duration::ZERO..=HOUR));
    Some(Drain { deadline: deadline? })
}

pub(super) fn health(table: &Table<'_>) -> Option<Health> {
    let or = Health::default();
    let wait = |name, or| table.get(name).map_or(Some(or), |field| field.duration(100 * MS..=HOUR));
    let (interval, timeout) = (wait("interval", or.interval), wait("timeout", or.timeout));
    let health = Health { interval: interval?, timeout: timeout? };
    if health.timeout > health.interval {
        table.fault("a probe may take longer than the interval between two", "choose timeout ≤ interval");
        return None;
    }
    Some(health)
}

pub(super) fn log(table: &Table<'_>) -> Option<Log> {
    let or = Log::default();
    let forms = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = table.get("format").map_or(Some(or.format), |field| field.choice(&forms));
    let filter = table.get("filter").map_or(Some(or.filter), |field| {
        let check = |text: &str| tracing_subscriber::EnvFilter::try_new(text).map(|_| text.to_owned());
        field.parsed(
            check,
            "write a level (error, warn, info, debug, trace), or part=level pairs joined by commas",
        )
    });
    Some(Log { format: format?, filter: filter? })
}
