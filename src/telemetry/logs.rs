//! Logs of the process, on the standard error stream: the one subscriber.

use std::io::IsTerminal;
use tracing_subscriber::{EnvFilter, fmt};

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a filter.
    #[error("{filter:?} says no levels of a log; write a level, or part=level pairs joined by commas")]
    Filter {
        /// What was given.
        filter: String,
        /// Why not.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else in this process did it before.
    #[error("logs have begun already")]
    Begun,
}

/// Begins to log what passes `filter`: a level (`info`), or levels by part (`info,portolan::uplink=debug`).
pub fn start(format: Format, filter: &str) -> Result<(), Error> {
    let filter =
        EnvFilter::try_new(filter).map_err(|source| Error::Filter { filter: filter.to_owned(), source })?;
    // A log that nobody reads any more must not end whoever writes to it: complaining about it would panic.
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    let begun = match format {
        Format::Text => {
            let is_read_by_people = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines.with_ansi(is_read_by_people).try_init()
        }
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    begun.map_err(|_| Error::Begun)
}
