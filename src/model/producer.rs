//! Workloads that serve versions, and where they listen.

use super::{Address, Freshness, Identity, Origin, Path, ProducerName, Stamp, VersionName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A workload that serves versions at one or more endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Producer {
    /// Platform and id.
    pub name: ProducerName,
    /// The identity its certificate must carry when it is dialled.
    pub identity: Identity,
    /// The identity that registered it; only that one renews.
    pub registrant: Identity,
    /// Where it listens. At least one.
    pub endpoints: Vec<Endpoint>,
    /// What it serves, sorted.
    pub versions: Vec<VersionName>,
    /// How it came into the catalogue.
    pub source: Source,
    /// How far this record may be believed now.
    pub freshness: Freshness,
    /// When its lease ends unless renewed; `None` without a lease.
    pub lease_expires: Option<Timestamp>,
    /// When it was first registered.
    pub created: Timestamp,
    /// When it was last registered or renewed.
    pub updated: Timestamp,
    /// How we know of it, if another broker tells of it; shared, because many come the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Arc<Provenance>>,
}

/// Where a fact that another broker tells came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// Who told it first.
    pub origin: Origin,
    /// Which state of it this is.
    pub stamp: Stamp,
    /// The brokers that it passed: its origin first, the one that told us last.
    pub path: Path,
    /// When it came here, by our clock.
    pub received: Timestamp,
}

/// How a fact came into the catalogue.
///
/// Where two sources say different things of one version, the lesser in this order is in force: what the operator
/// wrote down before what a program said, then what a server was seen to say, and what comes from far away last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// From the broker's configuration file.
    Configuration,
    /// From manifests: platform as code.
    Manifest,
    /// By `RegisterProducer`.
    Registration,
    /// Read from the server itself, by reflection.
    Discovery,
    /// From the records of another broker.
    Federation,
}

/// Where a producer listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// Host and port, or a socket of its own machine.
    pub address: Address,
    /// Where it stands, from the widest to the narrowest: `region/zone`. May be empty.
    pub locality: Arc<str>,
    /// Share of the traffic among endpoints of one locality: 1 to 1000.
    pub weight: u16,
}
