//! What is wrong with a message: every field that cannot be read is named, not only the first.

use super::catalog::parse_stage;
use super::time::parse_timestamp;
use crate::model::service_config::ServiceConfig;
use crate::model::{Stage, Violation};
use jiff::Timestamp;
use std::fmt::Display;

/// The violations found so far.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<Violation>);

impl Found {
    /// The value, or its error is noted.
    pub(super) fn read<T, E: Display>(
        &mut self,
        path: &str,
        reason: &'static str,
        value: Result<T, E>,
    ) -> Option<T> {
        value.map_err(|e| self.0.push(Violation::new(path, reason, e.to_string()))).ok()
    }

    /// The value, or its absence is noted.
    pub(super) fn need<T>(&mut self, path: &str, value: Option<T>, rule: &str) -> Option<T> {
        self.read(path, "OUT_OF_RANGE", value.ok_or(rule))
    }

    /// All items, or `None` if one of them cannot be read; each is judged.
    pub(super) fn each<T, U>(
        &mut self,
        path: &str,
        items: Vec<T>,
        parse: impl Fn(&mut Self, &str, T) -> Option<U>,
    ) -> Option<Vec<U>> {
        let read: Vec<Option<U>> = items
            .into_iter()
            .enumerate()
            .map(|(i, item)| parse(self, &format!("{path}[{i}]"), item))
            .collect();
        read.into_iter().collect()
    }

    /// A service config; empty is none. What is wrong inside is named by its path there.
    pub(super) fn service_config(&mut self, path: &str, text: &str) -> Option<Option<ServiceConfig>> {
        if text.is_empty() {
            return Some(None);
        }
        let inside = |v: Violation| match v.field.as_str() {
            "" => Violation { field: path.to_owned(), ..v },
            field => Violation { field: format!("{path}.{field}"), ..v },
        };
        ServiceConfig::parse(text)
            .map_err(|found| self.0.extend(found.into_iter().map(inside)))
            .ok()
            .map(Some)
    }

    pub(super) fn stage(&mut self, path: &str, stage: i32) -> Option<Stage> {
        let rule =
            "say how far it is: STAGE_ALPHA, STAGE_BETA, STAGE_STABLE, STAGE_DEPRECATED or STAGE_RETIRED";
        self.read(path, "REQUIRED", parse_stage(stage).ok_or(rule))
    }

    pub(super) fn time(
        &mut self,
        path: &str,
        time: Option<prost_types::Timestamp>,
    ) -> Option<Option<Timestamp>> {
        let time = time.map(|time| parse_timestamp(time).ok_or("not an instant of the years 1 to 9999"));
        self.read(path, "OUT_OF_RANGE", time.transpose())
    }
}
