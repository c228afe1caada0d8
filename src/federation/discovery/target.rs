//! A server whose contracts are read from itself, under the names that the operator gave.

use crate::model::{Freshness, Identity};
use crate::model::{Offer, Producer, ProducerName, Registration, ServiceName, Source};
use crate::uplink::reflection::Described;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The servers to read, by the producer that each is.
pub type Targets = Arc<BTreeMap<ProducerName, Arc<Target>>>;

/// A server whose contracts are read from itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What it is registered as. Offers with [`Offer::discover`] get their contract from the server.
    pub registration: Registration,
    /// The identity that it must have, whoever answers at its endpoints.
    pub identity: Identity,
    /// How often it is read again.
    pub interval: Duration,
    /// Where it is declared, for people.
    pub origin: String,
}

/// What a server does not offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lack {
    /// None of what it serves may be offered.
    #[error("it serves nothing under the platform's prefixes")]
    Nothing,
    /// It does not serve what it shall.
    #[error("it does not serve {0}")]
    Service(ServiceName),
}

impl Target {
    /// Whether a service is worth asking for: some version takes all that the platform may offer, or names it.
    pub(super) fn wants(&self, service: &ServiceName) -> bool {
        self.discovered().any(|offer| offer.services.is_empty() || offer.services.contains(service))
    }

    /// What is to be registered, given what the server says of itself.
    pub(super) fn registration(&self, found: &Described, lease: Duration) -> Result<Registration, Lack> {
        // What some version names is not also of the one that takes the rest.
        let named: BTreeSet<_> = self.registration.offers.iter().flat_map(|offer| &offer.services).collect();
        let fill = |offer: &Offer| {
            if !offer.discover {
                return Ok(offer.clone());
            }
            let mut offer = Offer { discover: false, ..offer.clone() };
            if offer.services.is_empty() {
                offer.services =
                    found.services.iter().filter(|name| !named.contains(name)).cloned().collect();
            }
            if let Some(missing) = offer.services.iter().find(|name| !found.services.contains(name)) {
                return Err(Lack::Service(missing.clone()));
            }
            if offer.services.is_empty() {
                return Err(Lack::Nothing);
            }
            offer.descriptor_set = found.descriptor_set.clone();
            Ok(offer)
        };
        let offers = self.registration.offers.iter().map(fill).collect::<Result<_, _>>()?;
        Ok(Registration { offers, lease: Some(lease), ..self.registration.clone() })
    }

    /// The producer as far as a dialler needs to know it.
    pub(super) fn producer(&self) -> Producer {
        Producer {
            name: self.registration.producer.clone(),
            identity: self.identity.clone(),
            registrant: self.identity.clone(),
            endpoints: self.registration.endpoints.clone(),
            versions: Vec::new(),
            source: Source::Discovery,
            freshness: Freshness::Live,
            lease_expires: None,
            created: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            provenance: None,
        }
    }

    fn discovered(&self) -> impl Iterator<Item = &Offer> {
        self.registration.offers.iter().filter(|offer| offer.discover)
    }
}
