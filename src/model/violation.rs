//! One thing that is wrong with what somebody handed in.

use std::fmt;

/// One item at fault, with where it stands, a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field: `versions[1].services[0]`.
    pub field: String,
    /// `UPPER_SNAKE_CASE`, stable, for programs.
    pub reason: &'static str,
    /// What is wrong and how to mend it, for people.
    pub message: String,
}

impl Violation {
    /// Says what is wrong with `field`.
    pub fn new(field: impl Into<String>, reason: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.field, self.message, self.reason)
    }
}
