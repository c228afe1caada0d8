//! What a page token is good for.

use super::found::{ALL, short, world};
use super::*;
use crate::model::State;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn a_token_is_good_for_its_own_question_only() {
    let world = world();
    let asked = pb::ListVersionsRequest {
        parent: ALL.into(),
        filter: "ledger".into(),
        order_by: "stage".into(),
        read_mask: Some(prost_types::FieldMask { paths: vec!["name".into()] }),
        page_size: 1,
        ..Default::default()
    };
    let list =
        |who, asked: &pb::ListVersionsRequest| world.catalog.list_versions(world.ask(who, asked.clone()));
    let page_token = list("b.example", &asked).await.unwrap().into_inner().next_page_token;
    let next = pb::ListVersionsRequest { page_token, ..asked };
    assert_eq!(list("b.example", &next).await.unwrap().into_inner().versions.len(), 1);
    let larger = pb::ListVersionsRequest { page_size: 7, ..next.clone() };
    assert_eq!(list("b.example", &larger).await.unwrap().into_inner().versions.len(), 2);
    let other_mask = Some(prost_types::FieldMask { paths: vec!["owner".into()] });
    let others = [
        pb::ListVersionsRequest { filter: "ledger OR vault".into(), ..next.clone() },
        pb::ListVersionsRequest { filter: String::new(), ..next.clone() },
        pb::ListVersionsRequest { order_by: "stage desc".into(), ..next.clone() },
        pb::ListVersionsRequest { read_mask: other_mask, ..next.clone() },
        pb::ListVersionsRequest { parent: "platforms/a.example/capabilities/-".into(), ..next.clone() },
    ];
    for other in &others {
        assert_eq!(reason(list("b.example", other).await), "INVALID_PAGE_TOKEN");
    }
    assert_eq!(reason(list("c.example", &next).await), "INVALID_PAGE_TOKEN");
    let message = pb::ListProducersRequest {
        page_token: next.page_token.clone(),
        parent: "platforms/-".into(),
        ..Default::default()
    };
    assert_eq!(
        reason(world.catalog.list_producers(world.ask("b.example", message)).await),
        "INVALID_PAGE_TOKEN"
    );

    let restarted = Catalog { pins: Arc::default(), ..world.catalog.clone() };
    let status = restarted.list_versions(world.ask("b.example", next)).await.unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(status.get_details_error_info().unwrap().reason, "PAGE_TOKEN_EXPIRED");
    assert!(status.message().contains("start again"));
}

fn reason<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    answer.unwrap_err().get_details_error_info().unwrap().reason
}

#[tokio::test]
async fn all_pages_show_the_moment_of_the_first() {
    let mut world = world();
    let asked = |page_token: &str| pb::ListVersionsRequest {
        parent: ALL.into(),
        order_by: "status, version".into(),
        page_size: 2,
        page_token: page_token.into(),
        ..Default::default()
    };
    let page = async |world: &World, token: &str| {
        let page =
            world.catalog.list_versions(world.ask("b.example", asked(token))).await.unwrap().into_inner();
        let names: Vec<_> = page.versions.iter().map(|version| short(&version.name)).collect();
        (names.join(" "), page.next_page_token)
    };
    let (first, token) = page(&world, "").await;
    assert_eq!(first, "ledger@1.9.0 cache@1.0.0");
    // What was last of the first page and first of the second changes its place, and one is gone.
    world.look("platforms/a.example/producers/ledger-10", State::Serving);
    let gone = ProducerName::parse("platforms/a.example/producers/ledger-2").unwrap();
    world.writer.apply(Change::RemoveProducer(gone)).unwrap();
    let (second, end) = page(&world, &token).await;
    assert_eq!((second.as_str(), end.as_str()), ("ledger@1.2.0 ledger@1.10.0", ""));
    assert_eq!(page(&world, "").await.0, "ledger@1.9.0 ledger@1.10.0");
}
