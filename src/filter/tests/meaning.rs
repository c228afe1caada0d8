//! What passes a filter, and what comes first.

use super::{SCHEMA, Thing, thing};
use crate::filter::{Filter, OrderBy};

fn passes(text: &str) -> bool {
    let query = Filter::parse(text).and_then(|filter| filter.check(SCHEMA));
    query.unwrap_or_else(|error| panic!("{}", error.render(text))).matches(&thing())
}

#[test]
fn each_comparison_means_what_aip_160_says() {
    let table = [
        ("", true),
        ("  ", true),
        ("ledger", true),
        ("LEDGER payments", true),
        ("ledger refund", false),
        ("\"payments ledger\"", true),
        ("pay*ger", true),
        ("ger*pay", false),
        ("-refund", true),
        ("NOT ledger", false),
        ("name = \"Payments Ledger\"", true),
        ("name = \"payments ledger\"", false),
        ("name = \"*Ledger\"", true),
        ("name = Payments*", true),
        ("name != Payments*", false),
        ("name:ledger", true),
        ("name:*", true),
        ("name > Paxxxxxx", true),
        ("name < Paxxxxxx", false),
        ("stage = stable", true),
        ("stage:STAGE_STABLE", true),
        ("stage != stable", false),
        ("version = 1.10.0", true),
        ("version > 1.9.0", true),
        ("version >= 1.10", true),
        ("version < 2", true),
        ("version = 1.*", true),
        ("version = 1.1.*", false),
        ("version != 1.1.*", true),
        ("version <= 1.10.0-rc.1", false),
        ("sunset_time < 2026-06-02", true),
        ("sunset_time = 2026-06-01T14:00:00+02:00", true),
        ("sunset_time > \"2026-06-01T12:00:00Z\"", false),
        ("sunset_time:*", true),
        ("weight = -2.5", true),
        ("weight < -2e0", true),
        ("weight != -2.5", false),
        ("describable = true", true),
        ("describable != true", false),
        ("labels:team", true),
        ("labels:te*", true),
        ("labels:owner", false),
        ("labels.team:*", true),
        ("labels.team:gold", true),
        ("labels.team = g*", true),
        ("labels.team > a", true),
        ("labels.acme.dev/tier = 1", true),
        ("labels.\"acme.dev/tier\" = 1", true),
        ("services:acme.ledger.v1.Admin", true),
        ("services:*.Ledger", true),
        ("services:acme.Ledger", false),
        ("-services:acme.Ledger", true),
    ];
    for (text, expected) in table {
        assert_eq!(passes(text), expected, "{text}");
    }
}

#[test]
fn what_is_absent_passes_nothing_but_a_negation() {
    for (text, expected) in [
        ("labels.owner = x", false),
        ("labels.owner < x", false),
        ("labels.owner:*", false),
        ("labels.owner != x", true),
        ("slo.latency < 9", false),
        ("slo.latency != 9", true),
    ] {
        assert_eq!(passes(text), expected, "{text}");
    }
}

#[test]
fn or_binds_tighter_than_a_sequence_and_that_tighter_than_and() {
    let same = |a: &str, b: &str| {
        let (a, b) = (Filter::parse(a).unwrap(), Filter::parse(b).unwrap());
        assert_eq!(a, b, "{a}");
    };
    same("a AND b OR c", "a AND (b OR c)");
    same("a b AND c AND d", "(a b) AND c AND d");
    same("New York Giants OR Yankees", "New York (Giants OR Yankees)");
    same("NOT a OR b", "(NOT a) OR b");
    same("-a b", "(NOT a) b");
    same("((a))", "a");
    same("a=b", "a = b");
    assert!(passes("refund AND refund OR ledger OR x") == passes("refund AND (refund OR ledger)"));
    assert!(!passes("ledger OR x AND refund"));
}

#[test]
fn the_canonical_text_has_quotes_and_parentheses_only_where_needed() {
    let table = [
        ("  a   b ", "a b"),
        ("a AND (b AND c)", "a AND (b AND c)"),
        ("(a OR b) AND (c d)", "a OR b AND c d"),
        ("-( a )", "NOT a"),
        ("-(a b)", "NOT (a b)"),
        ("\"a\"", "a"),
        ("'it is'", "\"it is\""),
        ("\"AND\" and", "\"AND\" and"),
        ("stage='stable'", "stage = stable"),
        ("labels : team", "labels:team"),
        ("t<2026-01-01T00:00:00Z", "t < \"2026-01-01T00:00:00Z\""),
        ("a = ***", "a = *"),
        ("a = \"\\**\"", "a = \"\\**\""),
        ("", ""),
    ];
    for (text, canonical) in table {
        assert_eq!(Filter::parse(text).unwrap().to_string(), canonical, "{text}");
    }
}

#[test]
fn an_order_compares_field_by_field_and_the_absent_comes_last() {
    let base = thing();
    let old = Thing { version: semver::Version::new(1, 9, 0), sunset: None, ..base.clone() };
    let beta = Thing { stage: "beta", labels: &[], ..base.clone() };
    let things = [("base", base), ("old", old), ("beta", beta)];
    let sorted = |text: &str| {
        let order = OrderBy::parse(text, SCHEMA).unwrap();
        let mut sorted = things.to_vec();
        sorted.sort_by(|(_, a), (_, b)| order.compare(a, b));
        sorted.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sorted(""), "base old beta");
    assert_eq!(sorted("version"), "old base beta");
    assert_eq!(sorted("stage, version"), "beta old base");
    assert_eq!(sorted("stage desc, version desc"), "base old beta");
    assert_eq!(sorted("sunset_time,stage"), "beta base old");
    assert_eq!(sorted("labels.team, stage"), "base old beta");
    let text = "stage desc,  labels.team asc ,name";
    assert_eq!(OrderBy::parse(text, SCHEMA).unwrap().to_string(), "stage desc, labels.team, name");
}
