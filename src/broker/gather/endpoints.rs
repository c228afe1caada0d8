//! What calls have shown of each endpoint: how much it carries, how its attempts ended, whether it is left out.

use super::{counter, gauge};
use crate::telemetry::{Attribute, Family, Unit};
use crate::uplink::{Peer, Peers, Tally};
use std::sync::Arc;

/// Endpoints that are told apart; what is more is told together.
const MOST: usize = 1_000;

/// How one endpoint is, at all workers together.
#[derive(Default)]
struct Sum {
    tally: Tally,
    open: usize,
    waiting: usize,
    connections: usize,
    is_out: usize,
}

impl Sum {
    fn add(&mut self, peer: &Peer) {
        for meter in peer.meters() {
            self.tally = self.tally + meter.tally();
            self.open += meter.in_flight();
        }
        self.waiting += peer.waiting();
        self.connections += peer.connections();
        self.is_out += usize::from(peer.ejection().is_some());
    }
}

pub(super) fn families(peers: &Peers) -> Vec<Family> {
    let mut page = Page::new();
    let mut all = peers.all();
    all.sort_by(|a, b| (a.address(), a.identity()).cmp(&(b.address(), b.identity())));
    let (named, rest) = all.split_at(all.len().min(MOST));
    for peer in named {
        let mut sum = Sum::default();
        sum.add(peer);
        page.push(&of(peer), &sum);
    }
    if !rest.is_empty() {
        let mut sum = Sum::default();
        rest.iter().for_each(|peer| sum.add(peer));
        page.push(&[("otel.metric.overflow", "true".into())], &sum);
    }
    let mut families = page.0.to_vec();
    let mut ejected = counter(
        "grpc.lb.outlier_detection.ejections_enforced",
        Unit::Of("{ejection}"),
        "Endpoints that were left out for a time, by why (gRFC A91).",
    );
    for (cause, count) in peers.ejected() {
        ejected.push(vec![("grpc.lb.outlier_detection.detection_method", cause.into())], count);
    }
    let mut busy = counter(
        "portolan.endpoint.busy",
        Unit::Of("{attempt}"),
        "Attempts that found no place at an endpoint, by the limit of the breaker.",
    );
    for (limit, count) in peers.busy() {
        busy.push(vec![("limit", limit.into())], count);
    }
    families.extend([ejected, busy]);
    families
}

fn of(peer: &Arc<Peer>) -> [Attribute; 2] {
    [("endpoint", peer.address().to_string().into()), ("identity", peer.identity().to_string().into())]
}

/// Attempts, those under way, those that wait, connections, left out.
struct Page([Family; 5]);

impl Page {
    fn new() -> Self {
        let attempt = Unit::Of("{attempt}");
        Self([
            counter("portolan.endpoint.attempts", attempt, "Attempts at an endpoint, by how they ended."),
            gauge("portolan.endpoint.open", attempt, "Attempts under way at an endpoint."),
            gauge("portolan.endpoint.waiting", attempt, "Attempts that wait for a place at an endpoint."),
            gauge("portolan.endpoint.connections", Unit::Of("{connection}"), "Connections to an endpoint."),
            gauge("portolan.endpoint.ejected", Unit::Of("{endpoint}"), "1 while an endpoint is left out."),
        ])
    }

    fn push(&mut self, attributes: &[Attribute], sum: &Sum) {
        let [attempts, open, waiting, connections, ejected] = &mut self.0;
        for (outcome, count) in [("succeeded", sum.tally.succeeded), ("failed", sum.tally.failed)] {
            let mut attributes = attributes.to_vec();
            attributes.push(("outcome", outcome.into()));
            attempts.push(attributes, count);
        }
        open.push(attributes.to_vec(), sum.open);
        waiting.push(attributes.to_vec(), sum.waiting);
        connections.push(attributes.to_vec(), sum.connections);
        ejected.push(attributes.to_vec(), sum.is_out);
    }
}
