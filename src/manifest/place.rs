//! Where a field stands: the document is read once more, and stops there.

use super::document::Document;
use super::tree::place;
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a map.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// Writes `spec.endpoints[1].address`.
pub(super) fn show(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Line and column of a field's key or of an item; of the nearest thing around it where it is not there.
pub(super) fn locate(document: &Document<'_>, path: &[Step]) -> (usize, usize) {
    let seek = Seek { path };
    match seek.deserialize(yaml_serde::Deserializer::from_str(document.text)) {
        // An error has a place, and nothing else of YAML does: we raise one where we want to know it.
        Err(error) => place(document, &error),
        Ok(()) => match path.split_last() {
            Some((_, around)) => locate(document, around),
            None => (document.line(), 1),
        },
    }
}

/// Raises an error where the path ends.
struct Seek<'p> {
    path: &'p [Step],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match self.path {
            [] => from.deserialize_any(Here),
            _ => from.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the path says")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let (wanted, rest) = match self.path {
            [Step::Key(wanted), rest @ ..] => (Some(wanted.as_str()), rest),
            _ => (None, self.path),
        };
        while let Some(found) = entries.next_key_seed(Key { wanted, last: rest.is_empty() })? {
            match found {
                true => entries.next_value_seed(Seek { path: rest })?,
                false => entries.next_value::<IgnoredAny>().map(drop)?,
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let (wanted, rest) = match self.path {
            [Step::Index(wanted), rest @ ..] => (Some(*wanted), rest),
            _ => (None, self.path),
        };
        for index in 0.. {
            let more = match wanted == Some(index) {
                true => items.next_element_seed(Seek { path: rest })?.is_some(),
                false => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }
}

/// Takes no value, so that each is an error with a place.
struct Here;

impl Visitor<'_> for Here {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

/// Whether a key is the wanted one; the last one is an error with a place.
struct Key<'p> {
    wanted: Option<&'p str>,
    last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<bool, D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<bool, E> {
        match self.wanted == Some(key) {
            true if self.last => Err(E::custom("here")),
            found => Ok(found),
        }
    }
}
