//! What is remembered of a contract, also when nobody serves it any more.

use super::{Digest, ServiceName, Source, Version, VersionName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A contract that was once taken. It holds for its version for ever, whoever serves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contract {
    /// The version.
    pub name: VersionName,
    /// Digest of the contract: services, descriptor closure, parameter schema.
    pub digest: Digest,
    /// Content address of its descriptor set; `None` is "routable, not describable".
    pub descriptors: Option<Digest>,
    /// Its gRPC services, sorted.
    pub services: Vec<ServiceName>,
    /// JSON Schema (2020-12) of its parameters.
    pub parameter_schema: Option<Arc<str>>,
    /// When it was first taken.
    pub created: Timestamp,
    /// Through which source.
    pub source: Source,
    /// Who declared it first: an identity, or the file and line of a manifest. May be empty.
    pub origin: String,
}

impl Contract {
    /// What its service names and its schema take up: all of it that its author may make large.
    pub fn bytes(&self) -> usize {
        bytes(&self.services, self.parameter_schema.as_deref())
    }

    /// What [`Contract::bytes`] would be of this version.
    pub fn bytes_of(version: &Version) -> usize {
        bytes(&version.services, version.parameter_schema.as_deref())
    }

    /// The contract of a version that `origin` declared first.
    pub fn of(version: &Version, created: Timestamp, source: Source, origin: String) -> Self {
        Self {
            name: version.name.clone(),
            digest: version.digest,
            descriptors: version.descriptors,
            services: version.services.clone(),
            parameter_schema: version.parameter_schema.clone(),
            created,
            source,
            origin,
        }
    }
}

fn bytes(services: &[ServiceName], schema: Option<&str>) -> usize {
    let names: usize = services.iter().map(|name| size_of::<ServiceName>() + name.as_str().len()).sum();
    names + schema.map_or(0, str::len)
}
