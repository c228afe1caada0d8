//! Puts one manifest in force: judged against what stands at this moment, then whole or not at all.

use super::field::Fields;
use super::judge::{Made, Proposal, Ready, unknown_platform};
use super::set::{Declared, Entry, Key, Sealed};
use super::step::{Faults, meanwhile, unwritable};
use super::{OF_OPERATORS, OF_OWNERS, export, record};
use crate::catalog::{Change, Snapshot};
use crate::federation::compare::New;
use crate::federation::draft::Draft;
use crate::model::{
    GrantSpec, OverrideSpec, Platform, PlatformName, PlatformSpec, ServiceName, ServicePrefix, Source, Spec,
    Version, VersionSpec, Violation,
};

/// Bytes of descriptors that one version may be compared with when it is taken; those it was judged with count no more.
const COMPARED: usize = 16 << 20;

impl Draft<'_> {
    /// Puts it in force, or says why not; then nothing has changed.
    pub(super) fn place(&mut self, proposal: &Proposal, made: &Made) -> Result<(), Faults> {
        match (&proposal.resource.spec, made) {
            (Spec::Platform(spec), _) => self.place_platform(proposal, spec),
            (Spec::Grant(spec), _) => self.place_grant(proposal, spec),
            (Spec::Capability(_), _) => self.place_capability(proposal),
            (Spec::Version(spec), Made::Version(ready)) => self.place_version(proposal, spec, ready),
            (Spec::Version(spec), _) => self.place_awaited(proposal, spec),
            (Spec::Producer(spec), Made::Producer(identity)) => self.place_producer(proposal, spec, identity),
            (Spec::Override(spec), _) => self.place_override(proposal, spec),
            (Spec::Producer(_), _) => Err(meanwhile()),
        }
    }

    fn place_platform(&mut self, proposal: &Proposal, spec: &PlatformSpec) -> Result<(), Faults> {
        if !self.rules.settings.trust_domains.contains(&spec.trust_domain) {
            let message = format!(
                "trust domain {} is not in the broker's configuration; roots of trust never come by manifest",
                spec.trust_domain
            );
            return refused("trust_domain", "UNKNOWN_TRUST_DOMAIN", message);
        }
        let declared = &self.state.declared;
        if let Some(standing) = declared.platforms().get(&spec.name)
            && standing.trust_domain != spec.trust_domain
        {
            let message = format!(
                "{} is of trust domain {}, and stays there; to move it, remove it first",
                spec.name, standing.trust_domain
            );
            return refused("trust_domain", "TRUST_DOMAIN_FIXED", message);
        }
        if let Some(configured) = declared.configured(&spec.name)
            && configured.display_name != spec.display_name
        {
            return refused("display_name", "CONFIGURED", configured_otherwise());
        }
        let next = self.with(proposal, None)?;
        self.take_platform(&spec.name, next)
    }

    fn place_grant(&mut self, proposal: &Proposal, spec: &GrantSpec) -> Result<(), Faults> {
        let next = self.with(proposal, None)?;
        let platform = &spec.name.platform;
        let held = self.state.declared.platforms().get(platform);
        let held = held.ok_or_else(|| vec![unknown_platform(platform)])?;
        let new = spec.service_prefixes.iter().filter(|prefix| !held.service_prefixes.contains(prefix));
        for prefix in new {
            undiverted(&self.catalog, platform, prefix)?;
        }
        self.take_platform(platform, next)
    }

    /// Lets a platform hold what it would hold then. No name that is claimed loses its prefix or its owner.
    pub(super) fn take_platform(&mut self, name: &PlatformName, next: Next) -> Result<(), Faults> {
        let platform = next.declared.platforms().get(name).ok_or_else(|| vec![unknown_platform(name)])?;
        let catalog = self.catalog.apply(Change::PutPlatform(platform.clone())).map_err(of_catalog)?;
        unclaimed(&self.catalog, &catalog, platform)?;
        self.catalog = catalog;
        self.commit(next);
        Ok(())
    }

    fn place_version(
        &mut self,
        proposal: &Proposal,
        spec: &VersionSpec,
        ready: &Ready,
    ) -> Result<(), Faults> {
        let version = &ready.version;
        self.granted(&spec.platform, &version.services)?;
        if self.state.declared.defaults(&version.name.capability_name()) != ready.defaults.as_ref() {
            return Err(meanwhile());
        }
        self.fits(ready)?;
        self.configured_says_so(version)?;
        self.has_room(&spec.platform, proposal, ready)?;
        let mut next = self.with(proposal, Some(ready.sealed.clone()))?;
        if let Some(described) = &ready.described {
            self.describe(version.name.clone(), described.clone());
        }
        let declare = Change::DeclareVersion { version: version.clone(), since: next.since };
        self.make(declare)?;
        self.keep_set(&mut next, &spec.platform, ready.described.as_deref());
        let was_awaited = next.was_awaited;
        self.commit(next);
        if was_awaited == Some(true) {
            self.refresh_producers(&version.name);
        }
        Ok(())
    }

    /// A version whose contract is read from its producers.
    fn place_awaited(&mut self, proposal: &Proposal, spec: &VersionSpec) -> Result<(), Faults> {
        self.granted(&spec.platform, &spec.offer.services)?;
        let mut next = self.with(proposal, None)?;
        let name = spec.name();
        self.withdraw(&name)?;
        self.keep_set(&mut next, &spec.platform, None);
        let was_awaited = next.was_awaited;
        self.commit(next);
        if was_awaited == Some(false) {
            self.refresh_producers(&name);
        }
        Ok(())
    }

    fn place_override(&mut self, proposal: &Proposal, spec: &OverrideSpec) -> Result<(), Faults> {
        if !self.state.declared.platforms().contains_key(&spec.platform) {
            return Err(vec![unknown_platform(&spec.platform)]);
        }
        let left = spec.expires.duration_since(self.time);
        let left = std::time::Duration::try_from(left).ok().filter(|left| !left.is_zero());
        let Some(left) = left else {
            let message = format!("it ended at {}; give it another end, or take it out", spec.expires);
            return refused("expire_time", "EXPIRED", message);
        };
        let mut next = self.with(proposal, None)?;
        self.make(Change::PutOverride(spec.clone()))?;
        // An end that the clock cannot hold is as good as none.
        if let Some(at) = self.now.checked_add(left) {
            next.declared.end_at(&spec.service, at);
        }
        self.commit(next);
        Ok(())
    }

    /// The declared set with the proposal in it.
    pub(super) fn with(&self, proposal: &Proposal, sealed: Option<Sealed>) -> Result<Next, Faults> {
        let mut declared = self.state.declared.clone();
        let old = declared.get(&proposal.key).cloned();
        if old.is_none() {
            self.has_place(&proposal.key, proposal.resource.spec.platform())?;
        }
        let since = proposal.since.or(old.as_ref().map(|old| old.since)).unwrap_or(self.time);
        let (resource, via) = (proposal.resource.clone(), proposal.via.clone());
        let entry = Entry { sealed, ..Entry::new(resource, via, proposal.content, since) };
        let write = record::put(&proposal.key, &entry).map_err(unwritable)?;
        let sealed = entry.sealed.clone();
        declared.put(proposal.key.clone(), entry);
        let was_awaited = old.as_ref().map(|old| old.sealed.is_none());
        let old = old.and_then(|old| old.sealed.clone());
        Ok(Next { declared, write, since, sealed, old, was_awaited })
    }

    /// Whether one more may be declared: of the platform, of all platforms, or, apart from these, by operators.
    fn has_place(&self, key: &Key, platform: &PlatformName) -> Result<(), Faults> {
        let (declared, most) = (&self.state.declared, self.rules.settings.quota.declared);
        if !key.is_owners() {
            if declared.count_of_operators() < OF_OPERATORS {
                return Ok(());
            }
            let message = format!("{OF_OPERATORS} platforms, grants and overrides are declared already");
            return refused("", "QUOTA", message);
        }
        if declared.count_of(platform) >= most {
            return refused("", "QUOTA", format!("{most} resources of {platform} are declared already"));
        }
        if declared.count_of_owners() >= OF_OWNERS {
            return refused("", "QUOTA", format!("{OF_OWNERS} resources are declared already"));
        }
        Ok(())
    }

    pub(super) fn commit(&mut self, next: Next) {
        self.state.declared = next.declared;
        // At the start it is on the disk already.
        if !self.is_start {
            self.writes.push(next.write);
        }
    }

    /// Whether the contract fits what stands at this moment; the judge before saw an earlier one.
    fn fits(&self, ready: &Ready) -> Result<(), Faults> {
        let (known, version) = (self.known(), &ready.version);
        let new = New { version, described: ready.described.as_ref() };
        let over = self.over_memory("", &version.name.platform, std::slice::from_ref(version));
        if let Some(over) = over {
            return Err(vec![over]);
        }
        let mut found: Faults = known.mutation("", new).into_iter().collect();
        let broken = known.breaks(&[new], |_| String::new(), &mut ready.compared.clone(), COMPARED);
        found.extend(broken.map_err(|_| meanwhile())?);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    fn granted(&self, platform: &PlatformName, services: &[ServiceName]) -> Result<(), Faults> {
        let held = self.state.declared.platforms().get(platform);
        let held = held.ok_or_else(|| vec![unknown_platform(platform)])?;
        let uncovered = services
            .iter()
            .find(|service| !held.service_prefixes.iter().any(|prefix| prefix.covers(service)));
        match uncovered {
            None => Ok(()),
            Some(service) => {
                let message = format!("{service} is under no prefix granted to {platform}");
                refused("services", "PREFIX_NOT_GRANTED", message)
            }
        }
    }

    /// What the configuration says of a version stands; a manifest may only repeat it.
    fn configured_says_so(&self, version: &Version) -> Result<(), Faults> {
        let standing = self.catalog.offering(&version.name);
        let Some(said) = standing.filter(|offering| offering.source == Source::Configuration) else {
            return Ok(());
        };
        let fields = |version| {
            let spec = Spec::Version(export::version_spec(version));
            Fields::of(&spec, None)
        };
        let differing = fields(&said.version).changes(&fields(version));
        match differing.first() {
            None => Ok(()),
            Some(change) => refused(&change.path, "CONFIGURED", configured_otherwise()),
        }
    }

    fn has_room(&self, platform: &PlatformName, proposal: &Proposal, ready: &Ready) -> Result<(), Faults> {
        let old = self.state.declared.get(&proposal.key).and_then(|old| old.sealed.as_ref());
        let (old, new) = (old.map_or(0, |old| old.bytes), ready.sealed.bytes);
        let used =
            self.state.usage(platform).descriptor_bytes + self.state.declared.descriptor_bytes(platform);
        let bytes = (used + new).saturating_sub(old);
        let limit = self.rules.settings.quota.descriptor_bytes;
        if bytes <= limit {
            return Ok(());
        }
        refused(
            "descriptor_set",
            "QUOTA",
            format!("descriptor sets would take {bytes} bytes of {limit} allowed"),
        )
    }
}

/// The declared set as it would be, and what makes it durable.
pub(super) struct Next {
    pub(super) declared: Declared,
    pub(super) write: crate::store::Change,
    pub(super) since: jiff::Timestamp,
    pub(super) sealed: Option<Sealed>,
    /// The contract that it had.
    pub(super) old: Option<Sealed>,
    /// Whether it was declared without a contract before; `None` if it was not declared.
    pub(super) was_awaited: Option<bool>,
}

/// One fault.
pub(super) fn refused<T>(
    path: impl Into<String>,
    reason: &'static str,
    message: impl Into<String>,
) -> Result<T, Faults> {
    Err(vec![Violation::new(path, reason, message)])
}

/// What the catalogue itself does not take.
pub(super) fn of_catalog(error: crate::catalog::Error) -> Faults {
    use crate::catalog::Error;
    let reason = match error {
        Error::ContractMutated(_) => "CONTRACT_MUTATED",
        Error::PlatformInUse(_) => "PLATFORM_IN_USE",
        _ => "REFUSED",
    };
    vec![Violation::new("", reason, error.to_string())]
}

fn configured_otherwise() -> &'static str {
    "the broker's configuration says otherwise, which wins; change it there, or say the same"
}

/// No platform gets a prefix by which it could take a name that another one claims.
fn undiverted(catalog: &Snapshot, platform: &PlatformName, prefix: &ServicePrefix) -> Result<(), Faults> {
    let length = |platform: &Platform, service: &ServiceName| {
        let covering = platform.service_prefixes.iter().filter(|prefix| prefix.covers(service));
        covering.map(|prefix| prefix.as_str().len()).max().unwrap_or(0)
    };
    for (service, claims) in catalog.services().filter(|(service, _)| prefix.covers(service)) {
        let Some(owner) = claims.owner().filter(|owner| owner.platform != *platform) else { continue };
        let Some(entry) = catalog.platform(owner.platform.as_str()) else { continue };
        if prefix.as_str().len() > length(&entry.platform, service) {
            let message = format!(
                "{prefix} would give {platform} a better right to {service} than {} has, which claims it; an \
                 override decides such things, for a time",
                owner.platform
            );
            return refused("service_prefixes", "GRANT_DIVERTS", message);
        }
    }
    Ok(())
}

/// What the platform offers stays under its prefixes, and no name changes its owner.
pub(super) fn unclaimed(before: &Snapshot, after: &Snapshot, platform: &Platform) -> Result<(), Faults> {
    let Some(entry) = after.platform(platform.name.as_str()) else { return Ok(()) };
    for offering in entry.capabilities.values().flat_map(|capability| &capability.offerings) {
        for service in &offering.version.services {
            if !platform.service_prefixes.iter().any(|prefix| prefix.covers(service)) {
                let message = format!(
                    "{} offers {service} under it; take that version out first",
                    offering.version.name
                );
                return refused("service_prefixes", "GRANT_IN_USE", message);
            }
            let owner =
                |snapshot: &Snapshot| Some(snapshot.service(service.as_str())?.owner()?.platform.clone());
            let (before, after) = (owner(before), owner(after));
            if before != after {
                let message =
                    format!("{service} would change hands; an override decides such things, for a time");
                return refused("service_prefixes", "GRANT_DIVERTS", message);
            }
        }
    }
    Ok(())
}
