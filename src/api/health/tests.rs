//! The health protocol, to the letter.

use super::super::fixture::World;
use super::*;
use crate::model::State;
use std::time::Duration;
use tokio::time::timeout;
use tonic::Code;
use tonic_types::StatusExt;

use ServingStatus::{NotServing, ServiceUnknown, Serving, Unknown};

fn service(world: &World) -> Service {
    Service { board: world.board.clone(), policy: world.policy.clone(), shutdown: world.shutdown.clone() }
}

async fn check(world: &World, domain: &str, name: &str) -> Result<ServingStatus, Code> {
    let request = world.request(domain, pb::HealthCheckRequest { service: name.to_owned() });
    service(world).check(request).await.map(|answer| answer.into_inner().status()).map_err(|e| e.code())
}

async fn list(world: &World, domain: &str) -> Result<HashMap<String, pb::HealthCheckResponse>, Status> {
    let answer = service(world).list(world.request(domain, pb::HealthListRequest {})).await;
    answer.map(|answer| answer.into_inner().statuses)
}

#[tokio::test]
async fn a_check_tells_of_the_broker_its_own_services_and_the_federation() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    assert_eq!(check(&world, "b.example", "").await, Ok(Serving));
    assert_eq!(check(&world, "b.example", "grpc.health.v1.Health").await, Ok(Serving));
    assert_eq!(check(&world, "b.example", "portolan.catalog.v1.CatalogService").await, Ok(Serving));
    let states = [
        (None, Unknown),
        (Some(State::Serving), Serving),
        (Some(State::Degraded), Serving),
        (Some(State::NotServing), NotServing),
        (Some(State::Unknown), Unknown),
    ];
    for (state, expected) in states {
        if let Some(state) = state {
            world.look("a.example", "ledger", state);
        }
        assert_eq!(check(&world, "b.example", "acme.Ledger").await, Ok(expected), "{state:?}");
    }
}

#[tokio::test]
async fn what_a_caller_may_not_see_is_not_found_like_what_never_was() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.look("a.example", "ledger", State::Serving);
    assert_eq!(check(&world, "c.example", "acme.Ledger").await, Err(Code::NotFound));
    assert_eq!(check(&world, "c.example", "acme.Nothing").await, Err(Code::NotFound));
    assert_eq!(check(&world, "a.example", "acme.Ledger").await, Ok(Serving), "its owner sees it");
    let request = world.request("c.example", pb::HealthCheckRequest { service: "acme.Ledger".into() });
    let refused = service(&world).check(request).await.unwrap_err();
    assert_eq!(refused.get_error_details().error_info().unwrap().reason, "UNKNOWN_SERVICE");
}

#[tokio::test]
async fn nobody_is_told_anything_without_an_identity() {
    let world = World::new();
    let refused = service(&world).check(Request::new(pb::HealthCheckRequest::default())).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
}

#[tokio::test]
async fn a_watch_of_an_unknown_service_waits_for_it() {
    let mut world = World::new();
    let request = world.request("b.example", pb::HealthCheckRequest { service: "acme.Ledger".into() });
    let mut watch = service(&world).watch(request).await.unwrap().into_inner();
    let mut hidden = {
        let request = world.request("c.example", pb::HealthCheckRequest { service: "acme.Ledger".into() });
        service(&world).watch(request).await.unwrap().into_inner()
    };
    assert_eq!(watch.next().await.unwrap().unwrap().status(), ServiceUnknown);
    assert_eq!(hidden.next().await.unwrap().unwrap().status(), ServiceUnknown);

    world.offer("a.example", "ledger", &["b.example"]);
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Unknown);
    world.look("a.example", "ledger", State::Serving);
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Serving);
    // What says the same is not said again.
    world.look("a.example", "ledger", State::Degraded);
    world.look("a.example", "ledger", State::NotServing);
    assert_eq!(watch.next().await.unwrap().unwrap().status(), NotServing);
    assert!(timeout(Duration::from_millis(1), hidden.next()).await.is_err(), "hidden: no news");
}

#[tokio::test]
async fn a_broker_that_drains_says_so_and_ends_its_watches() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.look("a.example", "ledger", State::Serving);
    let request = world.request("b.example", pb::HealthCheckRequest { service: "acme.Ledger".into() });
    let mut watch = service(&world).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), Serving);

    world.shutdown.request();
    assert_eq!(watch.next().await.unwrap().unwrap().status(), NotServing);
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(watch.next().await.is_none());
    assert_eq!(check(&world, "b.example", "").await, Ok(NotServing));
}

#[tokio::test]
async fn a_list_holds_what_the_caller_may_see_and_at_most_a_hundred() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.offer("a.example", "secret", &[]);
    world.look("a.example", "ledger", State::NotServing);
    let shown = list(&world, "b.example").await.unwrap();
    assert_eq!(shown["acme.Ledger"].status(), NotServing);
    assert_eq!(shown[""].status(), Serving);
    assert_eq!(shown["grpc.health.v1.Health"].status(), Serving);
    assert!(!shown.contains_key("acme.Secret"));

    for n in 0..100 {
        world.offer("a.example", &format!("cap{n}"), &["b.example"]);
    }
    assert_eq!(list(&world, "b.example").await.unwrap_err().code(), Code::ResourceExhausted);
    assert!(list(&world, "c.example").await.is_ok(), "what is hidden does not count");
}
