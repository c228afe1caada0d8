//! Metrics as text: Prometheus 0.0.4, and OpenMetrics 1.0 for who asks for it.
//!
//! Names become Prometheus' as OpenTelemetry says ("Prometheus and OpenMetrics Compatibility"): dots become underscores,
//! the unit and `_total` end the name.

use super::escape;
use super::family::{Attribute, Distribution, Family, Kind, Point, Value};
use std::fmt::Write;

/// The form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Prometheus text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Form {
    /// The best of those that an `Accept` header names; without one, Prometheus'.
    pub fn accepted(accept: &str) -> Self {
        let is_named = accept.split(',').any(|kind| kind.trim().starts_with("application/openmetrics-text"));
        if is_named { Form::OpenMetrics } else { Form::Prometheus }
    }

    /// What the text is, for the header `content-type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes all families.
pub fn write(families: &[Family], form: Form) -> String {
    let points: usize = families.iter().map(|family| family.points.len()).sum();
    let mut out = String::with_capacity(points * 256);
    for family in families.iter().filter(|family| !family.points.is_empty()) {
        Page { form, name: name(family), out: &mut out }.family(family);
    }
    if form == Form::OpenMetrics {
        out.push_str("# EOF\n");
    }
    out
}

/// The name without `_total`.
fn name(family: &Family) -> String {
    let name = family.name.replace('.', "_");
    match family.unit.word() {
        Some(unit) if !name.ends_with(unit) => format!("{name}_{unit}"),
        _ => name,
    }
}

struct Page<'a> {
    form: Form,
    name: String,
    out: &'a mut String,
}

impl Page<'_> {
    fn family(&mut self, family: &Family) {
        let (kind, total) = match family.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        let total_in_head = if self.form == Form::Prometheus { total } else { "" };
        let name = &self.name;
        // Writing to a string cannot fail; here and below.
        let _ = writeln!(self.out, "# HELP {name}{total_in_head} {}", family.help);
        let _ = writeln!(self.out, "# TYPE {name}{total_in_head} {kind}");
        if let (Form::OpenMetrics, Some(unit)) = (self.form, family.unit.word()) {
            let _ = writeln!(self.out, "# UNIT {name} {unit}");
        }
        for point in &family.points {
            self.point(point, total);
        }
    }

    fn point(&mut self, point: &Point, total: &str) {
        match &point.value {
            Value::Whole(whole) => {
                self.sample(total, &point.attributes, None);
                let _ = writeln!(self.out, "{whole}");
            }
            Value::Real(real) => {
                self.sample(total, &point.attributes, None);
                let _ = writeln!(self.out, "{real}");
            }
            Value::Distribution(distribution) => self.distribution(&point.attributes, distribution),
        }
    }

    fn distribution(&mut self, attributes: &[Attribute], distribution: &Distribution) {
        let mut below = 0;
        for (nth, count) in distribution.counts.iter().enumerate() {
            below += count;
            let bound = match (distribution.bounds.get(nth), self.form) {
                (Some(bound), Form::Prometheus) => bound.to_string(),
                (Some(bound), Form::OpenMetrics) => format!("{bound:?}"),
                (None, _) => "+Inf".to_owned(),
            };
            self.sample("_bucket", attributes, Some(&bound));
            let _ = writeln!(self.out, "{below}");
        }
        self.sample("_sum", attributes, None);
        let _ = writeln!(self.out, "{}", distribution.sum);
        self.sample("_count", attributes, None);
        let _ = writeln!(self.out, "{below}");
    }

    /// All of a line but its number.
    fn sample(&mut self, suffix: &str, attributes: &[Attribute], bound: Option<&str>) {
        self.out.push_str(&self.name);
        self.out.push_str(suffix);
        let mut opens = "{";
        for (key, value) in attributes.iter().filter(|(_, value)| !value.is_empty()) {
            self.out.push_str(opens);
            self.out.extend(key.chars().map(|c| if c == '.' { '_' } else { c }));
            self.out.push_str("=\"");
            escape::label(self.out, value);
            self.out.push('"');
            opens = ",";
        }
        if let Some(bound) = bound {
            let _ = write!(self.out, "{opens}le=\"{bound}\"");
            opens = ",";
        }
        self.out.push_str(if opens == "," { "} " } else { " " });
    }
}

#[cfg(test)]
mod tests {
    use super::super::family::Unit;
    use super::*;

    fn families() -> Vec<Family> {
        let call = vec![("grpc.method", "a.B/C".into()), ("platform", "".into())];
        let distribution = Distribution { bounds: &[0.00001, 1.0], counts: vec![1, 2, 3], sum: 4.5 };
        vec![
            Family::new(Kind::Counter, "grpc.server.call.started", Unit::Of("{call}"), "Calls.")
                .with(call.clone(), 7u64),
            Family::new(Kind::Histogram, "grpc.server.call.duration", Unit::Seconds, "Time.")
                .with(call, distribution),
            Family::new(Kind::Gauge, "portolan.x", Unit::None, "X.").with(vec![("who", "a\"\n".into())], 0.5),
            Family::new(Kind::Gauge, "portolan.nothing", Unit::None, "Nothing."),
        ]
    }

    #[test]
    fn prometheus_reads_it() {
        let text = "# HELP grpc_server_call_started_total Calls.\n# TYPE grpc_server_call_started_total counter\n\
            grpc_server_call_started_total{grpc_method=\"a.B/C\"} 7\n\
            # HELP grpc_server_call_duration_seconds Time.\n# TYPE grpc_server_call_duration_seconds histogram\n\
            grpc_server_call_duration_seconds_bucket{grpc_method=\"a.B/C\",le=\"0.00001\"} 1\n\
            grpc_server_call_duration_seconds_bucket{grpc_method=\"a.B/C\",le=\"1\"} 3\n\
            grpc_server_call_duration_seconds_bucket{grpc_method=\"a.B/C\",le=\"+Inf\"} 6\n\
            grpc_server_call_duration_seconds_sum{grpc_method=\"a.B/C\"} 4.5\n\
            grpc_server_call_duration_seconds_count{grpc_method=\"a.B/C\"} 6\n\
            # HELP portolan_x X.\n# TYPE portolan_x gauge\nportolan_x{who=\"a\\\"\\n\"} 0.5\n";
        assert_eq!(write(&families(), Form::Prometheus), text);
    }

    #[test]
    fn openmetrics_has_units_bare_names_and_an_end() {
        let text = write(&families(), Form::OpenMetrics);
        assert!(
            text.contains("# TYPE grpc_server_call_started counter\ngrpc_server_call_started_total{"),
            "{text}"
        );
        assert!(text.contains("# UNIT grpc_server_call_duration_seconds seconds\n"), "{text}");
        assert!(text.contains("le=\"1.0\"") && text.ends_with("# EOF\n"), "{text}");
        assert_eq!(
            Form::accepted("application/openmetrics-text;version=1.0.0,text/plain"),
            Form::OpenMetrics
        );
        assert_eq!(Form::accepted("*/*"), Form::Prometheus);
    }
}
