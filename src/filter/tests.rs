//! Tests of the filter language: what is refused and where, what is printed, and what passes.

mod identity;
mod meaning;
mod refusal;

use super::{Field, Item, Kind, Schema, Value};
use jiff::Timestamp;

const SCHEMA: Schema = Schema(&[
    Field { name: "name", kind: Kind::Text },
    Field { name: "stage", kind: Kind::Words(&["alpha", "beta", "stable", "deprecated"]) },
    Field { name: "version", kind: Kind::Version },
    Field { name: "sunset_time", kind: Kind::Time },
    Field { name: "weight", kind: Kind::Number },
    Field { name: "describable", kind: Kind::Boolean },
    Field { name: "labels", kind: Kind::Map },
    Field { name: "services", kind: Kind::Texts },
    Field { name: "slo.latency", kind: Kind::Number },
]);

/// A thing with all kinds of fields.
#[derive(Debug, Clone)]
struct Thing {
    name: &'static str,
    stage: &'static str,
    version: semver::Version,
    sunset: Option<Timestamp>,
    weight: f64,
    describable: bool,
    labels: &'static [(&'static str, &'static str)],
    services: &'static [&'static str],
}

impl Item for Thing {
    fn value(&self, field: usize) -> Value<'_> {
        match field {
            0 => Value::Text(self.name.into()),
            1 => Value::Word(self.stage),
            2 => Value::Version(&self.version),
            3 => self.sunset.map_or(Value::Absent, Value::Time),
            4 => Value::Number(self.weight),
            5 => Value::Boolean(self.describable),
            _ => Value::Absent,
        }
    }

    fn entry(&self, _: usize, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn any(&self, field: usize, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        match field {
            6 => self.labels.iter().any(|(key, _)| passes(key)),
            _ => self.services.iter().any(|service| passes(service)),
        }
    }

    fn any_text(&self, passes: &mut dyn FnMut(&str) -> bool) -> bool {
        passes(self.name)
    }
}

fn thing() -> Thing {
    Thing {
        name: "Payments Ledger",
        stage: "stable",
        version: semver::Version::new(1, 10, 0),
        sunset: Some("2026-06-01T12:00:00Z".parse().unwrap()),
        weight: -2.5,
        describable: true,
        labels: &[("team", "gold"), ("acme.dev/tier", "1")],
        services: &["acme.ledger.v1.Ledger", "acme.ledger.v1.Admin"],
    }
}
