//! Bytes of every kind: nothing panics, and what is kept is sound.

use super::compile::compile;
use crate::descriptors::{Contract, Limits, Set, breaks, contract_digest, difference, index};
use crate::model::{ServiceName, VersionName};
use proptest::prelude::*;
use prost::Message;
use prost_types::FileDescriptorProto;
use std::sync::LazyLock;

static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    compile(&[
        (
            "a/a.proto",
            r#"package a; import "b/b.proto"; import public "google/protobuf/any.proto";
            import "google/protobuf/descriptor.proto";
            message M { message N { map<string, b.B> all = 1; oneof one { int32 x = 2; N y = 3; } } N n = 1; reserved 5 to 9; }
            extend google.protobuf.MethodOptions { b.B how = 50001; }
            service S { rpc Do(M) returns (stream b.B) { option (how) = { e: TWO }; option deprecated = true; } }"#,
        ),
        ("b/b.proto", "package b; message B { E e = 1; } enum E { ONE = 0; TWO = 2; }"),
    ])
});

static GOOD_SET: LazyLock<Set> = LazyLock::new(|| Set::screen(&GOOD, &Limits::default()).unwrap());

/// Whatever happens, it is no panic, and a client can decode what is kept.
fn check(bytes: &[u8]) {
    let Ok(set) = Set::screen(bytes, &Limits::default()) else { return };
    for file in set.files() {
        assert!(FileDescriptorProto::decode(&file.bytes[..]).is_ok());
        assert!(file.declared().iter().all(|(name, _)| file.declares(name)));
    }
    let services: Vec<ServiceName> = set.services().cloned().collect();
    assert!(services.iter().all(|service| set.methods(service).is_some()));
    contract_digest(&services, Some(&set), None);
    let contract = |set| Contract { services: &services, set: Some(set), parameter_schema: None };
    assert_eq!(
        (breaks(contract(&set), contract(&set)), difference(contract(&set), contract(&set))),
        (vec![], vec![])
    );
    breaks(contract(&GOOD_SET), contract(&set));
    breaks(contract(&set), contract(&GOOD_SET));
    difference(contract(&GOOD_SET), contract(&set));
    let version = VersionName::parse("platforms/p.example/capabilities/c/versions/1.0.0").unwrap();
    let (mut writer, reader) = index(&set);
    writer.put(version.clone(), &set);
    writer.remove(&version);
    assert!(!reader.snapshot().has(&version));
}

proptest! {
    #[test]
    fn random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes);
        let mut framed = vec![0x0a];
        prost::encoding::encode_varint(bytes.len() as u64, &mut framed);
        framed.extend_from_slice(&bytes);
        check(&framed);
    }

    #[test]
    fn a_good_set_with_bytes_changed(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = GOOD.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes);
    }

    #[test]
    fn a_good_set_cut_and_glued(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let (from, to) = (from.index(GOOD.len()), to.index(GOOD.len()));
        check(&GOOD[..from]);
        check(&GOOD[from..]);
        check(&[&GOOD[..from], &GOOD[to..]].concat());
    }
}

#[test]
fn the_good_set_is_good() {
    let set = Set::screen(&GOOD, &Limits::default()).unwrap();
    assert_eq!((set.warnings(), set.files().len()), (&[][..], 2));
}

#[test]
fn nesting_without_end() {
    let mut message = vec![];
    for _ in 0..100_000 {
        let inner = std::mem::take(&mut message);
        message.extend([0x0a, 1, b'M', 0x1a]);
        prost::encoding::encode_varint(inner.len() as u64, &mut message);
        message.extend_from_slice(&inner);
        if message.len() > 300_000 {
            break;
        }
    }
    let mut file = vec![0x0a, 1, b'f', 0x22];
    prost::encoding::encode_varint(message.len() as u64, &mut file);
    file.extend_from_slice(&message);
    let mut set = vec![0x0a];
    prost::encoding::encode_varint(file.len() as u64, &mut set);
    set.extend_from_slice(&file);
    let set = Set::screen(&set, &Limits::default()).unwrap();
    assert_eq!(set.warnings()[0].fault, crate::descriptors::Fault::TooDeep);
}

#[test]
fn a_hundred_thousand_files() {
    let bytes = [0x0a, 0].repeat(100_000);
    assert!(Set::screen(&bytes, &Limits::default()).is_err());
}

/// Work grows with the set, not with its square: this would take minutes.
#[test]
fn a_type_that_all_fields_use_and_all_fields_renumbered() {
    let set = |first: i32| {
        let field = |n: i32| prost_types::FieldDescriptorProto {
            name: Some(format!("f{n}")),
            number: Some(first + n),
            type_name: Some(".a.M".to_owned()),
            r#type: Some(11),
            ..Default::default()
        };
        let message = prost_types::DescriptorProto {
            name: Some("M".to_owned()),
            field: (0..30_000).map(field).collect(),
            ..Default::default()
        };
        let types = |name: &str| Some(format!(".a.{name}"));
        let method = prost_types::MethodDescriptorProto {
            name: Some("Do".to_owned()),
            input_type: types("M"),
            output_type: types("M"),
            ..Default::default()
        };
        let service = prost_types::ServiceDescriptorProto {
            name: Some("S".to_owned()),
            method: vec![method],
            ..Default::default()
        };
        let file = FileDescriptorProto {
            name: Some("a.proto".to_owned()),
            package: Some("a".to_owned()),
            message_type: vec![message],
            service: vec![service],
            ..Default::default()
        };
        let bytes = prost_types::FileDescriptorSet { file: vec![file] }.encode_to_vec();
        Set::screen(&bytes, &Limits::default()).unwrap()
    };
    let services = [ServiceName::parse("a.S").unwrap()];
    let (old, new) = (set(1), set(50_000));
    let contract = |set| Contract { services: &services, set: Some(set), parameter_schema: None };
    let found = breaks(contract(&old), contract(&new));
    assert_eq!(found.last().unwrap().message, "29900 more are not listed");
    assert_eq!(difference(contract(&old), contract(&new)).last().unwrap(), "and 59900 more");
}
