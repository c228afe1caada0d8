//! What manifests declare: platforms as code.

use super::{
    CapabilityId, CapabilityName, Endpoint, GrantName, Offer, PlatformName, ProducerName, ServiceName,
    ServicePrefix, TrustDomain, VersionName, Visibility,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One thing that shall be, and where that is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// Where it stands: `payments/ledger.yaml:12`.
    pub origin: String,
    /// What it is.
    pub spec: Spec,
}

/// What shall be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spec {
    /// A platform.
    Platform(PlatformSpec),
    /// Service names that a platform may offer.
    Grant(GrantSpec),
    /// What the versions of a capability have in common.
    Capability(CapabilitySpec),
    /// A version, with or without producers.
    Version(VersionSpec),
    /// A workload that does not register by itself.
    Producer(ProducerSpec),
    /// An operator's decision about a service name.
    Override(OverrideSpec),
}

/// A platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSpec {
    /// Its name.
    pub name: PlatformName,
    /// A name for people; may be empty.
    pub display_name: String,
    /// Whose identities speak for it.
    pub trust_domain: TrustDomain,
}

/// Service names that a platform may offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantSpec {
    /// The platform and the grant's id in it.
    pub name: GrantName,
    /// What its services' names begin with. At least one.
    pub service_prefixes: Vec<ServicePrefix>,
}

/// What the versions of a capability have in common, where they do not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilitySpec {
    /// Its name.
    pub name: CapabilityName,
    /// What it is for.
    pub description: String,
    /// The team that owns it.
    pub owner: String,
    /// How to reach the owner.
    pub contact: String,
    /// Whom to wake.
    pub on_call: String,
    /// How it is supported.
    pub support_tier: String,
    /// What is counted for its cost.
    pub cost_unit: String,
    /// Words to find it by.
    pub labels: BTreeMap<String, String>,
    /// Who may see and call it.
    pub visibility: Visibility,
}

/// A version, with or without producers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionSpec {
    /// The platform.
    pub platform: PlatformName,
    /// What is offered. Where [`Offer::discover`] is set, its contract is read from the producers.
    pub offer: Offer,
}

/// A workload that does not register by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProducerSpec {
    /// Its name.
    pub name: ProducerName,
    /// The identity its certificate carries, as written: a SPIFFE id or `dns:name`.
    pub identity: String,
    /// Where it listens. At least one.
    pub endpoints: Vec<Endpoint>,
    /// What it serves. At least one.
    pub versions: Vec<(CapabilityId, semver::Version)>,
    /// How often a discovered contract is read again; `None` is the broker's default.
    pub discovery_interval: Option<Duration>,
}

/// An operator's decision about a service name that two platforms claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverrideSpec {
    /// The name.
    pub service: ServiceName,
    /// Who shall have it.
    pub platform: PlatformName,
    /// When the decision ends.
    pub expires: Timestamp,
    /// Why; for people.
    pub reason: String,
}

impl Spec {
    /// Its kind, as manifests write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Spec::Platform(_) => "Platform",
            Spec::Grant(_) => "Grant",
            Spec::Capability(_) => "Capability",
            Spec::Version(_) => "Version",
            Spec::Producer(_) => "Producer",
            Spec::Override(_) => "Override",
        }
    }

    /// The platform it speaks of.
    pub fn platform(&self) -> &PlatformName {
        match self {
            Spec::Platform(spec) => &spec.name,
            Spec::Grant(spec) => &spec.name.platform,
            Spec::Capability(spec) => &spec.name.platform,
            Spec::Version(spec) => &spec.platform,
            Spec::Producer(spec) => &spec.name.platform,
            Spec::Override(spec) => &spec.platform,
        }
    }

    /// Its resource name; unique together with the kind.
    pub fn name(&self) -> String {
        match self {
            Spec::Platform(spec) => format!("platforms/{}", spec.name),
            Spec::Grant(spec) => spec.name.to_string(),
            Spec::Capability(spec) => spec.name.to_string(),
            Spec::Version(spec) => spec.name().to_string(),
            Spec::Producer(spec) => spec.name.to_string(),
            Spec::Override(spec) => format!("overrides/{}", spec.service),
        }
    }
}

impl VersionSpec {
    /// Its name.
    pub fn name(&self) -> VersionName {
        VersionName {
            platform: self.platform.clone(),
            capability: self.offer.capability.clone(),
            version: self.offer.version.clone(),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.spec.kind(), self.spec.name())
    }
}
