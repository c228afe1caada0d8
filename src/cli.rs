//! The command line: one file for each subcommand, over public RPCs only.
//!
//! Owns: words on the terminal. Data goes to standard output, talk to standard error.
//! Never: what the broker knows; it is asked like by anybody.

mod apply;
mod call;
mod catalog;
pub mod certs;
mod completions;
mod config;
mod connection;
pub mod demo;
mod explain;
mod export;
mod lint;
mod manifests;
mod output;
mod plan;
mod publish;
mod report;
mod schema;
mod serve;
mod status;

use crate::broker;
use std::io;
use std::process::ExitCode;

/// What a client command logs unless `PORTOLAN_LOG` says otherwise.
const QUIET: &str = "error";

const EXAMPLES: &str = "\
Examples:
  See it all at work, with nothing to set up:
    portolan demo

  Run a broker:
    portolan config check portolan.toml
    portolan serve --config portolan.toml

  Check a contract before consumers rely on it:
    portolan lint ledger.binpb --against ledger-1.4.0.binpb

  Describe platforms as code:
    portolan plan -f manifests/ --profile operator
    portolan apply -f manifests/ --profile operator

  Ask it, with the flags in a profile (~/.config/portolan/profiles/hub.toml):
    portolan catalog --profile hub
    portolan status --profile hub --watch
    portolan call --profile hub list
    portolan call --profile hub acme.ledger.v1.Ledger/GetBalance -d '{\"account\": \"a\"}'
    portolan report --profile hub producer
    portolan explain --profile hub acme.ledger.v1.Ledger/GetBalance

Exit codes: 0 done, 1 failed, 2 wrong usage; `status`, `report`, `call`, `explain`, `lint`, `plan`, `apply` and `publish` add their own, see their help.
PORTOLAN_LOG sets what a client command logs (error, warn, info, debug, or part=level pairs).";

/// One address for the capabilities of many organisations: a gRPC federation broker.
#[derive(Debug, clap::Parser)]
#[command(name = "portolan", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Catalog(catalog::Args),
    Status(status::Args),
    Report(report::Args),
    Call(call::Args),
    Explain(explain::Args),
    Plan(plan::Args),
    Apply(apply::Args),
    Export(export::Args),
    Publish(publish::Args),
    Schema(schema::Args),
    Config(config::Args),
    Lint(lint::Args),
    Certs(certs::Args),
    Completions(completions::Args),
}

/// Does what the arguments say.
pub async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    // A broker logs as its configuration says; all others keep to themselves what only helps to find faults.
    if !matches!(arguments.command, Command::Serve(_)) {
        let filter = std::env::var("PORTOLAN_LOG").unwrap_or_else(|_| QUIET.to_owned());
        broker::log::start(&broker::config::Log { filter, ..Default::default() })?;
    }
    match arguments.command {
        Command::Demo(args) => Box::pin(demo::run(args)).await,
        Command::Serve(args) => Box::pin(serve::run(args)).await,
        Command::Catalog(args) => Box::pin(catalog::run(args)).await,
        Command::Report(args) => Box::pin(report::run(args)).await,
        Command::Status(args) => Box::pin(status::run(args)).await,
        Command::Call(args) => Box::pin(call::run(args)).await,
        Command::Explain(args) => Box::pin(explain::run(args)).await,
        Command::Plan(args) => Box::pin(plan::run(args)).await,
        Command::Apply(args) => Box::pin(apply::run(args)).await,
        Command::Export(args) => Box::pin(export::run(args)).await,
        Command::Publish(args) => Box::pin(publish::run(args)).await,
        Command::Schema(args) => schema::run(&args),
        Command::Config(args) => config::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Certs(args) => certs::run(args).map(|()| ExitCode::SUCCESS),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The exit code of what was done; a failure is told on standard error, in one line with its causes.
pub fn exit_code(ended: anyhow::Result<ExitCode>) -> ExitCode {
    let error = match ended {
        Ok(code) => return code,
        Err(error) => error,
    };
    // Whoever read our output has enough (`| head`): that is no failure.
    let is_closed_pipe = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    if error.downcast_ref::<io::Error>().is_some_and(is_closed_pipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", output::clean(&told(&error)));
    ExitCode::FAILURE
}

/// An error with its causes; a cause that its effect has told already is left out.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}
