//! `portolan plan`: what manifests would change against a running broker.

use crate::cli::manifests::{DIFFERS, Exchange, REFUSED, Step};
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
    exchange: Exchange,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tally = args.exchange.run(Step::Plan).await?;
    Ok(match (tally.refused, tally.differs()) {
        (0, false) => ExitCode::SUCCESS,
        (0, true) => ExitCode::from(DIFFERS),
        _ => ExitCode::from(REFUSED),
    })
}
