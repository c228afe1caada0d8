//! Manifests go to the broker, and what it says of them comes back: the whole of `plan` and of `apply`.

use super::Source;
use super::changes::{self, Tally};
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form};

/// What `plan` and `apply` are given.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Exchange {
    #[command(flatten)]
    source: Source,
    /// Whether what a directory no longer declares is removed [default: true for a directory]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    prune: Option<bool>,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// How far it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Step {
    /// Tells what would change.
    Plan,
    /// Changes it.
    Apply,
}

impl Exchange {
    /// Prints what the broker says, and counts it.
    pub(in crate::cli) async fn run(self, step: Step) -> anyhow::Result<Tally> {
        let given = self.source.read()?;
        given.tell_faults();
        let prune = given.prunes(self.prune)?;
        let answer = given.apply(self.connection.open().await?, prune, step == Step::Plan).await?;
        let tally = Tally::of(&answer, &given.faults);
        match self.output {
            Form::Json => output::say(format!("{:#}", changes::json(&answer, &given.faults)?))?,
            Form::Table => {
                let mut lines = changes::lines(&answer);
                lines.push(tally.words(step.verbs()));
                output::say(lines.join("\n"))?;
                if step == Step::Plan {
                    tally.tell_unmanaged();
                }
            }
        }
        Ok(tally)
    }
}

impl Step {
    fn verbs(self) -> [&'static str; 3] {
        match self {
            Step::Plan => ["to create", "to update", "to remove"],
            Step::Apply => ["created", "updated", "removed"],
        }
    }
}
