//! Who may do what: pure policy from (identity, action, resource) to a [`Permit`] or a reasoned [`Denial`].
//!
//! Owns: the rules of ownership and visibility. Never: names gRPC codes, reads a clock, waits.

mod teller;

pub use teller::Tellers;

use crate::model::{Identity, Platform, PlatformName, ServiceName, TrustDomain, Version, VersionName};
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The rules in force, made from platforms and operators. Clones read the same rules.
#[derive(Debug, Clone, Default)]
pub struct Policy(Arc<ArcSwap<Rules>>);

/// The only handle that changes the rules.
#[derive(Debug)]
pub struct Writer {
    current: Arc<ArcSwap<Rules>>,
}

#[derive(Debug, Clone, Default)]
struct Rules {
    /// Rises with each change.
    revision: u64,
    platforms: HashMap<PlatformName, Arc<Platform>>,
    of_domain: HashMap<TrustDomain, Arc<[PlatformName]>>,
    operators: BTreeSet<Identity>,
}

/// A verified identity with the platforms it speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub identity: Identity,
    /// The platforms of its trust domain.
    pub platforms: Arc<[PlatformName]>,
    /// Whether it operates this broker: it may see all of the catalogue, its use, and decide conflicts. It may not
    /// call what is not visible to it.
    pub is_operator: bool,
    /// The identity as text: producers are told it with each call.
    written: Bytes,
    /// The revision of the rules that said so.
    pub(crate) revision: u64,
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

/// The rules for these platforms and operators, and the handle that changes them.
pub fn policy(
    platforms: impl IntoIterator<Item = Platform>,
    operators: impl IntoIterator<Item = Identity>,
) -> (Writer, Policy) {
    let rules = Rules { operators: operators.into_iter().collect(), ..Rules::default() }.of(platforms);
    let current = Arc::new(ArcSwap::from_pointee(rules));
    (Writer { current: current.clone() }, Policy(current))
}

impl Writer {
    /// Puts these platforms in the place of all that were there.
    pub fn replace(&mut self, platforms: impl IntoIterator<Item = Platform>) {
        let next = Rules::clone(&self.current.load()).of(platforms);
        self.current.store(Arc::new(next));
    }
}

impl Rules {
    fn of(mut self, platforms: impl IntoIterator<Item = Platform>) -> Self {
        let platforms = platforms.into_iter().map(|p| (p.name.clone(), Arc::new(p)));
        self.platforms = platforms.collect();
        let mut of_domain: HashMap<TrustDomain, Vec<PlatformName>> = HashMap::new();
        for platform in self.platforms.values() {
            of_domain.entry(platform.trust_domain.clone()).or_default().push(platform.name.clone());
        }
        let sorted = |mut names: Vec<PlatformName>| {
            names.sort();
            names.into()
        };
        self.of_domain = of_domain.into_iter().map(|(domain, names)| (domain, sorted(names))).collect();
        self.revision += 1;
        self
    }
}

impl Policy {
    /// Rules that never change, without operators.
    pub fn new(platforms: impl IntoIterator<Item = Platform>) -> Self {
        policy(platforms, []).1
    }

    /// The platforms that may take part, in no order.
    pub fn platforms(&self) -> Vec<Arc<Platform>> {
        self.0.load().platforms.values().cloned().collect()
    }

    /// The platform of that name.
    pub fn platform(&self, name: &PlatformName) -> Option<Arc<Platform>> {
        self.0.load().platforms.get(name).cloned()
    }

    /// The platforms that identities of a trust domain speak for.
    pub fn platforms_of(&self, domain: &TrustDomain) -> Arc<[PlatformName]> {
        self.0.load().of_domain.get(domain).cloned().unwrap_or_default()
    }

    /// What a verified identity speaks for.
    pub fn caller(&self, identity: Identity) -> Caller {
        let rules = self.0.load();
        let platforms = rules.of_domain.get(&identity.trust_domain).cloned().unwrap_or_default();
        let is_operator = rules.operators.contains(&identity);
        let written = identity.to_string().into();
        Caller { identity, platforms, is_operator, written, revision: rules.revision }
    }

    /// What the caller of a connection speaks for now: the same, unless the rules have changed since.
    pub fn current(&self, caller: &Arc<Caller>) -> Arc<Caller> {
        if caller.revision == self.0.load().revision {
            return caller.clone();
        }
        Arc::new(self.caller(caller.identity.clone()))
    }

    /// Whether the version exists for the caller.
    pub fn may_see(&self, caller: &Caller, version: &Version) -> bool {
        caller.is_operator || Self::is_visible(caller, version)
    }

    /// Whether the version's owner lets the caller in.
    fn is_visible(caller: &Caller, version: &Version) -> bool {
        let is_named = |platform: &PlatformName| {
            *platform == version.name.platform || version.visibility.platforms.contains(platform)
        };
        version.visibility.everyone || caller.platforms.iter().any(is_named)
    }

    /// Whether the caller may know what only the platform's own people and operators may: its consumers, its whole
    /// visibility, what it declares.
    pub fn may_inspect(&self, caller: &Caller, platform: &PlatformName) -> bool {
        caller.is_operator || self.speaks_for(caller, platform)
    }

    /// Whether the platform itself exists for the caller, whatever it offers: its own people always see it.
    pub fn speaks_for(&self, caller: &Caller, platform: &PlatformName) -> bool {
        caller.platforms.contains(platform)
    }

    /// Whether the caller may call the version.
    pub fn may_call(&self, caller: &Caller, version: &Version) -> bool {
        Self::is_visible(caller, version)
    }

    /// Allows a call, or says why not.
    pub fn permit_call(&self, caller: &Arc<Caller>, version: &Arc<Version>) -> Result<Permit, Denial> {
        if Self::is_visible(caller, version) {
            return Ok(Permit { caller: caller.clone(), version: version.clone() });
        }
        Err(Denial::NotVisible { caller: caller.identity.clone(), version: version.name.clone() })
    }

    /// Allows an identity to register for a platform: only the owner speaks.
    pub fn may_register(&self, caller: &Identity, platform: &PlatformName) -> Result<Arc<Platform>, Denial> {
        let platform = self.platform(platform).ok_or_else(|| Denial::UnknownPlatform(platform.clone()))?;
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
        let owner = self.platform(platform).ok_or_else(|| Denial::UnknownPlatform(platform.clone()))?;
        if owner.service_prefixes.iter().any(|prefix| prefix.covers(service)) {
            return Ok(());
        }
        let granted: Vec<_> = owner.service_prefixes.iter().map(|prefix| prefix.as_str()).collect();
        let granted = if granted.is_empty() { "none".to_owned() } else { granted.join(", ") };
        Err(Denial::NotGranted { service: service.clone(), platform: platform.clone(), granted })
    }
}

impl Caller {
    /// Its identity as text.
    pub fn written(&self) -> &Bytes {
        &self.written
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

    /// The clause by which it may, for people.
    pub fn clause(&self) -> String {
        let owner = &self.version.name.platform;
        let visibility = &self.version.visibility;
        if self.caller.platforms.contains(owner) {
            return format!("{owner} is the caller's own platform");
        }
        match self.caller.platforms.iter().find(|platform| visibility.platforms.contains(*platform)) {
            Some(named) => format!("the visibility of {owner} names {named}"),
            None => format!("the visibility of {owner} names every platform"),
        }
    }
}

#[cfg(test)]
mod tests;
