//! `portolan apply`: makes what manifests declare so.

use crate::cli::connection::Connection;
use crate::cli::manifests::changes::{self, Tally};
use crate::cli::manifests::{REFUSED, Source};
use crate::cli::output::{self, Form};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan plan -f manifests/ --profile operator
  portolan apply -f manifests/ --profile operator
  portolan apply -f manifests/ --prune=false

The same manifests twice are one effect. What is refused harms only itself: the rest is applied, and what stood before of it
stays.

Of a directory, what earlier manifests declared and it no longer does is removed, on the platforms that it speaks of; what
came another way is left alone. A single file removes nothing, and neither does a directory with a file at fault.

Exit codes: 0 done, 3 something was refused, 1 failed, 2 wrong usage.";

/// Make what manifests declare so, and tell what was done
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
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

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let given = args.source.read()?;
    given.tell_faults();
    let prune = given.prunes(args.prune)?;
    let answer = given.apply(args.connection.open().await?, prune, false).await?;
    let tally = Tally::of(&answer, &given.faults);
    match args.output {
        Form::Json => output::say(format!("{:#}", changes::json(&answer, &given.faults)?))?,
        Form::Table => {
            let mut lines = changes::lines(&answer);
            lines.push(tally.words(["created", "updated", "removed"]));
            output::say(lines.join("\n"))?;
        }
    }
    Ok(if tally.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}
