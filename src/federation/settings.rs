//! What a registration may ask for, and how much of it.

use crate::descriptors::Limits;
use crate::model::{EndpointRules, TrustDomain};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the operator decides about registrations.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// How long registrations hold.
    pub terms: Terms,
    /// How much a platform may register.
    pub quota: Quota,
    /// Which addresses may be registered.
    pub endpoints: EndpointRules,
    /// How much of a descriptor set is taken.
    pub descriptors: Limits,
    /// The trust domains that the broker can verify; no other can own a platform.
    pub trust_domains: BTreeSet<TrustDomain>,
    /// Whether a directory of manifests is watched; what it declares cannot be changed by request.
    pub is_folder_watched: bool,
}

/// How long registrations hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// For a producer that asks for none.
    pub default: Duration,
    /// The shortest that is granted.
    pub shortest: Duration,
    /// The longest that is granted.
    pub longest: Duration,
    /// How long an unrenewed producer is still routed to, as STALE.
    pub grace: Duration,
}

/// How much a platform may register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// Producers of a platform. When all are taken, the one that expired first gives way.
    pub producers: usize,
    /// Endpoints of a producer.
    pub endpoints: usize,
    /// Versions of a producer.
    pub versions: usize,
    /// Services of a version.
    pub services: usize,
    /// Services of all versions of a producer together.
    pub services_in_all: usize,
    /// Bytes of descriptor sets of a platform.
    pub descriptor_bytes: usize,
    /// Contracts of a platform that are remembered: all that were ever taken, so that none changes.
    pub contracts: usize,
    /// Capabilities, versions and producers of a platform that manifests declare.
    pub declared: usize,
    /// Bytes of service names and parameter schemas of the contracts of a platform that are remembered.
    pub contract_bytes: usize,
    /// Registrations of one identity in a second; renewals may be ten times as many.
    pub registrations_per_second: u32,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            default: Duration::from_secs(30),
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(600),
            grace: Duration::from_secs(60),
        }
    }
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            producers: 1_000,
            endpoints: 64,
            versions: 1_000,
            services: 100,
            services_in_all: 5_000,
            descriptor_bytes: 256 << 20,
            contracts: 20_000,
            declared: 25_000,
            contract_bytes: 64 << 20,
            registrations_per_second: 50,
        }
    }
}
