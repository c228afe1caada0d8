//! Logs, as the configuration or a caller wants them.

use crate::broker::config::{Log, LogFormat};
use crate::telemetry;

pub use crate::telemetry::Error;

/// Begins to log. Once in a process.
pub fn start(log: &Log) -> Result<(), Error> {
    let format = match log.format {
        LogFormat::Text => telemetry::Format::Text,
        LogFormat::Json => telemetry::Format::Json,
    };
    telemetry::start(format, &log.filter)
}
