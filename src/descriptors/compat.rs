//! Whether a contract may follow another one: what its consumers would lose, by path and rule.
//!
//! Owns: the rules of `docs/compatibility.md`, and the readable difference of two contracts.
//! Never: builds a descriptor pool, fetches what a schema names, decides which versions are compared.

mod contract;
mod difference;
mod features;
mod protobuf;
mod schema;
mod shape;
mod types;

use super::fault::excerpt;
use super::set::Set;
use crate::model::ServiceName;
use std::fmt;

pub use difference::difference;
pub use schema::check_schema;

/// Breaks that are listed; of more only the number is told.
const LISTED: usize = 100;

/// What a version promises: its services, the descriptors of their messages, and what its parameters may be.
#[derive(Debug, Clone, Copy)]
pub struct Contract<'a> {
    /// The gRPC services.
    pub services: &'a [ServiceName],
    /// The descriptors, if it has any. Only the files that the services need count.
    pub set: Option<&'a Set>,
    /// The JSON Schema of its parameters, if it has any.
    pub parameter_schema: Option<&'a str>,
}

/// One thing that a consumer of the old contract would lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// What breaks: `acme.ledger.v1.Ledger.Post`, `acme.ledger.v1.PostRequest.amount`,
    /// `parameter_schema:/properties/size/maximum`. Names from strangers, cut and safe to print.
    pub path: String,
    /// The rule: buf's id where buf has the rule.
    pub rule: &'static str,
    /// How it breaks, in a sentence.
    pub message: String,
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.path, self.rule, self.message)
    }
}

/// What consumers of `old` would lose in `new`; empty if `new` may follow within one major version.
///
/// The reference is buf's category `WIRE_JSON`; `docs/compatibility.md` says where this is stricter. At most 101: beyond
/// a hundred the last one (rule `MORE_BREAKS`) tells how many are left out. Two contracts with one digest never break.
pub fn breaks(old: Contract<'_>, new: Contract<'_>) -> Vec<Break> {
    let mut found = Breaks::default();
    protobuf::compare(old, new, &mut found);
    schema::compare(old.parameter_schema, new.parameter_schema, &mut found);
    found.finish()
}

/// Whether a consumer who asks for one version may be given the other, as caret ranges of semver have it: one major; for
/// 0.x one minor; for 0.0.x nothing else. Only versions beside each other are compared.
pub fn is_beside(a: &semver::Version, b: &semver::Version) -> bool {
    let line = |version: &semver::Version| match (version.major, version.minor) {
        (0, 0) => (0, 0, version.patch),
        (0, minor) => (0, minor, 0),
        (major, _) => (major, 0, 0),
    };
    line(a) == line(b)
}

/// Breaks, as many as are listed, and the count of the others.
#[derive(Default)]
struct Breaks {
    listed: Vec<Break>,
    more: usize,
}

impl Breaks {
    fn add(&mut self, path: impl AsRef<str>, rule: &'static str, message: impl Into<String>) {
        if self.listed.len() < LISTED {
            self.listed.push(Break { path: shown(path.as_ref()), rule, message: shown(&message.into()) });
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<Break> {
        if self.more > 0 {
            let message = format!("{} more are not listed", self.more);
            self.listed.push(Break { path: "contract".to_owned(), rule: "MORE_BREAKS", message });
        }
        self.listed
    }
}

/// Text with parts from strangers: as long as any honest one, and nothing in it steers a terminal.
fn shown(path: &str) -> String {
    let clean = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    path.chars().take(1100).map(clean).collect()
}

/// A text of a stranger in a message: quoted, escaped and cut.
fn quoted(text: &str) -> String {
    format!("{:?}", excerpt(text))
}

/// A JSON pointer (RFC 6901), one step further.
fn pointer(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}
