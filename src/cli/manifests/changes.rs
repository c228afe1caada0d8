//! What was or would be done to resources, as lines for people.

use crate::cli::output::{clean, count};
use crate::client::pb::portolan::catalog::v1::Consumer;
use crate::client::pb::portolan::manifest::v1::{Action, ApplyManifestsResponse, Change};
use crate::manifest::Faults;
use serde_json::{Value, json};

/// How many resources are or would be what.
#[derive(Default)]
pub(in crate::cli) struct Tally {
    created: usize,
    updated: usize,
    removed: usize,
    pub(in crate::cli) refused: usize,
    unmanaged: usize,
}

impl Tally {
    /// Counts; files that were refused before they were sent count as well.
    pub(in crate::cli) fn of(answer: &ApplyManifestsResponse, faults: &[Faults]) -> Self {
        let mut tally = Self { refused: faults.len(), ..Self::default() };
        for change in &answer.changes {
            match change.action() {
                Action::Create => tally.created += 1,
                Action::Update => tally.updated += 1,
                Action::Delete => tally.removed += 1,
                Action::Refused => tally.refused += 1,
                Action::Unmanaged => tally.unmanaged += 1,
                Action::Unspecified | Action::Unchanged => {}
            }
        }
        tally
    }

    /// Whether anything differs.
    pub(in crate::cli) fn differs(&self) -> bool {
        self.created + self.updated + self.removed > 0
    }

    /// The tally in words; `verbs` are those of creating, updating and removing.
    pub(in crate::cli) fn words(&self, verbs: [&str; 3]) -> String {
        let parts = [self.created, self.updated, self.removed].into_iter().zip(verbs);
        let mut parts: Vec<_> = parts
            .filter(|(number, _)| *number > 0)
            .map(|(number, verb)| format!("{number} {verb}"))
            .collect();
        if self.refused > 0 {
            parts.push(format!("{} refused", self.refused));
        }
        if parts.is_empty() { "no changes".to_owned() } else { parts.join(", ") }
    }

    /// What else runs and is left alone.
    pub(in crate::cli) fn tell_unmanaged(&self) {
        if self.unmanaged > 0 {
            let what = count(self.unmanaged, "other resource");
            eprintln!(
                "{what} came another way and {} left alone",
                if self.unmanaged == 1 { "is" } else { "are" }
            );
        }
    }
}

/// One line for each change, with its fields, its faults and whom it affects below it.
pub(in crate::cli) fn lines(answer: &ApplyManifestsResponse) -> Vec<String> {
    answer.changes.iter().flat_map(of_change).map(|line| clean(&line).replace('\n', "\\n")).collect()
}

/// The answer for programs.
pub(in crate::cli) fn json(answer: &ApplyManifestsResponse, faults: &[Faults]) -> anyhow::Result<Value> {
    let mut value = crate::cli::output::json("portolan.manifest.v1.ApplyManifestsResponse", answer)?;
    let fault = |faults: &Faults| {
        let file = faults.file().display().to_string();
        let fault = faults.iter().map(move |fault| {
            json!({
                "file": file, "line": fault.line, "column": fault.column, "path": fault.field,
                "message": fault.problem, "fix": fault.fix,
            })
        });
        fault.collect::<Vec<_>>()
    };
    value["fileFaults"] = faults.iter().flat_map(fault).collect();
    Ok(value)
}

fn of_change(change: &Change) -> Vec<String> {
    let sign = match change.action() {
        Action::Create => '+',
        Action::Update => '~',
        Action::Delete => '-',
        Action::Refused => '!',
        Action::Unspecified | Action::Unchanged | Action::Unmanaged => return Vec::new(),
    };
    let origin = if change.origin.is_empty() { String::new() } else { format!("  ({})", change.origin) };
    let mut lines = vec![format!("{sign} {} {}{origin}", change.kind, change.name)];
    lines.extend(
        change
            .fields
            .iter()
            .map(|field| format!("    {}: {} -> {}", field.path, short(&field.before), short(&field.after))),
    );
    lines.extend(change.faults.iter().map(|fault| {
        let path = if fault.path.is_empty() { String::new() } else { format!("{}: ", fault.path) };
        format!("    {path}{} ({})", fault.message, fault.reason)
    }));
    lines.extend(change.affected_consumers.iter().map(affected));
    if change.omitted_consumers > 0 {
        lines.push(format!("    affects {} more", change.omitted_consumers));
    }
    lines
}

fn affected(consumer: &Consumer) -> String {
    let last = consumer.last_call_time.and_then(|time| jiff::Timestamp::from_second(time.seconds).ok());
    let last = last.map(|time| format!(", last {time}")).unwrap_or_default();
    let calls = count(usize::try_from(consumer.calls).unwrap_or(usize::MAX), "call");
    format!("    affects {} ({calls} in 30 days{last})", consumer.identity)
}

/// A value on one line; what is not there is told.
fn short(value: &str) -> String {
    match value.char_indices().nth(120) {
        _ if value.is_empty() => "nothing".into(),
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::pb::portolan::manifest::v1::{Fault, FieldChange};

    #[test]
    fn a_change_tells_its_fields_its_faults_and_whom_it_affects() {
        let change = |action: Action, name: &str| Change {
            kind: "Version".into(),
            name: name.into(),
            origin: "a.yaml:3".into(),
            action: action.into(),
            ..Default::default()
        };
        let field =
            FieldChange { path: "owner".into(), before: String::new(), after: "\u{1b}[31mteam\nx".into() };
        let fault = Fault { path: "stage".into(), reason: "REQUIRED".into(), message: "say it".into() };
        let consumer = Consumer { identity: "spiffe://b/c".into(), calls: 3, ..Default::default() };
        let answer = ApplyManifestsResponse {
            changes: vec![
                Change { fields: vec![field], ..change(Action::Update, "a") },
                Change { affected_consumers: vec![consumer], ..change(Action::Delete, "b") },
                Change { faults: vec![fault], ..change(Action::Refused, "c") },
                change(Action::Unchanged, "d"),
                change(Action::Unmanaged, "e"),
            ],
            ..Default::default()
        };
        assert_eq!(
            lines(&answer),
            [
                "~ Version a  (a.yaml:3)",
                "    owner: nothing -> \\u{1b}[31mteam\\nx",
                "- Version b  (a.yaml:3)",
                "    affects spiffe://b/c (3 calls in 30 days)",
                "! Version c  (a.yaml:3)",
                "    stage: say it (REQUIRED)",
            ]
        );
        let tally = Tally::of(&answer, &[]);
        assert_eq!(tally.words(["created", "updated", "removed"]), "1 updated, 1 removed, 1 refused");
        assert_eq!(Tally::default().words(["created", "updated", "removed"]), "no changes");
    }
}
