//! What is searched for, and in which order it comes.

use super::*;
use crate::filter::{Kind, Value};
use crate::model::State;
use tonic::Code;
use tonic_types::StatusExt;

pub(super) const ALL: &str = "platforms/-/capabilities/-";

/// Three versions of a ledger, a cache, and a vault that nobody but its owner sees.
pub(super) fn world() -> World {
    let mut world = World::new(&[]);
    let mut declare = |capability: &str, minor: u64, seen_by: &[usize], change: &dyn Fn(&mut Version)| {
        let (name, mut versions) = declared(&[(0, 0, minor, 0, seen_by.iter().copied().collect())]).remove(0);
        versions[0].name.capability = capability.parse().unwrap();
        versions[0].description = String::new();
        versions[0].services = vec![format!("acme.{capability}.v1.Api").parse().unwrap()];
        change(&mut versions[0]);
        let producer = format!("{capability}-{minor}").parse().unwrap();
        world.put(ProducerName { producer, ..name }, versions);
    };
    let labels = |labels: &[(&str, &str)]| {
        let labels = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Facts { labels, ..Facts::default() }.shared()
    };
    declare("ledger", 2, &[1], &|v| v.stage = Stage::Deprecated);
    declare("ledger", 9, &[1, 2], &|v| {
        (v.owner, v.description) = ("team-gold".into(), "Double entry book-keeping".into());
        v.facts = labels(&[("tier", "gold"), ("acme.dev/region", "eu")]);
    });
    declare("ledger", 10, &[1], &|v| {
        (v.stage, v.sunset_time) = (Stage::Beta, Some("2027-01-01T00:00:00Z".parse().unwrap()));
    });
    declare("cache", 0, &[1], &|v| {
        v.facts = Facts { on_call: "pager".into(), ..Facts::clone(&labels(&[("tier", "tin")])) }.shared();
        v.descriptors = Some(Digest::of(b"x"));
    });
    declare("vault", 0, &[], &|v| v.description = "secret gold".into());
    world.look("platforms/a.example/producers/ledger-9", State::Serving);
    world
}

pub(super) fn short(name: &str) -> String {
    name.replace("platforms/a.example/capabilities/", "").replace("/versions/", "@")
}

async fn search(world: &World, who: &str, filter: &str, order_by: &str) -> Result<String, Status> {
    let (filter, order_by) = (filter.to_owned(), order_by.to_owned());
    let message = pb::ListVersionsRequest { parent: ALL.into(), filter, order_by, ..Default::default() };
    let found = world.catalog.list_versions(world.ask(who, message)).await?.into_inner();
    Ok(found.versions.iter().map(|version| short(&version.name)).collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn a_filter_finds_what_the_caller_sees() {
    let world = world();
    let table = [
        ("", "cache@1.0.0 ledger@1.10.0 ledger@1.9.0 ledger@1.2.0"),
        ("LEDGER", "ledger@1.10.0 ledger@1.9.0 ledger@1.2.0"),
        ("book double", "ledger@1.9.0"),
        ("v1.Api cache", "cache@1.0.0"),
        ("stage = stable OR stage = beta", "cache@1.0.0 ledger@1.10.0 ledger@1.9.0"),
        ("-stage = stable", "ledger@1.10.0 ledger@1.2.0"),
        ("version > 1.2.0 AND capability = ledger", "ledger@1.10.0 ledger@1.9.0"),
        ("labels.tier = g*", "ledger@1.9.0"),
        ("labels:tier", "cache@1.0.0 ledger@1.9.0"),
        ("labels.acme.dev/region:*", "ledger@1.9.0"),
        ("owner:GOLD", "ledger@1.9.0"),
        ("on_call:*", "cache@1.0.0"),
        ("describable = true", "cache@1.0.0"),
        ("services:acme.cache.*", "cache@1.0.0"),
        ("service:acme.ledger.v1.Api version = 1.9.0", "ledger@1.9.0"),
        ("sunset_time < 2027-06-01", "ledger@1.10.0"),
        ("producers:cache-0", "cache@1.0.0"),
        ("status = serving", "ledger@1.9.0"),
        ("status != serving capability = ledger", "ledger@1.10.0 ledger@1.2.0"),
        ("source = registration platform = a.example", "cache@1.0.0 ledger@1.10.0 ledger@1.9.0 ledger@1.2.0"),
        ("source = manifest", ""),
        ("name = \"*/ledger/*\" availability = open", "ledger@1.10.0 ledger@1.9.0 ledger@1.2.0"),
        ("vault", ""),
        ("secret OR gold", ""),
        ("capability = vault", ""),
    ];
    for (filter, expected) in table {
        assert_eq!(search(&world, "b.example", filter, "").await.unwrap(), expected, "{filter}");
    }
    assert_eq!(search(&world, "a.example", "gold", "").await.unwrap(), "vault@1.0.0");
    assert_eq!(search(&world, "c.example", "", "stage").await.unwrap(), "ledger@1.9.0");
}

#[tokio::test]
async fn an_order_is_kept_across_pages() {
    let world = world();
    let table = [
        ("version", "cache@1.0.0 ledger@1.2.0 ledger@1.9.0 ledger@1.10.0"),
        ("version desc", "ledger@1.10.0 ledger@1.9.0 ledger@1.2.0 cache@1.0.0"),
        ("stage desc, version", "ledger@1.2.0 cache@1.0.0 ledger@1.9.0 ledger@1.10.0"),
        ("status, name", "ledger@1.9.0 cache@1.0.0 ledger@1.10.0 ledger@1.2.0"),
        ("labels.tier", "ledger@1.9.0 cache@1.0.0 ledger@1.10.0 ledger@1.2.0"),
        ("owner", "cache@1.0.0 ledger@1.10.0 ledger@1.2.0 ledger@1.9.0"),
    ];
    for (order, expected) in table {
        assert_eq!(search(&world, "b.example", "", order).await.unwrap(), expected, "{order}");
        for size in 1..4 {
            let (mut found, mut page_token) = (Vec::new(), String::new());
            loop {
                let (parent, order_by) = (ALL.to_owned(), order.to_owned());
                let message = pb::ListVersionsRequest {
                    parent,
                    order_by,
                    page_size: size,
                    page_token,
                    ..Default::default()
                };
                let page =
                    world.catalog.list_versions(world.ask("b.example", message)).await.unwrap().into_inner();
                found.extend(page.versions.iter().map(|version| short(&version.name)));
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    break;
                }
            }
            assert_eq!(found.join(" "), expected, "{order} by {size}");
        }
    }
}

#[tokio::test]
async fn the_other_lists_are_searched_too() {
    let world = world();
    let message = |filter: &str, order: &str| (filter.to_owned(), order.to_owned());
    for (filter, order, expected) in [
        ("", "name desc", "ledger cache"),
        ("stage = beta", "", "ledger"),
        ("status = serving", "", "ledger"),
        ("status = degraded OR status = unknown", "", "cache"),
        ("services:acme.cache.v1.Api labels.tier:*", "", "cache"),
    ] {
        let (filter, order_by) = message(filter, order);
        let parent = "platforms/-".to_owned();
        let asked =
            pb::ListCapabilitiesRequest { parent, filter: filter.clone(), order_by, ..Default::default() };
        let found =
            world.catalog.list_capabilities(world.ask("b.example", asked)).await.unwrap().into_inner();
        let names: Vec<_> = found.capabilities.iter().map(|c| short(&c.name)).collect();
        assert_eq!(names.join(" "), expected, "{filter}");
    }
    for (who, filter, order, expected) in [
        ("b.example", "", "capability_count desc", "a.example b.example"),
        ("b.example", "capability_count = 2", "", "a.example"),
        ("a.example", "capability_count = 3", "", "a.example"),
        ("b.example", "display_name:B. OR trust_domain = x", "", "b.example"),
        ("b.example", "service_prefixes:acme a.ex", "", "a.example"),
        ("b.example", "status != unknown", "", "a.example"),
    ] {
        let (filter, order_by) = message(filter, order);
        let asked = pb::ListPlatformsRequest { filter: filter.clone(), order_by, ..Default::default() };
        let found = world.catalog.list_platforms(world.ask(who, asked)).await.unwrap().into_inner();
        let names: Vec<_> = found.platforms.iter().map(|p| p.name.replace("platforms/", "")).collect();
        assert_eq!(names.join(" "), expected, "{filter}");
    }
    for (filter, order, expected) in [
        ("freshness = live", "producer desc", "ledger-9 ledger-2 ledger-10 cache-0"),
        ("versions:*/ledger/versions/1.9.0", "", "ledger-9"),
        ("endpoints.address:10.0.0.1:1 cache", "", "cache-0"),
        ("versions:*vault*", "", ""),
    ] {
        let (filter, order_by) = message(filter, order);
        let parent = "platforms/-".to_owned();
        let asked =
            pb::ListProducersRequest { parent, filter: filter.clone(), order_by, ..Default::default() };
        let found = world.catalog.list_producers(world.ask("b.example", asked)).await.unwrap().into_inner();
        let names: Vec<_> = found.producers.iter().map(|p| p.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names.join(" "), expected, "{filter}");
    }
}

#[tokio::test]
async fn a_mask_leaves_only_what_is_asked_for() {
    let world = world();
    let paths = vec!["version".to_owned(), "labels.tier".to_owned()];
    let message = pb::ListVersionsRequest {
        parent: ALL.into(),
        filter: "labels.tier = gold".into(),
        read_mask: Some(prost_types::FieldMask { paths }),
        ..Default::default()
    };
    let found = world.catalog.list_versions(world.ask("b.example", message)).await.unwrap().into_inner();
    let labels = [("tier".to_owned(), "gold".to_owned())].into();
    let expected = pb::Version { version: "1.9.0".into(), labels, ..Default::default() };
    assert_eq!(found.versions, [expected]);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_where_it_stands() {
    let world = world();
    for (filter, order, reason, column, message) in [
        (
            "stage = stabel",
            "",
            "INVALID_FILTER",
            "9",
            "filter, column 9: `stabel` is not a word as `stage` is",
        ),
        ("a AND", "", "INVALID_FILTER", "3", "needs something after it"),
        ("visibility:b.example", "", "INVALID_FILTER", "1", "`visibility` is not a field"),
        ("", "name, stge", "INVALID_ORDER_BY", "7", "did you mean `stage`?"),
    ] {
        let status = search(&world, "b.example", filter, order).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(message), "{}", status.message());
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["column"].as_str()), (reason, column));
    }
}

/// A value of every field is of the kind that the schema says, or it could never pass a filter.
#[test]
fn every_field_holds_what_its_kind_says() {
    let world = world();
    let snapshot = world.writer.snapshot();
    let caller = world.catalog.policy.caller(Identity::parse_spiffe("spiffe://a.example/x").unwrap());
    let view = View { policy: &world.catalog.policy, caller: &caller, snapshot: &snapshot };
    let federation = world.publisher.latest();
    let status = Some(federation.as_ref());
    let offering = view.versions(&view::Level::Any, &view::Level::Any, None).next().unwrap();
    kinds(&search::VersionItem { offering, status });
    let seen = view.capabilities(&view::Level::Any, &view::Level::Any, None).next().unwrap();
    kinds(&search::CapabilityItem { seen, view, status });
    kinds(&search::PlatformItem { entry: view.platforms(None).next().unwrap(), view, status });
    let (producer, versions) = view.producers(&view::Level::Any, None).next().unwrap();
    kinds(&search::ProducerItem { producer, versions });
}

fn kinds<I: search::Listed>(item: &I) {
    for (i, field) in I::FIELDS.0.iter().enumerate() {
        let fits = match (field.kind, item.value(i)) {
            (Kind::Text, Value::Text(_)) | (Kind::Number, Value::Number(_)) => true,
            (Kind::Words(words), Value::Word(word)) => words.contains(&word),
            (Kind::Boolean, Value::Boolean(_)) | (Kind::Version, Value::Version(_)) => true,
            (Kind::Time, Value::Time(_) | Value::Absent) => true,
            (Kind::Map | Kind::Texts, Value::Absent) => true,
            _ => false,
        };
        assert!(fits, "{}: {:?}", field.name, item.value(i));
    }
}
