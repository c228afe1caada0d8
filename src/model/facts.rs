//! What an owner says of a version beyond its contract: whom it needs, whom to wake, what it costs.

use super::service_config::{Idempotent, ServiceConfig};
use super::{CapabilityName, VersionName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// What an owner says of a version beyond its contract. It may change while the contract stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Words to find it by.
    pub labels: BTreeMap<String, String>,
    /// The version to move to.
    pub replacement: Option<VersionName>,
    /// Which changes a provisioned capability still takes.
    pub availability: Availability,
    /// What it stands on; the owner's business.
    pub depends_on: Vec<Requirement>,
    /// What its consumer must have.
    pub prerequisites: Vec<Requirement>,
    /// Whom to wake: an address, a channel, a URL. May be empty.
    pub on_call: String,
    /// How it is supported. May be empty.
    pub support_tier: String,
    /// What is counted for its cost. May be empty.
    pub cost_unit: String,
    /// The metadata key whose value keeps calls with one endpoint (consistent hashing). Empty: calls are balanced freely.
    pub sticky_key: String,
    /// What its consumers must observe: names of policies, or URLs.
    pub obligations: Vec<String>,
    /// How its methods are to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_config: Option<ServiceConfig>,
    /// Methods that may run more than once, by path. Read from its descriptors, never said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub idempotent: Vec<Idempotent>,
}

/// Which changes a provisioned capability still takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// All of them.
    #[default]
    Open,
    /// No new instances.
    NoNew,
    /// No new instances and no updates.
    NoUpdate,
    /// Nothing but deletion.
    DeleteOnly,
}

/// A capability that something needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Which.
    pub capability: CapabilityName,
    /// Which of its versions will do.
    pub range: semver::VersionReq,
}

impl Facts {
    /// Nothing; shared by all that say nothing.
    pub fn none() -> Arc<Self> {
        static NONE: LazyLock<Arc<Facts>> = LazyLock::new(Arc::default);
        NONE.clone()
    }

    /// Whether nothing is said.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The method of this path, if it may run more than once.
    pub fn idempotent(&self, service: &str, method: &str) -> Option<&Idempotent> {
        let is_it = |known: &&Idempotent| known.path.split_once('/') == Some((service, method));
        self.idempotent.iter().find(is_it)
    }

    /// Shares them; those that say nothing are all one.
    pub fn shared(self) -> Arc<Self> {
        if self.is_none() { Self::none() } else { Arc::new(self) }
    }
}

impl Requirement {
    /// Whether a version fulfils it. A pre-release does only where the range names one of the same numbers.
    pub fn takes(&self, version: &VersionName) -> bool {
        version.platform == self.capability.platform
            && version.capability == self.capability.capability
            && self.range.matches(&version.version)
    }
}
