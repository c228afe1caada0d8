//! What a list may be asked for: AIP-160 filters and AIP-132 orders, parsed, printed, checked and evaluated.
//!
//! Never: knows what it filters. A [`Schema`] names the fields, an [`Item`] gives their values.
//!
//! Flow: text → [`Filter`] (syntax) → [`Query`] (checked against a schema) → `matches`, which allocates nothing.

mod ast;
mod check;
mod cursor;
mod error;
mod order;
mod parser;
mod print;
mod query;
mod schema;
mod text;

pub use error::{Error, Fault};
pub use order::OrderBy;
pub use query::{Item, Query, Value};
pub use schema::{Field, Kind, Schema};

use ast::Node;

/// No filter and no order is longer, in bytes.
pub const LONGEST: usize = 4096;
/// No filter has more words, quoted texts and comparisons.
pub const MOST_TERMS: usize = 100;
/// Parentheses stand no deeper.
pub const DEEPEST: usize = 20;

/// A filter as it was written: correct by the grammar of AIP-160, with fields and values that nobody has looked at.
///
/// It prints itself in one canonical form, which reads back as the same filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    root: Option<Node>,
}

impl Filter {
    /// Reads a filter; the empty text is the filter that everything passes.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { root: parser::parse(text)? })
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Looks up fields and reads values, so that the filter can be evaluated.
    pub fn check(&self, schema: Schema) -> Result<Query, Error> {
        check::check(self.root.as_ref(), schema)
    }
}

#[cfg(test)]
mod tests;
