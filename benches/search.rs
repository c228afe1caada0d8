//! How long `ListVersions` takes to search 100,000 versions: the whole service, from the request's bytes to the answer's.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot begin ends")]

use http_body_util::{BodyExt, Full};
use jiff::{SignedDuration, Timestamp};
use portolan::access::{self, Caller};
use portolan::api::catalog;
use portolan::api::consumers::Consumers;
use portolan::catalog::Snapshot;
use portolan::lifecycle::Shutdown;
use portolan::model::{Identity, State};
use portolan::status::{Federation, board, fold};
use portolan::uplink::{Look, Observer};
use portolan::usage;
use portolan::wire::pb::portolan::catalog::v1::{ListVersionsRequest, ListVersionsResponse};
use prost::Message;
use std::sync::Arc;
use times::percentiles;
use tonic::body::Body;
use tower_service::Service;

mod times;
mod world;

/// What is asked: its name, who asks, the filter, the order.
const QUESTIONS: [(&str, &str, &str, &str); 8] = [
    ("filter and text", OPERATOR, "stage = stable owner = team-07 \"organisation 77\"", ""),
    ("filter and text, found nowhere", OPERATOR, "stage = stable \"no such words\"", ""),
    ("filter and text, ordered", OPERATOR, "stage = stable usual", "version desc, name"),
    ("text alone, found nowhere", OPERATOR, "\"no such words\"", ""),
    ("service by wildcard", OPERATOR, "services:org0999.*", ""),
    ("status and text", OPERATOR, "status = degraded usual", ""),
    ("filter and text, who sees 300", CONSUMER, "stage = stable \"no such words\"", ""),
    ("no filter", OPERATOR, "", ""),
];

/// Sees all of them.
const OPERATOR: &str = "spiffe://org0000.example/operator";
/// Sees what three platforms offer to it.
const CONSUMER: &str = "spiffe://org0007.example/ns/prod/sa/consumer";

fn main() {
    let (_writer, reader) = world::build();
    let snapshot = reader.snapshot();
    let operator = Identity::parse_spiffe(OPERATOR).unwrap();
    let (_rules, policy) = access::policy(world::platforms(), [operator]);
    let policy = Arc::new(policy);
    let (_publisher, board) = board(status(&snapshot));
    let (_recorder, book, _keeper) = usage::open(Vec::new(), Arc::new(Timestamp::now));
    let consumers = Consumers::new(book, policy.clone());
    let mut service = catalog::service(reader, policy.clone(), board, consumers, Shutdown::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    for (what, who, filter, order_by) in QUESTIONS {
        let caller = Arc::new(policy.caller(Identity::parse_spiffe(who).unwrap()));
        let asked = ListVersionsRequest {
            parent: "platforms/-/capabilities/-".into(),
            filter: filter.into(),
            order_by: order_by.into(),
            ..Default::default()
        };
        let mut found = 0;
        percentiles(what, 0..200, |_| {
            let answer = runtime.block_on(service.call(request(&caller, &asked))).unwrap();
            let body = runtime.block_on(answer.into_body().collect()).unwrap().to_bytes();
            found = ListVersionsResponse::decode(&body[5..]).unwrap().versions.len();
        });
        println!("    on the first page: {found}");
    }
}

/// How all of them are, as probes that saw a part of them fail would have it.
fn status(snapshot: &Arc<Snapshot>) -> Federation {
    let mut observer = Observer::new();
    let now = Timestamp::now();
    for (i, producer) in snapshot.platforms().flat_map(|entry| entry.producers.values()).enumerate() {
        for (j, endpoint) in producer.endpoints.iter().enumerate() {
            let state = if (i + j) % 100 == 0 { State::NotServing } else { State::Serving };
            let (is_reachable, reason) = (state == State::Serving, "SEEN");
            let look =
                Look { state, is_reachable, reason, message: String::new(), services: Default::default() };
            observer.record(&producer.name, &endpoint.address, look, now);
        }
    }
    fold(snapshot, &observer.reader().load(), SignedDuration::MAX, None, now)
}

/// One call as the listener hands it to the service.
fn request(caller: &Arc<Caller>, asked: &ListVersionsRequest) -> http::Request<Body> {
    let message = asked.encode_to_vec();
    let mut frame = vec![0];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&message);
    let mut request = http::Request::post("/portolan.catalog.v1.CatalogService/ListVersions")
        .header("content-type", "application/grpc")
        .body(Body::new(Full::from(frame)))
        .unwrap();
    request.extensions_mut().insert(caller.clone());
    request
}
