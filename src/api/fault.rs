//! Turns every error into what a caller sees; the only place that names gRPC codes.
//!
//! Each status carries exactly one `google.rpc.ErrorInfo` (AIP-193) of domain `portolan.dev`, whose metadata say whose
//! fault it is (`fault`: consumer, broker, producer) and whether the same call may be sent again (`retry`: safe, unsafe).

pub(super) mod call;
pub(super) mod registration;

use crate::access::Denial;
use crate::model::{TrustDomain, Violation};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `ErrorInfo` of ours.
pub const DOMAIN: &str = "portolan.dev";

/// Who would have to change something for the call to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Whoever called.
    Consumer,
    /// This broker.
    Broker,
    /// The producer, or the way to it.
    Producer,
}

/// An error on its way out.
#[derive(Debug, Clone)]
pub struct Fault {
    code: Code,
    reason: &'static str,
    message: String,
    blame: Blame,
    retry_is_safe: bool,
    metadata: Vec<(&'static str, String)>,
    violations: Vec<Violation>,
    quota: Option<Box<Quota>>,
}

/// Whose share of what is used up.
#[derive(Debug, Clone)]
struct Quota {
    subject: String,
    description: String,
}

impl Fault {
    /// An error with a word for programs (`UPPER_SNAKE_CASE`, stable) and a sentence for people.
    pub fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        let blame = match code {
            Code::Internal | Code::ResourceExhausted | Code::Unknown => Blame::Broker,
            Code::Unavailable | Code::DeadlineExceeded => Blame::Producer,
            _ => Blame::Consumer,
        };
        let retry_is_safe = matches!(code, Code::Unavailable | Code::ResourceExhausted);
        let message = message.into();
        Self {
            code,
            reason,
            message,
            blame,
            retry_is_safe,
            metadata: Vec::new(),
            violations: Vec::new(),
            quota: None,
        }
    }

    /// The request is wrong in itself.
    pub fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, reason, message)
    }

    /// Nobody here answers such a call.
    pub fn unimplemented(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Unimplemented, reason, message)
    }

    /// What the caller began cannot go on; it may begin anew.
    pub fn aborted(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Aborted, reason, message)
    }

    /// The caller may not do that.
    pub fn denied(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::PermissionDenied, reason, message)
    }

    /// The caller asks for more than one answer holds.
    pub fn too_much(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::ResourceExhausted, reason, message).blame(Blame::Consumer).retry(false)
    }

    /// The caller's trust domain holds more than its share of what all may hold.
    pub fn over_share(tenant: &TrustDomain, limit: usize) -> Self {
        let description = format!(
            "its calls hold more than an equal share of the {limit} bytes that all calls may hold (limits.buffered_bytes): \
             read faster, or send less at once"
        );
        let subject = format!("trust_domain:{tenant}");
        let quota = Box::new(Quota { subject, description: description.clone() });
        let fault = Self::new(Code::ResourceExhausted, "OVER_SHARE", format!("{tenant}: {description}"));
        Self { quota: Some(quota), ..fault.blame(Blame::Consumer).retry(false) }
    }

    /// The caller's time is over.
    pub fn deadline_exceeded() -> Self {
        Self::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline of the call passed")
    }

    /// The broker stops; another may answer.
    pub fn draining() -> Self {
        Self::new(Code::Unavailable, "DRAINING", "the broker is stopping; ask another").blame(Blame::Broker)
    }

    /// The broker ended the call. What the producer did with it is not known.
    pub fn cut(why: &str) -> Self {
        Self::new(Code::Unavailable, "CUT", format!("the broker ended the call: {why}"))
            .blame(Blame::Broker)
            .retry(false)
    }

    /// The broker is at fault.
    pub fn internal(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::Internal, reason, message).blame(Blame::Broker)
    }

    /// The thing is there, and not what was asked for.
    pub fn missing(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, reason, message)
    }

    /// The thing does not exist, or not for this caller: both read the same.
    pub fn not_found(name: &str) -> Self {
        Self::new(Code::NotFound, "NOT_FOUND", format!("{name:?} was not found"))
    }

    /// The number of its code.
    pub(super) fn number(&self) -> u8 {
        self.code as u8
    }

    /// The word for programs.
    pub(super) fn reason(&self) -> &'static str {
        self.reason
    }

    /// The sentence for people.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// Says whose fault it is, where the code alone would say otherwise.
    pub fn blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }

    /// Says whether the same call may be sent again, where the code alone would say otherwise.
    pub fn retry(mut self, is_safe: bool) -> Self {
        self.retry_is_safe = is_safe;
        self
    }

    /// Adds a fact to the `ErrorInfo`.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// Adds each item at fault as `google.rpc.BadRequest`.
    pub fn violations(mut self, violations: impl IntoIterator<Item = Violation>) -> Self {
        self.violations.extend(violations);
        self
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        let blame = match fault.blame {
            Blame::Consumer => "consumer",
            Blame::Broker => "broker",
            Blame::Producer => "producer",
        };
        let retry = if fault.retry_is_safe { "safe" } else { "unsafe" };
        let mut metadata: HashMap<String, String> =
            fault.metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        metadata.insert("fault".to_owned(), blame.to_owned());
        metadata.insert("retry".to_owned(), retry.to_owned());

        let mut details = ErrorDetails::with_error_info(fault.reason, DOMAIN, metadata);
        for violation in fault.violations {
            let description = format!("{} ({})", violation.message, violation.reason);
            details.add_bad_request_violation(violation.field, description);
        }
        if let Some(quota) = fault.quota {
            let Quota { subject, description } = *quota;
            details.add_quota_failure_violation(subject, description);
        }
        Status::with_error_details(fault.code, fault.message, details)
    }
}

impl From<Denial> for Fault {
    fn from(denial: Denial) -> Self {
        let message = denial.to_string();
        match denial {
            Denial::NotVisible { version, .. } => {
                // The caller named the service; what it may not learn is who offers it and how.
                let _ = version;
                Fault::new(
                    Code::PermissionDenied,
                    "NOT_VISIBLE",
                    "the owner does not let your platform call this service",
                )
            }
            Denial::UnknownPlatform(name) => {
                Fault::new(Code::NotFound, "UNKNOWN_PLATFORM", message).with("platform", name.as_str())
            }
            Denial::ForeignDomain { platform, .. } => {
                Fault::new(Code::PermissionDenied, "FOREIGN_TRUST_DOMAIN", message)
                    .with("platform", platform.as_str())
            }
            Denial::Reserved(service) => {
                Fault::invalid("RESERVED_NAME", message).with("service", service.as_str())
            }
            Denial::NotGranted { service, .. } => {
                Fault::new(Code::PermissionDenied, "PREFIX_NOT_GRANTED", message)
                    .with("service", service.as_str())
            }
        }
    }
}

impl From<Denial> for Status {
    fn from(denial: Denial) -> Self {
        Fault::from(denial).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_one_reason_whose_fault_and_whether_to_retry() {
        let fault = Fault::new(Code::Unavailable, "NO_PRODUCER", "nobody answers").with("service", "acme.X");
        let status = Status::from(fault.violations([Violation::new("a.b", "WRONG", "is wrong")]));
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("NO_PRODUCER", DOMAIN));
        assert_eq!(info.metadata["fault"], "producer");
        assert_eq!(info.metadata["retry"], "safe");
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, "a.b");
    }
}
