//! Names of records: whose they are can be read from them.

use super::{CapabilityId, PlatformName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The longest name of a record, in bytes.
pub const LONGEST_NAME: usize = 768;

/// A record's name: `platforms/{p}/capabilities/{c}/versions/{v}`, with more behind it; unique by kind and origin.
///
/// What lies under `platforms/` belongs to that platform, in kinds that nobody here knows too.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecordName(Arc<str>);

/// A record's name that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a record's name: {rule}")]
pub struct ParseRecordNameError {
    text: String,
    rule: &'static str,
}

impl RecordName {
    /// Reads a name: visible ASCII without blanks, at most 768 bytes. Under `platforms/` a platform's name must follow,
    /// under its `capabilities/` a capability's id.
    pub fn parse(text: &str) -> Result<Self, ParseRecordNameError> {
        let wrong = |rule| ParseRecordNameError { text: text.chars().take(120).collect(), rule };
        let is_plain = text.bytes().all(|b| b.is_ascii_graphic());
        if text.is_empty() || text.len() > LONGEST_NAME || !is_plain {
            return Err(wrong("1 to 768 bytes of visible ASCII without blanks"));
        }
        if text.split('/').any(|step| matches!(step, "" | "." | "..")) {
            return Err(wrong("no step of it is empty, . or .."));
        }
        let mut steps = text.split('/');
        if steps.next() == Some("platforms") {
            let platform = steps.next().unwrap_or_default();
            PlatformName::parse(platform).map_err(|_| wrong("a platform's name stands behind platforms/"))?;
            if steps.next() == Some("capabilities") {
                let id = steps.next().unwrap_or_default();
                CapabilityId::parse(id)
                    .map_err(|_| wrong("a capability's id stands behind capabilities/"))?;
            }
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says which rule it breaks.
    pub(super) fn wrong(&self, rule: &'static str) -> ParseRecordNameError {
        ParseRecordNameError { text: self.0.chars().take(120).collect(), rule }
    }

    /// The platform that it belongs to, if it belongs to one.
    pub fn platform(&self) -> Option<&str> {
        self.0.strip_prefix("platforms/")?.split('/').next()
    }

    /// The capability that it belongs to, by its id in the platform.
    pub fn capability(&self) -> Option<&str> {
        let mut steps = self.0.strip_prefix("platforms/")?.split('/').skip(1);
        if steps.next()? == "capabilities" { steps.next() } else { None }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl TryFrom<String> for RecordName {
    type Error = ParseRecordNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<RecordName> for String {
    fn from(name: RecordName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for RecordName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_is() {
        let name =
            RecordName::parse("platforms/p.example/capabilities/ledger/versions/1.0.0/status").unwrap();
        assert_eq!((name.platform(), name.capability()), (Some("p.example"), Some("ledger")));
        let name = RecordName::parse("trustBundles/p.example").unwrap();
        assert_eq!((name.platform(), name.capability()), (None, None));
        let name = RecordName::parse("platforms/p.example/moods/x").unwrap();
        assert_eq!((name.platform(), name.capability()), (Some("p.example"), None));
    }

    #[test]
    fn what_hides_its_owner_is_no_name() {
        let long = "x".repeat(LONGEST_NAME + 1);
        for bad in [
            "",
            "platforms",
            "platforms/",
            "platforms/P.example",
            "platforms/../x",
            "platforms//p",
            "platforms/p/capabilities",
            "platforms/p/capabilities/Ledger",
            "a b",
            "a\nb",
            "pl\u{430}tforms/p",
            "/platforms/p",
            &long,
        ] {
            assert!(RecordName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
