//! What can be asked of a version.

use super::{Listed, SOURCES, STAGES, STATES, fields, source, stage, state};
use crate::catalog::Offering;
use crate::filter::{Item, Kind, Schema, Value};
use crate::model::{Availability, VersionName};
use crate::status::Federation;
use std::cmp::Ordering;

fields! {
    Name = "name": Kind::Text;
    Platform = "platform": Kind::Text;
    Capability = "capability": Kind::Text;
    Version = "version": Kind::Version;
    Stage = "stage": Kind::Words(STAGES);
    Status = "status": Kind::Words(STATES);
    Service = "service": Kind::Texts;
    Services = "services": Kind::Texts;
    Labels = "labels": Kind::Map;
    Description = "description": Kind::Text;
    Owner = "owner": Kind::Text;
    Contact = "contact": Kind::Text;
    OnCall = "on_call": Kind::Text;
    SupportTier = "support_tier": Kind::Text;
    CostUnit = "cost_unit": Kind::Text;
    Obligations = "obligations": Kind::Texts;
    Producers = "producers": Kind::Texts;
    DeprecationTime = "deprecation_time": Kind::Time;
    SunsetTime = "sunset_time": Kind::Time;
    Describable = "describable": Kind::Boolean;
    Availability = "availability": Kind::Words(&["open", "no_new", "no_update", "delete_only"]);
    Source = "source": Kind::Words(SOURCES);
}

/// A version that the caller sees.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct VersionItem<'a> {
    /// The version.
    pub(in crate::api) offering: &'a Offering,
    /// How all is; `None` is unknown.
    pub(in crate::api) status: Option<&'a Federation>,
}

impl VersionItem<'_> {
    fn version_name(&self) -> &VersionName {
        &self.offering.version.name
    }
}

impl Item for VersionItem<'_> {
    fn value(&self, field: usize) -> Value<'_> {
        let version = self.offering.version.as_ref();
        let facts = &version.facts;
        match IDS[field] {
            Id::Name => Value::Text(version.name.to_string().into()),
            Id::Platform => Value::Text(version.name.platform.as_str().into()),
            Id::Capability => Value::Text(version.name.capability.as_str().into()),
            Id::Version => Value::Version(&version.name.version),
            Id::Stage => Value::Word(stage(version.stage)),
            Id::Status => {
                let status = self.status.and_then(|status| status.version(&version.name));
                Value::Word(state(status.map(|status| status.condition.state)))
            }
            Id::Description => Value::Text(version.description.as_str().into()),
            Id::Owner => Value::Text(version.owner.as_str().into()),
            Id::Contact => Value::Text(version.contact.as_str().into()),
            Id::OnCall => Value::Text(facts.on_call.as_str().into()),
            Id::SupportTier => Value::Text(facts.support_tier.as_str().into()),
            Id::CostUnit => Value::Text(facts.cost_unit.as_str().into()),
            Id::DeprecationTime => version.deprecation_time.map_or(Value::Absent, Value::Time),
            Id::SunsetTime => version.sunset_time.map_or(Value::Absent, Value::Time),
            Id::Describable => Value::Boolean(version.descriptors.is_some()),
            Id::Availability => Value::Word(match facts.availability {
                Availability::Open => "open",
                Availability::NoNew => "no_new",
                Availability::NoUpdate => "no_update",
                Availability::DeleteOnly => "delete_only",
            }),
            Id::Source => Value::Word(source(self.offering.source)),
            Id::Service | Id::Services | Id::Labels | Id::Obligations | Id::Producers => Value::Absent,
        }
    }

    fn entry(&self, _labels: usize, key: &str) -> Option<&str> {
        self.offering.version.facts.labels.get(key).map(String::as_str)
    }

    fn any(&self, field: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        let version = &self.offering.version;
        match IDS[field] {
            Id::Service | Id::Services => version.services.iter().any(|service| passes(service.as_str())),
            Id::Labels => version.facts.labels.keys().any(|key| passes(key)),
            Id::Obligations => version.facts.obligations.iter().any(|obligation| passes(obligation)),
            Id::Producers => self.offering.producers.iter().any(|p| passes(p.name.producer.as_str())),
            _ => false,
        }
    }

    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        let version = &self.offering.version;
        passes(&version.description)
            || passes(version.name.capability.as_str())
            || passes(version.name.platform.as_str())
            || version.services.iter().any(|service| passes(service.as_str()))
    }
}

impl Listed for VersionItem<'_> {
    const FIELDS: Schema = FIELDS;
    const MESSAGE: &'static str = "portolan.catalog.v1.Version";
    const STATUS: Option<usize> = Some(Id::Status as usize);

    fn name(&self) -> String {
        self.version_name().to_string()
    }

    fn natural(&self, other: &Self) -> Ordering {
        let (one, other) = (self.version_name(), other.version_name());
        let capability =
            one.platform.cmp(&other.platform).then_with(|| one.capability.cmp(&other.capability));
        capability.then_with(|| other.version.cmp(&one.version))
    }
    fn touch(&self) -> usize {
        let version = &self.offering.version;
        let ends = |text: &str| {
            let byte = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
            byte(text.as_bytes().first()) + byte(text.as_bytes().last())
        };
        let service = version.services.first().map_or(0, |service| ends(service.as_str()));
        service + ends(&version.description) + ends(version.name.capability.as_str())
    }
}
