//! What a caller may not see, and questions that are none.

use super::pages::sketches;
use super::*;
use proptest::prelude::*;
use tonic::Code;
use tonic_types::StatusExt;

#[tokio::test]
async fn what_a_caller_may_not_see_was_never_there() {
    let hidden = (0, 0, 0, 0, BTreeSet::new());
    let shared = (0, 1, 0, 0, BTreeSet::from([1]));
    let world = World::new(&[hidden, shared]);
    let [a, b, c] = PLATFORMS;
    assert_eq!(world.platforms(b, 0, "").await.unwrap().0, ["platforms/a.example", "platforms/b.example"]);
    assert_eq!(world.platforms(c, 0, "").await.unwrap().0, ["platforms/c.example"]);

    let get = |who, name: &str| {
        let request = world.ask(who, pb::GetVersionRequest { name: name.into() });
        world.catalog.get_version(request)
    };
    let secret = "platforms/a.example/capabilities/c0/versions/1.0.0";
    let missing = "platforms/a.example/capabilities/c9/versions/1.0.0";
    assert!(get(a, secret).await.is_ok());
    let (hidden, never) = (get(b, secret).await.unwrap_err(), get(b, missing).await.unwrap_err());
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(hidden.message().replace("c0", "c9"), never.message());
    let reasons = [&hidden, &never].map(|status| status.get_details_error_info().unwrap());
    assert_eq!(reasons[0].reason, reasons[1].reason);

    let request = world.ask(c, pb::GetPlatformRequest { name: "platforms/a.example".into() });
    assert_eq!(world.catalog.get_platform(request).await.unwrap_err().code(), Code::NotFound);
    let request = world.ask(b, pb::GetPlatformRequest { name: "platforms/a.example".into() });
    let seen = world.catalog.get_platform(request).await.unwrap().into_inner().platform.unwrap();
    assert_eq!(seen.capability_count, 1, "what is hidden is not counted either");
    for parent in ["platforms/a.example", "platforms/never.example"] {
        let error = world.capabilities(c, parent, 0, "").await.unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::NotFound, &*format!("{parent:?} was not found")));
        assert_eq!(world.producers(c, parent, 0, "").await.unwrap_err().code(), Code::NotFound);
        let parent = format!("{parent}/capabilities/c1");
        assert_eq!(world.versions(c, &parent, 0, "").await.unwrap_err().code(), Code::NotFound);
    }

    let message = pb::ListProducersRequest { parent: "platforms/-".into(), ..Default::default() };
    let found = world.catalog.list_producers(world.ask(b, message)).await.unwrap().into_inner();
    assert_eq!(found.producers[0].versions, ["platforms/a.example/capabilities/c1/versions/1.0.0"]);
}

#[tokio::test]
async fn a_capability_shows_its_versions_newest_first() {
    let everyone = BTreeSet::from([1]);
    let world =
        World::new(&[(0, 0, 0, 0, everyone.clone()), (0, 0, 2, 0, BTreeSet::new()), (0, 0, 1, 1, everyone)]);
    let get = |who| {
        let name = "platforms/a.example/capabilities/c0".to_owned();
        world.catalog.get_capability(world.ask(who, pb::GetCapabilityRequest { name }))
    };
    let own = get("a.example").await.unwrap().into_inner().capability.unwrap();
    assert_eq!(own.versions, ["1.2.0", "1.1.0", "1.0.0"]);
    let shared = get("b.example").await.unwrap().into_inner().capability.unwrap();
    assert_eq!(shared.versions, ["1.1.0", "1.0.0"]);
    assert!(shared.description.ends_with("1.1.0"), "from the newest that the caller sees");
}

#[tokio::test]
async fn bad_questions_are_answered_as_such() {
    let world = World::new(&[(0, 0, 0, 0, BTreeSet::from([1])), (0, 1, 0, 0, BTreeSet::from([1]))]);
    let who = "a.example";
    let (_, token) = world.capabilities(who, "platforms/-", 1, "").await.unwrap();
    assert!(!token.is_empty());
    let code = |result: Result<_, Status>| result.map(|_: (Vec<String>, String)| ()).unwrap_err().code();
    for (parent, size, token) in [
        ("platforms/-", -1, ""),
        ("platforms/-", 1, "forged"),
        ("platforms/a.example", 1, token.as_str()),
        ("", 1, ""),
        ("platforms/A", 1, ""),
        ("platforms/a.example/", 1, ""),
    ] {
        assert_eq!(
            code(world.capabilities(who, parent, size, token).await),
            Code::InvalidArgument,
            "{parent} {size}"
        );
    }
    assert_eq!(code(world.capabilities("b.example", "platforms/-", 1, &token).await), Code::InvalidArgument);
    assert_eq!(code(world.producers(who, "platforms/-", 1, &token).await), Code::InvalidArgument);
    assert_eq!(code(world.versions(who, "platforms/a.example", 1, "").await), Code::InvalidArgument);
    assert_eq!(world.capabilities(who, "platforms/-", 1, &token).await.unwrap().0.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Neither a filter nor an order, nor how many pages there are, tells of what is hidden.
    #[test]
    fn what_is_hidden_leaves_no_trace_in_any_search(
        sketches in sketches(),
        filter in prop::sample::select(vec!["", "c1", "version >= 1.2", "capability = c2 OR -c1", "services:* stage = stable"]),
        order in prop::sample::select(vec!["", "version desc", "capability, name desc"]),
        size in 1..5_i32,
    ) {
        let who = PLATFORMS[1];
        let mut seen = BTreeSet::new();
        let first_only: Vec<_> =
            sketches.into_iter().filter(|(platform, capability, minor, ..)| seen.insert((*platform, *capability, *minor))).collect();
        let visible: Vec<_> =
            first_only.iter().filter(|(platform, .., audience)| *platform == 1 || audience.contains(&1)).cloned().collect();
        let (whole, rest) = (World::new(&first_only), World::new(&visible));
        futures::executor::block_on(async {
            prop_assert_eq!(pages(&whole, who, filter, order, size).await, pages(&rest, who, filter, order, size).await);
            Ok(())
        })?;
    }
}

/// All pages of what `who` finds, each by itself, as text.
async fn pages(world: &World, who: &str, filter: &str, order: &str, page_size: i32) -> Vec<String> {
    let (mut pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let message = pb::ListVersionsRequest {
            parent: "platforms/-/capabilities/-".into(),
            filter: filter.into(),
            order_by: order.into(),
            page_size,
            page_token,
            read_mask: None,
        };
        let page = world.catalog.list_versions(world.ask(who, message)).await.unwrap().into_inner();
        pages.push(format!("{:?}", page.versions));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return pages;
        }
    }
}
