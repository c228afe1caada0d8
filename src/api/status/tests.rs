//! The status, as far as each caller may see it.

use super::super::fixture::World;
use super::*;
use crate::model::State;
use tokio::time::timeout;
use tonic::Code;

fn service(world: &World) -> Service {
    Service {
        broker: BrokerId::parse("hub-1").unwrap(),
        board: world.board.clone(),
        observations: world.seen.reader(),
        policy: world.policy.clone(),
        shutdown: world.shutdown.clone(),
    }
}

async fn whole(world: &World, domain: &str) -> pb::FederationStatus {
    let request = world.request(domain, pb::GetFederationStatusRequest {});
    service(world).get_federation_status(request).await.unwrap().into_inner().status.unwrap()
}

async fn page(
    world: &World,
    domain: &str,
    parent: &str,
    page_size: i32,
    page_token: &str,
) -> Result<pb::ListCapabilityStatusesResponse, Code> {
    let (parent, page_token) = (parent.to_owned(), page_token.to_owned());
    let request = pb::ListCapabilityStatusesRequest { parent, page_size, page_token };
    let answer = service(world).list_capability_statuses(world.request(domain, request)).await;
    answer.map(|answer| answer.into_inner()).map_err(|e| e.code())
}

#[tokio::test]
async fn the_whole_is_folded_from_what_the_caller_may_see() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.offer("a.example", "secret", &[]);
    world.look("a.example", "ledger", State::Serving);
    world.look("a.example", "secret", State::NotServing);

    let owner = whole(&world, "a.example").await;
    assert_eq!(owner.condition.unwrap().state(), pb::State::Degraded);
    assert_eq!((owner.platforms[0].serving, owner.platforms[0].not_serving), (1, 1));
    assert_eq!(owner.unreachable, ["platforms/a.example/producers/secret"]);

    let guest = whole(&world, "b.example").await;
    assert!(!format!("{guest:?}").contains("secret"));
    assert_eq!(guest.condition.unwrap().state(), pb::State::Serving);
    assert_eq!((guest.platforms[0].serving, guest.platforms[0].not_serving), (1, 0));
    let names: Vec<_> = guest.platforms.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["platforms/a.example", "platforms/b.example"], "what it sees, and its own");

    let stranger = whole(&world, "elsewhere.example").await;
    assert_eq!(
        (stranger.platforms.len(), stranger.condition.unwrap().reason.as_str()),
        (0, "NOTHING_OFFERED")
    );
    assert_eq!(stranger.broker, "hub-1");
}

#[tokio::test]
async fn pages_hold_each_capability_once_and_nothing_hidden() {
    let mut world = World::new();
    for n in 0..7 {
        let visible: &[&str] = if n % 3 == 1 { &[] } else { &["c.example"] };
        world.offer("a.example", &format!("cap{n}"), visible);
        world.offer("b.example", &format!("cap{n}"), visible);
    }
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = page(&world, "c.example", "platforms/-", 2, &token).await.unwrap();
        assert!(page.capabilities.len() <= 2);
        names.extend(page.capabilities.into_iter().map(|c| c.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    let expected = ["a", "b"]
        .iter()
        .flat_map(|p| [0, 2, 3, 5, 6].map(|n| format!("platforms/{p}.example/capabilities/cap{n}")));
    assert_eq!(names, expected.collect::<Vec<_>>());
    let one = page(&world, "c.example", "platforms/b.example", 0, "").await.unwrap();
    assert_eq!((one.capabilities.len(), one.next_page_token.as_str()), (5, ""));
    assert_eq!(one.unreachable.len(), 5, "nobody has looked at them");
}

#[tokio::test]
async fn a_list_that_cannot_be_says_why() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    let code = |parent: &'static str, size| page(&world, "c.example", parent, size, "");
    assert_eq!(code("platforms/a.example", 0).await.unwrap_err(), Code::NotFound, "hidden");
    assert_eq!(code("platforms/never.example", 0).await.unwrap_err(), Code::NotFound);
    assert_eq!(code("a.example", 0).await.unwrap_err(), Code::InvalidArgument);
    assert_eq!(code("platforms/-", -1).await.unwrap_err(), Code::InvalidArgument);
    assert!(code("platforms/c.example", 0).await.unwrap().capabilities.is_empty(), "its own, still empty");
    let forged = page(&world, "c.example", "platforms/-", 0, "AAAA").await;
    assert_eq!(forged.unwrap_err(), Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_gets_the_whole_now_and_after_what_it_may_see_has_changed() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.offer("a.example", "secret", &[]);
    let request = world.request("b.example", pb::WatchStatusRequest {});
    let mut watch = service(&world).watch_status(request).await.unwrap().into_inner();
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.capabilities.len(), 1);
    assert_eq!(first.capabilities[0].condition.as_ref().unwrap().reason, "NOT_OBSERVED");

    world.look("a.example", "secret", State::Serving);
    assert!(timeout(PACE * 10, watch.next()).await.is_err(), "what is hidden is no news");

    // However much happens while nobody reads, only the latest is told.
    for state in [State::NotServing, State::Unknown, State::Serving] {
        world.look("a.example", "ledger", state);
    }
    let next = watch.next().await.unwrap().unwrap();
    assert_eq!(next.status.unwrap().condition.unwrap().state(), pb::State::Serving);
    assert!(timeout(PACE * 10, watch.next()).await.is_err());

    world.shutdown.request();
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    assert!(watch.next().await.is_none());
}

async fn explain(world: &World, domain: &str, name: &str) -> Result<pb::StatusExplanation, Code> {
    let request = world.request(domain, pb::ExplainStatusRequest { name: name.into() });
    let answer = service(world).explain_status(request).await;
    answer.map(|answer| answer.into_inner().explanation.unwrap()).map_err(|e| e.code())
}

#[tokio::test]
async fn an_explanation_shows_the_worst_first_and_only_what_the_caller_may_see() {
    let mut world = World::new();
    world.offer("a.example", "good", &["b.example"]);
    world.offer("a.example", "ledger", &["b.example"]);
    world.offer("a.example", "secret", &[]);
    world.look("a.example", "good", State::Serving);
    world.look("a.example", "ledger", State::NotServing);

    let whole = explain(&world, "b.example", "").await.unwrap();
    assert!(!format!("{whole:?}").contains("secret"));
    let platform = &whole.parts[0];
    let names: Vec<_> = platform.parts.iter().map(|part| part.name.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["ledger", "good"]);
    let producer = &platform.parts[0].parts[0].parts[0];
    assert_eq!(producer.name, "platforms/a.example/producers/ledger");
    assert!(producer.evidence.iter().any(|line| line.contains("NOT_SERVING")), "{producer:?}");

    let version = "platforms/a.example/capabilities/ledger/versions/1.0.0";
    assert_eq!(explain(&world, "b.example", version).await.unwrap().name, version);
    for hidden in
        ["platforms/a.example/capabilities/secret", "platforms/a.example/producers/secret", "platforms/x"]
    {
        assert_eq!(explain(&world, "b.example", hidden).await.unwrap_err(), Code::NotFound, "{hidden}");
    }
    assert_eq!(explain(&world, "b.example", "a.example").await.unwrap_err(), Code::InvalidArgument);
}

#[tokio::test]
async fn drifts_are_for_those_who_may_inspect_the_platform() {
    let mut world = World::new();
    world.offer("a.example", "ledger", &["b.example"]);
    world.drift("a.example");
    let conditions = |status: pb::FederationStatus| status.platforms[0].conditions.clone();
    let owner = conditions(whole(&world, "a.example").await);
    assert_eq!((owner[0].r#type.as_str(), owner[0].reason.as_str()), ("DRIFT", "NO_REFLECTION"));
    assert!(owner[0].message.contains("the configuration file"));
    assert!(conditions(whole(&world, "b.example").await).is_empty());
}
