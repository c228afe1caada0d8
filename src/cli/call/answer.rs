//! A status that is not OK, for people: its code, its message, its details.

use crate::cli::output::{self, clean};
use crate::client::{self, code_name, failure};
use prost::Message;
use prost_reflect::DynamicMessage;
use std::process::ExitCode;
use tonic::Status;
use tonic::metadata::{KeyAndValueRef, MetadataMap};

/// Above the exit codes of shells and of ours.
const FIRST_CODE: u8 = 64;

/// A status in one line, safe for a terminal.
pub(in crate::cli) fn one_line(status: &Status) -> String {
    clean(&client::one_line(status))
}

/// Tells a status on standard error, with every detail as JSON.
pub(super) fn tell(status: &Status) {
    if failure(status).is_some() {
        eprintln!("error: {}", one_line(status));
        return;
    }
    eprintln!("{}: {}", code_name(status.code()), clean(status.message()));
    for detail in details(status) {
        eprintln!("  {}", clean(&detail));
    }
}

/// What a call's exit code says of its status.
pub(super) fn code(status: &Status) -> ExitCode {
    match failure(status) {
        Some(_) => ExitCode::FAILURE,
        None => ExitCode::from(FIRST_CODE.saturating_add(status.code() as i32 as u8)),
    }
}

/// Tells metadata on standard error.
pub(super) fn tell_metadata(kind: &str, metadata: &MetadataMap) {
    for entry in metadata.iter() {
        let line = match entry {
            KeyAndValueRef::Ascii(key, value) => {
                format!("{key}: {}", String::from_utf8_lossy(value.as_encoded_bytes()))
            }
            KeyAndValueRef::Binary(key, value) => {
                format!("{key}: {}", String::from_utf8_lossy(value.as_encoded_bytes()))
            }
        };
        eprintln!("{kind} {}", clean(&line));
    }
}

/// Tells on standard error where a call went and why: a line for each part of the broker's trailers.
pub(super) fn tell_explanation(trailers: &MetadataMap) {
    for name in ["portolan-route", "portolan-decision", "portolan-timing"] {
        let Some(value) = trailers.get(name).and_then(|value| value.to_str().ok()) else { continue };
        eprintln!("{name}");
        for part in value.split("; ") {
            eprintln!("  {}", clean(part));
        }
    }
}

/// Each detail as `Type {json}`; one that nobody here knows, by its type and size.
fn details(status: &Status) -> Vec<String> {
    let Ok(decoded) = tonic_types::pb::Status::decode(status.details()) else {
        return vec![format!("details of {} bytes that are no google.rpc.Status", status.details().len())];
    };
    let tell = |detail: &prost_types::Any| {
        let kind = detail.type_url.rsplit('/').next().unwrap_or_default();
        let descriptor = output::pool().ok().and_then(|pool| pool.get_message_by_name(kind));
        let message = descriptor.and_then(|kind| DynamicMessage::decode(kind, detail.value.as_slice()).ok());
        match message.and_then(|message| serde_json::to_string(&message).ok()) {
            Some(json) => format!("{kind} {json}"),
            None => format!("{kind} of {} bytes", detail.value.len()),
        }
    };
    decoded.details.iter().map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;
    use tonic_types::{ErrorDetails, StatusExt};

    fn status() -> Status {
        let details =
            ErrorDetails::with_error_info("NO_ROUTE", "portolan.dev", [("service".into(), "a.B".into())]);
        Status::with_error_details(Code::Unavailable, "nobody is \u{1b}there", details)
    }

    #[test]
    fn what_a_producer_says_cannot_steer_a_terminal() {
        assert_eq!(one_line(&Status::not_found("x\u{1b}[2J")), "NOT_FOUND: x\\u{1b}[2J");
    }

    #[test]
    fn details_are_decoded() {
        let wanted = "google.rpc.ErrorInfo {\"reason\":\"NO_ROUTE\",\"domain\":\"portolan.dev\",\"metadata\":{\"service\":\"a.B\"}}";
        assert_eq!(details(&status()), [wanted]);
        assert!(details(&Status::not_found("x")).is_empty());
    }
}
