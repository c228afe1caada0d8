//! What stands, what falls, and what a contract's digest sees.

use super::compile::{compile, edit};
use crate::descriptors::{Error, Fault, Limits, Set, contract_digest};
use crate::model::ServiceName;
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet};

const MONEY: (&str, &str) = ("acme/money.proto", "package acme; message Money { int64 units = 1; }");
const LEDGER: (&str, &str) = (
    "acme/ledger.proto",
    r#"package acme; import "acme/money.proto"; import "google/protobuf/timestamp.proto";
    // Keeps the books.
    service Ledger { rpc Post(Money) returns (Entry); rpc Follow(stream Entry) returns (stream Entry); }
    message Entry { Money amount = 1; google.protobuf.Timestamp at = 2; enum Side { DEBIT = 0; CREDIT = 1; } }"#,
);
const ODD: (&str, &str) =
    ("odd/odd.proto", "package odd; service Odd { rpc Do(Thing) returns (Thing); } message Thing {}");

fn screen(bytes: &[u8]) -> Set {
    Set::screen(bytes, &Limits::default()).unwrap()
}

fn services(set: &Set) -> Vec<&str> {
    set.services().map(ServiceName::as_str).collect()
}

/// The fault of each file that was left out.
fn faults(set: &Set) -> Vec<(&str, &Fault)> {
    set.warnings().iter().map(|warning| (warning.file.as_str(), &warning.fault)).collect()
}

fn name(text: &str) -> ServiceName {
    ServiceName::parse(text).unwrap()
}

/// A set of hand-made files.
fn set_of(files: Vec<FileDescriptorProto>) -> Vec<u8> {
    FileDescriptorSet { file: files }.encode_to_vec()
}

fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
    let dependency = imports.iter().map(|import| (*import).to_owned()).collect();
    FileDescriptorProto { name: Some(name.to_owned()), dependency, ..Default::default() }
}

#[test]
fn a_sound_set_keeps_its_bytes_and_tells_its_services() {
    let bytes = compile(&[LEDGER, MONEY]);
    let set = screen(&bytes);
    assert_eq!(set.warnings(), []);
    assert_eq!(services(&set), ["acme.Ledger"]);
    for file in set.files() {
        assert!(bytes.windows(file.bytes.len()).any(|window| window == file.bytes), "{}", file.name);
    }
    let methods = set.methods(&name("acme.Ledger")).unwrap();
    assert_eq!(methods.len(), 2);
    assert_eq!((methods[0].name.as_str(), methods[0].input.as_str()), ("Post", "acme.Money"));
    assert!(methods[1].client_streaming && methods[1].server_streaming && !methods[0].server_streaming);
    assert_eq!(set.methods(&name("acme.Entry")), None);
}

#[test]
fn a_syntax_that_nobody_knows_is_kept_as_bytes() {
    for (syntax, edition) in [("editions", Some(1000)), ("proto9", None)] {
        let bytes = edit(&compile(&[ODD]), |file| file.syntax = Some(syntax.to_owned()));
        let mut bytes = FileDescriptorSet::decode(&bytes[..]).unwrap().file.remove(0).encode_to_vec();
        if let Some(edition) = edition {
            bytes.push(14 << 3);
            prost::encoding::encode_varint(edition, &mut bytes);
        }
        let mut set = vec![0x0a];
        prost::encoding::encode_varint(bytes.len() as u64, &mut set);
        set.extend_from_slice(&bytes);
        let set = screen(&set);
        assert_eq!((services(&set), set.warnings()), (vec!["odd.Odd"], &[][..]));
        assert_eq!(set.files()[0].bytes, bytes);
    }
}

#[test]
fn editions_as_protoc_writes_them_are_sound() {
    // protoc 35.1 of two files: edition 2023 with imported features, and edition 2024, which imports it and, for its
    // options only, the features again.
    let set = screen(include_bytes!("editions.binpb"));
    assert_eq!((set.warnings(), services(&set)), (&[][..], vec!["acme.ed.S", "acme.ed24.S"]));
    assert_eq!(set.files()[1].imports.len(), 2);
}

#[test]
fn a_missing_import_takes_only_its_importers_along() {
    let bytes = edit(&compile(&[LEDGER, MONEY, ODD]), |file| {
        if file.name() == MONEY.0 {
            file.dependency.push("nowhere.proto".to_owned());
        }
    });
    let set = screen(&bytes);
    assert_eq!(services(&set), ["odd.Odd"]);
    let missing = Fault::MissingImport { import: "nowhere.proto".to_owned() };
    let refused = Fault::RefusedImport { import: MONEY.0.to_owned() };
    assert_eq!(faults(&set), [(MONEY.0, &missing), (LEDGER.0, &refused)]);
}

#[test]
fn a_circle_of_imports_falls_with_those_who_stand_on_it() {
    let bytes = set_of(vec![
        file("a.proto", &["b.proto"]),
        file("b.proto", &["a.proto"]),
        file("c.proto", &["a.proto"]),
        file("self.proto", &["self.proto"]),
        file("sound.proto", &[]),
    ]);
    let set = screen(&bytes);
    assert_eq!(set.files().len(), 1);
    assert!(faults(&set).iter().all(|(_, fault)| **fault == Fault::Cycle));
}

#[test]
fn one_name_for_two_contents_is_refused_and_a_repeated_file_is_not() {
    let mut twice = compile(&[ODD]);
    twice.extend(compile(&[ODD]));
    assert_eq!(screen(&twice).warnings(), []);
    twice.extend(compile(&[(ODD.0, "package odd; message Other {}")]));
    assert_eq!(faults(&screen(&twice)), [(ODD.0, &Fault::NameTaken)]);
}

#[test]
fn a_symbol_is_declared_once() {
    let mut bytes = compile(&[ODD]);
    bytes.extend(compile(&[("second.proto", "package odd; message Thing { int32 x = 1; }")]));
    bytes.extend(compile(&[("third.proto", "package odd.Thing; message X {}")]));
    let set = screen(&bytes);
    assert_eq!(set.files().len(), 1);
    let taken = Fault::DuplicateSymbol { symbol: "odd.Thing".to_owned() };
    assert_eq!(faults(&set), [("second.proto", &taken), ("third.proto", &taken)]);
}

#[test]
fn a_type_must_be_declared_by_what_is_imported() {
    let bytes = edit(&compile(&[LEDGER, MONEY, ODD]), |file| {
        if file.name() == LEDGER.0 {
            file.service[0].method[0].input_type = Some(".odd.Thing".to_owned());
        }
    });
    let unknown = Fault::UnknownType { symbol: ".odd.Thing".to_owned() };
    assert_eq!(faults(&screen(&bytes)), [(LEDGER.0, &unknown)]);
}

#[test]
fn a_strangers_well_known_file_does_not_count() {
    let bytes = edit(&compile(&[LEDGER, MONEY]), |file| {
        if file.name() == "google/protobuf/timestamp.proto" {
            file.message_type[0].field.clear();
        }
    });
    let set = screen(&bytes);
    assert_eq!(set.warnings(), []);
    assert!(set.files().iter().all(|file| !file.name.starts_with("google/")));
    assert!(set.files().iter().any(|file| file.imports.iter().any(|import| import.well_known)));

    let squatter = compile(&[("x.proto", "package google.protobuf; message Timestamp {}")]);
    assert!(matches!(faults(&screen(&squatter))[..], [("x.proto", Fault::DuplicateSymbol { .. })]));
}

#[test]
fn names_that_could_do_harm_are_refused() {
    for bad in
        ["", "/etc/x.proto", "../x.proto", "a/../../x.proto", "a//x.proto", "c:\\x.proto", "a\nb.proto"]
    {
        let set = screen(&set_of(vec![file(bad, &[])]));
        assert_eq!(faults(&set), [(bad, &Fault::BadFileName)]);
    }
    let long = "x".repeat(513);
    assert!(matches!(screen(&set_of(vec![file(&long, &[])])).warnings()[0].fault, Fault::NameTooLong { .. }));
    for bad in ["", "1x", "a-b", "a.b", "ü"] {
        let bytes = edit(&compile(&[ODD]), |file| file.message_type[0].name = Some(bad.to_owned()));
        assert!(matches!(screen(&bytes).warnings()[0].fault, Fault::BadIdentifier { .. }), "{bad}");
    }
    let mut bytes = compile(&[ODD]);
    let at = bytes.windows(5).position(|window| window == b"Thing").unwrap();
    bytes[at] = 0xff;
    assert_eq!(screen(&bytes).warnings()[0].fault, Fault::Malformed);
}

#[test]
fn each_limit_has_its_error() {
    let bytes = compile(&[LEDGER, MONEY]);
    let limits = Limits::default();
    let refused = |limits| Set::screen(&bytes, &limits).unwrap_err();
    assert!(matches!(refused(Limits { bytes: 10, ..limits }), Error::TooLarge { .. }));
    assert!(matches!(refused(Limits { files: 2, ..limits }), Error::TooManyFiles { limit: 2 }));
    assert!(matches!(refused(Limits { symbols: 3, ..limits }), Error::TooManySymbols { limit: 3 }));
    assert_eq!(Set::screen(&bytes[..bytes.len() - 1], &limits).unwrap_err(), Error::Malformed);
    // Ranges cost two bytes each, and thirty times that in memory.
    let ranges = |count: usize| {
        let mut message = vec![0x0a, 1, b'M'];
        message.extend([0x2a, 0].repeat(count));
        let message = prost_types::DescriptorProto::decode(&message[..]).unwrap();
        set_of(vec![FileDescriptorProto { message_type: vec![message], ..file("x.proto", &[]) }])
    };
    assert!(matches!(Set::screen(&ranges(600_000), &limits), Err(Error::TooManyParts { .. })));
    assert_eq!(screen(&ranges(1_000)).warnings(), []);
}

#[test]
fn comments_do_not_change_a_contract_and_types_do() {
    let services = [name("acme.Ledger")];
    let digest = |bytes: &[u8]| contract_digest(&services, Some(&screen(bytes)), None);
    let bytes = compile(&[LEDGER, MONEY, ODD]);
    let bare = edit(&bytes, |file| file.source_code_info = None);
    assert_ne!(bytes, bare);
    assert_eq!(digest(&bytes), digest(&bare));
    assert_eq!(
        digest(&bytes),
        digest(&compile(&[MONEY, LEDGER])),
        "what the service does not need counts not"
    );
    let richer =
        compile(&[LEDGER, (MONEY.0, "package acme; message Money { int64 units = 1; int32 nanos = 2; }")]);
    assert_ne!(digest(&bytes), digest(&richer));
    assert_ne!(contract_digest(&services, None, None), digest(&bytes));
    assert_ne!(contract_digest(&services, None, None), contract_digest(&[name("acme.Other")], None, None));
}
