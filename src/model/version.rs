//! Platforms, and the immutable contracts they offer.

use super::{Digest, Facts, PlatformName, ServiceName, ServicePrefix, TrustDomain, VersionName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A registry of capabilities run by one organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// Its DNS-like name.
    pub name: PlatformName,
    /// A name for people; may be empty.
    pub display_name: String,
    /// Whose identities speak for it.
    pub trust_domain: TrustDomain,
    /// The service names it owns.
    pub service_prefixes: Vec<ServicePrefix>,
}

/// An immutable contract of a capability, with what its owner says about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Platform, capability and semantic version.
    pub name: VersionName,
    /// The gRPC services of the contract, sorted.
    pub services: Vec<ServiceName>,
    /// Content address of its descriptor set; `None` is "routable, not describable".
    pub descriptors: Option<Digest>,
    /// JSON Schema (2020-12) of its parameters.
    #[serde(default)]
    pub parameter_schema: Option<Arc<str>>,
    /// Digest of the contract: services, descriptor closure, parameter schema.
    pub digest: Digest,
    /// What it is for.
    pub description: String,
    /// The team that owns it.
    pub owner: String,
    /// How to reach the owner.
    pub contact: String,
    /// How far it is in its life.
    pub stage: Stage,
    /// Since when it is deprecated (RFC 9745).
    pub deprecation_time: Option<Timestamp>,
    /// When it stops being served (RFC 8594).
    pub sunset_time: Option<Timestamp>,
    /// Who may see and call it, besides its owner.
    pub visibility: Visibility,
    /// What the owner promises.
    pub slo: Slo,
    /// Its share of calls that ask for no version, 1 to 1000, among the versions of the service that say one.
    #[serde(default)]
    pub traffic_weight: Option<u16>,
    /// What else its owner says; shared, because most versions say little.
    #[serde(default = "Facts::none", skip_serializing_if = "Facts::is_none")]
    pub facts: Arc<Facts>,
}

#[cfg(test)]
impl Version {
    /// A stable version for everyone that says nothing else, for tests.
    pub(crate) fn plain(name: &str) -> Self {
        Self {
            name: VersionName::parse(name).unwrap(),
            services: Vec::new(),
            descriptors: None,
            parameter_schema: None,
            digest: Digest::of(b""),
            description: String::new(),
            owner: String::new(),
            contact: String::new(),
            stage: Stage::Stable,
            deprecation_time: None,
            sunset_time: None,
            visibility: Visibility::everyone(),
            slo: Slo::default(),
            traffic_weight: None,
            facts: Facts::none(),
        }
    }
}

/// How far a version is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// May change or vanish.
    Alpha,
    /// Complete, may still change.
    Beta,
    /// For everyone.
    Stable,
    /// Still served; move away before the sunset.
    Deprecated,
    /// No longer served.
    Retired,
}

/// Who may see and call a version, besides its owner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visibility {
    /// Every platform of the federation.
    pub everyone: bool,
    /// These platforms.
    pub platforms: BTreeSet<PlatformName>,
}

/// What an owner promises.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Availability in percent, above 0 and at most 100.
    pub availability_percent: Option<f64>,
    /// 99th percentile of the latency of unary calls.
    pub latency_p99: Option<Duration>,
}

impl Stage {
    /// Routing prefers a lower rank: stable, deprecated, beta, alpha; retired is never routed.
    pub fn rank(self) -> u8 {
        match self {
            Stage::Stable => 0,
            Stage::Deprecated => 1,
            Stage::Beta => 2,
            Stage::Alpha => 3,
            Stage::Retired => 4,
        }
    }
}

impl Visibility {
    /// Every platform may see and call.
    pub fn everyone() -> Self {
        Self { everyone: true, platforms: BTreeSet::new() }
    }
}

impl Version {
    /// Orders versions as routing prefers them: by stage, then the newest first.
    pub fn routing_order(&self, other: &Self) -> std::cmp::Ordering {
        let pre = |v: &Self| !v.name.version.pre.is_empty();
        (self.stage.rank(), pre(self))
            .cmp(&(other.stage.rank(), pre(other)))
            .then_with(|| other.name.version.cmp(&self.name.version))
            .then_with(|| self.name.cmp(&other.name))
    }
}
