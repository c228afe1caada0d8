//! The story of one call that asked for it, told in its trailers: where it went, why, and how long each step took.

use super::Intent;
use super::director::{Explanation, Refusal, Route, Target};
use crate::model::BrokerId;
use crate::uplink;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write;
use tokio::time::Instant;

const ROUTE: HeaderName = HeaderName::from_static("portolan-route");
const DECISION: HeaderName = HeaderName::from_static("portolan-decision");
const TIMING: HeaderName = HeaderName::from_static("portolan-timing");

/// So many candidates are recorded for a call; `ExplainRoute` tells of more.
pub(super) const CANDIDATES: usize = 32;
/// The longest decision in bytes: together with a status it must fit into 8 KiB, which many clients take at most.
const LONGEST: usize = 2048;
/// The longest reason of a candidate, in characters.
const LONGEST_REASON: usize = 120;

/// What has happened to a call so far.
#[derive(Debug)]
pub(super) struct Story {
    broker: BrokerId,
    begun: Instant,
    /// The steps that were reached, with microseconds since the call came.
    steps: Vec<(&'static str, u128)>,
    revision: u64,
    decision: Vec<String>,
    route: String,
}

impl Story {
    /// Begins now, if the call asked for it.
    pub(super) fn begin(intent: &Intent, broker: &BrokerId) -> Option<Box<Self>> {
        intent.explain.then(|| {
            Box::new(Self {
                broker: broker.clone(),
                begun: Instant::now(),
                steps: Vec::with_capacity(4),
                revision: 0,
                decision: Vec::new(),
                route: String::new(),
            })
        })
    }

    /// It was decided where the call goes, or that it goes nowhere.
    pub(super) fn decided(&mut self, told: &Explanation, route: Result<&Route, &Refusal>) {
        self.step("decided");
        self.revision = told.revision;
        if let Some(rule) = told.owner_rule {
            self.decision.push(format!("owner={}", rule.word()));
        }
        if let Some(rule) = told.version_rule {
            self.decision.push(format!("version={}", rule.word()));
        }
        if !told.split.is_empty() {
            let shares: Vec<_> = told.split.iter().map(|s| format!("{}:{}", s.version, s.weight)).collect();
            self.decision.push(format!("split={}", shares.join(",")));
        }
        match route {
            Ok(route) => {
                self.decision.push(format!("policy={}", safe(&told.policy)));
                if let Some(first) = route.targets.first() {
                    self.goes_to(route, first);
                }
            }
            Err(refusal) => self.decision.push(format!("refused={}", refusal.reason())),
        }
        for candidate in told.candidates.iter().skip(usize::from(route.is_ok())) {
            let mut name = candidate.version.name.to_string();
            if let Some(producer) = &candidate.producer {
                name = format!("{name} {}", producer.name.producer);
            }
            if let Some(endpoint) = candidate.endpoint() {
                name = format!("{name} {}", endpoint.address);
            }
            let why: String = candidate.reason.chars().take(LONGEST_REASON).collect();
            self.decision.push(format!("{}={name} ({})", candidate.outcome.word(), safe(&why)));
        }
        if told.omitted > 0 {
            self.decision.push(format!("omitted={}", told.omitted));
        }
    }

    /// These endpoints were tried and gave no connection.
    pub(super) fn tried(&mut self, failed: &[uplink::Error]) {
        for (nth, error) in failed.iter().enumerate() {
            let word =
                if matches!(error, uplink::Error::BackingOff { .. }) { "EJECTED" } else { "UNREACHABLE" };
            let why: String = error.why().chars().take(LONGEST_REASON).collect();
            // Before the candidates, which may be cut.
            self.decision.insert(nth, format!("tried={} {word} ({})", error.address(), safe(&why)));
        }
    }

    /// An attempt failed there, and another follows.
    pub(super) fn fell(&mut self, target: &Target, status: &str) {
        self.step("fell");
        self.decision.insert(0, format!("tried={} FAILED ({status})", target.endpoint().address));
    }

    /// A connection was lent.
    pub(super) fn connected(&mut self, route: &Route, target: &Target) {
        self.step("connected");
        self.goes_to(route, target);
    }

    /// The producer began to answer.
    pub(super) fn answered(&mut self) {
        self.step("first_byte");
    }

    /// Writes it into what ends the answer.
    pub(super) fn tell(&self, trailers: &mut HeaderMap) {
        let mut timing = String::new();
        for (step, micros) in &self.steps {
            // Writing to a string cannot fail.
            let _ = write!(timing, "{step}={micros}; ");
        }
        let _ = write!(timing, "total={}", self.begun.elapsed().as_micros());
        let route = match self.route.as_str() {
            "" => format!("broker={}; revision={}", self.broker, self.revision),
            route => format!("broker={}; revision={}; {route}", self.broker, self.revision),
        };
        for (name, value) in [(ROUTE, route), (DECISION, self.decision()), (TIMING, timing)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                trailers.insert(name, value);
            }
        }
    }

    fn step(&mut self, name: &'static str) {
        self.steps.push((name, self.begun.elapsed().as_micros()));
    }

    fn goes_to(&mut self, route: &Route, target: &Target) {
        let version = &route.permit_at(target).version().name;
        self.route = format!(
            "platform={}; version={version}; producer={}; endpoint={}",
            version.platform,
            target.producer.name,
            target.endpoint().address
        );
    }

    /// The parts that fit, and how many more there are.
    fn decision(&self) -> String {
        let mut text = String::new();
        for (nth, part) in self.decision.iter().enumerate() {
            if text.len() + part.len() > LONGEST {
                let _ = write!(text, "; cut={}", self.decision.len() - nth);
                break;
            }
            text += if nth == 0 { "" } else { "; " };
            text += part;
        }
        text
    }
}

/// Text of others as visible ASCII: all else, and what separates the parts, is percent-encoded.
fn safe(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if !matches!(byte, b'%' | b';' | b'(' | b')') => out.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn story() -> Story {
        let intent = Intent { explain: true, ..Intent::default() };
        *Story::begin(&intent, &BrokerId::parse("hub-1").unwrap()).unwrap()
    }

    #[test]
    fn text_of_others_cannot_break_a_header_or_forge_a_part() {
        assert_eq!(safe("a\r\nb; owner=X (é%)"), "a%0D%0Ab%3B owner=X %28%C3%A9%25%29");
    }

    #[test]
    fn a_long_decision_is_cut_between_its_parts() {
        let mut story = story();
        story.decision = (0..1000).map(|n| format!("STALE=producer {n} {}", "x".repeat(100))).collect();
        let text = story.decision();
        assert!(text.len() < LONGEST + 16, "{}", text.len());
        let told = text.matches("STALE=").count();
        assert!(text.ends_with(&format!("; cut={}", 1000 - told)), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn steps_are_timed_since_the_call_came() {
        let mut story = story();
        tokio::time::advance(Duration::from_micros(1500)).await;
        story.answered();
        tokio::time::advance(Duration::from_micros(500)).await;
        let mut trailers = HeaderMap::new();
        story.tell(&mut trailers);
        assert_eq!(trailers[TIMING], "first_byte=1500; total=2000");
        assert_eq!(trailers[ROUTE], "broker=hub-1; revision=0");
    }

    #[test]
    fn nothing_is_told_unasked() {
        assert!(Story::begin(&Intent::default(), &BrokerId::parse("hub-1").unwrap()).is_none());
    }
}
