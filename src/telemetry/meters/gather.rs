//! Adds up what the threads have counted, and shows it under the names of gRPC and of OpenTelemetry.

use super::super::family::{Attribute, Distribution, Family, Kind, Unit};
use super::super::shards::lock;
use super::super::status;
use super::Shared;
use super::series::{Ended, Series};
use super::table::Label;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Series that are read under one lock: a thread that counts waits no longer than for these.
const AT_ONCE: usize = 16;

/// What all threads together have counted.
pub(super) fn totals(shared: &Shared) -> BTreeMap<u32, Series> {
    let mut totals: BTreeMap<u32, Series> = BTreeMap::new();
    for shard in shared.shards.all() {
        let ids: Vec<u32> = lock(shard).series.keys().copied().collect();
        for some in ids.chunks(AT_ONCE) {
            let shard = lock(shard);
            for (id, series) in some.iter().filter_map(|id| Some((*id, shard.series.get(id)?))) {
                totals.entry(id).or_default().add(series);
            }
        }
    }
    totals
}

pub(super) fn gather(shared: &Shared) -> Vec<Family> {
    let totals = totals(shared);
    let mut labels = lock(&shared.table).labels();
    labels.sort_by(|a, b| a.1.cmp(&b.1));
    let mut page = Page::new();
    for (label, series) in labels.iter().filter_map(|(id, label)| Some((label, totals.get(id)?))) {
        page.series(label, series);
    }
    let mut refused: BTreeMap<&'static str, u64> = BTreeMap::new();
    for shard in shared.shards.each() {
        shard.refused.iter().for_each(|(reason, count)| *refused.entry(reason).or_default() += count);
    }
    let mut families = page.families();
    let mut family = Family::new(
        Kind::Counter,
        "portolan.calls.refused",
        Unit::Of("{call}"),
        "Calls that the broker itself answered with an error, by the reason in their ErrorInfo.",
    );
    refused.into_iter().for_each(|(reason, count)| family.push(vec![("reason", reason.into())], count));
    families.push(family);
    families
}

struct Page {
    started: Family,
    server: Legs,
    rpc_server: Family,
    attempts: Family,
    client: Legs,
    rpc_client: Family,
    retries: [Family; 3],
    messages: Family,
    open: Family,
}

/// Duration and sizes of one side.
struct Legs([Family; 3]);

impl Page {
    fn new() -> Self {
        let counter = |name, unit, help| Family::new(Kind::Counter, name, unit, help);
        let histogram = |name, unit, help| Family::new(Kind::Histogram, name, unit, help);
        let seconds = |name, help| histogram(name, Unit::Seconds, help);
        let bytes = |name, help| histogram(name, Unit::Bytes, help);
        Self {
            started: counter(
                "grpc.server.call.started",
                Unit::Of("{call}"),
                "Calls that consumers began (gRFC A66).",
            ),
            server: Legs([
                seconds(
                    "grpc.server.call.duration",
                    "From a call's head to its end, as the broker saw it (gRFC A66).",
                ),
                bytes(
                    "grpc.server.call.sent_total_compressed_message_size",
                    "Bytes of messages sent to the consumer in one call (gRFC A66).",
                ),
                bytes(
                    "grpc.server.call.rcvd_total_compressed_message_size",
                    "Bytes of messages received from the consumer in one call (gRFC A66).",
                ),
            ]),
            rpc_server: seconds(
                "rpc.server.call.duration",
                "The same as OpenTelemetry's conventions name it.",
            ),
            attempts: counter(
                "grpc.client.attempt.started",
                Unit::Of("{attempt}"),
                "Attempts at producers, counted when their call ends (gRFC A66).",
            ),
            client: Legs([
                seconds(
                    "grpc.client.attempt.duration",
                    "From when an attempt was sent to its end (gRFC A66).",
                ),
                bytes(
                    "grpc.client.attempt.sent_total_compressed_message_size",
                    "Bytes of messages sent to the producer in one attempt (gRFC A66).",
                ),
                bytes(
                    "grpc.client.attempt.rcvd_total_compressed_message_size",
                    "Bytes of messages received from the producer in one attempt (gRFC A66).",
                ),
            ]),
            rpc_client: seconds(
                "rpc.client.call.duration",
                "The same as OpenTelemetry's conventions name it.",
            ),
            retries: [
                histogram(
                    "grpc.client.call.retries",
                    Unit::Of("{retry}"),
                    "Retries of calls that had any (gRFC A96).",
                ),
                histogram(
                    "grpc.client.call.transparent_retries",
                    Unit::Of("{transparent_retry}"),
                    "Transparent retries of calls that had any (gRFC A96).",
                ),
                histogram(
                    "grpc.client.call.hedges",
                    Unit::Of("{hedge}"),
                    "Hedges of calls that had any (gRFC A96).",
                ),
            ],
            messages: counter(
                "portolan.call.messages",
                Unit::Of("{message}"),
                "Messages carried, by direction.",
            ),
            open: Family::new(Kind::Gauge, "portolan.calls.open", Unit::Of("{call}"), "Calls under way."),
        }
    }

    fn series(&mut self, label: &Label, series: &Series) {
        let of = Of::new(label);
        self.started.push(of.grpc(None), series.begun);
        let ended: u64 = series.calls.seen().map(|(_, ended)| ended.durations.count()).sum();
        self.open.push(of.grpc(None), series.begun.saturating_sub(ended));
        for (code, ended) in series.calls.seen() {
            self.server.push(&of.grpc(Some(code)), ended);
            self.rpc_server.push(of.rpc(code), ended.durations.distribution());
        }
        for (direction, messages) in [("received", series.messages_received), ("sent", series.messages_sent)]
        {
            if messages > 0 {
                let mut attributes = of.grpc(None);
                attributes.push(("direction", direction.into()));
                self.messages.push(attributes, messages);
            }
        }
        if series.attempts_begun == 0 {
            return;
        }
        self.attempts.push(of.client(None), series.attempts_begun);
        for (code, ended) in series.attempts.seen() {
            self.client.push(&of.client(Some(code)), ended);
            self.rpc_client.push(of.rpc(code), ended.durations.distribution());
        }
        let Some(repeats) = &series.repeats else { return };
        for (family, times) in
            self.retries.iter_mut().zip([&repeats.retries, &repeats.transparent, &repeats.hedges])
        {
            let times: Distribution = times.distribution();
            if times.count() > 0 {
                family.push(of.client(None), times);
            }
        }
    }

    fn families(self) -> Vec<Family> {
        let Self { started, server, rpc_server, attempts, client, rpc_client, retries, messages, open } =
            self;
        let mut families = vec![started];
        families.extend(server.0);
        families.extend([rpc_server, attempts]);
        families.extend(client.0);
        families.push(rpc_client);
        families.extend(retries);
        families.extend([messages, open]);
        families
    }
}

impl Legs {
    fn push(&mut self, attributes: &[Attribute], ended: &Ended) {
        let shown =
            [ended.durations.distribution(), ended.sent.distribution(), ended.received.distribution()];
        for (family, shown) in self.0.iter_mut().zip(shown) {
            family.push(attributes.to_vec(), shown);
        }
    }
}

/// The attributes of one series.
struct Of {
    place: Vec<Attribute>,
    grpc_method: Cow<'static, str>,
    rpc_method: Cow<'static, str>,
    target: String,
}

impl Of {
    fn new(label: &Label) -> Self {
        let named = |method: &str| (Cow::from(method.to_owned()), Cow::from(method.to_owned()));
        let unnamed = || (Cow::from("other"), Cow::from("_OTHER"));
        let mut target = String::new();
        let (place, (grpc_method, rpc_method)) = match label {
            Label::Overflow => (vec![("otel.metric.overflow", Cow::from("true"))], unnamed()),
            Label::Unrouted => (Vec::new(), unnamed()),
            Label::Own(method) => (Vec::new(), named(method)),
            Label::Routed(version, method) => {
                let (platform, capability) = (version.platform.to_string(), version.capability.to_string());
                target = format!("portolan:///{platform}/{capability}");
                let place = vec![
                    ("platform", platform.into()),
                    ("capability", capability.into()),
                    ("version", version.version.to_string().into()),
                ];
                (place, method.as_deref().map_or_else(unnamed, named))
            }
        };
        Self { place, grpc_method, rpc_method, target }
    }

    fn grpc(&self, code: Option<u8>) -> Vec<Attribute> {
        let mut attributes = self.place.clone();
        attributes.push(("grpc.method", self.grpc_method.clone()));
        attributes.extend(code.map(|code| ("grpc.status", status(code).into())));
        attributes
    }

    fn client(&self, code: Option<u8>) -> Vec<Attribute> {
        let mut attributes = self.grpc(code);
        attributes.push(("grpc.target", self.target.clone().into()));
        attributes
    }

    fn rpc(&self, code: u8) -> Vec<Attribute> {
        let mut attributes = self.place.clone();
        attributes.push(("rpc.system.name", "grpc".into()));
        attributes.push(("rpc.method", self.rpc_method.clone()));
        attributes.push(("rpc.response.status_code", status(code).into()));
        if code != 0 {
            attributes.push(("error.type", status(code).into()));
        }
        attributes
    }
}
