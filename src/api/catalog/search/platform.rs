//! What can be asked of a platform.

use super::super::view::View;
use super::{Listed, STATES, fields, state};
use crate::catalog::PlatformEntry;
use crate::filter::{Item, Kind, Schema, Value};
use crate::model::State;
use crate::status::Federation;
use jiff::Timestamp;
use std::cmp::Ordering;

fields! {
    Name = "name": Kind::Text;
    Platform = "platform": Kind::Text;
    DisplayName = "display_name": Kind::Text;
    TrustDomain = "trust_domain": Kind::Text;
    ServicePrefixes = "service_prefixes": Kind::Texts;
    CapabilityCount = "capability_count": Kind::Number;
    Status = "status": Kind::Words(STATES);
}

/// A platform that the caller sees.
#[derive(Clone, Copy)]
pub(in crate::api::catalog) struct PlatformItem<'a> {
    /// The platform.
    pub(in crate::api::catalog) entry: &'a PlatformEntry,
    /// Who looks.
    pub(in crate::api::catalog) view: View<'a>,
    /// How all is; `None` is unknown.
    pub(in crate::api::catalog) status: Option<&'a Federation>,
}

impl PlatformItem<'_> {
    /// Folded from those versions alone that the caller sees.
    fn state(&self) -> Option<State> {
        let status = self.status?.platforms.get(&self.entry.platform.name)?;
        Some(status.seen_by(|version| self.view.sees(version), Timestamp::UNIX_EPOCH).condition.state)
    }
}

impl Item for PlatformItem<'_> {
    fn value(&self, field: usize) -> Value<'_> {
        let platform = &self.entry.platform;
        match IDS[field] {
            Id::Name => Value::Text(self.name().into()),
            Id::Platform => Value::Text(platform.name.as_str().into()),
            Id::DisplayName => Value::Text(platform.display_name.as_str().into()),
            Id::TrustDomain => Value::Text(platform.trust_domain.as_str().into()),
            Id::CapabilityCount => Value::Number(
                u32::try_from(self.view.capability_count(self.entry)).unwrap_or(u32::MAX).into(),
            ),
            Id::Status => Value::Word(state(self.state())),
            Id::ServicePrefixes => Value::Absent,
        }
    }

    fn entry(&self, _map: usize, _key: &str) -> Option<&str> {
        None
    }

    fn any(&self, _prefixes: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        self.entry.platform.service_prefixes.iter().any(|prefix| passes(prefix.as_str()))
    }

    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        passes(self.entry.platform.name.as_str()) || passes(&self.entry.platform.display_name)
    }
}

impl Listed for PlatformItem<'_> {
    const FIELDS: Schema = FIELDS;
    const MESSAGE: &'static str = "portolan.catalog.v1.Platform";
    const STATUS: Option<usize> = Some(Id::Status as usize);

    fn name(&self) -> String {
        format!("platforms/{}", self.entry.platform.name)
    }

    fn natural(&self, other: &Self) -> Ordering {
        self.entry.platform.name.cmp(&other.entry.platform.name)
    }
}
