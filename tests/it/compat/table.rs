//! Changes of a contract, and what is said of each.

use super::Change;

mod declarations;
mod fields;
mod syntaxes;

/// All rows.
pub fn changes() -> impl Iterator<Item = &'static Change> {
    [fields::CHANGES, declarations::CHANGES, syntaxes::CHANGES].into_iter().flatten()
}

const TYPE: &[&str] = &["FIELD_WIRE_JSON_COMPATIBLE_TYPE"];
const SAME_TYPE: &[&str] = &["FIELD_SAME_TYPE"];
const CARDINALITY: &[&str] = &["FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY"];
const REQUIRED: &[&str] = &["MESSAGE_SAME_REQUIRED_FIELDS"];
const NAME: &[&str] = &["FIELD_SAME_NAME"];
const NAMES: &[&str] = &["FIELD_SAME_JSON_NAME", "FIELD_SAME_NAME"];
const DELETED: &[&str] = &[NUMBER, "FIELD_NO_DELETE_UNLESS_NAME_RESERVED"];
const BOTH: &[&str] = &["FIELD_WIRE_JSON_COMPATIBLE_CARDINALITY", "MESSAGE_SAME_REQUIRED_FIELDS"];
const NUMBER: &str = "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED";
const RESERVED: &[&str] = &["RESERVED_MESSAGE_NO_DELETE"];
const ONEOF: &[&str] = &["FIELD_SAME_ONEOF"];
const DEFAULT: &[&str] = &["FIELD_SAME_DEFAULT"];
const NONE: &[&str] = &[];

const fn same(old: &'static str, new: &'static str, rules: &'static [&'static str]) -> Change {
    Change { old, new, ours: rules, buf: rules, why: "" }
}

const fn other(
    old: &'static str,
    new: &'static str,
    ours: &'static [&'static str],
    buf: &'static [&'static str],
    why: &'static str,
) -> Change {
    Change { old, new, ours, buf, why }
}

const SIGN: &str = "the bytes fit and the meaning of negative numbers does not";
const GONE: &str = "a reservation protects the number, not the consumer who sends the field";
