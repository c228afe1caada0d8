//! Reads single values of a service config's JSON, and notes what is wrong with them.

use super::reader::Reader;
use super::{Status, Statuses};
use crate::model::{Violation, nearest};
use serde_json::{Map, Value};
use std::time::Duration;

/// More attempts than this are taken as this (gRFC A6).
const MOST_ATTEMPTS: u32 = 5;
/// The longest time that may be said.
const LONGEST_TIME: Duration = Duration::from_secs(24 * 3600);

impl Reader {
    pub(super) fn attempts(&mut self, path: &str, value: Option<&Value>) -> Option<u32> {
        match value.and_then(Value::as_u64) {
            Some(attempts @ 2..) => Some(u32::try_from(attempts).unwrap_or(MOST_ATTEMPTS).min(MOST_ATTEMPTS)),
            _ => self.none(path, "OUT_OF_RANGE", "write a whole number of at least 2, the first included"),
        }
    }

    pub(super) fn statuses(&mut self, path: &str, value: Option<&Value>) -> Statuses {
        let mut statuses = Statuses::default();
        for (at, item) in self.list(path, value).iter().enumerate() {
            let status = match item {
                Value::String(name) => Status::parse(name),
                item => item.as_u64().and_then(|number| Status::new(u8::try_from(number).ok()?)),
            };
            match status {
                Some(status) => {
                    statuses.insert(status);
                }
                None => {
                    let message = format!("{} is no status; write a name such as UNAVAILABLE", short(item));
                    self.refuse(&format!("{path}[{at}]"), "INVALID_STATUS", message);
                }
            }
        }
        statuses
    }

    pub(super) fn needed_time(&mut self, path: &str, value: Option<&Value>) -> Option<Duration> {
        match self.time(path, value) {
            Some(time) if !time.is_zero() => Some(time),
            None if value.is_some() => None,
            _ => self.none(path, "OUT_OF_RANGE", "write a time longer than nothing, such as \"0.1s\""),
        }
    }

    pub(super) fn time(&mut self, path: &str, value: Option<&Value>) -> Option<Duration> {
        let value = value?;
        let time = value.as_str().and_then(duration);
        if time.is_some_and(|time| time <= LONGEST_TIME) {
            return time;
        }
        let message = format!("{} is no time of up to a day; write seconds as \"1.5s\"", short(value));
        self.none(path, "INVALID_DURATION", message)
    }

    /// A number of bytes; JSON of protobuf writes 64 bits as text.
    pub(super) fn bytes(&mut self, path: &str, value: Option<&Value>) -> Option<u32> {
        let value = value?;
        let bytes = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
        match bytes {
            Some(bytes) => Some(u32::try_from(bytes).unwrap_or(u32::MAX)),
            None => self.none(path, "OUT_OF_RANGE", format!("{} is no number of bytes", short(value))),
        }
    }

    pub(super) fn positive(&mut self, path: &str, value: Option<&Value>, most: f64) -> Option<f64> {
        match value.and_then(Value::as_f64) {
            Some(number) if number > 0.0 && number <= most => Some(number),
            _ => self.none(path, "OUT_OF_RANGE", format!("write a number above 0 and up to {most}")),
        }
    }

    pub(super) fn boolean(&mut self, path: &str, value: Option<&Value>) -> bool {
        match value {
            None => false,
            Some(Value::Bool(value)) => *value,
            Some(value) => {
                let message = format!("{} is neither true nor false", short(value));
                self.none(path, "INVALID_TYPE", message).unwrap_or(false)
            }
        }
    }

    pub(super) fn text(&mut self, path: &str, value: Option<&Value>) -> String {
        match value {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => {
                self.none(path, "INVALID_TYPE", format!("{} is no text", short(value))).unwrap_or_default()
            }
        }
    }

    pub(super) fn list<'v>(&mut self, path: &str, value: Option<&'v Value>) -> &'v [Value] {
        match value {
            None => &[],
            Some(Value::Array(items)) => items,
            Some(value) => {
                let message = format!("{} is no list", short(value));
                self.none(path, "INVALID_TYPE", message).unwrap_or_default()
            }
        }
    }

    pub(super) fn object<'v>(
        &mut self,
        path: &str,
        value: &'v Value,
        known: &[&'static str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(object) = value.as_object() else {
            return self.none(path, "INVALID_TYPE", format!("{} is no object", short(value)));
        };
        for field in object.keys().filter(|field| !known.contains(&field.as_str())) {
            let hint = nearest(field, known.iter().copied());
            let hint = hint.map(|known| format!("; did you mean {known:?}?")).unwrap_or_default();
            let message = format!("{} is no field here{hint}", short(&Value::String(field.clone())));
            self.refuse(path, "UNKNOWN_FIELD", message);
        }
        Some(object)
    }

    pub(super) fn refuse(&mut self, path: &str, reason: &'static str, message: impl Into<String>) {
        self.found.push(Violation::new(path, reason, message));
    }

    pub(super) fn none<T>(
        &mut self,
        path: &str,
        reason: &'static str,
        message: impl Into<String>,
    ) -> Option<T> {
        self.refuse(path, reason, message);
        None
    }
}

/// Reads `1.5s`, as JSON of protobuf writes a duration.
fn duration(text: &str) -> Option<Duration> {
    let (whole, part) = match text.strip_suffix('s')?.split_once('.') {
        Some((whole, part)) => (whole, part),
        None => (text.strip_suffix('s')?, ""),
    };
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || part.len() > 9 || !digits(whole) || !digits(part) {
        return None;
    }
    Some(Duration::new(whole.parse().ok()?, format!("{part:0<9}").parse().ok()?))
}

/// A value as it may stand in a message: not long, and escaped.
fn short(value: &Value) -> String {
    let text: String = value.to_string().chars().take(60).collect();
    text.escape_debug().to_string().replace("\\\"", "\"")
}
