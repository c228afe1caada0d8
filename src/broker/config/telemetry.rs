//! What is told of calls, to whom, and how much of it.

use super::platform::operator;
use super::reader::{Field, Table};
use super::schema;
use super::trust::Domains;
use crate::model::{Address, Identity, Place};
use crate::telemetry;
use http::HeaderName;
use schemars::JsonSchema;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Metadata whose values are credentials: they are never written, whatever is configured.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// The listener for those who watch the process: `/metrics`, `/healthz`, `/readyz`.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Admin {
    /// Where it listens: `address:port`, a list of them, or `[]` for nowhere. It asks nobody who they are: keep it on loopback, or behind something that does.
    #[schemars(schema_with = "schema::none_or_more", default, extend("default" = ["127.0.0.1:9464"]))]
    pub listen: Vec<SocketAddr>,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Metrics {
    /// Whether calls are counted by method and status.
    #[schemars(default, extend("default" = true))]
    pub calls: bool,
    /// Methods of versions that are told apart; calls to more are counted together.
    #[schemars(default, range(min = 16, max = 100_000), extend("default" = 2_000))]
    pub series: usize,
    /// A collector to which metrics are sent (OTLP over gRPC): `http://host:port` in plain text, `https://host:port` with the broker's own certificate.
    #[schemars(with = "Option<String>", default)]
    pub collector: Option<Collector>,
    /// Who the collector must be, with `https`: a SPIFFE id.
    #[schemars(with = "Option<String>", default)]
    pub collector_id: Option<Identity>,
    /// How often they are sent.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "60s"))]
    pub interval: Duration,
}

/// Which calls are followed, and where their spans go.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Tracing {
    /// The collector to which spans are sent (OTLP over gRPC): `http://host:port` in plain text, `https://host:port` with the broker's own certificate. Without one nothing is followed.
    #[schemars(with = "Option<String>", default)]
    pub collector: Option<Collector>,
    /// Who the collector must be, with `https`: a SPIFFE id.
    #[schemars(with = "Option<String>", default)]
    pub collector_id: Option<Identity>,
    /// The share of calls that are followed although no caller has decided: 0 to 1.
    #[schemars(default, range(min = 0, max = 1), extend("default" = 0.01))]
    pub ratio: f64,
    /// Whether a caller's decision (the flag in `traceparent`) is followed; otherwise the ratio holds for all.
    #[schemars(default, extend("default" = true))]
    pub follow_callers: bool,
    /// Spans that may wait for the collector; more are dropped and counted.
    #[schemars(default, range(min = 16, max = 1_000_000), extend("default" = 8_192))]
    pub queue: usize,
}

/// Which calls are written down, and what of them.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AccessLog {
    /// Where lines go: `stdout`, or a file, which is made anew when it was moved away. Without it nothing is written.
    #[schemars(with = "Option<String>", default)]
    pub to: Option<PathBuf>,
    /// The share of calls that are written: 0 to 1.
    #[schemars(default, range(min = 0, max = 1), extend("default" = 1.0))]
    pub ratio: f64,
    /// Whether every call that fails is written.
    #[schemars(default, extend("default" = true))]
    pub errors: bool,
    /// What is written of a call; docs/telemetry.md tells of each field.
    #[schemars(schema_with = "fields_schema", default, extend("default" = all_fields()))]
    pub fields: Vec<telemetry::Field>,
    /// Metadata of the request whose values are written; no other is, and never credentials.
    #[schemars(with = "Vec<String>", default, extend("default" = []))]
    pub metadata: Vec<HeaderName>,
}

/// Where a collector listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collector {
    /// Host and port.
    pub address: Address,
    /// Whether TLS is spoken there.
    pub is_tls: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9464)] }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { calls: true, series: 2_000, collector: None, collector_id: None, interval: 60 * SECOND }
    }
}

impl Default for Tracing {
    fn default() -> Self {
        Self { collector: None, collector_id: None, ratio: 0.01, follow_callers: true, queue: 8_192 }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        let fields = telemetry::Field::ALL.map(|(_, field)| field).to_vec();
        Self { to: None, ratio: 1.0, errors: true, fields, metadata: Vec::new() }
    }
}

pub(super) fn admin(table: &Table<'_>) -> Option<Admin> {
    let listen =
        table.get("listen").map_or(Some(Admin::default().listen), |field| field.none_or_more(super::address));
    Some(Admin { listen: listen? })
}

pub(super) fn metrics(table: &Table<'_>, domains: &Domains) -> Option<Metrics> {
    let or = Metrics::default();
    let calls = table.get("calls").map_or(Some(or.calls), |field| field.switch());
    let series = table.get("series").map_or(Some(or.series as i64), |field| field.whole(16..=100_000));
    let collector = collector(table, domains);
    let interval = table.get("interval").map_or(Some(or.interval), |field| field.duration(SECOND..=HOUR));
    let (collector, collector_id) = collector?;
    Some(Metrics { calls: calls?, series: series? as usize, collector, collector_id, interval: interval? })
}

pub(super) fn tracing(table: &Table<'_>, domains: &Domains) -> Option<Tracing> {
    let or = Tracing::default();
    let collector = collector(table, domains);
    let ratio = table.get("ratio").map_or(Some(or.ratio), |field| share(&field));
    let follow_callers = table.get("follow_callers").map_or(Some(or.follow_callers), |field| field.switch());
    let queue = table.get("queue").map_or(Some(or.queue as i64), |field| field.whole(16..=1_000_000));
    let (collector, collector_id) = collector?;
    Some(Tracing {
        collector,
        collector_id,
        ratio: ratio?,
        follow_callers: follow_callers?,
        queue: queue? as usize,
    })
}

pub(super) fn access_log(table: &Table<'_>) -> Option<AccessLog> {
    let or = AccessLog::default();
    let to = table.get("to").map_or(Some(None), |field| target(&field).map(Some));
    let ratio = table.get("ratio").map_or(Some(or.ratio), |field| share(&field));
    let errors = table.get("errors").map_or(Some(or.errors), |field| field.switch());
    let fields = table
        .get("fields")
        .map_or(Some(or.fields), |list| list.some(|field| field.choice(&telemetry::Field::ALL)));
    let metadata = table.get("metadata").map_or(Some(or.metadata), |list| list.list(metadata));
    Some(AccessLog { to: to?, ratio: ratio?, errors: errors?, fields: fields?, metadata: metadata? })
}

/// Where a collector is, and who it must be.
fn collector(table: &Table<'_>, domains: &Domains) -> Option<(Option<Collector>, Option<Identity>)> {
    let fix = "write \"http://127.0.0.1:4317\", or \"https://host:4317\" with a collector_id";
    let collector = table.get("collector").map_or(Some(None), |field| field.parsed(place, fix).map(Some));
    let identity = table.get("collector_id").map_or(Some(None), |field| operator(&field, domains).map(Some));
    let (collector, identity) = (collector?, identity?);
    let is_tls = collector.as_ref().is_some_and(|collector| collector.is_tls);
    if is_tls != identity.is_some() {
        let problem = if is_tls {
            "nothing says who the collector must be"
        } else {
            "only a collector behind https proves who it is"
        };
        table.fault(problem, "with https write a collector_id, such as \"spiffe://hub.example/collector\"");
        return None;
    }
    Some((collector, identity))
}

fn place(text: &str) -> Result<Collector, String> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let is_tls = match scheme {
        "http" => false,
        "https" => true,
        _ => return Err(format!("{text:?} begins with neither http:// nor https://")),
    };
    let address =
        Address::parse(rest.strip_suffix('/').unwrap_or(rest)).map_err(|error| error.to_string())?;
    if !matches!(address.place(), Place::Host(..)) {
        return Err(format!("{text:?} is not a host with a port"));
    }
    Ok(Collector { address, is_tls })
}

fn target(field: &Field<'_>) -> Option<PathBuf> {
    if field.text()? == "stdout" { Some("stdout".into()) } else { field.path() }
}

fn share(field: &Field<'_>) -> Option<f64> {
    let number = field.number()?;
    if (0.0..=1.0).contains(&number) {
        Some(number)
    } else {
        field.fault(format!("{number} is not a share"), "write a number from 0 to 1, such as 0.01")
    }
}

fn metadata(field: &Field<'_>) -> Option<HeaderName> {
    let name = field.parsed(
        |text| HeaderName::try_from(text).map_err(|_| format!("{text:?} is not a name of metadata")),
        "write a name such as \"x-request-id\"",
    )?;
    if SECRET.contains(&name.as_str()) {
        return field.fault("its values are credentials", "leave it out; credentials are never written");
    }
    Some(name)
}

fn all_fields() -> Vec<&'static str> {
    telemetry::Field::ALL.map(|(word, _)| word).to_vec()
}

fn fields_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "array", "items": { "enum": all_fields() }, "minItems": 1 })
}
