//! What can be asked of a producer. A renewed lease is no new revision, so nothing that it changes is asked for.

use super::{Listed, SOURCES, fields, source};
use crate::filter::{Item, Kind, Schema, Value};
use crate::model::{Freshness, Producer, VersionName};
use std::cmp::Ordering;

fields! {
    Name = "name": Kind::Text;
    Platform = "platform": Kind::Text;
    Producer = "producer": Kind::Text;
    Identity = "identity": Kind::Text;
    Versions = "versions": Kind::Texts;
    Address = "endpoints.address": Kind::Texts;
    Locality = "endpoints.locality": Kind::Texts;
    Freshness = "freshness": Kind::Words(&["live", "stale", "partitioned", "expired"]);
    Source = "source": Kind::Words(SOURCES);
    CreateTime = "create_time": Kind::Time;
}

/// A producer, with those of its versions that the caller sees.
#[derive(Clone)]
pub(in crate::api::catalog) struct ProducerItem<'a> {
    /// The producer.
    pub(in crate::api::catalog) producer: &'a Producer,
    /// What it serves, as far as the caller sees.
    pub(in crate::api::catalog) versions: Vec<&'a VersionName>,
}

impl Item for ProducerItem<'_> {
    fn value(&self, field: usize) -> Value<'_> {
        let producer = self.producer;
        match IDS[field] {
            Id::Name => Value::Text(producer.name.to_string().into()),
            Id::Platform => Value::Text(producer.name.platform.as_str().into()),
            Id::Producer => Value::Text(producer.name.producer.as_str().into()),
            Id::Identity => Value::Text(producer.identity.to_string().into()),
            Id::Freshness => Value::Word(match producer.freshness {
                Freshness::Live => "live",
                Freshness::Stale => "stale",
                Freshness::Partitioned => "partitioned",
                Freshness::Expired => "expired",
            }),
            Id::Source => Value::Word(source(producer.source)),
            Id::CreateTime => Value::Time(producer.created),
            Id::Versions | Id::Address | Id::Locality => Value::Absent,
        }
    }

    fn entry(&self, _map: usize, _key: &str) -> Option<&str> {
        None
    }

    fn any(&self, field: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        let mut endpoints = self.producer.endpoints.iter();
        match IDS[field] {
            Id::Versions => self.versions.iter().any(|version| passes(&version.to_string())),
            Id::Address => endpoints.any(|endpoint| passes(&endpoint.address.to_string())),
            Id::Locality => endpoints.any(|endpoint| passes(&endpoint.locality)),
            _ => false,
        }
    }

    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        passes(self.producer.name.producer.as_str()) || passes(self.producer.name.platform.as_str())
    }
}

impl Listed for ProducerItem<'_> {
    const FIELDS: Schema = FIELDS;
    const MESSAGE: &'static str = "portolan.catalog.v1.Producer";
    const STATUS: Option<usize> = None;

    fn name(&self) -> String {
        self.producer.name.to_string()
    }

    fn natural(&self, other: &Self) -> Ordering {
        self.producer.name.cmp(&other.producer.name)
    }
}
