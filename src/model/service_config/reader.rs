//! Reads the JSON of a service config; whatever is at fault is named, not only the first.

use super::{CallPolicy, HedgingPolicy, Inner, LONGEST, MethodConfig, Name, RetryPolicy, Service, Status};
use super::{Statuses, Throttling};
use crate::model::Violation;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Names of methods in all.
const NAMES: usize = 1000;

const TOP: [&str; 6] = [
    "methodConfig",
    "retryThrottling",
    // Read over: balance and health are the broker's.
    "loadBalancingPolicy",
    "loadBalancingConfig",
    "healthCheckConfig",
    "connectionScaling",
];
const METHOD: [&str; 8] = [
    "name",
    "waitForReady",
    "timeout",
    "defaultTimeout",
    "maxRequestMessageBytes",
    "maxResponseMessageBytes",
    "retryPolicy",
    "hedgingPolicy",
];
const RETRY: [&str; 5] =
    ["maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier", "retryableStatusCodes"];
const HEDGE: [&str; 3] = ["maxAttempts", "hedgingDelay", "nonFatalStatusCodes"];

pub(super) fn parse(text: &str) -> Result<Inner, Vec<Violation>> {
    if text.len() > LONGEST {
        let message = format!("{} bytes are more than the {LONGEST} allowed", text.len());
        return Err(vec![Violation::new("", "TOO_LONG", message)]);
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|error| vec![Violation::new("", "INVALID_JSON", format!("it is no JSON: {error}"))])?;
    let mut reader = Reader::default();
    let inner = reader.whole(text, &value);
    if reader.found.is_empty() { Ok(inner) } else { Err(reader.found) }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) found: Vec<Violation>,
    seen: HashSet<(String, String)>,
}

impl Reader {
    fn whole(&mut self, text: &str, value: &Value) -> Inner {
        let mut inner = Inner { text: text.to_owned(), ..Inner::default() };
        let Some(top) = self.object("", value, &TOP) else { return inner };
        for (at, entry) in self.list("methodConfig", top.get("methodConfig")).iter().enumerate() {
            let path = format!("methodConfig[{at}]");
            let Some((names, config)) = self.entry(&path, entry) else { continue };
            for name in names {
                let place = match (name.service.as_str(), name.method.as_str()) {
                    ("", _) => &mut inner.default,
                    (service, "") => &mut service_of(&mut inner.services, service).default,
                    (service, method) => {
                        let of = service_of(&mut inner.services, service);
                        of.methods.insert(method.into(), config.clone());
                        inner.names.push(name);
                        continue;
                    }
                };
                *place = Some(config.clone());
                inner.names.push(name);
            }
        }
        if inner.names.len() > NAMES {
            let message = format!("{} names are more than the {NAMES} allowed", inner.names.len());
            self.refuse("methodConfig", "QUOTA", message);
        }
        inner.throttling = top.get("retryThrottling").and_then(|value| self.throttling(value));
        inner
    }

    fn entry(&mut self, path: &str, value: &Value) -> Option<(Vec<Name>, MethodConfig)> {
        let entry = self.object(path, value, &METHOD)?;
        let at = |field: &str| format!("{path}.{field}");
        let retry = entry.get("retryPolicy").map(|value| self.retry(&at("retryPolicy"), value));
        let hedge = entry.get("hedgingPolicy").map(|value| self.hedge(&at("hedgingPolicy"), value));
        if retry.is_some() && hedge.is_some() {
            let message = "a method is retried or hedged, not both (gRFC A6); take one out";
            self.refuse(&at("hedgingPolicy"), "INCONSISTENT", message);
        }
        let names = self.names(&at("name"), entry.get("name"), hedge.is_some());
        let config = MethodConfig {
            wait_for_ready: self.boolean(&at("waitForReady"), entry.get("waitForReady")),
            timeout: self.time(&at("timeout"), entry.get("timeout")),
            default_timeout: self.time(&at("defaultTimeout"), entry.get("defaultTimeout")),
            max_request_bytes: self.bytes(&at("maxRequestMessageBytes"), entry.get("maxRequestMessageBytes")),
            max_response_bytes: self
                .bytes(&at("maxResponseMessageBytes"), entry.get("maxResponseMessageBytes")),
            policy: match (retry, hedge) {
                (Some(retry), _) => retry.map(CallPolicy::Retry),
                (None, Some(hedge)) => hedge.map(CallPolicy::Hedge),
                (None, None) => None,
            },
        };
        if config.timeout.zip(config.default_timeout).is_some_and(|(most, usual)| usual > most) {
            let message = "a call without a deadline would get more time than the timeout allows";
            self.refuse(&at("defaultTimeout"), "INCONSISTENT", message);
        }
        Some((names, config))
    }

    fn names(&mut self, path: &str, value: Option<&Value>, hedges: bool) -> Vec<Name> {
        let items = self.list(path, value);
        if items.is_empty() {
            self.refuse(path, "REQUIRED", "say which methods it is for; [{}] is all of them");
        }
        let mut names = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let field = format!("{path}[{at}]");
            let Some(name) = self.object(&field, item, &["service", "method"]) else { continue };
            let service = self.text(&format!("{field}.service"), name.get("service"));
            let method = self.text(&format!("{field}.method"), name.get("method"));
            if service.is_empty() && !method.is_empty() {
                self.refuse(&field, "REQUIRED", format!("say whose method {method:?} is: add its service"));
            }
            if !self.seen.insert((service.clone(), method.clone())) {
                self.refuse(&field, "DUPLICATE", "it is named above already");
            }
            names.push(Name { service, method, field, hedges });
        }
        names
    }

    fn retry(&mut self, path: &str, value: &Value) -> Option<RetryPolicy> {
        let policy = self.object(path, value, &RETRY)?;
        let at = |field: &str| format!("{path}.{field}");
        let max_attempts = self.attempts(&at("maxAttempts"), policy.get("maxAttempts"));
        let initial = self.needed_time(&at("initialBackoff"), policy.get("initialBackoff"));
        let most = self.needed_time(&at("maxBackoff"), policy.get("maxBackoff"));
        let multiplier = self.positive(&at("backoffMultiplier"), policy.get("backoffMultiplier"), 1000.0);
        let codes = at("retryableStatusCodes");
        let retryable = self.statuses(&codes, policy.get("retryableStatusCodes"));
        if retryable == Statuses::default() {
            self.refuse(&codes, "REQUIRED", "name at least one status, such as UNAVAILABLE");
        }
        if retryable.contains(Status::OK) {
            self.refuse(&codes, "OUT_OF_RANGE", "what ended well is not retried; take OK out");
        }
        Some(RetryPolicy {
            max_attempts: max_attempts?,
            initial_backoff: initial?,
            max_backoff: most?,
            backoff_multiplier: multiplier?,
            retryable,
        })
    }

    fn hedge(&mut self, path: &str, value: &Value) -> Option<HedgingPolicy> {
        let policy = self.object(path, value, &HEDGE)?;
        let at = |field: &str| format!("{path}.{field}");
        let max_attempts = self.attempts(&at("maxAttempts"), policy.get("maxAttempts"));
        let hedging_delay =
            self.time(&at("hedgingDelay"), policy.get("hedgingDelay")).unwrap_or(Duration::ZERO);
        let non_fatal = self.statuses(&at("nonFatalStatusCodes"), policy.get("nonFatalStatusCodes"));
        Some(HedgingPolicy { max_attempts: max_attempts?, hedging_delay, non_fatal })
    }

    fn throttling(&mut self, value: &Value) -> Option<Throttling> {
        let path = "retryThrottling";
        let throttling = self.object(path, value, &["maxTokens", "tokenRatio"])?;
        let max_tokens = self.positive(&format!("{path}.maxTokens"), throttling.get("maxTokens"), 1000.0);
        let token_ratio = self.positive(&format!("{path}.tokenRatio"), throttling.get("tokenRatio"), 1000.0);
        Some(Throttling { max_tokens: max_tokens?, token_ratio: token_ratio? })
    }
}

fn service_of<'s>(services: &'s mut HashMap<Box<str>, Service>, name: &str) -> &'s mut Service {
    services.entry(name.into()).or_default()
}
