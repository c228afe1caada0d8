//! The nouns of the federation: parsed once, and then they cannot be wrong.
//!
//! Owns: names, identities, contracts, producers, conditions; records and what may pass between brokers.
//! Never: I/O, clocks, async. Time comes in as a value.

mod address;
mod condition;
mod contract;
mod digest;
mod drift;
mod endpoint_rules;
mod facts;
mod freshness;
mod identity;
mod name;
mod nearest;
mod network;
mod payload;
mod peering;
mod producer;
mod record;
mod record_name;
mod registration;
mod rejection;
mod resource;
mod rules;
pub mod service_config;
pub mod sync;
mod text;
mod travel;
mod validity;
mod version;
mod violation;

pub use address::{Address, ParseAddressError, Place};
pub use condition::{Condition, Freshness, State};
pub use contract::Contract;
pub use digest::{Digest, ParseDigestError};
pub use drift::{Clash, ClashKind, Drift};
pub use endpoint_rules::{EndpointRules, Forbidden};
pub use facts::{Availability, Facts, Requirement};
pub use freshness::{Ageing, Heard};
pub use identity::{Identity, ParseIdentityError, Subject, TrustDomain};
pub use name::{
    BrokerId, CapabilityId, CapabilityName, GrantId, GrantName, ParseNameError, PlatformName, ProducerId,
    ProducerName, ServiceName, ServicePrefix, VersionName,
};
pub use nearest::nearest;
pub use network::{Network, ParseNetworkError};
pub use payload::{Authorities, Health, Payload, Report, Serving, Topic};
pub use peering::{Export, HOP_LIMIT, Peering, Role, Withheld};
pub use producer::{Endpoint, Producer, Provenance, Source};
pub use record::{Head, Kind, LARGEST_BODY, MOST_LABELS, Origin, Record, RecordKey, Scope, Signed, Stamp};
pub use record_name::{LONGEST_NAME, ParseRecordNameError, RecordName};
pub use registration::{Lease, Offer, Registration};
pub use rejection::{Rejection, RejectionKind};
pub use resource::{
    CapabilitySpec, GrantSpec, OverrideSpec, PlatformSpec, ProducerSpec, Resource, Spec, VersionSpec,
};
pub use rules::{BorderRule, BorderRules, ParsePatternError, Pattern};
pub use text::is_invisible;
pub use travel::{LONGEST_PATH, Path, Travel};
pub use validity::Validity;
pub use version::{Platform, Slo, Stage, Version, Visibility};
pub use violation::Violation;
