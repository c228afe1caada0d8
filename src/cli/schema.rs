//! `portolan schema`: the JSON Schemas of the files that people write, for their editors.

use crate::broker::config;
use crate::cli::output;
use crate::manifest;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan schema manifest > manifest.schema.json
  portolan schema config > portolan.schema.json

An editor with a YAML language server takes the first line of a manifest:
  # yaml-language-server: $schema=manifest.schema.json";

/// Print a JSON Schema (draft 2020-12), so that editors complete and check what you write
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Of what
    #[arg(value_enum)]
    what: What,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Manifests: platforms as code
    Manifest,
    /// A broker's configuration
    Config,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let schema = match args.what {
        What::Manifest => manifest::schema(),
        What::Config => config::schema(),
    };
    output::say(format!("{schema:#}"))?;
    Ok(ExitCode::SUCCESS)
}
