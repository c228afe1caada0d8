//! What a producer declares, before it is judged.

use super::{
    CapabilityId, Endpoint, Facts, Identity, ProducerName, ServiceName, Slo, Stage, Version, Visibility,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The whole of what a producer offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// Platform and id.
    pub producer: ProducerName,
    /// The identity its certificate carries; `None` is the caller's own. As the caller wrote it: a SPIFFE id or
    /// `dns:name`.
    pub identity: Option<String>,
    /// Where it listens.
    pub endpoints: Vec<Endpoint>,
    /// All that it serves.
    pub offers: Vec<Offer>,
    /// The term it asks for; `None` is the broker's default.
    pub lease: Option<Duration>,
    /// Whether it holds without a lease, until it is deregistered.
    pub permanent: bool,
}

/// One version of a capability, as a producer declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The capability's id in its platform.
    pub capability: CapabilityId,
    /// The semantic version.
    pub version: semver::Version,
    /// Its gRPC services.
    pub services: Vec<ServiceName>,
    /// A serialized `google.protobuf.FileDescriptorSet`; empty is "not describable".
    /// It is no part of the stored form: descriptor sets are kept beside, by digest.
    #[serde(skip)]
    pub descriptor_set: Vec<u8>,
    /// JSON Schema (2020-12) of its parameters.
    pub parameter_schema: Option<String>,
    /// Whether services and descriptors are to be read from the producers, by reflection. `services`, if any, say
    /// which of theirs belong to it. Never from a registration.
    pub discover: bool,
    /// What it is for.
    pub description: String,
    /// The team that owns it.
    pub owner: String,
    /// How to reach the owner.
    pub contact: String,
    /// How far it is in its life.
    pub stage: Stage,
    /// Since when it is deprecated.
    pub deprecation_time: Option<Timestamp>,
    /// When it stops being served.
    pub sunset_time: Option<Timestamp>,
    /// Who may see and call it, besides its owner.
    pub visibility: Visibility,
    /// What the owner promises.
    pub slo: Slo,
    /// Its share of calls that ask for no version, 1 to 1000.
    #[serde(default)]
    pub traffic_weight: Option<u16>,
    /// What else the owner says.
    #[serde(default = "Facts::none")]
    pub facts: Arc<Facts>,
}

impl Offer {
    /// What its owner would declare to have this version.
    pub fn of(version: &Version, descriptor_set: Vec<u8>) -> Self {
        Self {
            capability: version.name.capability.clone(),
            version: version.name.version.clone(),
            services: version.services.clone(),
            descriptor_set,
            parameter_schema: version.parameter_schema.as_deref().map(str::to_owned),
            discover: false,
            description: version.description.clone(),
            owner: version.owner.clone(),
            contact: version.contact.clone(),
            stage: version.stage,
            deprecation_time: version.deprecation_time,
            sunset_time: version.sunset_time,
            visibility: version.visibility.clone(),
            slo: version.slo,
            traffic_weight: version.traffic_weight,
            facts: version.facts.clone(),
        }
    }
}

/// A term for which a registration holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Opaque and unguessable.
    pub id: String,
    /// The producer it holds for.
    pub producer: ProducerName,
    /// Who registered, and alone may renew.
    pub holder: Identity,
    /// The term; `None` holds until it is deregistered.
    pub term: Option<Duration>,
}
