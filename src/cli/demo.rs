//! `portolan demo`: three organisations, five producers and one broker in one process.
//!
//! Owns: its directory. Never: writes elsewhere, or does what a user could not do from outside.
//! Flow: [`Args`] → directory → broker → producers → a page of commands, or the stories of `--check`.

mod cast;
mod code;
mod control;
mod descriptors;
mod health;
mod house;
mod page;
mod pb;
mod place;
mod producer;
mod services;
mod stories;

use crate::cli::output;
use crate::lifecycle::Shutdown;
use anyhow::Context as _;
use control::Order;
use house::House;
use place::Place;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

const PORT: u16 = 7443;
const DIR: &str = "portolan-demo";
const EXAMPLES: &str = "\
Examples:
  Run it, and copy the commands that it prints into a second terminal:
    portolan demo

  Let one producer crash, see `portolan status`, and bring it back:
    portolan demo stop ledger
    portolan demo start ledger

  The same catalogue from a directory of manifests, and what deleting one of them would change:
    portolan demo --from-manifests
    portolan plan -f portolan-demo/manifests --profile portolan-demo/operator.toml

  Let it prove itself and exit:
    portolan demo --check";

/// Run three organisations, five producers and a broker in one process.
///
/// Needs nothing installed, and writes into its directory only: certificates, the broker's configuration and state, and a
/// profile for each consumer. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Where everything is written [default: portolan-demo; with --check a temporary directory]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
    /// Where the broker listens, 0 for a free port [default: 7443; with --check a free port]
    #[arg(long)]
    port: Option<u16>,
    /// Let the broker get everything from the directory's manifests: no producer registers
    #[arg(long)]
    from_manifests: bool,
    /// Play every story, print its result, and exit non-zero if one fails
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// How the broker gets to know who offers what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Platforms from its configuration, and producers register.
    Register,
    /// All of it from manifests.
    Manifests,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Let a producer of the running demo crash
    Stop(Whom),
    /// Bring a producer of the running demo back
    Start(Whom),
}

#[derive(Debug, clap::Args)]
struct Whom {
    /// ledger, ledger-v1, kv, search or embedding
    #[arg(value_parser = |name: &str| cast::role(name).map(|role| role.name))]
    producer: &'static str,
}

/// Runs `portolan demo`. A story of `--check` that fails is a failure.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let dir = args.dir.clone().unwrap_or_else(|| DIR.into());
    match &args.command {
        Some(Command::Stop(whom)) => order(&Place::at(&dir), Order::Stop, whom.producer).await,
        Some(Command::Start(whom)) => order(&Place::at(&dir), Order::Start, whom.producer).await,
        None if args.check => check(args).await,
        None => {
            let way = if args.from_manifests { Way::Manifests } else { Way::Register };
            stay(Place::at(&dir), args.port.unwrap_or(PORT), way).await
        }
    }
}

async fn order(place: &Place, order: Order, producer: &str) -> anyhow::Result<ExitCode> {
    output::say(control::send(place, order, producer).await?)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs until Ctrl-C or SIGTERM.
async fn stay(place: Place, port: u16, way: Way) -> anyhow::Result<ExitCode> {
    let (mut interrupted, mut terminated) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    control::claim(&place).await?;
    let house = Arc::new(House::open(place, port, way).await?);
    let shutdown = Shutdown::new();
    control::listen(&house, shutdown.clone())?;
    // The house stays whoever reads: a closed pipe is no reason to stop it.
    let _ = output::write(page::of(house.place(), house.port())?.as_bytes());
    tokio::select! {
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    let _ = output::say("\nDraining: no new calls, open ones finish.");
    shutdown.request();
    let socket = house.place().socket();
    close(house).await;
    // Gone with the process in any case; left behind it would only puzzle.
    let _ = std::fs::remove_file(socket);
    Ok(ExitCode::SUCCESS)
}

/// Plays the stories in a directory that is removed afterwards.
async fn check(args: Args) -> anyhow::Result<ExitCode> {
    let temporary = Temporary::make(args.dir)?;
    let place = Place::at(&temporary.dir);
    control::claim(&place).await?;
    let coded = Place::at(&temporary.dir.join("as-code"));
    let house = Arc::new(House::open(place, args.port.unwrap_or(0), Way::Register).await?);
    let coded = Arc::new(House::open(coded, 0, Way::Manifests).await?);
    let passed = stories::play(&house, &coded).await;
    close(coded).await;
    close(house).await;
    Ok(if passed? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits for whoever still holds the house, then closes it.
async fn close(house: Arc<House>) {
    if let Some(house) = Arc::into_inner(house) {
        house.close().await;
    }
}

/// A directory that goes when it falls, unless somebody named it.
struct Temporary {
    dir: PathBuf,
    is_named: bool,
}

impl Temporary {
    fn make(named: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(dir) = named {
            return Ok(Self { dir, is_named: true });
        }
        let dir = std::env::temp_dir().join(format!("portolan-demo-{:08x}", fastrand::u32(..)));
        std::fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self { dir, is_named: false })
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_named
            && let Err(error) = std::fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(%error, dir = %self.dir.display(), "cannot remove the temporary directory");
        }
    }
}
