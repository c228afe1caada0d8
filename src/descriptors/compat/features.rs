//! What an edition means for the wire and for JSON, as far as compatibility depends on it.
//!
//! `syntax` counts as an edition, as in `google/protobuf/descriptor.proto`. Editions later than 2024 are not known here:
//! they are read as 2024, and [`Features::may_differ`] says when that cannot be relied on.

use crate::descriptors::raw::Fields;

const PROTO2: u64 = 998;
const PROTO3: u64 = 999;
const LAST_KNOWN: u64 = 1001;

/// `FeatureSet.FieldPresence.LEGACY_REQUIRED`.
const LEGACY_REQUIRED: u64 = 3;
/// `FeatureSet.MessageEncoding.DELIMITED`.
const DELIMITED: u64 = 2;
/// `FeatureSet.JsonFormat.ALLOW`.
const ALLOW: u64 = 1;

/// The features in force at some place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    edition: u64,
    presence: u64,
    encoding: u64,
    json: u64,
}

impl Features {
    /// Those of a file.
    pub(super) fn of_file(file: &[u8]) -> Self {
        let mut edition = PROTO2;
        for field in Fields::of(file).flatten() {
            match field.number {
                12 if field.text() == Ok("proto3") => edition = PROTO3,
                14 => edition = field.number().unwrap_or(edition),
                _ => {}
            }
        }
        let json = if edition == PROTO2 { 2 } else { ALLOW };
        Self { edition, presence: 0, encoding: 0, json }.inside(file, 8, 50)
    }

    /// Those inside a part whose options stand in field `options`, and in there its features in field `features`.
    pub(super) fn inside(mut self, part: &[u8], options: u32, features: u32) -> Self {
        for set in parts(part, options).flat_map(|options| parts(options, features)) {
            for field in Fields::of(set).flatten() {
                let value = field.number().unwrap_or_default();
                match field.number {
                    1 => self.presence = value,
                    5 => self.encoding = value,
                    6 => self.json = value,
                    _ => {}
                }
            }
        }
        self
    }

    /// Whether a singular field must be there.
    pub(super) fn required(self) -> bool {
        self.presence == LEGACY_REQUIRED
    }

    /// Whether a message stands between group tags.
    pub(super) fn delimited(self) -> bool {
        self.encoding == DELIMITED
    }

    /// Whether JSON is promised to work.
    pub(super) fn json(self) -> bool {
        self.json == ALLOW
    }

    /// Whether what is not written may mean something else on each side: one edition is unknown, the other is another.
    pub(super) fn may_differ(self, other: Self) -> bool {
        self.edition != other.edition && self.edition.max(other.edition) > LAST_KNOWN
    }
}

/// The length-delimited values of field `number`.
pub(super) fn parts(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    Fields::of(message).flatten().filter(move |field| field.number == number).filter_map(|f| f.bytes().ok())
}

/// The last number in field `number`.
pub(super) fn number(message: &[u8], number: u32) -> Option<u64> {
    Fields::of(message)
        .flatten()
        .filter(|field| field.number == number)
        .filter_map(|f| f.number().ok())
        .last()
}

/// The last text in field `number`.
pub(super) fn text(message: &[u8], number: u32) -> Option<&str> {
    Fields::of(message).flatten().filter(|field| field.number == number).filter_map(|f| f.text().ok()).last()
}
