//! How a routed call that failed looks to its consumer.

use super::{Blame, Fault};
use crate::relay::director::Refusal;
use crate::relay::{BadAnswer, BadIntent, Error};
use crate::transport;
use crate::uplink;
use h2::Reason;
use std::collections::BTreeSet;
use tonic::Code;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Refused(refusal) => refused(refusal),
            Error::Loop(_) => {
                Fault::new(Code::FailedPrecondition, "ROUTING_LOOP", message).blame(Blame::Broker)
            }
            Error::NoConnection { platform, tried, .. }
                if tried.iter().all(|e| e.reason() == "AT_CAPACITY") =>
            {
                Fault::new(Code::ResourceExhausted, "PRODUCER_AT_CAPACITY", message)
                    .with("platform", platform.as_str())
            }
            Error::NoConnection { platform, tried, .. } if tried.iter().all(is_busy) => {
                busy(&tried, message).with("platform", platform.as_str())
            }
            Error::NoConnection { platform, since, tried } => {
                let endpoints: Vec<_> = tried.iter().map(|error| error.address().to_string()).collect();
                Fault::new(Code::Unavailable, "NO_CONNECTION", message)
                    .with("platform", platform.as_str())
                    .with("endpoints", endpoints.join(", "))
                    .with("since", since.to_string())
            }
            Error::OverShare { tenant, limit } => Fault::over_share(&tenant, limit),
            Error::Producer(cause) => ended(&cause),
            Error::Consumer(_) => Fault::new(Code::Cancelled, "CONSUMER_GONE", message),
            Error::BadAnswer(answer) => bad_answer(&answer, message),
            Error::Oversize(_) => Fault::new(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", message)
                .blame(Blame::Consumer)
                .retry(false),
            Error::DeadlineExceeded => {
                Fault::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", message).blame(Blame::Producer)
            }
            Error::Stopped(why) => Fault::cut(why),
        }
    }
}

impl From<BadIntent> for Fault {
    fn from(bad: BadIntent) -> Self {
        Fault::invalid("BAD_ROUTING_HEADER", bad.to_string()).with("header", bad.header)
    }
}

fn is_busy(error: &uplink::Error) -> bool {
    match error {
        uplink::Error::BackingOff { last, .. } => is_busy(last),
        error => matches!(error, uplink::Error::Busy { .. }),
    }
}

/// Every endpoint carries as much as it may. Nothing was sent.
fn busy(tried: &[uplink::Error], message: String) -> Fault {
    let endpoints: Vec<_> = tried.iter().map(|error| error.address().to_string()).collect();
    let reasons: BTreeSet<_> = tried.iter().map(uplink::Error::reason).collect();
    let reasons: Vec<_> = reasons.into_iter().collect();
    Fault::new(Code::Unavailable, "PRODUCER_BUSY", message)
        .with("endpoints", endpoints.join(", "))
        .with("limits", reasons.join(", "))
        .blame(Blame::Producer)
        .retry(true)
}

/// Never NOT_FOUND: consumers take that for the producer's word about what they asked it for.
pub(in crate::api) fn refused(refusal: Refusal) -> Fault {
    let (reason, message) = (refusal.reason(), refusal.to_string());
    let new = |code| Fault::new(code, reason, message);
    match refusal {
        Refusal::NoOwner(service) => new(Code::Unimplemented).with("service", service),
        Refusal::NotOffered { service, platform } => {
            new(Code::Unimplemented).with("service", service).with("platform", platform.as_str())
        }
        Refusal::Denied(denial) => denial.into(),
        Refusal::NoVersion { service, platform, range, versions } => new(Code::FailedPrecondition)
            .with("service", service)
            .with("platform", platform.as_str())
            .with("range", range.to_string())
            .with("versions", versions.join(", ")),
        Refusal::Retired { service, platform, replacement } => {
            let fault =
                new(Code::FailedPrecondition).with("service", service).with("platform", platform.as_str());
            match replacement {
                Some(replacement) => fault.with("replacement", replacement.to_string()),
                None => fault,
            }
        }
        Refusal::TooStale { service, platform, .. } => {
            new(Code::Unavailable).with("service", service).with("platform", platform.as_str())
        }
        Refusal::Unreachable { service, platform, producers, since, .. } => {
            let fault = new(Code::Unavailable)
                .with("service", service)
                .with("platform", platform.as_str())
                .with("producers", producers.join(", "));
            match since {
                Some(since) => fault.with("since", since.to_string()),
                None => fault,
            }
        }
    }
}

/// The gRPC status of a stream that ended early (gRPC over HTTP/2, "Errors").
fn ended(cause: &transport::Error) -> Fault {
    let (code, reason) = match cause.reason() {
        Some(Reason::REFUSED_STREAM) => (Code::Unavailable, "REFUSED_BY_PRODUCER"),
        Some(Reason::CANCEL) => (Code::Cancelled, "CANCELLED_BY_PRODUCER"),
        Some(Reason::ENHANCE_YOUR_CALM) => (Code::ResourceExhausted, "PRODUCER_OVERLOADED"),
        Some(Reason::INADEQUATE_SECURITY) => (Code::PermissionDenied, "INADEQUATE_SECURITY"),
        Some(_) if matches!(cause, transport::Error::GoAway { .. }) => (Code::Unavailable, "CONNECTION_LOST"),
        Some(_) => (Code::Internal, "RESET_BY_PRODUCER"),
        None if matches!(cause, transport::Error::Malformed(_)) => (Code::Internal, "MALFORMED_ANSWER"),
        None => (Code::Unavailable, "CONNECTION_LOST"),
    };
    Fault::new(code, reason, format!("the producer ended the call: {cause}"))
        .blame(Blame::Producer)
        .retry(cause.is_unprocessed())
}

/// HTTP statuses become codes as the gRPC specification maps them ("HTTP to gRPC Status Code Mapping").
fn bad_answer(answer: &BadAnswer, message: String) -> Fault {
    let (code, reason) = match answer {
        BadAnswer::HttpStatus(status) => (of_http(*status), "HTTP_STATUS"),
        BadAnswer::ContentType(_) => (Code::Unknown, "NOT_GRPC"),
        BadAnswer::NoStatus => (Code::Internal, "NO_STATUS"),
        BadAnswer::TwoStatuses => (Code::Internal, "TWO_STATUSES"),
        BadAnswer::UnknownStatus(_) => (Code::Unknown, "UNKNOWN_STATUS"),
        BadAnswer::StatusBeforeBody => (Code::Internal, "STATUS_BEFORE_BODY"),
    };
    // The producer may have done its work before it answered so.
    Fault::new(code, reason, message).blame(Blame::Producer).retry(false)
}

fn of_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::relay;
    use tonic::Status;

    fn code(error: Error) -> Code {
        Status::from(Fault::from(error)).code()
    }

    #[test]
    fn resets_become_the_codes_of_the_specification() {
        let table = [
            (Reason::NO_ERROR, Code::Internal),
            (Reason::PROTOCOL_ERROR, Code::Internal),
            (Reason::INTERNAL_ERROR, Code::Internal),
            (Reason::FLOW_CONTROL_ERROR, Code::Internal),
            (Reason::SETTINGS_TIMEOUT, Code::Internal),
            (Reason::FRAME_SIZE_ERROR, Code::Internal),
            (Reason::REFUSED_STREAM, Code::Unavailable),
            (Reason::CANCEL, Code::Cancelled),
            (Reason::COMPRESSION_ERROR, Code::Internal),
            (Reason::CONNECT_ERROR, Code::Internal),
            (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
            (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
        ];
        for (reason, expected) in table {
            let cause = transport::Error::Reset { reason, remote: true };
            assert_eq!(code(Error::Producer(cause)), expected, "{reason:?}");
        }
    }

    #[test]
    fn retries_go_by_the_status_that_the_consumer_would_be_told() {
        let reasons = (0..=13).map(Reason::from);
        let resets = reasons.clone().map(|reason| transport::Error::Reset { reason, remote: true });
        let goodbyes = reasons.map(|reason| transport::Error::GoAway { reason, remote: false });
        let broken = transport::Error::Io(std::sync::Arc::new(std::io::ErrorKind::BrokenPipe.into()));
        for cause in resets.chain(goodbyes).chain([broken, transport::Error::Closed("it is over")]) {
            let status = relay::status(&cause).number();
            assert_eq!(code(Error::Producer(cause.clone())), Code::from(i32::from(status)), "{cause:?}");
        }
    }

    #[test]
    fn http_statuses_become_the_codes_of_the_specification() {
        let table = [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (302, Code::Unknown),
            (500, Code::Unknown),
        ];
        for (status, expected) in table {
            assert_eq!(code(Error::BadAnswer(BadAnswer::HttpStatus(status))), expected, "{status}");
        }
    }
}
