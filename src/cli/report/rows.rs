//! One line of each report, for people.

use crate::cli::catalog::lists::part;
use crate::cli::output::{last, word};
use crate::cli::status::since;
use crate::client::pb::portolan::catalog::v1 as catalog;
use crate::client::pb::portolan::report::v1 as pb;
use crate::client::pb::portolan::status::v1 as status;

/// The busiest consumers of a version are named; who wants all asks for JSON, or for `catalog consumers`.
const NAMED: usize = 5;

pub(super) const CONSUMER: &[&str] =
    &["PLATFORM", "CAPABILITY", "VERSION", "STAGE", "CALLABLE", "STATE", "CALLS", "OWED", "OBSTACLE"];
pub(super) const PRODUCER: &[&str] =
    &["PLATFORM", "CAPABILITY", "VERSION", "STAGE", "STATE", "PRODUCERS", "CONSUMERS", "DEPENDANTS"];
pub(super) const OPERATOR: &[&str] = &[
    "PLATFORM",
    "CAPABILITY",
    "VERSION",
    "STAGE",
    "SINCE",
    "CONSUMERS",
    "PLATFORMS",
    "CALLS",
    "FAILED",
    "LAST CALL",
    "STATE",
];
pub(super) const FINANCE: &[&str] = &["PLATFORM", "CAPABILITY", "VERSION", "CONSUMER", "UNIT", "CALLS"];
pub(super) const SECURITY: &[&str] = &["NAME", "RULE", "TIME", "WHAT TO DO"];

pub(super) fn consumer(entry: &pb::ConsumerEntry) -> Vec<String> {
    let version = entry.version.clone().unwrap_or_default();
    let owed = entry.missing_prerequisites.iter().map(|need| format!("{} {}", need.capability, need.range));
    let owed: Vec<_> =
        owed.map(|need| need.trim_end().to_owned()).chain(version.obligations.clone()).collect();
    let mut row = name(&version.name);
    row.extend([
        stage(version.stage()),
        if entry.callable { "yes" } else { "no" }.into(),
        state(entry.condition.as_ref()),
        entry.calls.to_string(),
        owed.join("\n"),
        entry.obstacle.clone(),
    ]);
    row
}

pub(super) fn producer(entry: &pb::ProducerEntry) -> Vec<String> {
    let named = entry.consumers.iter().take(NAMED).map(|one| match one.failed_calls {
        0 => format!("{} {}", one.identity, one.calls),
        failed => format!("{} {} ({failed} failed)", one.identity, one.calls),
    });
    let shown = entry.consumers.len().min(NAMED);
    let more = entry.consumers.len() - shown + usize::try_from(entry.omitted_consumers).unwrap_or(0);
    let more = (more > 0).then(|| format!("and {more} more"));
    let mut row = name(&entry.version);
    row.extend([
        stage(entry.stage()),
        state(entry.condition.as_ref()),
        entry.producers.iter().map(|name| last(name)).collect::<Vec<_>>().join("\n"),
        named.chain(more).collect::<Vec<_>>().join("\n"),
        entry.dependants.iter().map(|name| self::name(name).join(" ")).collect::<Vec<_>>().join("\n"),
    ]);
    row
}

pub(super) fn operator(entry: &pb::OperatorEntry) -> Vec<String> {
    let mut row = name(&entry.version);
    row.extend([
        stage(entry.stage()),
        entry.create_time.map(since).unwrap_or_default(),
        entry.consumers.to_string(),
        entry.consumer_platforms.to_string(),
        entry.calls.to_string(),
        share(entry.failed_calls, entry.calls),
        entry.last_call_time.map_or_else(|| "never".to_owned(), since),
        state(entry.condition.as_ref()),
    ]);
    row
}

pub(super) fn finance(entry: &pb::FinanceEntry) -> Vec<String> {
    let mut row = name(&entry.version);
    row.extend([entry.consumer.clone(), entry.cost_unit.clone(), entry.calls.to_string()]);
    row
}

pub(super) fn security(finding: &pb::SecurityFinding) -> Vec<String> {
    let time = finding.time.map(|time| time.to_string()).unwrap_or_default();
    vec![finding.name.clone(), finding.rule.clone(), time, finding.message.clone()]
}

/// Platform, capability and version of a resource name.
fn name(version: &str) -> Vec<String> {
    vec![part(version, "platforms").into(), part(version, "capabilities").into(), last(version).into()]
}

fn stage(stage: catalog::Stage) -> String {
    word(stage.as_str_name(), "STAGE_").to_lowercase()
}

fn state(condition: Option<&status::Condition>) -> String {
    condition.map(|condition| word(condition.state().as_str_name(), "STATE_")).unwrap_or_default()
}

/// A share in percent; empty without calls.
fn share(part: u64, of: u64) -> String {
    match of {
        0 => String::new(),
        of => format!("{:.1}%", part as f64 * 100.0 / of as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_heading() {
        let name = "platforms/a.example/capabilities/x/versions/1.0.0".to_owned();
        let consumers = (0..7).map(|n| catalog::Consumer { calls: n, failed_calls: n, ..Default::default() });
        let entry = pb::ProducerEntry {
            version: name.clone(),
            consumers: consumers.collect(),
            omitted_consumers: 3,
            ..Default::default()
        };
        let row = producer(&entry);
        assert_eq!(row.len(), PRODUCER.len());
        assert_eq!(row[..3], ["a.example", "x", "1.0.0"]);
        assert_eq!(row[6].lines().last(), Some("and 5 more"));
        assert_eq!(consumer(&pb::ConsumerEntry::default()).len(), CONSUMER.len());
        let entry = pb::OperatorEntry { version: name, calls: 8, failed_calls: 1, ..Default::default() };
        let row = operator(&entry);
        assert_eq!((row.len(), row[8].as_str(), row[9].as_str()), (OPERATOR.len(), "12.5%", "never"));
        assert_eq!(finance(&pb::FinanceEntry::default()).len(), FINANCE.len());
        assert_eq!(security(&pb::SecurityFinding::default()).len(), SECURITY.len());
    }
}
