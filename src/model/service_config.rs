//! How the methods of a version are to be called: gRPC's service config, as its owner declares it.
//!
//! The form is gRPC's JSON (`grpc.service_config.ServiceConfig`, gRFC A2, A6, A21), and one field of ours:
//! `defaultTimeout`. How endpoints are chosen is the broker's, so that load balancing in it is read over.

mod reader;
mod status;
mod values;

pub use status::{Status, Statuses};

use super::Violation;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The longest text that is read, in bytes.
pub const LONGEST: usize = 64 << 10;

/// How the methods of a version are to be called. Cheap to clone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct ServiceConfig(Arc<Inner>);

#[derive(Default)]
struct Inner {
    text: String,
    services: HashMap<Box<str>, Service>,
    default: Option<MethodConfig>,
    throttling: Option<Throttling>,
    names: Vec<Name>,
}

#[derive(Default)]
struct Service {
    default: Option<MethodConfig>,
    methods: HashMap<Box<str>, MethodConfig>,
}

/// Which methods an entry is for; the most specific entry wins.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The full name of the service; empty is every service.
    pub service: String,
    /// The method; empty is every method of the service.
    pub method: String,
    /// Where it stands: `methodConfig[0].name[1]`.
    pub field: String,
    /// Whether the entry wants to hedge.
    pub hedges: bool,
}

/// How one method is to be called. Nothing is said by default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MethodConfig {
    /// Whether calls wait for a producer that cannot be reached, instead of failing at once.
    pub wait_for_ready: bool,
    /// The longest that a call may take, whatever it asks for; also what it gets if it asks for nothing, unless
    /// `default_timeout` says less.
    pub timeout: Option<Duration>,
    /// What a call gets that asks for nothing.
    pub default_timeout: Option<Duration>,
    /// The longest message of a request, in bytes.
    pub max_request_bytes: Option<u32>,
    /// The longest message of a response, in bytes.
    pub max_response_bytes: Option<u32>,
    /// What is done so that one failure is not the caller's.
    pub policy: Option<CallPolicy>,
}

/// What is done so that one failure is not the caller's (gRFC A6: one of the two).
#[derive(Debug, Clone, PartialEq)]
pub enum CallPolicy {
    /// Another attempt after one has failed.
    Retry(RetryPolicy),
    /// Another attempt beside one that takes long.
    Hedge(HedgingPolicy),
}

/// `retryPolicy` (gRFC A6).
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in all, 2 to 5.
    pub max_attempts: u32,
    /// The pause before the first retry, give or take a fifth.
    pub initial_backoff: Duration,
    /// The longest pause.
    pub max_backoff: Duration,
    /// By which the pause grows with each attempt.
    pub backoff_multiplier: f64,
    /// The statuses after which another attempt is made.
    pub retryable: Statuses,
}

/// `hedgingPolicy` (gRFC A6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HedgingPolicy {
    /// Attempts in all, 2 to 5.
    pub max_attempts: u32,
    /// How long one attempt is awaited before the next is made beside it.
    pub hedging_delay: Duration,
    /// The statuses that let the others go on, and make the next attempt at once.
    pub non_fatal: Statuses,
}

/// `retryThrottling` (gRFC A6): while half of the tokens are gone, nothing is retried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttling {
    /// Tokens at the beginning, and at most; each failed attempt takes one.
    pub max_tokens: f64,
    /// What each good answer gives back.
    pub token_ratio: f64,
}

/// A method that may run more than once (`google.protobuf.MethodOptions.idempotency_level`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotent {
    /// `package.Service/Method`.
    pub path: String,
    /// Whether neither side streams.
    pub unary: bool,
}

impl ServiceConfig {
    /// Reads the JSON; everything that is wrong is named, by its path in the JSON.
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        reader::parse(text).map(|inner| Self(Arc::new(inner)))
    }

    /// The JSON, as it was declared.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// How a method is to be called: by the entry that names it, else its service, else every service.
    pub fn method(&self, service: &str, method: &str) -> Option<&MethodConfig> {
        let of_service = self.0.services.get(service);
        of_service.and_then(|of| of.methods.get(method).or(of.default.as_ref())).or(self.0.default.as_ref())
    }

    /// When nothing is retried for a while.
    pub fn throttling(&self) -> Option<Throttling> {
        self.0.throttling
    }

    /// Every method that it names.
    pub fn names(&self) -> &[Name] {
        &self.0.names
    }
}

impl PartialEq for ServiceConfig {
    fn eq(&self, other: &Self) -> bool {
        self.0.text == other.0.text
    }
}

impl Eq for ServiceConfig {}

impl fmt::Debug for ServiceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ServiceConfig").field(&self.0.text).finish()
    }
}

impl From<ServiceConfig> for String {
    fn from(config: ServiceConfig) -> Self {
        config.0.text.clone()
    }
}

/// What was stored was judged when it was taken. Should a later broker read it otherwise, it says nothing, and is kept.
impl From<String> for ServiceConfig {
    fn from(text: String) -> Self {
        Self::parse(&text).unwrap_or_else(|_| Self(Arc::new(Inner { text, ..Inner::default() })))
    }
}

#[cfg(test)]
mod tests;
