//! `portolan catalog`: who offers what, as the caller may see it.

mod consumers;
mod graph;
pub(in crate::cli) mod lists;
mod search;
mod watch;

use crate::cli::connection::Connection;
use crate::cli::output::{self, Form};
use crate::client::Channel;
use crate::client::pb::portolan::catalog::v1::{self as pb, catalog_service_client::CatalogServiceClient};
use lists::{Asked, Listed};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan catalog --profile hub
  portolan catalog capabilities --platform payments.example
  portolan catalog producers -o json | jq -r '.producers[].endpoints[].address'
  portolan catalog search 'ledger stage = stable' --order-by 'version desc'
  portolan catalog watch --filter 'stage = deprecated'
  portolan catalog graph platforms/payments.example/capabilities/ledger

What you may not see is absent, not hidden: another certificate may show another catalogue.";

type Client = CatalogServiceClient<Channel>;

/// List platforms, capabilities, versions, producers and conflicts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Consumers(consumers::Args),
    Graph(graph::Args),
    Search(search::Args),
    Watch(watch::Args),
}

#[derive(Debug, clap::Args)]
struct List {
    /// What to list
    #[arg(value_enum, default_value = "versions")]
    what: What,
    /// Only of this platform
    #[arg(long, value_name = "NAME", default_value = "-", hide_default_value = true)]
    platform: String,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Registries of capabilities, and who runs them
    Platforms,
    /// Capabilities with their versions
    Capabilities,
    /// Contracts with stage, services and owner
    Versions,
    /// Workloads with their addresses, and how far they may be believed
    Producers,
    /// What is claimed twice, who has it, and by which rule
    Conflicts,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Consumers(args)) => consumers::run(args).await,
        Some(Command::Graph(args)) => graph::run(args).await,
        Some(Command::Search(args)) => search::run(args).await,
        Some(Command::Watch(args)) => watch::run(args).await,
        None => {
            let List { what, platform, output, connection } = args.list;
            let mut client = CatalogServiceClient::new(connection.open().await?);
            let listed = lists::ask(&mut client, what, &Asked { platform, ..Asked::default() }).await;
            show(&listed.map_err(|status| anyhow::anyhow!(crate::cli::call::one_line(&status)))?, output)
        }
    }
}

fn show(listed: &Listed, form: Form) -> anyhow::Result<ExitCode> {
    match form {
        Form::Json => output::say(format!("{:#}", listed.json()?))?,
        Form::Table if listed.is_empty() => {
            eprintln!("nothing is listed: there is nothing, or nothing that you may see");
        }
        Form::Table => output::show(listed.table())?,
    }
    Ok(ExitCode::SUCCESS)
}
