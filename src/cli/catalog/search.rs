//! `portolan catalog search`: what passes a filter, in an order.

use super::lists::{self, Asked};
use super::{CatalogServiceClient, What};
use crate::cli::connection::Connection;
use crate::cli::output::{Form, clean};
use prost_types::FieldMask;
use std::process::ExitCode;
use tonic::Status;
use tonic_types::StatusExt;

const LANGUAGE: &str = "\
The language (AIP-160):
  ledger \"double entry\"        words, in any case, in names, services and descriptions
  stage = stable               a field compared: = != < <= > >=; owner = \"team-*\"
  version >= 1.2               so are versions, times (sunset_time < 2027-01-01), labels.KEY
  labels:tier services:acme.*  \":\" is \"has\": a key, one of several, part of a text; owner:*
  NOT stage = beta  -beta      what must not be
  a b AND c OR d               a AND b AND (c OR d): OR binds tighter, write parentheses

Fields of versions: name, platform, capability, version, stage, status, services, labels.KEY,
description, owner, contact, on_call, support_tier, cost_unit, obligations, producers,
deprecation_time, sunset_time, describable, availability, source. Those of the other lists, and
all else: docs/search.md.

Examples:
  portolan catalog search 'ledger stage = stable' --order-by 'version desc'
  portolan catalog search 'stage = deprecated AND contact:*' --mask name,contact -o json
  portolan catalog search 'status != serving' --of capabilities";

/// Search the catalogue: words and comparisons
#[derive(Debug, clap::Args)]
#[command(after_help = LANGUAGE)]
pub(super) struct Args {
    /// What to find, as below
    #[arg(value_name = "EXPR", allow_hyphen_values = true)]
    filter: String,
    /// What to search
    #[arg(long, value_enum, default_value = "versions", value_name = "LIST")]
    of: What,
    /// Fields to order by, each with ` desc` if the greatest comes first: 'stage, version desc'
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    order_by: String,
    /// Only these fields of each, separated by commas; as JSON, they are all that is printed
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    mask: Vec<String>,
    /// Only of this platform
    #[arg(long, value_name = "NAME", default_value = "-", hide_default_value = true)]
    platform: String,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        args.of != What::Conflicts,
        "conflicts are listed, not searched: portolan catalog conflicts"
    );
    let mut client = CatalogServiceClient::new(args.connection.open().await?);
    let mask = Some(FieldMask { paths: args.mask }).filter(|mask| !mask.paths.is_empty());
    let asked = Asked { platform: args.platform, filter: args.filter, order_by: args.order_by, mask };
    let listed = lists::ask(&mut client, args.of, &asked).await;
    super::show(&listed.map_err(|status| refusal(&status))?, args.output)
}

/// A refusal with the text that it is about, where the broker has drawn it.
fn refusal(status: &Status) -> anyhow::Error {
    let drawn = status.get_details_error_info().and_then(|mut info| info.metadata.remove("drawn"));
    match drawn {
        Some(drawn) => {
            let lines: Vec<_> = drawn.lines().map(|line| format!("  {}", clean(line))).collect();
            anyhow::anyhow!("this cannot be searched for:\n{}", lines.join("\n"))
        }
        None => anyhow::anyhow!(crate::cli::call::one_line(status)),
    }
}
