//! What can be asked of a capability: of its newest version that the caller sees, unless it is said otherwise.

use super::super::view::{Seen, View};
use super::{Listed, STAGES, STATES, fields, stage, state};
use crate::filter::{Item, Kind, Schema, Value};
use crate::model::{State, Version};
use crate::status::Federation;
use jiff::Timestamp;
use std::cmp::Ordering;

fields! {
    Name = "name": Kind::Text;
    Platform = "platform": Kind::Text;
    Capability = "capability": Kind::Text;
    Description = "description": Kind::Text;
    Service = "service": Kind::Texts;
    Services = "services": Kind::Texts;
    Labels = "labels": Kind::Map;
    Owner = "owner": Kind::Text;
    Stage = "stage": Kind::Words(STAGES);
    Status = "status": Kind::Words(STATES);
}

/// A capability with the versions that the caller sees.
pub(in crate::api::catalog) struct CapabilityItem<'a> {
    /// The capability.
    pub(in crate::api::catalog) seen: Seen<'a>,
    /// Who looks.
    pub(in crate::api::catalog) view: View<'a>,
    /// How all is; `None` is unknown.
    pub(in crate::api::catalog) status: Option<&'a Federation>,
}

impl CapabilityItem<'_> {
    fn newest(&self) -> Option<&Version> {
        self.seen.newest()
    }

    /// Folded from those versions alone that the caller sees.
    fn state(&self) -> Option<State> {
        let name = &self.seen.name;
        let status = self.status?.platforms.get(&name.platform)?.capabilities.get(&name.capability)?;
        let seen = status.seen_by(|version| self.view.sees(version), Timestamp::UNIX_EPOCH)?;
        Some(seen.condition.state)
    }

    fn text(&self, text: impl FnOnce(&Version) -> &str) -> Value<'_> {
        Value::Text(self.newest().map(text).unwrap_or_default().into())
    }
}

impl Item for CapabilityItem<'_> {
    fn value(&self, field: usize) -> Value<'_> {
        match IDS[field] {
            Id::Name => Value::Text(self.seen.name.to_string().into()),
            Id::Platform => Value::Text(self.seen.name.platform.as_str().into()),
            Id::Capability => Value::Text(self.seen.name.capability.as_str().into()),
            Id::Description => self.text(|version| &version.description),
            Id::Owner => self.text(|version| &version.owner),
            Id::Stage => self.newest().map_or(Value::Absent, |version| Value::Word(stage(version.stage))),
            Id::Status => Value::Word(state(self.state())),
            Id::Service | Id::Services | Id::Labels => Value::Absent,
        }
    }

    fn entry(&self, _labels: usize, key: &str) -> Option<&str> {
        self.newest()?.facts.labels.get(key).map(String::as_str)
    }

    fn any(&self, field: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some(newest) = self.newest() else { return false };
        match IDS[field] {
            Id::Labels => newest.facts.labels.keys().any(|key| passes(key)),
            _ => newest.services.iter().any(|service| passes(service.as_str())),
        }
    }

    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        let name = &self.seen.name;
        passes(name.capability.as_str())
            || passes(name.platform.as_str())
            || self.newest().is_some_and(|newest| {
                passes(&newest.description) || newest.services.iter().any(|service| passes(service.as_str()))
            })
    }
}

impl Listed for CapabilityItem<'_> {
    const FIELDS: Schema = FIELDS;
    const MESSAGE: &'static str = "portolan.catalog.v1.Capability";
    const STATUS: Option<usize> = Some(Id::Status as usize);

    fn name(&self) -> String {
        self.seen.name.to_string()
    }

    fn natural(&self, other: &Self) -> Ordering {
        self.seen.name.cmp(&other.seen.name)
    }
}
