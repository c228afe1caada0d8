//! Names of platforms, capabilities, versions, producers and services (AIP-122).

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A name that is not one, with the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}: {rule}")]
pub struct ParseNameError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

impl ParseNameError {
    fn new(kind: &'static str, text: &str, rule: &'static str) -> Self {
        // What strangers send is quoted, and cut, in errors and logs.
        let text = text.chars().take(80).collect();
        Self { kind, text, rule }
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Reads a ", $kind, ": ", $rule, ".")]
            pub fn parse(text: &str) -> Result<Self, ParseNameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.into())) } else { Err(ParseNameError::new($kind, text, $rule)) }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseNameError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseNameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
    };
}

word!(
    /// A platform's DNS-like name, unique in the federation: `payments.example`.
    PlatformName,
    "platform name",
    "lower-case DNS labels joined by dots, at most 253 characters",
    is_dns_name
);
word!(
    /// A capability's id in its platform: `ledger`.
    CapabilityId,
    "capability id",
    "a lower-case letter, then at most 62 lower-case letters, digits or inner hyphens",
    is_id
);
word!(
    /// A producer's id in its platform: `ledger-1`.
    ProducerId,
    "producer id",
    "a lower-case letter, then at most 62 lower-case letters, digits or inner hyphens",
    is_id
);
word!(
    /// A grant's id in its platform: `ledger`.
    GrantId,
    "grant id",
    "a lower-case letter, then at most 62 lower-case letters, digits or inner hyphens",
    is_id
);
word!(
    /// The full name of a gRPC service: `acme.ledger.v1.Ledger`.
    ServiceName,
    "service name",
    "protobuf identifiers joined by dots, at most 255 characters",
    is_full_name
);
word!(
    /// A granted prefix of service names, in whole segments: `acme.ledger` covers `acme.ledger.v1.Ledger`,
    /// not `acme.ledgers.v1.Ledger`.
    ServicePrefix,
    "service prefix",
    "protobuf identifiers joined by dots, at most 255 characters, without a trailing dot",
    is_full_name
);
word!(
    /// A broker's id: `hub-1`. It travels in `portolan-via`.
    BrokerId,
    "broker id",
    "lower-case DNS labels joined by dots, at most 253 characters",
    is_dns_name
);

impl ServicePrefix {
    /// Whether `service` stands under this prefix.
    pub fn covers(&self, service: &ServiceName) -> bool {
        covers(self.as_str(), service.as_str())
    }

    /// Whether every service under `other` stands under this prefix.
    pub fn contains(&self, other: &ServicePrefix) -> bool {
        covers(self.as_str(), other.as_str())
    }
}

impl ServiceName {
    /// Whether the name belongs to gRPC, Google or Portolan and can never be offered by a platform.
    pub fn is_reserved(&self) -> bool {
        ["grpc", "google", "portolan"].iter().any(|reserved| {
            let first = self.as_str().split('.').next().unwrap_or_default();
            first.eq_ignore_ascii_case(reserved)
        })
    }
}

macro_rules! resource {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $form:literal, [$($word:literal => $field:ident: $type:ty),+], $read:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub struct $name {
            $(#[doc = concat!("The part behind `", $word, "/`.")] pub $field: $type,)+
        }

        impl $name {
            #[doc = concat!("Reads the resource name `", $form, "`.")]
            pub fn parse(text: &str) -> Result<Self, ParseNameError> {
                let wrong = || ParseNameError::new($kind, text, concat!("it is written ", $form));
                let mut parts = text.split('/');
                $(
                    if parts.next() != Some($word) {
                        return Err(wrong());
                    }
                    let $field = $read(parts.next().ok_or_else(wrong)?).map_err(|_| wrong())?;
                )+
                if parts.next().is_some() {
                    return Err(wrong());
                }
                Ok(Self { $($field),+ })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut slash = "";
                $(
                    write!(f, "{slash}{}/{}", $word, self.$field)?;
                    slash = "/";
                )+
                let _ = slash;
                Ok(())
            }
        }
    };
}

fn read<T: std::str::FromStr>(text: &str) -> Result<T, T::Err> {
    text.parse()
}

resource!(
    /// `platforms/{platform}/capabilities/{capability}`.
    CapabilityName,
    "capability name",
    "platforms/{platform}/capabilities/{capability}",
    ["platforms" => platform: PlatformName, "capabilities" => capability: CapabilityId],
    read
);
resource!(
    /// `platforms/{platform}/capabilities/{capability}/versions/{version}`.
    VersionName,
    "version name",
    "platforms/{platform}/capabilities/{capability}/versions/{version}",
    ["platforms" => platform: PlatformName, "capabilities" => capability: CapabilityId, "versions" => version: semver::Version],
    read
);
resource!(
    /// `platforms/{platform}/producers/{producer}`.
    ProducerName,
    "producer name",
    "platforms/{platform}/producers/{producer}",
    ["platforms" => platform: PlatformName, "producers" => producer: ProducerId],
    read
);
resource!(
    /// `platforms/{platform}/grants/{grant}`.
    GrantName,
    "grant name",
    "platforms/{platform}/grants/{grant}",
    ["platforms" => platform: PlatformName, "grants" => grant: GrantId],
    read
);

impl VersionName {
    /// The capability whose version this is.
    pub fn capability_name(&self) -> CapabilityName {
        CapabilityName { platform: self.platform.clone(), capability: self.capability.clone() }
    }
}

fn covers(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_dns_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_id(text: &str) -> bool {
    text.len() <= 63
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
}

fn is_full_name(text: &str) -> bool {
    let is_ident = |ident: &str| {
        !ident.is_empty()
            && !ident.starts_with(|c: char| c.is_ascii_digit())
            && ident.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    text.len() <= 255 && text.split('.').all(is_ident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_name_reads_back() {
        let text = "platforms/payments.example/capabilities/ledger/versions/1.2.0-rc.1";
        assert_eq!(VersionName::parse(text).unwrap().to_string(), text);
        assert!(VersionName::parse("platforms/payments.example/capabilities/ledger").is_err());
        assert!(ProducerName::parse("platforms/p/producers/x/y").is_err());
    }

    #[test]
    fn a_look_alike_is_no_platform() {
        for bad in
            ["", "Payments.example", "payments.example.", "payments..example", "p\u{0430}yments", "-a", "a b"]
        {
            assert!(PlatformName::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_covers_whole_segments_only() {
        let prefix = ServicePrefix::parse("acme.ledger").unwrap();
        let covers = |name| prefix.covers(&ServiceName::parse(name).unwrap());
        assert!(covers("acme.ledger.v1.Ledger"));
        assert!(!covers("acme.ledgers.v1.Ledger"));
        assert!(!covers("acme"));
    }

    #[test]
    fn reserved_names_are_known_in_any_case() {
        for name in
            ["grpc.health.v1.Health", "google.x.Y", "portolan.registry.v1.RegistryService", "Portolan.x"]
        {
            assert!(ServiceName::parse(name).unwrap().is_reserved(), "{name}");
        }
        assert!(!ServiceName::parse("grpcish.v1.X").unwrap().is_reserved());
    }
}
