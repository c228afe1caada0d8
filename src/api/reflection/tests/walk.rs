//! A client that walks the whole federation and builds a descriptor pool of all that it was told.

use super::world::{Protocol, World, file, files, list, offer, symbol};
use crate::wire::pb::grpc::reflection::v1::server_reflection_response::MessageResponse as Told;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use std::collections::BTreeMap;
use tokio_stream::StreamExt;

/// Everything that a caller of `platform` can be told, file by file, and the names in its list.
async fn walk(world: &World, protocol: Protocol, platform: &str) -> (DescriptorPool, Vec<String>) {
    let list = world.ask_as(protocol, platform, vec![list()]).await.remove(0);
    let Told::ListServicesResponse(list) = list else { panic!("{list:?}") };
    let services: Vec<String> = list.service.into_iter().map(|service| service.name).collect();

    let mut known: BTreeMap<String, FileDescriptorProto> = BTreeMap::new();
    let mut asks: Vec<_> = services.iter().map(|service| symbol(service)).collect();
    while !asks.is_empty() {
        let mut wanted = Vec::new();
        for told in world.ask_as(protocol, platform, std::mem::take(&mut asks)).await {
            for file in files(&told) {
                wanted.extend(file.dependency.clone());
                let name = file.name().to_owned();
                let before = known.insert(name.clone(), file.clone());
                assert!(before.is_none_or(|before| before == file), "{name} is not one file");
            }
        }
        wanted.retain(|name| !known.contains_key(name));
        asks = wanted.iter().map(|name| file(name)).collect();
    }
    let set = FileDescriptorSet { file: known.into_values().collect() };
    (DescriptorPool::from_file_descriptor_set(set).unwrap(), services)
}

fn federation() -> World {
    let mut world = World::new();
    world.add(offer(
        "a.example/ledger/1.0.0",
        "a.Ledger",
        &[
            (
                "ledger.proto",
                r#"package a; import "common.proto"; import "google/protobuf/timestamp.proto";
             service Ledger { rpc Post(Entry) returns (Entry); }
             message Entry { a.common.Money money = 1; google.protobuf.Timestamp at = 2; }"#,
            ),
            ("common.proto", "package a.common; message Money { int64 units = 1; }"),
        ],
    ));
    world.add(offer(
        "b.example/search/2.1.0",
        "b.Search",
        &[
            ("search.proto", r#"package b; import public "middle.proto"; service Search { rpc Find(b.common.Query) returns (Hit); }
             message Hit { b.common.Money price = 1; }"#),
            ("middle.proto", r#"package b; import public "common.proto";"#),
            ("common.proto", "package b.common; message Money { string amount = 1; } message Query { string text = 1; }"),
        ],
    ));
    world.add(offer("c.example/bare/1.0.0", "c.Bare", &[]));
    world
}

#[tokio::test]
async fn a_client_builds_one_pool_of_all_files_in_both_versions() {
    let world = federation();
    for protocol in [Protocol::V1, Protocol::V1Alpha] {
        let (pool, services) = walk(&world, protocol, "a.example").await;
        let described: Vec<_> = services.iter().filter(|name| *name != "c.Bare").collect();
        for service in &described {
            assert!(pool.get_service_by_name(service).is_some(), "{service}");
        }
        assert_eq!(described.len(), services.len() - 1);
        assert!(services.contains(&"portolan.registry.v1.RegistryService".to_owned()));
        assert!(services.contains(&"grpc.reflection.v1alpha.ServerReflection".to_owned()));
        // Each sees its own Money, although both files are called common.proto.
        let money = |name| pool.get_message_by_name(name).unwrap().fields().next().unwrap().name().to_owned();
        assert_eq!(
            (money("a.common.Money"), money("b.common.Money")),
            ("units".to_owned(), "amount".to_owned())
        );
        let find = pool.get_service_by_name("b.Search").unwrap().methods().next().unwrap();
        assert_eq!(find.input().parent_file().name(), "b.example/common.proto");
    }
}

#[tokio::test]
async fn an_offline_producer_is_described_and_a_miss_does_not_end_the_stream() {
    let mut world = federation();
    world.expire("a.example/ledger/1.0.0");
    let asks = vec![
        symbol("no.such.Thing"),
        symbol("a.Ledger"),
        file("no/such.proto"),
        symbol(&"x.".repeat(10_000)),
        symbol("a.Ledger.Post"),
    ];
    let told = world.ask_as(Protocol::V1, "b.example", asks).await;
    let counts: Vec<_> = told.iter().map(|told| files(told).len()).collect();
    assert_eq!(counts, [0, 3, 0, 0, 3]);
}

#[tokio::test]
async fn a_service_without_descriptors_is_listed_and_says_so() {
    let world = federation();
    assert_eq!(world.list("a.example").await, ["a.Ledger", "b.Search", "c.Bare"]);
    let Told::ErrorResponse(error) = world.ask("a.example", symbol("c.Bare")).await else { panic!() };
    assert_eq!(error.error_code, 5);
    assert!(error.error_message.contains("no descriptors"), "{}", error.error_message);
}

#[tokio::test]
async fn every_kind_of_symbol_is_found() {
    let mut world = World::new();
    let text = r#"package a; import "google/protobuf/descriptor.proto";
        message M { message N { enum E { INNER = 0; } } oneof choice { string text = 1; } }
        enum Top { OUTER = 0; }
        service S { rpc Do(M) returns (M); }
        extend google.protobuf.MethodOptions { string note = 50001; string other = 50002; }"#;
    world.add(offer("a.example/x/1.0.0", "a.S", &[("x.proto", text)]));
    for name in [
        "a.M",
        "a.M.N",
        "a.M.N.E",
        "a.M.N.INNER",
        "a.M.choice",
        "a.M.text",
        "a.Top",
        "a.OUTER",
        "a.S",
        "a.S.Do",
        "a.note",
        ".a.M",
    ] {
        assert_eq!(files(&world.ask("b.example", symbol(name)).await)[0].name(), "x.proto", "{name}");
    }
    for name in ["", ".", "a", "a.M.N.E.INNER", "a.Top.OUTER", "a.m", "a.S.Do.x", "a..M"] {
        assert!(files(&world.ask("b.example", symbol(name)).await).is_empty(), "{name}");
    }
    let descriptor = files(&world.ask("b.example", symbol("google.protobuf.MethodOptions")).await);
    assert_eq!(descriptor[0].name(), "google/protobuf/descriptor.proto");
}

#[tokio::test]
async fn extensions_are_found_by_type_and_number() {
    use super::world::names;
    use crate::wire::pb::grpc::reflection::v1::ExtensionRequest;
    use crate::wire::pb::grpc::reflection::v1::server_reflection_request::MessageRequest as Ask;
    let mut world = World::new();
    let options = |package: &str, number: u32| {
        format!(
            r#"package {package}; import "google/protobuf/descriptor.proto"; service S {{}} message M {{}}
            extend google.protobuf.MethodOptions {{ string note = {number}; }}"#
        )
    };
    world.add(offer("a.example/x/1.0.0", "a.S", &[("a.proto", &options("a", 50001))]));
    let mut hidden = options("b", 50002);
    hidden.push_str("message Own {}");
    let files = [("b.proto", hidden.as_str())];
    world
        .add(super::world::Offer { visible_to: &["c.example"], ..offer("b.example/x/1.0.0", "b.S", &files) });

    let extension = |number| {
        let containing_type = "google.protobuf.MethodOptions".to_owned();
        Ask::FileContainingExtension(ExtensionRequest { containing_type, extension_number: number })
    };
    assert_eq!(names(&world.ask("a.example", extension(50001)).await)[0], "a.proto");
    assert!(names(&world.ask("a.example", extension(50002)).await).is_empty());
    assert_eq!(names(&world.ask("c.example", extension(50002)).await)[0], "b.proto");

    let numbers = |name: &str| Ask::AllExtensionNumbersOfType(name.to_owned());
    for (caller, expected) in [("a.example", vec![50001]), ("c.example", vec![50001, 50002])] {
        match world.ask(caller, numbers("google.protobuf.MethodOptions")).await {
            Told::AllExtensionNumbersResponse(told) => {
                assert_eq!(told.base_type_name, "google.protobuf.MethodOptions");
                assert_eq!(told.extension_number, expected);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(world.ask("a.example", numbers("a.M")).await, Told::AllExtensionNumbersResponse(_)));
    assert!(matches!(world.ask("a.example", numbers("a.S")).await, Told::ErrorResponse(_)));
    assert!(matches!(world.ask("a.example", numbers("b.M")).await, Told::ErrorResponse(_)));
}

#[tokio::test]
async fn a_broker_that_drains_ends_the_stream_and_says_so() {
    use crate::wire::pb::grpc::reflection::v1;
    let world = federation();
    let asked =
        v1::ServerReflectionRequest { host: String::new(), message_request: Some(symbol("a.Ledger")) };
    let questions = tokio_stream::iter([asked]).chain(tokio_stream::pending());
    let mut request = tonic::Request::new(questions);
    request.extensions_mut().insert(world.caller("a.example"));
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(world.reflection.v1());
    let mut answers = client.server_reflection_info(request).await.unwrap().into_inner();
    assert!(answers.message().await.unwrap().is_some());
    world.shutdown.request();
    assert_eq!(answers.message().await.unwrap_err().code(), tonic::Code::Unavailable);
    assert!(answers.message().await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_stays_below_what_clients_take_and_the_rest_is_asked_for() {
    let mut world = World::new();
    let comment = "long ".repeat(320_000);
    let big = |package: &str| format!("package {package};\n// {comment}\nmessage M {{}}");
    let (one, two) = (big("one"), big("two"));
    let top =
        r#"package a; import "one.proto"; import "two.proto"; service S { rpc Do(one.M) returns (two.M); }"#;
    let bytes = crate::descriptors::tests::compile::compile(&[
        ("a.proto", top),
        ("one.proto", &one),
        ("two.proto", &two),
    ]);
    world.add_set(offer("a.example/x/1.0.0", "a.S", &[]), &bytes);
    let told = files(&world.ask("a.example", symbol("a.S")).await);
    assert_eq!(told.iter().map(|file| file.name()).collect::<Vec<_>>(), ["a.proto", "one.proto"]);
    assert_eq!(files(&world.ask("a.example", file("two.proto")).await).len(), 1);
}
