//! Who may do what: pure policy from (identity, action, resource) to a [`Permit`] or a reasoned [`Denial`].
//!
//! Owns: the rules of ownership and visibility. Never: names gRPC codes, reads a clock, waits.

use crate::model::{Identity, Platform, PlatformName, ServiceName, TrustDomain, Version, VersionName};
use std::collections::HashMap;
use std::sync::Arc;

/// The rules, made from the platforms of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    platforms: HashMap<PlatformName, Platform>,
    of_domain: HashMap<TrustDomain, Arc<[PlatformName]>>,
}

/// A verified identity with the platforms it speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    /// The platforms of its trust domain.
    pub platforms: Arc<[PlatformName]>,
}

/// Proof that policy allowed this caller to call this version. Only this room makes one, and the relay moves nothing
/// without it.
#[derive(Debug, Clone)]
pub struct Permit {
    caller: Arc<Caller>,
    version: Arc<Version>,
}

/// Why something is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The version's visibility names no platform of the caller.
    #[error("{version} is not visible to {caller}")]
    NotVisible {
        /// Who asked.
        caller: Identity,
        /// For what.
        version: VersionName,
    },
    /// The configuration knows no such platform.
    #[error("platform {0} is not known to this broker")]
    UnknownPlatform(PlatformName),
    /// The caller is of another trust domain than the platform.
    #[error("{caller} is not of trust domain {owner}, which alone speaks for platform {platform}")]
    ForeignDomain {
        /// Who asked.
        caller: Identity,
        /// Whose platform it is.
        owner: TrustDomain,
        /// The platform.
        platform: PlatformName,
    },
    /// The name belongs to gRPC, Google or Portolan.
    #[error("{0} is reserved; grpc, google and portolan belong to no platform")]
    Reserved(ServiceName),
    /// No prefix granted to the platform covers the name.
    #[error("{service} is under no prefix granted to {platform} (granted: {granted})")]
    NotGranted {
        /// The name asked for.
        service: ServiceName,
        /// Who asked.
        platform: PlatformName,
        /// What it has, for people.
        granted: String,
    },
}

impl Policy {
    /// The rules for these platforms.
    pub fn new(platforms: impl IntoIterator<Item = Platform>) -> Self {
        let platforms: HashMap<_, _> = platforms.into_iter().map(|p| (p.name.clone(), p)).collect();
        let mut of_domain: HashMap<TrustDomain, Vec<PlatformName>> = HashMap::new();
        for platform in platforms.values() {
            of_domain.entry(platform.trust_domain.clone()).or_default().push(platform.name.clone());
        }
        let sorted = |mut names: Vec<PlatformName>| {
            names.sort();
            names.into()
        };
        let of_domain = of_domain.into_iter().map(|(domain, names)| (domain, sorted(names))).collect();
        Self { platforms, of_domain }
    }

    /// The platforms of the configuration, in no order.
    pub fn platforms(&self) -> impl Iterator<Item = &Platform> {
        self.platforms.values()
    }

    /// What a verified identity speaks for.
    pub fn caller(&self, identity: Identity) -> Caller {
        let platforms = self.of_domain.get(&identity.trust_domain).cloned().unwrap_or_default();
        Caller { identity, platforms }
    }

    /// Whether the version exists for the caller.
    pub fn may_see(&self, caller: &Caller, version: &Version) -> bool {
        let is_named = |platform: &PlatformName| {
            *platform == version.name.platform || version.visibility.platforms.contains(platform)
        };
        version.visibility.everyone || caller.platforms.iter().any(is_named)
    }

    /// Whether the platform itself exists for the caller, whatever it offers: its own people always see it.
    pub fn speaks_for(&self, caller: &Caller, platform: &PlatformName) -> bool {
        caller.platforms.contains(platform)
    }

    /// Allows a call, or says why not.
    pub fn permit_call(&self, caller: &Arc<Caller>, version: &Arc<Version>) -> Result<Permit, Denial> {
        if self.may_see(caller, version) {
            return Ok(Permit { caller: caller.clone(), version: version.clone() });
        }
        Err(Denial::NotVisible { caller: caller.identity.clone(), version: version.name.clone() })
    }

    /// Allows an identity to register for a platform: only the owner speaks.
    pub fn may_register(&self, caller: &Identity, platform: &PlatformName) -> Result<&Platform, Denial> {
        let platform =
            self.platforms.get(platform).ok_or_else(|| Denial::UnknownPlatform(platform.clone()))?;
        if caller.trust_domain == platform.trust_domain {
            return Ok(platform);
        }
        Err(Denial::ForeignDomain {
            caller: caller.clone(),
            owner: platform.trust_domain.clone(),
            platform: platform.name.clone(),
        })
    }

    /// Allows a platform to offer a service name.
    pub fn grants(&self, platform: &PlatformName, service: &ServiceName) -> Result<(), Denial> {
        if service.is_reserved() {
            return Err(Denial::Reserved(service.clone()));
        }
        let owner = self.platforms.get(platform).ok_or_else(|| Denial::UnknownPlatform(platform.clone()))?;
        if owner.service_prefixes.iter().any(|prefix| prefix.covers(service)) {
            return Ok(());
        }
        let granted: Vec<_> = owner.service_prefixes.iter().map(|prefix| prefix.as_str()).collect();
        let granted = if granted.is_empty() { "none".to_owned() } else { granted.join(", ") };
        Err(Denial::NotGranted { service: service.clone(), platform: platform.clone(), granted })
    }
}

impl Permit {
    /// Who may call.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// What may be called.
    pub fn version(&self) -> &Arc<Version> {
        &self.version
    }
}

#[cfg(test)]
mod tests;
