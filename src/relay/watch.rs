//! Follows a call for those who watch: what is kept of it at its head, and the one place where its course is told.

mod spans;

use super::course::{Course, Side};
use super::header::{TRACEPARENT, TRACESTATE};
use super::tries::Try;
use super::{Relay, Wish};
use crate::model::{TrustDomain, Version};
use crate::telemetry::{
    AccessLog, Attempt, Context, Entry, Meters, Open, Outcome, Repeats, Telemetry, Tracer, new_span,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The status of a call whose consumer left before it was told one, and of an attempt that was lost (gRPC core, "Status
/// codes and their use": CANCELLED, UNAVAILABLE).
const CANCELLED: u8 = 1;
const UNAVAILABLE: u8 = 14;

/// What is kept of a call at its head. With everything off it is empty, and costs nothing.
#[derive(Debug, Default)]
pub(super) struct Watch {
    open: Option<Open>,
    /// Where the call stands in a trace, if it is followed.
    trace: Option<Box<Trace>>,
    /// The trace that its consumer named, for those that are only written down.
    named: u128,
    is_logged: bool,
    metadata: Vec<(HeaderName, HeaderValue)>,
}

#[derive(Debug)]
struct Trace {
    /// The trace, and the span of the call.
    own: Context,
    /// The span of the consumer; 0 if it has none.
    parent: u64,
}

impl Watch {
    /// A call begins; `version` is where it is routed to, if anywhere.
    pub(super) fn begin(
        telemetry: &Telemetry,
        wish: &Wish,
        version: Option<&Arc<Version>>,
        headers: Option<&HeaderMap>,
    ) -> Self {
        let Telemetry { meters, tracer, access_log } = telemetry;
        let open = meters.as_ref().map(|meters| match version {
            Some(version) => meters.open(version, &wish.service, &wish.method),
            None => meters.open_unrouted(),
        });
        let mut watch = Watch { open, ..Watch::default() };
        if (tracer.is_some() || access_log.is_some())
            && let Some(headers) = headers
        {
            watch.read((tracer.as_ref(), access_log.as_ref()), &wish.caller.identity.trust_domain, headers);
        }
        watch
    }

    fn read(
        &mut self,
        (tracer, access_log): (Option<&Tracer>, Option<&AccessLog>),
        domain: &TrustDomain,
        headers: &HeaderMap,
    ) {
        let parent = headers.get(TRACEPARENT).and_then(|value| Context::parse(value.as_bytes()));
        self.named = parent.map_or(0, |parent| parent.trace);
        if tracer.is_some_and(|tracer| tracer.samples(parent, domain)) {
            let mut own = Context::root(true);
            own.trace = parent.map_or(own.trace, |parent| parent.trace);
            self.trace = Some(Box::new(Trace { own, parent: parent.map_or(0, |parent| parent.span) }));
        }
        let Some(log) = access_log else { return };
        self.is_logged = log.samples();
        if self.is_logged || log.may_keep() {
            let named = log.metadata().iter();
            let found = named.filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
            self.metadata = found.collect();
        }
    }

    /// Whether somebody wants to know each attempt.
    pub(super) fn is_on(&self) -> bool {
        self.open.is_some() || self.trace.is_some()
    }

    /// One more attempt is sent with these headers: its producer sees our span as its parent. The span; 0 if the call is
    /// not followed, and the headers stay as they are.
    pub(super) fn sends(&self, headers: &mut HeaderMap) -> u64 {
        let Some(trace) = &self.trace else { return 0 };
        let span = new_span();
        let context = Context { span, ..trace.own };
        // Made of digits and dashes.
        if let Ok(value) = HeaderValue::from_bytes(&context.write()) {
            if trace.parent == 0 {
                // It belongs to a trace that was none (W3C Trace Context §3.3).
                headers.remove(TRACESTATE);
            }
            headers.insert(TRACEPARENT, value);
        }
        span
    }
}

impl Relay {
    /// Tells what happened to a call that is over, its consumer told; `reason` is the broker's own, if it ended the call
    /// by itself.
    pub fn tell(&self, wish: &Wish, course: &Course, reason: Option<&'static str>) {
        let Telemetry { meters, tracer, access_log } = &self.telemetry;
        if meters.is_none() && tracer.is_none() && access_log.is_none() {
            return;
        }
        let now = Instant::now();
        let took = now.saturating_duration_since(course.began);
        let told = Told { wish, course, reason, now, took, status: course.status.unwrap_or(CANCELLED) };
        if let (Some(meters), Some(open)) = (meters, course.watch.open) {
            told.count(meters, open);
        }
        if let (Some(tracer), Some(trace)) = (tracer, &course.watch.trace) {
            let is_known = course.watch.open.is_none_or(Open::is_known);
            tracer.keep(told.spans(trace, is_known));
        }
        if let Some(log) = access_log
            && (course.watch.is_logged || log.keeps(told.status))
        {
            told.write(log);
        }
    }
}

/// A call that is over.
struct Told<'a> {
    wish: &'a Wish,
    course: &'a Course,
    reason: Option<&'static str>,
    now: Instant,
    took: Duration,
    status: u8,
}

impl Told<'_> {
    fn count(&self, meters: &Meters, open: Open) {
        let Course { request, response, transparent, hedges, attempts, .. } = self.course;
        let outcome = Outcome {
            status: self.status,
            duration: self.took,
            received: request.bytes,
            sent: response.bytes,
            messages_received: request.messages,
            messages_sent: response.messages,
        };
        let repeats = Repeats {
            retries: attempts.saturating_sub(1 + transparent + hedges),
            transparent: *transparent,
            hedges: *hedges,
        };
        let attempts = self.course.tries.iter().map(|one| match one.took {
            Some(duration) => Attempt { status: self.status_of(one), duration, sent: 0, received: 0 },
            None => Attempt {
                status: self.status,
                duration: self.now.saturating_duration_since(one.began),
                sent: request.bytes,
                received: response.bytes,
            },
        });
        meters.close(open, &outcome, attempts, repeats);
        if let Some(reason) = self.reason {
            meters.refuse(reason);
        }
    }

    /// The status of one attempt: its own, that of the call which ended with it, or that it was lost.
    fn status_of(&self, one: &Try) -> u8 {
        one.status.unwrap_or(if one.took.is_none() { self.status } else { UNAVAILABLE })
    }

    fn write(&self, log: &AccessLog) {
        let Self { wish, course, .. } = self;
        let target = course.target();
        let watch = &course.watch;
        log.write(&Entry {
            time: Timestamp::now(),
            caller: &wish.caller.identity,
            peer: Some(wish.peer),
            service: &wish.service,
            method: &wish.method,
            version: course.version().map(|version| &version.name),
            producer: target.map(|target| &target.producer.name),
            endpoint: target.map(|target| &target.endpoint().address),
            status: self.status,
            reason: self.reason,
            ended_by: side(course.ended_by),
            duration: self.took,
            head: course.head,
            attempts: course.attempts,
            transparent: course.transparent,
            hedges: course.hedges,
            request: (course.request.messages, course.request.bytes),
            response: (course.response.messages, course.response.bytes),
            trace: watch.trace.as_ref().map_or(watch.named, |trace| trace.own.trace),
            span: watch.trace.as_ref().map_or(0, |trace| trace.own.span),
            metadata: &watch.metadata,
        });
    }
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Producer => "producer",
        Side::Consumer => "consumer",
        Side::Broker => "broker",
    }
}
