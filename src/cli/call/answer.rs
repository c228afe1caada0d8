//! A status that is not OK, for people: its code, its message, its details.

use crate::cli::output::{self, clean};
use crate::client::failure;
use prost::Message;
use prost_reflect::DynamicMessage;
use std::process::ExitCode;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Code, Status};

/// Above the exit codes of shells and of ours.
const FIRST_CODE: u8 = 64;

/// `NOT_FOUND: there is no such account`, with the reason and its metadata if a detail says them.
pub(in crate::cli) fn one_line(status: &Status) -> String {
    if let Some(error) = failure(status) {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let causes: Vec<_> = causes.map(ToString::to_string).collect();
        return format!("the connection to the broker failed: {}", causes.join(": "));
    }
    let reason = tonic_types::StatusExt::get_details_error_info(status).map(|info| {
        let mut metadata: Vec<_> =
            info.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
        metadata.sort();
        let metadata = if metadata.is_empty() { String::new() } else { format!(" {}", metadata.join(" ")) };
        format!(" ({}{metadata})", info.reason)
    });
    clean(&format!("{}: {}{}", name(status.code()), status.message(), reason.unwrap_or_default()))
}

/// Tells a status on standard error, with every detail as JSON.
pub(super) fn tell(status: &Status) {
    if failure(status).is_some() {
        eprintln!("error: {}", one_line(status));
        return;
    }
    eprintln!("{}: {}", name(status.code()), clean(status.message()));
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

/// `NOT_FOUND`, as the specification writes it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
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
    use tonic_types::{ErrorDetails, StatusExt};

    fn status() -> Status {
        let details =
            ErrorDetails::with_error_info("NO_ROUTE", "portolan.dev", [("service".into(), "a.B".into())]);
        Status::with_error_details(Code::Unavailable, "nobody is \u{1b}there", details)
    }

    #[test]
    fn a_status_is_told_with_its_reason() {
        assert_eq!(one_line(&status()), "UNAVAILABLE: nobody is \\u{1b}there (NO_ROUTE service=a.B)");
        assert_eq!(one_line(&Status::not_found("x")), "NOT_FOUND: x");
    }

    #[test]
    fn details_are_decoded() {
        let wanted = "google.rpc.ErrorInfo {\"reason\":\"NO_ROUTE\",\"domain\":\"portolan.dev\",\"metadata\":{\"service\":\"a.B\"}}";
        assert_eq!(details(&status()), [wanted]);
        assert!(details(&Status::not_found("x")).is_empty());
    }
}
