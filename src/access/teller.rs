//! Who may tell what in the records of a federation: only the owner, through its own brokers.

use super::{Denial, Policy};
use crate::model::{Head, Identity, Origin, PlatformName, Rejection, Topic, TrustDomain, Version};
use std::collections::{BTreeMap, BTreeSet};

/// The rules by which a signed record is its signer's to tell. Ownership is that of [`Policy`]: a platform that nobody
/// declared here belongs to nobody, and nothing is believed of it.
#[derive(Debug, Clone)]
pub struct Tellers {
    policy: Policy,
    /// The brokers of a trust domain; one that is not named here has any of its workloads for a broker.
    brokers: BTreeMap<TrustDomain, BTreeSet<Identity>>,
    /// Those that may tell of others' authorities.
    introducers: BTreeSet<TrustDomain>,
}

impl Tellers {
    /// Rules over the platforms of a policy, whose changes they see.
    pub fn new(
        policy: Policy,
        brokers: BTreeMap<TrustDomain, BTreeSet<Identity>>,
        introducers: BTreeSet<TrustDomain>,
    ) -> Self {
        Self { policy, brokers, introducers }
    }

    /// Whether the signer may tell of this at all. Names decide, never what a payload says.
    pub fn may_tell(&self, signer: &Identity, head: &Head) -> Result<(), Rejection> {
        let origin = &head.key.origin;
        if signer.trust_domain != origin.trust_domain {
            let (signer, origin) = (signer.clone(), origin.trust_domain.clone());
            return Err(Rejection::ForeignSigner { signer, origin });
        }
        if self.brokers.get(&origin.trust_domain).is_some_and(|brokers| !brokers.contains(signer)) {
            return Err(Rejection::NotABroker(signer.clone()));
        }
        let topic = Topic::parse(head.key.kind, &head.key.name);
        let topic = topic.map_err(|e| Rejection::Malformed(e.to_string()))?;
        let owns = match (&topic, head.key.name.platform()) {
            (Some(Topic::Bundle(domain)), _) => {
                *domain == origin.trust_domain || self.introducers.contains(&origin.trust_domain)
            }
            (_, Some(platform)) => self.owns(origin, platform),
            // A kind that nobody here knows, of no platform: kept and forwarded, never used.
            (_, None) => true,
        };
        if owns { Ok(()) } else { Err(Rejection::ForeignName { name: head.key.name.to_string() }) }
    }

    /// Whether the version's services are all its platform's, by what was granted to it here.
    pub fn may_offer(&self, version: &Version) -> Result<(), Rejection> {
        let denied = version.services.iter().find_map(|service| {
            let granted = self.policy.grants(&version.name.platform, service);
            granted.err().map(|denial| (service, denial))
        });
        match denied {
            None => Ok(()),
            Some((service, Denial::UnknownPlatform(_) | Denial::NotGranted { .. } | Denial::Reserved(_))) => {
                Err(Rejection::ForeignPrefix { service: service.to_string() })
            }
            Some((_, other)) => Err(Rejection::ForeignName { name: other.to_string() }),
        }
    }

    fn owns(&self, origin: &Origin, platform: &str) -> bool {
        let name = PlatformName::parse(platform).ok();
        let platform = name.and_then(|name| self.policy.platform(&name));
        platform.is_some_and(|platform| platform.trust_domain == origin.trust_domain)
    }
}
