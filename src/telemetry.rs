//! What is told about the process and its calls: logs, metrics, spans, the access log.
//!
//! Owns: the one subscriber, the meters, what of a call becomes a number, a span or a line, and their forms.
//! Never: sockets (`api::admin` is asked, `uplink::collector` sends); what is worth telling of a call (`relay` knows);
//! metadata that no configuration names; a series, a span or a line beyond its bound.
//! Flow: a call ends → [`Meters`] count in the shard of its thread, [`Tracer`] and [`AccessLog`] take what is sampled →
//! [`Family`] → [`text`] for who scrapes, [`otlp`] for a collector.

mod access_log;
mod escape;
mod family;
mod histogram;
mod logs;
mod meters;
pub mod otlp;
mod process;
mod shards;
pub mod text;
mod trace;

pub use access_log::{AccessLog, Choice, Entry, Field, Sink, Writer};
pub use family::{Attribute, Distribution, Family, Kind, Point, Unit, Value};
pub use logs::{Error, Format, start};
pub use meters::{Attempt, Known, Meters, Open, Outcome, Repeats};
pub use process::Process;
pub use trace::{Context, Fact, Role, Sampling, Span, Tracer, new_span};

use crate::model::service_config::Status;

/// What is told of calls; a part that is off costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Telemetry {
    /// Counts them.
    pub meters: Option<Meters>,
    /// Follows them.
    pub tracer: Option<Tracer>,
    /// Writes them down.
    pub access_log: Option<AccessLog>,
}

/// The name of a gRPC status, as metrics, spans and lines write it (gRPC core, "Status codes and their use"). What is
/// none of the seventeen reads as UNKNOWN.
pub fn status(code: u8) -> &'static str {
    Status::new(code).map_or("UNKNOWN", Status::name)
}
