//! Metrics as they are shown: families of points, the same for whoever scrapes and for a collector.

use std::borrow::Cow;

/// One metric with all its points.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name in OpenTelemetry: lower-case words joined by dots.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// In what it is measured.
    pub unit: Unit,
    /// How it moves.
    pub kind: Kind,
    /// Its points; no two with the same attributes.
    pub points: Vec<Point>,
}

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up, from the start of the process.
    Counter,
    /// Up and down.
    Gauge,
    /// Measurements, counted by their size.
    Histogram,
}

/// In what a metric is measured (UCUM, as OpenTelemetry writes it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things, named in braces: `{call}`.
    Of(&'static str),
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Nothing.
    None,
}

/// One name and value that tells a point from its neighbours.
pub type Attribute = (&'static str, Cow<'static, str>);

/// One point.
#[derive(Debug, Clone)]
pub struct Point {
    /// What tells it from the others.
    pub attributes: Vec<Attribute>,
    /// What it says.
    pub value: Value,
}

/// What a point says.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// A number.
    Real(f64),
    /// Measurements by size.
    Distribution(Distribution),
}

/// Measurements by size.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The upper bounds, inclusive, ascending; above the last is one more bucket.
    pub bounds: &'static [f64],
    /// How many fell into each bucket: one more than there are bounds.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum: f64,
}

impl Family {
    /// A family without points yet.
    pub fn new(kind: Kind, name: &'static str, unit: Unit, help: &'static str) -> Self {
        Self { name, help, unit, kind, points: Vec::new() }
    }

    /// The same, with a point more.
    pub fn with(mut self, attributes: Vec<Attribute>, value: impl Into<Value>) -> Self {
        self.push(attributes, value);
        self
    }

    /// Adds a point.
    pub fn push(&mut self, attributes: Vec<Attribute>, value: impl Into<Value>) {
        self.points.push(Point { attributes, value: value.into() });
    }
}

impl Unit {
    /// As OpenTelemetry writes it.
    pub fn ucum(self) -> &'static str {
        match self {
            Unit::Of(things) => things,
            Unit::Seconds => "s",
            Unit::Bytes => "By",
            Unit::None => "",
        }
    }

    /// As it ends a name in Prometheus; things are not named there.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Unit::Seconds => Some("seconds"),
            Unit::Bytes => Some("bytes"),
            Unit::Of(_) | Unit::None => None,
        }
    }
}

impl Distribution {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl From<u64> for Value {
    fn from(whole: u64) -> Self {
        Value::Whole(whole)
    }
}

impl From<usize> for Value {
    fn from(whole: usize) -> Self {
        Value::Whole(u64::try_from(whole).unwrap_or(u64::MAX))
    }
}

impl From<f64> for Value {
    fn from(real: f64) -> Self {
        Value::Real(real)
    }
}

impl From<Distribution> for Value {
    fn from(distribution: Distribution) -> Self {
        Value::Distribution(distribution)
    }
}
