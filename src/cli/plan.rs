//! `portolan plan`: what manifests would change against a running broker.

use crate::cli::connection::Connection;
use crate::cli::manifests::changes::{self, Tally};
use crate::cli::manifests::{DIFFERS, REFUSED, Source};
use crate::cli::output::{self, Form};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan plan -f manifests/ --profile operator
  portolan plan -f manifests/ -o json | jq '.changes[] | select(.action == \"ACTION_DELETE\")'
  portolan export --profile operator -o running/ && portolan plan -f running/ --profile operator

One line for each change: + is new, ~ differs, - goes, ! is refused; below it its fields, its faults, and the consumers of the
last 30 days that it affects.

Of a directory, what earlier manifests declared and it no longer does is removed, on the platforms that it speaks of. A
single file removes nothing.

Exit codes: 0 no changes; 4 changes were found; 3 something is refused; 1 failed, 2 wrong usage.";

/// Show what manifests would change, and change nothing
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
    let answer = given.apply(args.connection.open().await?, prune, true).await?;
    let tally = Tally::of(&answer, &given.faults);
    match args.output {
        Form::Json => output::say(format!("{:#}", changes::json(&answer, &given.faults)?))?,
        Form::Table => {
            let mut lines = changes::lines(&answer);
            lines.push(tally.words(["to create", "to update", "to remove"]));
            output::say(lines.join("\n"))?;
            tally.tell_unmanaged();
        }
    }
    Ok(match (tally.refused, tally.differs()) {
        (0, false) => ExitCode::SUCCESS,
        (0, true) => ExitCode::from(DIFFERS),
        _ => ExitCode::from(REFUSED),
    })
}
