//! What breaks and what does not: the rules that no foreign tool needs to confirm, and bytes of every kind.

use super::compile::compile;
use crate::descriptors::{Contract, Limits, Set, breaks, contract_digest, difference};
use crate::model::ServiceName;
use proptest::prelude::*;

const LEDGER: &str = r#"package acme.v1;
    service Ledger { rpc Post(PostRequest) returns (Entry); rpc Follow(PostRequest) returns (stream Entry); }
    message PostRequest { int64 amount = 3; string note = 4; Side side = 5; }
    message Entry { map<string, Side> sides = 1; oneof what { string a = 2; string b = 3; } Entry parent = 4; }
    enum Side { DEBIT = 0; CREDIT = 1; }
    message Unreached { int32 x = 1; }"#;

fn set(source: &str) -> Set {
    Set::screen(&compile(&[("acme/ledger.proto", source)]), &Limits::default()).unwrap()
}

/// Both the breaks and the difference between two sources that declare `acme.v1.Ledger`.
fn compare(old: &str, new: &str) -> (Vec<String>, Vec<String>) {
    let services = [ServiceName::parse("acme.v1.Ledger").unwrap()];
    let (old, new) = (set(old), set(new));
    let contract = |set| Contract { services: &services, set: Some(set), parameter_schema: None };
    let (before, after) = (contract(&old), contract(&new));
    let difference = difference(before, after);
    let digest = |set| contract_digest(&services, Some(set), None);
    assert_eq!(difference.is_empty(), digest(&old) == digest(&new));
    (breaks(before, after).iter().map(ToString::to_string).collect(), difference)
}

#[test]
fn a_contract_follows_itself() {
    assert_eq!(compare(LEDGER, LEDGER), (vec![], vec![]));
}

#[test]
fn breaks_name_path_rule_and_cause() {
    let new = LEDGER.replace("int64 amount = 3; string note = 4;", "int64 amount = 7; bytes note = 4;");
    let new = new.replace("rpc Follow(PostRequest) returns (stream Entry);", "").replace("CREDIT = 1;", "");
    let (breaks, difference) = compare(LEDGER, &new);
    assert_eq!(
        breaks,
        [
            "acme.v1.Ledger.Follow: RPC_NO_DELETE: the method is gone",
            "acme.v1.PostRequest.amount: FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED: its number was 3 and is 7",
            "acme.v1.PostRequest.note: FIELD_WIRE_JSON_COMPATIBLE_TYPE: its type was string and is bytes",
            "acme.v1.Side.CREDIT: ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED: value 1 is gone",
        ]
    );
    assert_eq!(
        difference,
        [
            "- method acme.v1.Ledger.Follow: (acme.v1.PostRequest) returns (stream acme.v1.Entry)",
            "- field 3 amount of acme.v1.PostRequest: int64",
            "~ field 4 note of acme.v1.PostRequest: string -> bytes",
            "+ field 7 amount of acme.v1.PostRequest: int64",
            "- value CREDIT of acme.v1.Side: 1",
        ]
    );
}

#[test]
fn what_no_method_reaches_may_change_and_is_told() {
    let (breaks, difference) = compare(LEDGER, &LEDGER.replace("int32 x = 1;", "string y = 2;"));
    assert_eq!(breaks, [""; 0]);
    assert_eq!(
        difference,
        ["- field 1 x of acme.v1.Unreached: int32", "+ field 2 y of acme.v1.Unreached: string"]
    );
}

#[test]
fn a_change_of_options_alone_is_told_by_file() {
    let new = LEDGER.replace("package acme.v1;", "package acme.v1; option java_package = \"x\";");
    let (breaks, difference) = compare(LEDGER, &new);
    assert_eq!(breaks, [""; 0]);
    assert_eq!(difference, ["~ file \"acme/ledger.proto\": only its options, imports or layout differ"]);
}

#[test]
fn services_and_descriptors_that_go_are_breaks() {
    let set = set(LEDGER);
    let services = [ServiceName::parse("acme.v1.Ledger").unwrap()];
    let with = Contract { services: &services, set: Some(&set), parameter_schema: None };
    let rules = |new| breaks(with, new).iter().map(|b| b.rule).collect::<Vec<_>>();
    assert_eq!(rules(Contract { services: &[], ..with }), ["SERVICE_NO_DELETE"]);
    assert_eq!(rules(Contract { set: None, ..with }), ["DESCRIPTORS_NO_DELETE"]);
    assert_eq!(breaks(Contract { set: None, ..with }, with), []);
    let gone = difference(with, Contract { set: None, ..with });
    assert!(
        gone.contains(
            &"- method acme.v1.Ledger.Post: (acme.v1.PostRequest) returns (acme.v1.Entry)".to_owned()
        )
    );
    assert!(gone.contains(&"- file \"acme/ledger.proto\"".to_owned()));
}

#[test]
fn a_flood_of_breaks_is_counted_not_listed() {
    let fields: String = (1..=300).map(|n| format!("int32 f{n} = {n};")).collect();
    let source = |fields: &str| {
        format!("package acme.v1; service Ledger {{ rpc Post(M) returns (M); }} message M {{ {fields} }}")
    };
    let (breaks, difference) = compare(&source(&fields), &source(""));
    assert_eq!((breaks.len(), difference.len()), (101, 101));
    assert_eq!(breaks[100], "contract: MORE_BREAKS: 200 more are not listed");
    assert_eq!(difference[100], "and 200 more");
}

#[test]
fn a_parameter_schema_counts_whatever_the_order_of_its_keys() {
    let schema = |text| Contract { services: &[], set: None, parameter_schema: text };
    let digest = |text| contract_digest(&[], None, text);
    let old = Some(r#"{"type":"object","properties":{"size":{"type":"integer","maximum":9},"a/b":{}}}"#);
    let same =
        Some(r#"{ "properties": {"a/b": {}, "size": {"maximum": 9, "type": "integer"}}, "type": "object" }"#);
    let new =
        Some(r#"{"type":"object","properties":{"size":{"type":"integer","maximum":5}},"required":["size"]}"#);
    assert_eq!(digest(old), digest(same));
    assert!(digest(old) != digest(new) && digest(old) != digest(None));
    assert_eq!(difference(schema(old), schema(same)), [""; 0]);
    assert_eq!(
        difference(schema(old), schema(new)),
        [
            "- parameter_schema:/properties/a~1b: {}",
            "~ parameter_schema:/properties/size/maximum: 9 -> 5",
            "+ parameter_schema:/required: [\"size\"]",
        ]
    );
    assert_eq!(difference(schema(None), schema(Some("{}"))), ["+ parameter_schema:: {}"]);
}

/// A field of any kind, numbered and named by `number`.
fn field() -> impl Strategy<Value = fn(usize) -> String> {
    prop::sample::select(vec![
        (|n| format!("int32 f{n} = {n};")) as fn(usize) -> String,
        |n| format!("optional string f{n} = {n};"),
        |n| format!("repeated bytes f{n} = {n};"),
        |n| format!("map<int64, M0> f{n} = {n};"),
        |n| format!("oneof o{n} {{ M1 f{n} = {n}; Side s{n} = {}; }}", n + 100),
        |n| format!("M1 f{n} = {n} [json_name = \"j{n}\"];"),
        |n| format!("repeated M0 f{n} = {n}; reserved {};", n + 200),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn a_field_that_is_added_breaks_nothing_and_one_that_goes_does(
        fields in prop::collection::vec((field(), 0..2_usize), 1..12), gone in any::<prop::sample::Index>()
    ) {
        let source = |skipped: Option<usize>| {
            let of = |message: usize| -> String {
                let own = fields.iter().enumerate().filter(|(at, (_, of))| *of == message && Some(*at) != skipped);
                own.map(|(at, (field, _))| field(at + 1)).collect()
            };
            let service = "package acme.v1; service Ledger { rpc Post(M0) returns (M1); } enum Side { A = 0; }";
            format!("{service} message M0 {{ {} }} message M1 {{ {} }}", of(0), of(1))
        };
        let (whole, without) = (source(None), source(Some(gone.index(fields.len()))));
        prop_assert_eq!(compare(&without, &whole).0, [""; 0]);
        prop_assert!(!compare(&whole, &without).0.is_empty());
    }
}
