//! What a list or a report is about: a platform, a capability, a version, or any of them (AIP-159).

use super::fault::Fault;
use crate::access::{Caller, Policy};
use crate::catalog::Snapshot;
use crate::model::{CapabilityId, PlatformName, VersionName};

/// A parent with `-` at any level; what is not written is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scope {
    /// `None` is any.
    pub(super) platform: Option<PlatformName>,
    /// `None` is any.
    pub(super) capability: Option<CapabilityId>,
    /// `None` is any.
    pub(super) version: Option<semver::Version>,
}

impl Scope {
    /// Reads `platforms/{p}`, `platforms/{p}/capabilities/{c}` or `platforms/{p}/capabilities/{c}/versions/{v}`.
    pub(super) fn parse(parent: &str) -> Result<Self, Fault> {
        let wrong = || {
            let form = "platforms/{platform}[/capabilities/{capability}[/versions/{version}]]";
            Fault::invalid("INVALID_NAME", format!("{parent:.80?} is not written {form}"))
        };
        let parts: Vec<_> = parent.split('/').take(7).collect();
        let words = parts.iter().step_by(2).copied();
        if parts.len() > 6 || parts.len() % 2 == 1 || !words.eq(WORDS.into_iter().take(parts.len() / 2)) {
            return Err(wrong());
        }
        let level = |at: usize| parts.get(at).copied().filter(|part| *part != "-");
        Ok(Self {
            platform: level(1).map(str::parse).transpose().map_err(|_| wrong())?,
            capability: level(3).map(str::parse).transpose().map_err(|_| wrong())?,
            version: level(5).map(str::parse).transpose().map_err(|_| wrong())?,
        })
    }

    /// The same; nothing written is all.
    pub(super) fn parse_or_all(parent: &str) -> Result<Self, Fault> {
        if parent.is_empty() { Ok(Self::default()) } else { Self::parse(parent) }
    }

    /// Whether a version is meant.
    pub(super) fn admits(&self, name: &VersionName) -> bool {
        self.admits_platform(&name.platform)
            && self.capability.as_ref().is_none_or(|capability| *capability == name.capability)
            && self.version.as_ref().is_none_or(|version| *version == name.version)
    }

    /// Whether something that is meant is in the catalogue.
    pub(super) fn is_in(&self, snapshot: &Snapshot) -> bool {
        let Some(platform) = &self.platform else { return true };
        let Some(entry) = snapshot.platform(platform.as_str()) else { return false };
        let Some(capability) = &self.capability else { return true };
        let Some(found) = entry.capabilities.get(capability) else { return false };
        let is_it =
            |number: &semver::Version| found.offerings.iter().any(|o| o.version.name.version == *number);
        self.version.as_ref().is_none_or(is_it)
    }

    /// Whether a platform is meant.
    pub(super) fn admits_platform(&self, name: &PlatformName) -> bool {
        self.platform.as_ref().is_none_or(|platform| platform == name)
    }

    /// A platform of others does not exist for those who may not inspect it; of any, only those they may are meant.
    pub(super) fn inspected(&self, parent: &str, policy: &Policy, caller: &Caller) -> Result<(), Fault> {
        match &self.platform {
            Some(platform) if !policy.may_inspect(caller, platform) => Err(Fault::not_found(parent)),
            _ => Ok(()),
        }
    }
}

const WORDS: [&str; 3] = ["platforms", "capabilities", "versions"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_at_each_level() {
        let name = |text| VersionName::parse(text).unwrap();
        let one = name("platforms/a.example/capabilities/x/versions/1.0.0");
        for good in [
            "platforms/-",
            "platforms/a.example",
            "platforms/-/capabilities/x",
            "platforms/a.example/capabilities/-/versions/1.0.0",
            "platforms/a.example/capabilities/x/versions/-",
        ] {
            assert!(Scope::parse(good).unwrap().admits(&one), "{good}");
        }
        for other in
            ["platforms/b.example", "platforms/-/capabilities/y", "platforms/-/capabilities/-/versions/2.0.0"]
        {
            assert!(!Scope::parse(other).unwrap().admits(&one), "{other}");
        }
        for bad in [
            "",
            "platforms",
            "platforms/",
            "platforms/A",
            "capabilities/x",
            "platforms/-/versions/1.0.0",
            "platforms/-/capabilities/x/versions/1",
            "platforms/-/capabilities/x/versions/1.0.0/x/y",
            "platforms/-/",
        ] {
            assert!(Scope::parse(bad).is_err(), "{bad}");
        }
    }
}
