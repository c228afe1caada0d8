//! Files of one name and other content: all are described, none is mixed up.

use super::world::{World, file, files, names, offer, symbol};
use crate::wire::pb::grpc::reflection::v1::server_reflection_response::MessageResponse as Told;

const A: [(&str, &str); 2] = [
    (
        "top.proto",
        r#"package a; import "common.proto"; service S { rpc Do(a.common.M) returns (a.common.M); }"#,
    ),
    ("common.proto", "package a.common; message M { int32 of_a = 1; }"),
];
const B: [(&str, &str); 2] = [
    (
        "b/top.proto",
        r#"package b; import "common.proto"; service S { rpc Do(b.common.M) returns (b.common.M); }"#,
    ),
    ("common.proto", "package b.common; message M { int32 of_b = 1; }"),
];

fn first(told: &Told) -> Vec<u8> {
    let Told::FileDescriptorResponse(told) = told else { panic!("{told:?}") };
    told.file_descriptor_proto[0].to_vec()
}

fn holds(set: &[u8], file: &[u8]) -> bool {
    set.windows(file.len()).any(|window| window == file)
}

#[tokio::test]
async fn the_first_keeps_its_name_and_its_bytes_and_the_other_moves_below_its_platform() {
    let mut world = World::new();
    let (a, b) =
        (world.add(offer("a.example/x/1.0.0", "a.S", &A)), world.add(offer("b.example/x/1.0.0", "b.S", &B)));
    let told = world.ask("c.example", symbol("a.S")).await;
    assert_eq!(names(&told), ["top.proto", "common.proto"]);
    assert!(holds(&a, &first(&told)));

    let told = world.ask("c.example", symbol("b.S")).await;
    assert_eq!(names(&told), ["b/top.proto", "b.example/common.proto"]);
    assert_eq!(files(&told)[0].dependency, ["b.example/common.proto"]);
    assert!(!holds(&b, &first(&told)), "its import was patched");
    let mut patched = files(&told).remove(1);
    patched.name = Some("common.proto".to_owned());
    assert_eq!(patched.message_type[0].field[0].name(), "of_b");

    // The new name is as good as any.
    let again = world.ask("c.example", file("b.example/common.proto")).await;
    assert_eq!(files(&again)[0], files(&told)[1]);
    assert_eq!(
        files(&world.ask("c.example", file("common.proto")).await)[0].message_type[0].field[0].name(),
        "of_a"
    );
    for nothing in
        ["a.example/common.proto", "c.example/common.proto", "b.example/x@1.0.0/common.proto", "b.example/"]
    {
        assert!(names(&world.ask("c.example", file(nothing)).await).is_empty(), "{nothing}");
    }
}

#[tokio::test]
async fn a_file_that_is_the_same_but_for_its_imports_moves_too() {
    let mut world = World::new();
    let shared = ("shared.proto", r#"package shared; import "common.proto"; message Empty {}"#);
    world.add(offer("a.example/x/1.0.0", "a.S", &[A[0], A[1], shared]));
    world.add(offer("b.example/x/1.0.0", "b.S", &[B[0], B[1], shared]));
    let told = files(&world.ask("c.example", file("b.example/shared.proto")).await);
    assert_eq!(told[0].dependency, ["b.example/common.proto"]);
    assert_eq!(files(&world.ask("c.example", file("shared.proto")).await)[0].dependency, ["common.proto"]);
}

#[tokio::test]
async fn comments_alone_make_no_second_file() {
    let mut world = World::new();
    let commented = "// A comment.\npackage shared; message M {}";
    world.add(offer("a.example/x/1.0.0", "a.S", &[A[0], A[1], ("m.proto", "package shared; message M {}")]));
    world.add(offer("b.example/x/1.0.0", "b.S", &[B[0], ("common.proto", B[1].1), ("m.proto", commented)]));
    assert_eq!(names(&world.ask("c.example", file("m.proto")).await), ["m.proto"]);
    assert!(names(&world.ask("c.example", file("b.example/m.proto")).await).is_empty());
}

#[tokio::test]
async fn nobody_takes_the_name_that_anothers_file_gets() {
    let mut world = World::new();
    world.add(offer("a.example/x/1.0.0", "a.S", &A));
    world.add(offer("b.example/x/1.0.0", "b.S", &B));
    // c registers just the name that b's file has for others.
    let squat = [
        ("b.example/common.proto", "package c; message Squat {} service S {}"),
        ("b.example/x@1.0.0/common.proto", "package c; message Second {}"),
    ];
    world.add(offer("c.example/x/1.0.0", "c.S", &squat));
    let told = files(&world.ask("a.example", symbol("b.S")).await);
    let name = told[0].dependency[0].clone();
    assert_eq!(files(&world.ask("a.example", file(&name)).await)[0].message_type[0].field[0].name(), "of_b");
    assert_eq!(names(&world.ask("a.example", symbol("c.S")).await), ["c.example/b.example/common.proto"]);
}

#[tokio::test]
async fn well_known_files_keep_their_name() {
    let mut world = World::new();
    let text = |package: &str| {
        format!(
            r#"package {package}; import "google/protobuf/any.proto"; service S {{}} message M {{ google.protobuf.Any x = 1; }}"#
        )
    };
    world.add(offer("a.example/x/1.0.0", "a.S", &[("x.proto", &text("a"))]));
    world.add(offer("b.example/x/1.0.0", "b.S", &[("x.proto", &text("b"))]));
    for service in ["a.S", "b.S"] {
        let told = names(&world.ask("c.example", symbol(service)).await);
        assert_eq!(told[1..], ["google/protobuf/any.proto"]);
    }
}
