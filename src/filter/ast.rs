//! The tree of a filter, as the grammar gives it: nothing is flattened, only needless parentheses are gone.

use super::text::Pattern;
use std::fmt;

/// An expression. `And`, `Sequence` and `Or` have two parts at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// `a AND b`: all of them; it binds loosest.
    And(Vec<Node>),
    /// `a b`: all of them, as words that stand side by side.
    Sequence(Vec<Node>),
    /// `a OR b`: any of them; it binds tighter than `AND`.
    Or(Vec<Node>),
    /// `NOT a`, `-a`.
    Not(Box<Node>),
    /// A bare word or quoted text: to be found anywhere.
    Text(Pattern),
    /// A field compared with a value.
    Restriction(Restriction),
}

/// `path op value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Restriction {
    /// A field, and what stands inside it.
    pub(super) path: Vec<String>,
    pub(super) op: Op,
    pub(super) value: Pattern,
    /// Where the path, the comparator and the value begin.
    pub(super) at: [Column; 3],
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Has,
}

impl Op {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::Has => ":",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A place in the text: 1 is the first character. Filters are equal wherever their parts stood.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Column(pub(super) usize);

impl PartialEq for Column {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Column {}
