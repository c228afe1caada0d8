//! Everything that is told of the broker as a whole, as it is whenever somebody asks.

mod endpoints;

use crate::api::Connections;
use crate::api::report::{Certificate, Certificates};
use crate::catalog;
use crate::model::{Freshness, Producer, Source};
use crate::telemetry::{Attribute, Family, Kind, Process, Telemetry, Unit, Value};
use crate::transport::Budget;
use crate::uplink::collector::Gather;
use crate::uplink::{Observations, Peers};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is asked.
pub(super) struct Sources {
    pub(super) process: Process,
    pub(super) telemetry: Telemetry,
    pub(super) connections: Connections,
    pub(super) catalog: catalog::Reader,
    pub(super) observations: Observations,
    pub(super) certificates: Certificates,
    pub(super) budget: Budget,
    pub(super) peers: Peers,
}

impl Sources {
    /// The same, to be asked again and again.
    pub(super) fn gather(self) -> Gather {
        Arc::new(move || {
            let mut families = self.telemetry.meters.as_ref().map(|m| m.gather()).unwrap_or_default();
            families.extend(self.connections());
            families.extend(self.catalog());
            families.extend(endpoints::families(&self.peers));
            families.extend(self.told());
            families.push(self.certificates());
            families.extend(self.process.gather());
            families
        })
    }

    fn connections(&self) -> [Family; 4] {
        let (taken, limit) = self.connections.fill();
        let mut refused = counter(
            "portolan.connections.refused",
            Unit::Of("{connection}"),
            "Connections of consumers that were not let in, by reason.",
        );
        for (reason, count) in self.connections.refusals() {
            refused.push(vec![("reason", reason.into())], count);
        }
        let mut buffered = gauge(
            "portolan.buffered",
            Unit::Bytes,
            "Bytes of messages held or set aside, by whose they are.",
        );
        for held in self.budget.used() {
            buffered.push(vec![("trust_domain", held.tenant.to_string().into())], held.bytes);
        }
        [
            single("portolan.connections", "{connection}", "Open connections of consumers.", taken),
            single("portolan.connections.limit", "{connection}", "How many there may be.", limit),
            refused,
            buffered,
        ]
    }

    fn catalog(&self) -> Vec<Family> {
        let snapshot = self.catalog.load();
        let (mut capabilities, mut versions, mut leases) = (0usize, 0usize, 0usize);
        let mut producers: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut endpoints: BTreeMap<&str, usize> =
            [("reachable", 0), ("unreachable", 0), ("unseen", 0)].into();
        let seen = self.observations.load();
        for platform in snapshot.platforms() {
            capabilities += platform.capabilities.size();
            versions += platform.capabilities.values().map(|entry| entry.offerings.len()).sum::<usize>();
            for producer in platform.producers.values() {
                leases += usize::from(producer.lease_expires.is_some());
                *producers.entry(words(producer)).or_default() += 1;
                for endpoint in &producer.endpoints {
                    let state = match seen.get(&producer.name, &endpoint.address) {
                        Some(look) if look.is_reachable => "reachable",
                        Some(_) => "unreachable",
                        None => "unseen",
                    };
                    *endpoints.entry(state).or_default() += 1;
                }
            }
        }
        let platforms = snapshot.platforms().count();
        let services = snapshot.services().count();
        let conflicts = snapshot.clashes().count();
        let mut by_source = gauge(
            "portolan.catalog.producers",
            Unit::Of("{producer}"),
            "Producers in the catalogue, by source and freshness.",
        );
        for ((source, freshness), count) in producers {
            by_source.push(vec![("source", source.into()), ("freshness", freshness.into())], count);
        }
        let mut probed = gauge(
            "portolan.probe.endpoints",
            Unit::Of("{endpoint}"),
            "Endpoints of producers, by what the last probe saw.",
        );
        for (state, count) in endpoints {
            probed.push(vec![("state", state.into())], count);
        }
        let revision = snapshot.revision();
        vec![
            single("portolan.catalog.revision", "{revision}", "The revision of the catalogue.", revision),
            single("portolan.catalog.platforms", "{platform}", "Platforms in the catalogue.", platforms),
            single("portolan.catalog.capabilities", "{capability}", "Capabilities in it.", capabilities),
            single("portolan.catalog.versions", "{version}", "Versions in it.", versions),
            single("portolan.catalog.services", "{service}", "gRPC services that somebody claims.", services),
            single(
                "portolan.catalog.conflicts",
                "{conflict}",
                "Declarations that lost against others.",
                conflicts,
            ),
            single("portolan.catalog.leases", "{lease}", "Producers that hold a lease.", leases),
            by_source,
            probed,
        ]
    }

    /// What is told of telling.
    fn told(&self) -> Vec<Family> {
        let Telemetry { meters, tracer, access_log } = &self.telemetry;
        let mut families = Vec::new();
        if let Some(meters) = meters {
            let (taken, limit) = meters.fill();
            let help = "Methods that are told apart.";
            families.push(single("portolan.metrics.series", "{series}", help, taken));
            families.push(single("portolan.metrics.series.limit", "{series}", "How many may be.", limit));
        }
        if let Some(tracer) = tracer {
            let help = "Spans that wait for the collector.";
            families.push(single("portolan.spans.queued", "{span}", help, tracer.held()));
            let dropped =
                counter("portolan.spans.dropped", Unit::Of("{span}"), "Spans that no collector got.");
            families.push(dropped.with(Vec::new(), tracer.dropped()));
        }
        if let Some(log) = access_log {
            let (written, dropped) = log.counts();
            let lines = counter("portolan.access_log.lines", Unit::Of("{line}"), "Lines of the access log.");
            let lines = lines.with(vec![("outcome", "written".into())], written);
            families.push(lines.with(vec![("outcome", "dropped".into())], dropped));
        }
        let build: Attribute = ("version", env!("CARGO_PKG_VERSION").into());
        let info = gauge("portolan.build.info", Unit::None, "The version of this program; always 1.");
        families.push(info.with(vec![build], 1u64));
        families
    }

    /// Of several authorities of one trust domain, the one that ends first.
    fn certificates(&self) -> Family {
        let mut ends: BTreeMap<(&str, String), Timestamp> = BTreeMap::new();
        for certificate in (self.certificates)() {
            let (of, name, validity) = match certificate {
                Certificate::Own(broker, validity) => ("broker", broker.to_string(), validity),
                Certificate::Authority(domain, validity) => ("authority", domain.to_string(), validity),
            };
            let end = ends.entry((of, name)).or_insert(validity.not_after);
            *end = (*end).min(validity.not_after);
        }
        let mut family = gauge(
            "portolan.certificate.expiry",
            Unit::Seconds,
            "When a certificate that the broker stands on ends, since the Unix epoch.",
        );
        for ((of, name), end) in ends {
            family.push(vec![("of", of.into()), ("name", name.into())], end.as_second() as f64);
        }
        family
    }
}

fn words(producer: &Producer) -> (&'static str, &'static str) {
    let source = match producer.source {
        Source::Configuration => "configuration",
        Source::Manifest => "manifest",
        Source::Registration => "registration",
        Source::Discovery => "discovery",
        Source::Federation => "federation",
    };
    let freshness = match producer.freshness {
        Freshness::Live => "live",
        Freshness::Stale => "stale",
        Freshness::Partitioned => "partitioned",
        Freshness::Expired => "expired",
    };
    (source, freshness)
}

fn gauge(name: &'static str, unit: Unit, help: &'static str) -> Family {
    Family::new(Kind::Gauge, name, unit, help)
}

fn counter(name: &'static str, unit: Unit, help: &'static str) -> Family {
    Family::new(Kind::Counter, name, unit, help)
}

fn single(name: &'static str, things: &'static str, help: &'static str, value: impl Into<Value>) -> Family {
    gauge(name, Unit::Of(things), help).with(Vec::new(), value)
}
