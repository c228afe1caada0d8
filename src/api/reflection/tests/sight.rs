//! What a caller may not see is in no answer, and whoever owns a name speaks for it.

use super::world::{Offer, World, file, files, names, offer, symbol, version};
use crate::descriptors::tests::compile::compile;
use crate::model::Stage;

const X: &str = "package a; service S { rpc Do(M) returns (M); } message M {}";

#[tokio::test]
async fn what_is_hidden_reads_like_what_never_was() {
    let mut world = World::new();
    world.add(Offer { visible_to: &["b.example"], ..offer("a.example/x/1.0.0", "a.S", &[("x.proto", X)]) });
    for ask in [symbol("a.S"), symbol("a.S.Do"), symbol("a.M"), file("x.proto")] {
        assert_eq!(names(&world.ask("a.example", ask.clone()).await), ["x.proto"]);
        assert_eq!(names(&world.ask("b.example", ask.clone()).await), ["x.proto"]);
        assert!(names(&world.ask("c.example", ask).await).is_empty());
    }
    assert_eq!(world.list("b.example").await, ["a.S"]);
    assert!(world.list("c.example").await.is_empty());
    let told = |name: &'static str| world.ask("c.example", symbol(name));
    let (hidden, never) = (format!("{:?}", told("a.S").await), format!("{:?}", told("a.T").await));
    assert_eq!(hidden.replace("a.S", "a.T"), never);
}

#[tokio::test]
async fn a_hidden_file_takes_no_name_from_a_visible_one() {
    let mut world = World::new();
    world.add(Offer { visible_to: &["c.example"], ..offer("a.example/x/1.0.0", "a.S", &[("x.proto", X)]) });
    let text = "package b; service S {}";
    world.add(offer("b.example/x/1.0.0", "b.S", &[("x.proto", text)]));
    assert_eq!(names(&world.ask("b.example", symbol("b.S")).await), ["x.proto"]);
    assert_eq!(names(&world.ask("c.example", symbol("b.S")).await), ["b.example/x.proto"]);
}

#[tokio::test]
async fn a_service_is_described_by_the_version_that_routing_chooses() {
    let mut world = World::new();
    let text = |field: &str| {
        format!("package a; service S {{ rpc Do(M) returns (M); }} message M {{ int32 {field} = 1; }}")
    };
    for (number, stage) in [("1.0.0", Stage::Stable), ("1.1.0", Stage::Stable), ("2.0.0", Stage::Beta)] {
        let name = format!("a.example/x/{number}");
        let text = text(&format!("v{}", number.replace('.', "_")));
        world.add(Offer { stage, ..offer(&name, "a.S", &[("x.proto", &text)]) });
    }
    let field = async |world: &World, name: &str| {
        let told = world.ask("b.example", symbol(name)).await;
        let file = files(&told).remove(0);
        (file.name().to_owned(), file.message_type[0].field[0].name().to_owned())
    };
    assert_eq!(field(&world, "a.S").await, ("x.proto".to_owned(), "v1_1_0".to_owned()));
    assert_eq!(field(&world, "a.M").await, field(&world, "a.S").await);
    // Offline, it gives way to one that serves.
    world.expire("a.example/x/1.1.0");
    assert_eq!(field(&world, "a.S").await, ("x.proto".to_owned(), "v1_0_0".to_owned()));
    assert_eq!(field(&world, "a.M").await, field(&world, "a.S").await);
    world.expire("a.example/x/1.0.0");
    world.expire("a.example/x/2.0.0");
    assert_eq!(field(&world, "a.S").await.1, "v1_1_0");
    // The others are there too, each under a name of its own.
    let told = world.ask("b.example", file("a.example/x.proto")).await;
    assert_eq!(files(&told)[0].message_type[0].field[0].name(), "v1_0_0");
    let told = world.ask("b.example", file("a.example/x@2.0.0/x.proto")).await;
    assert_eq!(files(&told)[0].message_type[0].field[0].name(), "v2_0_0");
}

#[tokio::test]
async fn a_retired_version_is_described_no_more() {
    let mut world = World::new();
    world.add(Offer { stage: Stage::Retired, ..offer("a.example/x/1.0.0", "a.S", &[("x.proto", X)]) });
    assert!(world.list("a.example").await.is_empty());
    assert!(names(&world.ask("a.example", symbol("a.S")).await).is_empty());
    assert!(names(&world.ask("a.example", file("x.proto")).await).is_empty());
}

#[tokio::test]
async fn the_owner_of_a_package_speaks_for_its_symbols() {
    let mut world = World::new();
    // a.example comes first by name and in time, and brings a copy of b's messages as it likes them.
    let squat = "package b; message M { int32 wrong = 1; }";
    world.add(offer("a.example/x/9.0.0", "a.S", &[("a.proto", X), ("b.proto", squat)]));
    assert_eq!(
        files(&world.ask("c.example", symbol("b.M")).await)[0].message_type[0].field[0].name(),
        "wrong"
    );
    let right = "package b; message M { int32 right = 1; } service S {}";
    world.add(offer("b.example/x/1.0.0", "b.S", &[("b.proto", right)]));
    for ask in [symbol("b.M"), file("b.proto")] {
        let told = files(&world.ask("c.example", ask).await);
        assert_eq!((told[0].name(), told[0].message_type[0].field[0].name()), ("b.proto", "right"));
    }
}

#[tokio::test]
async fn nobody_overrules_the_broker_itself() {
    let mut world = World::new();
    let health =
        r#"package grpc.health.v1; service Health {} message HealthCheckRequest { int32 wrong = 1; }"#;
    world.add(offer("a.example/x/1.0.0", "a.S", &[("x.proto", X), ("grpc/health/v1/health.proto", health)]));
    for ask in [symbol("grpc.health.v1.Health"), symbol("grpc.health.v1.HealthCheckRequest")] {
        let told = files(&world.ask("a.example", ask).await);
        assert_eq!(told[0].name(), "grpc/health/v1/health.proto");
        assert_eq!(told[0].message_type[0].field[0].name(), "service");
    }
}

#[tokio::test]
async fn what_is_taken_out_is_gone_and_what_others_share_stays() {
    let mut world = World::new();
    let files = [("x.proto", X)];
    world.add(offer("a.example/x/1.0.0", "a.S", &files));
    world.add(offer("a.example/y/1.0.0", "a.S", &files));
    world.descriptors.remove(&version("a.example/x/1.0.0"));
    assert_eq!(names(&world.ask("b.example", symbol("a.M")).await), ["x.proto"]);
    world.descriptors.remove(&version("a.example/y/1.0.0"));
    assert!(names(&world.ask("b.example", symbol("a.M")).await).is_empty());
    assert!(names(&world.ask("b.example", file("x.proto")).await).is_empty());
}

#[tokio::test]
async fn editions_are_served_as_they_came() {
    use prost::Message;
    let mut world = World::new();
    let mut set = prost_types::FileDescriptorSet::decode(&compile(&[("x.proto", X)])[..]).unwrap();
    set.file[0].syntax = Some("editions".to_owned());
    let mut file = set.file[0].encode_to_vec();
    file.extend([14 << 3, 0xe8, 0x07]);
    let mut bytes = vec![0x0a];
    prost::encoding::encode_varint(file.len() as u64, &mut bytes);
    bytes.extend_from_slice(&file);
    world.add_set(offer("a.example/x/1.0.0", "a.S", &[]), &bytes);
    let told = world.ask("a.example", symbol("a.M")).await;
    let crate::wire::pb::grpc::reflection::v1::server_reflection_response::MessageResponse::FileDescriptorResponse(told) =
        told
    else {
        panic!()
    };
    assert_eq!(told.file_descriptor_proto, [file]);
}
