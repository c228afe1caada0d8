//! What records say, by kind; and the names under which they say it.

use super::{
    Endpoint, Identity, Kind, ParseRecordNameError, Platform, PlatformName, ProducerId, RecordName, State,
    TrustDomain, Version, VersionName,
};
use bytes::Bytes;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What a record is about: its kind and name, read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `trustBundles/{domain}`.
    Bundle(TrustDomain),
    /// `platforms/{platform}`.
    Platform(PlatformName),
    /// `{version}/descriptors`.
    Descriptors(VersionName),
    /// `platforms/{platform}/capabilities/{capability}/versions/{version}`.
    Version(VersionName),
    /// `{version}/producers/{producer}`.
    Producer(VersionName, ProducerId),
    /// `{version}/status`.
    Status(VersionName),
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The authorities of an organisation.
    Bundle(Authorities),
    /// A platform.
    Platform(Platform),
    /// The descriptor set of a version.
    Descriptors {
        /// Of which.
        version: VersionName,
        /// A serialized `google.protobuf.FileDescriptorSet`.
        bytes: Bytes,
    },
    /// A version. What can be read from its descriptors, its receiver reads itself.
    Version(Box<Version>),
    /// A producer of one version.
    Producer(Serving),
    /// How a version is.
    Status(Report),
}

/// The authorities of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities {
    /// Whose.
    pub trust_domain: TrustDomain,
    /// Their certificates, DER.
    pub certificates: Vec<Bytes>,
}

/// A producer of one version. Each version tells of its producers by itself, so that a peer learns of no version but those
/// that it may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// What it serves.
    pub version: VersionName,
    /// Its id in the platform.
    pub producer: ProducerId,
    /// The identity that its certificate carries; of its platform's trust domain.
    pub identity: Identity,
    /// Where it listens; empty if it is reached through its broker alone.
    pub endpoints: Vec<Endpoint>,
    /// When it was first registered.
    pub created: Timestamp,
}

/// How a version and its producers are, as its origin saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which version.
    pub version: VersionName,
    /// The version, folded from its producers.
    pub health: Health,
    /// Its producers.
    pub producers: BTreeMap<ProducerId, Health>,
}

/// How something is, as another broker saw it. How old that is, its progress marks say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub state: State,
    /// Why, for programs: `UPPER_SNAKE_CASE`.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

impl Topic {
    /// Reads what a record is about; `None` for a kind that is not known here.
    pub fn parse(kind: Kind, name: &RecordName) -> Result<Option<Self>, ParseRecordNameError> {
        let text = name.as_str();
        let version = |text: &str| VersionName::parse(text).ok();
        let topic = match kind {
            Kind::Bundle => {
                let domain = text.strip_prefix("trustBundles/").and_then(|d| TrustDomain::parse(d).ok());
                domain.map(Topic::Bundle)
            }
            Kind::Platform => {
                let platform = text.strip_prefix("platforms/").and_then(|p| PlatformName::parse(p).ok());
                platform.map(Topic::Platform)
            }
            Kind::Descriptors => text.strip_suffix("/descriptors").and_then(version).map(Topic::Descriptors),
            Kind::Version => version(text).map(Topic::Version),
            Kind::Producer => text.rsplit_once("/producers/").and_then(|(version, producer)| {
                Some(Topic::Producer(VersionName::parse(version).ok()?, ProducerId::parse(producer).ok()?))
            }),
            Kind::Status => text.strip_suffix("/status").and_then(version).map(Topic::Status),
            Kind::Other(_) => return Ok(None),
        };
        topic.map(Some).ok_or_else(|| name.wrong("it is not written as records of its kind are"))
    }

    /// The kind of records about it.
    pub fn kind(&self) -> Kind {
        match self {
            Topic::Bundle(_) => Kind::Bundle,
            Topic::Platform(_) => Kind::Platform,
            Topic::Descriptors(_) => Kind::Descriptors,
            Topic::Version(_) => Kind::Version,
            Topic::Producer(..) => Kind::Producer,
            Topic::Status(_) => Kind::Status,
        }
    }

    /// The name of records about it; an error if it would be too long.
    pub fn name(&self) -> Result<RecordName, ParseRecordNameError> {
        RecordName::parse(&match self {
            Topic::Bundle(domain) => format!("trustBundles/{domain}"),
            Topic::Platform(platform) => format!("platforms/{platform}"),
            Topic::Descriptors(version) => format!("{version}/descriptors"),
            Topic::Version(version) => version.to_string(),
            Topic::Producer(version, producer) => format!("{version}/producers/{producer}"),
            Topic::Status(version) => format!("{version}/status"),
        })
    }

    /// The version that it belongs to, if it belongs to one.
    pub fn version(&self) -> Option<&VersionName> {
        match self {
            Topic::Bundle(_) | Topic::Platform(_) => None,
            Topic::Descriptors(version)
            | Topic::Version(version)
            | Topic::Producer(version, _)
            | Topic::Status(version) => Some(version),
        }
    }
}

impl Payload {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        match self {
            Payload::Bundle(bundle) => Topic::Bundle(bundle.trust_domain.clone()),
            Payload::Platform(platform) => Topic::Platform(platform.name.clone()),
            Payload::Descriptors { version, .. } => Topic::Descriptors(version.clone()),
            Payload::Version(version) => Topic::Version(version.name.clone()),
            Payload::Producer(serving) => Topic::Producer(serving.version.clone(), serving.producer.clone()),
            Payload::Status(report) => Topic::Status(report.version.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_read_back() {
        let version = VersionName::parse("platforms/p.example/capabilities/c/versions/1.0.0-rc.1").unwrap();
        let id = ProducerId::parse("x-1").unwrap();
        let topics = [
            Topic::Bundle(TrustDomain::parse("p_1.example").unwrap()),
            Topic::Platform(version.platform.clone()),
            Topic::Descriptors(version.clone()),
            Topic::Version(version.clone()),
            Topic::Producer(version.clone(), id),
            Topic::Status(version),
        ];
        for topic in &topics {
            let name = topic.name().unwrap();
            assert_eq!(Topic::parse(topic.kind(), &name).unwrap().as_ref(), Some(topic));
            for other in topics.iter().filter(|other| other.kind() != topic.kind()) {
                assert!(Topic::parse(other.kind(), &name).is_err(), "{name} as {}", other.kind());
            }
            assert_eq!(Topic::parse(Kind::Other(77), &name), Ok(None));
        }
    }

    #[test]
    fn no_version_hides_a_topic_in_its_own_name() {
        let name = "platforms/p/capabilities/c/versions/1.0.0/status/descriptors";
        assert!(Topic::parse(Kind::Descriptors, &RecordName::parse(name).unwrap()).is_err());
    }
}
