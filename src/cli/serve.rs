//! `portolan serve`: one broker, from its configuration file to its last call.

use crate::broker::{Broker, config, log};
use anyhow::Context as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

const EXAMPLES: &str = "\
Examples:
  portolan config check portolan.toml
  portolan serve --config portolan.toml
  PORTOLAN__LOG__FORMAT=json portolan serve --config portolan.toml

Certificates, keys, bundles and revocation lists are taken anew when their files change.

SIGTERM or SIGINT drains: no new connections, GOAWAY, open calls finish within drain.deadline or are cut then, exit
code 0. A second signal cuts at once, exit code 3.";

/// The exit code of a broker that was not given the time to drain.
const CUT: u8 = 3;

/// Run a broker
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The configuration file; docs/portolan.example.toml shows every field
    #[arg(long, short, env = "PORTOLAN_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let config = match config::load(&args.config) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return Ok(ExitCode::FAILURE);
        }
    };
    log::start(&config.log)?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let deadline = config.drain.deadline;
    let broker = Broker::start(config).await?;

    let name = signals.next().await;
    tracing::info!(signal = name, ?deadline, "draining");
    tokio::select! {
        finished = broker.drain(deadline) => {
            tracing::info!(finished, "stopped");
            Ok(ExitCode::SUCCESS)
        }
        name = signals.next() => {
            tracing::warn!(signal = name, "stopped without draining");
            Ok(ExitCode::from(CUT))
        }
    }
}

/// The two ways in which a process is asked to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
