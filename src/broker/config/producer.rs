//! Producers that cannot register by themselves, declared by hand.

use super::capability::{Capability, capability};
use super::platform::{Platform, Platforms, reference};
use super::reader::{Field, Table};
use super::schema;
use crate::federation::discovery::{self, Target};
use crate::model::{self, Address, Identity, PlatformName, ProducerId, ProducerName, Registration};
use schemars::JsonSchema;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

/// A producer that cannot register by itself. It needs no lease: it is there until the file says otherwise.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Producer {
    /// The platform it belongs to.
    #[schemars(with = "String")]
    pub platform: PlatformName,
    /// Its id in the platform: a lower-case letter, then letters, digits and inner hyphens.
    #[schemars(with = "String")]
    pub id: ProducerId,
    /// What its certificate must say when the broker dials it: a SPIFFE id, or `dns:name`, of the platform's trust domain.
    #[schemars(with = "String")]
    pub identity: Identity,
    /// Where it listens.
    #[schemars(length(min = 1))]
    pub endpoints: Vec<Endpoint>,
    /// The versions of capabilities that it serves.
    #[schemars(length(min = 1))]
    pub capabilities: Vec<Capability>,
    /// How often contracts with `discover` are read again from the server: 2 s to 3 min.
    #[schemars(schema_with = "schema::duration", default, extend("default" = "1m"))]
    pub discovery_interval: Duration,
}

/// Where a producer listens.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// `host:port`; an IPv6 host in brackets.
    #[schemars(with = "String")]
    pub address: Address,
    /// Where it stands, from the widest to the narrowest: `region/zone`.
    #[schemars(default)]
    pub locality: String,
    /// Share of the traffic among endpoints of one locality.
    #[schemars(default, range(min = 1, max = 1000), extend("default" = 1))]
    pub weight: u16,
}

impl Producer {
    /// What it would declare if it could.
    pub fn registration(&self) -> Registration {
        let endpoint = |endpoint: &Endpoint| model::Endpoint {
            address: endpoint.address.clone(),
            locality: endpoint.locality.as_str().into(),
            weight: endpoint.weight,
        };
        Registration {
            producer: ProducerName { platform: self.platform.clone(), producer: self.id.clone() },
            identity: Some(self.identity.to_string()),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
            offers: self.capabilities.iter().map(Capability::offer).collect(),
            lease: None,
            permanent: false,
        }
    }

    /// The server to read, if any contract is to be read from it.
    pub fn target(&self) -> Option<Target> {
        self.capabilities.iter().any(|capability| capability.discover).then(|| Target {
            registration: self.registration(),
            identity: self.identity.clone(),
            interval: self.discovery_interval,
            origin: "the configuration file".to_owned(),
        })
    }
}

pub(super) fn producers(root: &Table<'_>, platforms: &Platforms) -> Vec<Producer> {
    let names: BTreeSet<_> = platforms.known.keys().cloned().collect();
    let seen = RefCell::new(BTreeSet::new());
    root.entries("producers", |table| {
        let platform = table
            .need("platform", "say which platform it belongs to")
            .and_then(|field| reference(&field, PlatformName::parse, &names, "platforms"));
        let home = platform.as_ref().and_then(|name| platforms.known.get(name)?.as_ref());
        let id = table.need("id", "name the producer: id = \"ledger-1\"").and_then(|field| {
            let id = field.parsed(ProducerId::parse, "write a name such as \"ledger-1\"")?;
            if platform.is_none() || seen.borrow_mut().insert((platform.clone(), id.clone())) {
                return Some(id);
            }
            field.fault(
                format!("the producer {id} of this platform is already there"),
                "put all its endpoints and capabilities into one entry",
            )
        });
        let identity = table
            .need(
                "identity",
                "say what its certificate carries: identity = \"spiffe://payments.example/ledger\"",
            )
            .and_then(|field| identity(&field, home));
        let endpoints = table
            .need("endpoints", "say where it listens: endpoints = [{ address = \"10.0.0.1:50051\" }]")
            .and_then(|field| field.some(|item| item.table(endpoint)));
        let versions = RefCell::new(BTreeSet::new());
        let capabilities = table
            .need("capabilities", "say what it serves: [[producers.capabilities]]")
            .and_then(|field| field.some(|item| item.table(|table| capability(table, home, &versions))));
        let discovery_interval = table
            .get("discovery_interval")
            .map_or(Some(discovery::INTERVAL), |field| field.duration(discovery::INTERVALS));
        Some(Producer {
            discovery_interval: discovery_interval?,
            platform: platform?,
            id: id?,
            identity: identity?,
            endpoints: endpoints?,
            capabilities: capabilities?,
        })
    })
}

fn endpoint(table: &Table<'_>) -> Option<Endpoint> {
    let address = table
        .need("address", "write address = \"host:port\"")
        .and_then(|field| field.parsed(Address::parse, "write \"host:port\""));
    let locality = table.get("locality").map_or(Some(String::new()), |field| field.text().map(str::to_owned));
    let weight = table.get("weight").map_or(Some(1), |field| field.whole(1..=1000));
    Some(Endpoint { address: address?, locality: locality?, weight: weight? as u16 })
}

fn identity(field: &Field<'_>, home: Option<&Platform>) -> Option<Identity> {
    let fix = "write a SPIFFE id, or dns:name";
    // Without its platform nothing can be said about it; the platform's own fault is told.
    let home = home?;
    let identity = field.parsed(|text| Identity::parse(text, &home.trust_domain), fix)?;
    if identity.trust_domain == home.trust_domain {
        return Some(identity);
    }
    field.fault(
        format!("{identity} is no identity of {}", home.trust_domain),
        format!("a producer of {} has an identity of its trust domain, {}", home.name, home.trust_domain),
    )
}
