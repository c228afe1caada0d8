//! A checked filter, evaluated against one thing after another.

use super::ast::Op;
use super::text::{Needle, Pattern};
use jiff::Timestamp;
use semver::Version;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Something that a filter is asked about. Fields are named by their place in the schema.
pub trait Item {
    /// What a field holds that holds one value.
    fn value(&self, field: usize) -> Value<'_>;

    /// What stands under a key of a map.
    fn entry(&self, field: usize, key: &str) -> Option<&str>;

    /// Whether one of several texts, or one of the keys of a map, passes.
    fn any(&self, field: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool;

    /// Whether one of the texts passes that words without a field are looked for in.
    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Absent,
    /// A text.
    Text(Cow<'a, str>),
    /// One of the schema's words.
    Word(&'static str),
    /// A time.
    Time(Timestamp),
    /// A number.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// A semantic version.
    Version(&'a Version),
}

/// A filter whose fields and values are known.
#[derive(Debug, Clone)]
pub struct Query {
    pub(super) root: Test,
}

impl Query {
    /// Whether an item passes.
    pub fn matches(&self, item: &impl Item) -> bool {
        self.root.passes(item)
    }

    /// Whether the answer hangs on a field.
    pub fn reads(&self, field: usize) -> bool {
        self.root.reads(field)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Test {
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// Found in one of the item's texts.
    Found(Needle),
    /// A field with one value.
    Field(usize, Check),
    /// A key of a map.
    Entry(usize, String, Check),
    /// One of several texts or keys.
    Among(usize, Pattern),
}

/// What one value must be. `!=` is [`Test::Not`] around `=`, so that it holds where there is nothing (AIP-160).
#[derive(Debug, Clone)]
pub(super) enum Check {
    Present,
    Like(Pattern),
    Holds(Needle),
    Word(&'static str),
    Boolean(bool),
    Text(Op, String),
    Time(Op, Timestamp),
    Number(Op, f64),
    Version(Op, Version),
    /// `1.*`, `1.2.*`
    Within(u64, Option<u64>),
}

impl Test {
    fn passes(&self, item: &impl Item) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.passes(item)),
            Self::Any(tests) => tests.iter().any(|test| test.passes(item)),
            Self::Not(test) => !test.passes(item),
            Self::Found(needle) => item.any_text(&mut |text| needle.is_in(text)),
            Self::Field(field, check) => check.passes(item.value(*field)),
            Self::Entry(field, key, check) => {
                check.passes(item.entry(*field, key).map_or(Value::Absent, |text| Value::Text(text.into())))
            }
            Self::Among(field, pattern) => item.any(*field, &mut |text| pattern.matches(text)),
        }
    }

    fn reads(&self, wanted: usize) -> bool {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().any(|test| test.reads(wanted)),
            Self::Not(test) => test.reads(wanted),
            Self::Found(_) => false,
            Self::Field(field, _) | Self::Entry(field, ..) | Self::Among(field, _) => *field == wanted,
        }
    }

    /// What is cheap is asked first.
    pub(super) fn cost(&self) -> usize {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().map(Self::cost).sum(),
            Self::Not(test) => test.cost(),
            Self::Found(_) => 16,
            Self::Among(..) => 4,
            Self::Entry(..) => 2,
            Self::Field(..) => 1,
        }
    }
}

impl Check {
    fn passes(&self, value: Value<'_>) -> bool {
        match (self, &value) {
            (Self::Present, value) => is_present(value),
            (Self::Like(pattern), Value::Text(text)) => pattern.matches(text),
            (Self::Holds(needle), Value::Text(text)) => needle.is_in(text),
            (Self::Word(word), Value::Word(value)) => word == value,
            (Self::Boolean(wanted), Value::Boolean(value)) => wanted == value,
            (Self::Text(op, wanted), Value::Text(value)) => holds(*op, value.as_ref().cmp(wanted)),
            (Self::Time(op, wanted), Value::Time(value)) => holds(*op, value.cmp(wanted)),
            (Self::Number(op, wanted), Value::Number(value)) => holds(*op, value.total_cmp(wanted)),
            (Self::Version(Op::Equal, wanted), Value::Version(value)) => wanted == *value,
            (Self::Version(op, wanted), Value::Version(value)) => holds(*op, value.cmp_precedence(wanted)),
            (Self::Within(major, minor), Value::Version(value)) => {
                value.major == *major && minor.is_none_or(|minor| value.minor == minor)
            }
            _ => false,
        }
    }
}

/// A value that is not the default of its field.
fn is_present(value: &Value<'_>) -> bool {
    match value {
        Value::Absent => false,
        Value::Text(text) => !text.is_empty(),
        Value::Boolean(value) => *value,
        Value::Number(value) => *value != 0.0,
        Value::Word(_) | Value::Time(_) | Value::Version(_) => true,
    }
}

fn holds(op: Op, order: Ordering) -> bool {
    match op {
        Op::Less => order.is_lt(),
        Op::LessEqual => order.is_le(),
        Op::Greater => order.is_gt(),
        Op::GreaterEqual => order.is_ge(),
        Op::Equal | Op::Has => order.is_eq(),
        Op::NotEqual => order.is_ne(),
    }
}
