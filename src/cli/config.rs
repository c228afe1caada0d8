//! `portolan config`: judges a configuration file, and describes what one may hold.

use crate::broker::config::{self, Config};
use crate::cli::output;
use crate::client::{Credentials, Domain, Files, Trust};
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
            Ok(config) => {
                let faults = broken(&config);
                faults.iter().for_each(|fault| eprintln!("{fault}"));
                if !faults.is_empty() {
                    eprintln!("{}", output::count(faults.len(), "fault"));
                    return Ok(ExitCode::FAILURE);
                }
                output::say(format!("OK: {}", summary(&config)))?;
            }
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

/// What is wrong inside the files that the configuration names.
fn broken(config: &Config) -> Vec<String> {
    let own = Files { certificate: config.tls.certificate.clone(), key: config.tls.key.clone() };
    let domain = |domain: &config::TrustDomain| Domain {
        name: domain.name.clone(),
        bundle: domain.bundle.clone(),
        crl: domain.crl.clone(),
        dns_suffixes: domain.dns_suffixes.clone(),
    };
    let domains: Vec<_> = config.trust_domains.iter().map(domain).collect();
    let faults = [Credentials::load(&own).err(), Trust::load(&domains).err()];
    faults.into_iter().flatten().flatten().map(|fault| fault.to_string()).collect()
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
