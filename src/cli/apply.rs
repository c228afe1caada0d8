//! `portolan apply`: makes what manifests declare so.

use crate::cli::manifests::{Exchange, REFUSED, Step};
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
    exchange: Exchange,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let tally = args.exchange.run(Step::Apply).await?;
    Ok(if tally.refused == 0 { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}
