//! The spans of a call that is followed: one for the call, and below it one for each attempt.

use super::{Told, Trace, side};
use crate::model::Place;
use crate::relay::Wish;
use crate::relay::tries::Try;
use crate::telemetry::{Fact, Role, Span, status};
use std::borrow::Cow;
use std::time::SystemTime;

/// Statuses that are the server's fault: only these make its span an error (OpenTelemetry, "gRPC", server spans).
const FAULTS: [u8; 6] = [2, 4, 12, 13, 14, 15];

impl Told<'_> {
    pub(super) fn spans(&self, trace: &Trace, is_known: bool) -> Vec<Span> {
        let ended = SystemTime::now();
        let Wish { service, method, .. } = self.wish;
        // Names of spans are few: what the descriptors do not know is not named after what a stranger wrote.
        let name: Cow<'static, str> = match (self.course.version(), is_known) {
            (Some(_), true) => format!("{service}/{method}").into(),
            (Some(_), false) => format!("{service}/_OTHER").into(),
            (None, _) => "_OTHER".into(),
        };
        let mut facts = self.facts(&name, self.status);
        facts.push(("portolan.caller", text(self.wish.caller.identity.to_string())));
        facts.push(("network.peer.address", text(self.wish.peer.ip().to_string())));
        facts.push(("network.peer.port", Fact::Whole(self.wish.peer.port().into())));
        facts.push(("portolan.attempts", Fact::Whole(self.course.attempts.into())));
        facts.push(("portolan.ended_by", Fact::Text(side(self.course.ended_by).into())));
        if !is_known || self.course.version().is_none() {
            facts.push(("rpc.method_original", text(format!("{service}/{method}"))));
        }
        facts.extend(self.reason.map(|reason| ("portolan.reason", Fact::Text(reason.into()))));
        let is_fault = FAULTS.contains(&self.status);
        let mut spans = Vec::with_capacity(1 + self.course.attempts as usize);
        spans.push(Span {
            trace: trace.own.trace,
            id: trace.own.span,
            parent: trace.parent,
            role: Role::Server,
            name: name.clone(),
            began: ended.checked_sub(self.took).unwrap_or(ended),
            ended,
            facts,
            error: is_fault.then(|| self.reason.map_or_else(|| status(self.status).into(), Cow::from)),
        });
        let tries = self.course.tries.iter().enumerate();
        spans.extend(tries.map(|(nth, one)| self.attempt(trace, (nth, one), &name, ended)));
        spans
    }

    fn attempt(&self, trace: &Trace, (nth, one): (usize, &Try), name: &str, now: SystemTime) -> Span {
        let since = self.now.saturating_duration_since(one.began);
        let began = now.checked_sub(since).unwrap_or(now);
        let code = self.status_of(one);
        let mut facts = self.facts(name, code);
        if let Some(target) = self.course.route.as_ref().and_then(|route| route.targets.get(one.target)) {
            let address = &target.endpoint().address;
            match address.place() {
                Place::Host(host, port) => {
                    facts.push(("server.address", text(host.to_owned())));
                    facts.push(("server.port", Fact::Whole(port.into())));
                }
                Place::Unix(path) => facts.push(("server.address", text(path.to_owned()))),
            }
            facts.push(("portolan.producer", text(target.producer.name.to_string())));
        }
        // As gRFC A72 names it.
        facts.push(("previous-rpc-attempts", Fact::Whole(i64::try_from(nth).unwrap_or(i64::MAX))));
        Span {
            trace: trace.own.trace,
            id: one.span,
            parent: trace.own.span,
            role: Role::Client,
            name: name.to_owned().into(),
            began,
            ended: began.checked_add(one.took.unwrap_or(since)).unwrap_or(now),
            facts,
            error: (code != 0).then(|| status(code).into()),
        }
    }

    /// What both kinds of spans say.
    fn facts(&self, name: &str, code: u8) -> Vec<(&'static str, Fact)> {
        let mut facts = Vec::with_capacity(16);
        facts.push(("rpc.system.name", Fact::Text("grpc".into())));
        facts.push(("rpc.method", text(name.to_owned())));
        facts.push(("rpc.response.status_code", Fact::Text(status(code).into())));
        if code != 0 {
            facts.push(("error.type", Fact::Text(status(code).into())));
        }
        if let Some(version) = self.course.version() {
            facts.push(("portolan.platform", text(version.name.platform.to_string())));
            facts.push(("portolan.capability", text(version.name.capability.to_string())));
            facts.push(("portolan.version", text(version.name.version.to_string())));
        }
        facts
    }
}

fn text(text: String) -> Fact {
    Fact::Text(text.into())
}
