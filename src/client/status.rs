//! What a status that is not OK says to people.

use crate::model::service_config;
use crate::transport;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The transport error behind a failed call, if the broker did not answer at all.
pub fn failure(status: &Status) -> Option<&transport::Error> {
    transport::Error::behind(status)
}

/// `NOT_FOUND: there is no such account`, with the reason and its metadata if a detail says them, in one line.
pub fn one_line(status: &Status) -> String {
    if let Some(error) = failure(status) {
        return format!("the connection to the broker failed: {}", with_causes(error));
    }
    let reason = status.get_details_error_info().map(|info| {
        let mut metadata: Vec<_> =
            info.metadata.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        metadata.sort();
        format!(" ({}{})", info.reason, metadata.concat())
    });
    format!("{}: {}{}", code_name(status.code()), status.message(), reason.unwrap_or_default())
}

/// `NOT_FOUND`, as the specification of gRPC writes it.
pub fn code_name(code: Code) -> &'static str {
    // Both are numbered as on the wire.
    service_config::Status::new(code as u8).map_or("UNKNOWN", service_config::Status::name)
}

/// An error with all that stands behind it.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    #[test]
    fn a_status_is_told_with_its_reason() {
        let details =
            ErrorDetails::with_error_info("NO_ROUTE", "portolan.dev", [("service".into(), "a.B".into())]);
        let status = Status::with_error_details(Code::Unavailable, "nobody is there", details);
        assert_eq!(one_line(&status), "UNAVAILABLE: nobody is there (NO_ROUTE service=a.B)");
        assert_eq!(one_line(&Status::not_found("x")), "NOT_FOUND: x");
    }

    #[test]
    fn a_broken_connection_is_not_an_answer_of_the_broker() {
        let status = Status::from_error(Box::new(transport::Error::Closed("cut by us")));
        assert_eq!(
            one_line(&status),
            "the connection to the broker failed: the connection is closed: cut by us"
        );
    }
}
