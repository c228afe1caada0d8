//! `portolan status --explain`: why something is as it is, as a tree, the worst first.

use super::{brief, code_of, since, state};
use crate::cli::output::{self, Form, clean};
use crate::client::pb::portolan::status::v1 as pb;
use std::process::ExitCode;

pub(super) fn show(explained: pb::ExplainStatusResponse, form: Form) -> anyhow::Result<ExitCode> {
    if form == Form::Json {
        let whole = output::json("portolan.status.v1.ExplainStatusResponse", &explained)?;
        output::say(format!("{whole:#}"))?;
    }
    let root = explained.explanation.unwrap_or_default();
    if form == Form::Table {
        tree(&root, "", "")?;
        output::say(clean(&format!("by {}, catalogue revision {}", explained.broker, explained.revision)))?;
    }
    Ok(code_of(root.condition.as_ref()))
}

/// A node, its rule and evidence, then its parts; `lead` stands before the node, `under` before all below it.
fn tree(node: &pb::StatusExplanation, lead: &str, under: &str) -> anyhow::Result<()> {
    let condition = node.condition.clone().unwrap_or_default();
    let name = if node.name.is_empty() { "federation" } else { &node.name };
    let since = condition.since.map(since).unwrap_or_default();
    let (state, message) = (state(condition.state()), brief(&condition.message));
    output::say(clean(&format!("{lead}{name}: {state} {} since {since}: {message}", condition.reason)))?;
    let bar = if node.parts.is_empty() { "   " } else { "│  " };
    output::say(clean(&format!("{under}{bar}rule: {}", node.rule)))?;
    for line in &node.evidence {
        output::say(clean(&format!("{under}{bar}{line}")))?;
    }
    for (i, part) in node.parts.iter().enumerate() {
        let is_last = i + 1 == node.parts.len() && node.omitted_parts == 0;
        let (branch, rest) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        tree(part, &format!("{under}{branch}"), &format!("{under}{rest}"))?;
    }
    if node.omitted_parts > 0 {
        output::say(format!("{under}└─ and {} more, no worse", node.omitted_parts))?;
    }
    Ok(())
}
