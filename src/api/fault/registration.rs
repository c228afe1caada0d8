//! What a producer sees when its registration, renewal or withdrawal is refused.

use super::{Blame, Fault};
use crate::federation::Error;
use crate::model::Violation;
use tonic::Code;

/// Bytes of all violations of one status. They travel in a header, and many clients take no more than 8 KiB of those.
const ROOM: usize = 3 << 10;

/// Items that the message itself names; all that fit stand in the details.
const NAMED: usize = 3;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::NotYours { platform, .. } => {
                Fault::new(Code::PermissionDenied, "FOREIGN_TRUST_DOMAIN", message)
                    .with("platform", platform.as_str())
            }
            Error::Refused(violations) => refused(violations),
            Error::UnknownLease => Fault::new(Code::NotFound, "UNKNOWN_LEASE", message),
            Error::UnknownProducer(name) => Fault::not_found(&name.to_string()),
            Error::TooOften => {
                Fault::new(Code::ResourceExhausted, "TOO_MANY_REQUESTS", message).blame(Blame::Consumer)
            }
            Error::Busy => Fault::new(Code::ResourceExhausted, "BUSY", message),
            Error::Store(_) => Fault::new(Code::Unavailable, "NOT_DURABLE", message).blame(Blame::Broker),
            Error::Stopping => Fault::new(Code::Unavailable, "STOPPING", message).blame(Blame::Broker),
            Error::Catalog(_) | Error::Unjudged => Fault::new(Code::Internal, "REGISTRATION_FAILED", message),
        }
    }
}

/// One status for all items at fault: their common reason if they have one, and as many of them as a header holds.
pub(in crate::api) fn refused(violations: Vec<Violation>) -> Fault {
    let first = violations.first().map_or("REGISTRATION_REFUSED", |violation| violation.reason);
    let is_common = violations.iter().all(|violation| violation.reason == first);
    let reason = if is_common { first } else { "REGISTRATION_REFUSED" };
    let code = match reason {
        "CONTRACT_MUTATED" => Code::AlreadyExists,
        "CONFIGURED" | "DECLARED" | "INCOMPATIBLE" => Code::FailedPrecondition,
        "PREFIX_NOT_GRANTED" | "FOREIGN_IDENTITY" => Code::PermissionDenied,
        "QUOTA" => Code::ResourceExhausted,
        _ => Code::InvalidArgument,
    };
    let message = match violations.as_slice() {
        [only] => format!("refused: {}: {}", only.field, only.message),
        all => {
            let some: Vec<_> =
                all.iter().take(NAMED).map(|v| format!("{}: {}", v.field, v.message)).collect();
            let more = if all.len() > NAMED { "; …" } else { "" };
            format!("refused: {} items are at fault; nothing was taken: {}{more}", all.len(), some.join("; "))
        }
    };
    Fault::new(code, reason, cut(message)).blame(Blame::Consumer).retry(false).violations(shown(violations))
}

/// The violations that fit, and how many more there are.
fn shown(violations: Vec<Violation>) -> Vec<Violation> {
    let all = violations.len();
    let mut shown = Vec::new();
    let mut room = ROOM;
    for violation in violations {
        let violation = Violation { message: cut(violation.message), ..violation };
        let size = violation.field.len() + violation.reason.len() + violation.message.len() + 8;
        if size > room {
            let message = format!("{} more items are at fault; mend these first", all - shown.len());
            shown.push(Violation::new("versions", "MORE", message));
            break;
        }
        room -= size;
        shown.push(violation);
    }
    shown
}

fn cut(text: String) -> String {
    const LONGEST: usize = 600;
    if text.len() <= LONGEST { text } else { text.chars().take(LONGEST / 2).chain("…".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Status;
    use tonic_types::StatusExt;

    #[test]
    fn a_common_reason_becomes_the_reason_of_the_whole() {
        let mutated = |i| Violation::new(format!("versions[{i}]"), "CONTRACT_MUTATED", "stands");
        let status = Status::from(refused(vec![mutated(0), mutated(1)]));
        assert_eq!(status.code(), Code::AlreadyExists);
        assert_eq!(status.get_details_error_info().unwrap().reason, "CONTRACT_MUTATED");
        let mixed = refused(vec![mutated(0), Violation::new("x", "REQUIRED", "say it")]);
        let status = Status::from(mixed);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.get_details_error_info().unwrap().reason, "REGISTRATION_REFUSED");
    }

    #[test]
    fn ten_thousand_violations_fit_into_a_header() {
        let long = "x".repeat(5_000);
        let many =
            (0..10_000).map(|i| Violation::new(format!("versions[{i}].services[0]"), "REQUIRED", &*long));
        let status = Status::from(refused(many.collect()));
        let shown = status.get_details_bad_request().unwrap().field_violations;
        assert!(status.details().len() * 4 / 3 < 6 << 10, "{}", status.details().len());
        assert!(shown.len() > 3 && shown.last().unwrap().description.contains("more items"));
    }
}
