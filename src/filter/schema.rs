//! The fields that may be asked for, and what they hold.

use super::ast::Column;
use super::error::{Error, Fault, nearest, quoted};

/// The fields of one kind of thing.
#[derive(Debug, Clone, Copy)]
pub struct Schema(pub &'static [Field]);

/// A field.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name as it is written; dots are part of it.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text; empty is as good as none.
    Text,
    /// One of these words, in their order.
    Words(&'static [&'static str]),
    /// A time.
    Time,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A semantic version, ordered by its precedence.
    Version,
    /// Texts by keys: `labels.team`.
    Map,
    /// Several texts.
    Texts,
}

/// A field that was found: its place in the schema, and the key in a map.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) index: usize,
    pub(super) field: Field,
    pub(super) key: Option<String>,
}

impl Schema {
    /// Finds what a path means.
    pub(super) fn find(self, path: &[String], at: Column) -> Result<Found, Error> {
        let name = path.join(".");
        let place = |name: &str| self.0.iter().position(|field| field.name == name);
        if let Some(index) = place(&name) {
            return Ok(Found { index, field: self.0[index], key: None });
        }
        let (Some(index), Some(key)) = (place(&path[0]), path.get(1..).filter(|key| !key.is_empty())) else {
            return Err(Error::new(at, Fault::UnknownField { hint: self.hint(&name), name: quoted(&name) }));
        };
        let field = self.0[index];
        match field.kind {
            Kind::Map if key.iter().all(|part| !part.is_empty()) => {
                Ok(Found { index, field, key: Some(key.join(".")) })
            }
            Kind::Map => Err(Error::new(at, Fault::EmptyName)),
            _ => Err(Error::new(at, Fault::NoParts { field: field.name })),
        }
    }

    fn hint(self, wrong: &str) -> String {
        let names = self.0.iter().map(|field| field.name);
        match nearest(wrong, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "quote it to find it as text, or take one of {}",
                names.collect::<Vec<_>>().join(", ")
            ),
        }
    }
}
