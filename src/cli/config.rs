//! `portolan config`: judges a configuration file, and describes what one may hold.

use crate::broker::config::{self, Config};
use crate::cli::output;
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan config check portolan.toml
  PORTOLAN__LISTEN=0.0.0.0:7443 portolan config check portolan.toml
  portolan config schema > portolan.schema.json

docs/portolan.example.toml shows every field with its default.";

/// Check a broker's configuration file, or describe what one may hold.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a file: every fault is told at once with its line, its field and its cure
    ///
    /// Files that it names must be there and readable. Variables PORTOLAN__SECTION__KEY override its fields, as they do for
    /// `portolan serve`. Exit code 1: it has faults.
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Print the JSON Schema (draft 2020-12) of the configuration, for editors
    Schema,
}

pub(super) fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check { file } => match config::load(&file) {
            Ok(config) => output::say(format!("OK: {}", summary(&config)))?,
            Err(faults) => {
                eprintln!("{faults}");
                eprintln!("{}", output::count(faults.iter().count(), "fault"));
                return Ok(ExitCode::FAILURE);
            }
        },
        Command::Schema => output::say(format!("{:#}", config::schema()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(config: &Config) -> String {
    let listen = config.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    format!(
        "broker {} listens on {listen}; {}, {}, {}",
        config.id,
        output::count(config.trust_domains.len(), "trust domain"),
        output::count(config.platforms.len(), "platform"),
        output::count(config.producers.len(), "configured producer"),
    )
}
