//! `portolan catalog consumers`: who called what in the last 30 days.

use super::lists::{Listed, pages, part};
use super::{CatalogServiceClient, Connection, Form, pb, show};
use crate::cli::call::one_line;
use crate::cli::output::last;
use crate::cli::status::since;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan catalog consumers --profile hub
  portolan catalog consumers --platform payments.example --capability ledger
  portolan catalog consumers -o json | jq -r '.consumers[] | select(.failedCalls != \"0\") | .identity'

You learn of the consumers of your own platforms; an operator learns of all.";

/// As many as the broker gives in one page.
const PAGE: i32 = 1000;

/// List who called what in the last 30 days, of your own platforms.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Only of this platform
    #[arg(long, value_name = "NAME", default_value = "-", hide_default_value = true)]
    platform: String,
    /// Only of this capability
    #[arg(long, value_name = "ID")]
    capability: Option<String>,
    /// The form of the answer
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = CatalogServiceClient::new(args.connection.open().await?);
    let capability = args.capability.map(|id| format!("/capabilities/{id}")).unwrap_or_default();
    let parent = format!("platforms/{}{capability}", args.platform);
    let items = pages(async |page_token| {
        let asked = pb::ListConsumersRequest { parent: parent.clone(), page_size: PAGE, page_token };
        let answer = client.list_consumers(asked).await?.into_inner();
        if answer.other_calls > 0 && answer.next_page_token.is_empty() {
            eprintln!("{} more calls, of consumers that were too many to be told apart", answer.other_calls);
        }
        Ok((answer.consumers, answer.next_page_token))
    });
    let items = items.await.map_err(|status| anyhow::anyhow!(one_line(&status)))?;
    let header =
        &["PLATFORM", "CAPABILITY", "VERSION", "CONSUMER", "CALLS", "FAILED", "FIRST CALL", "LAST CALL"];
    let kind = ("consumers", "portolan.catalog.v1.Consumer");
    let listed = Listed::new(kind, header, &items, |item: &pb::Consumer| {
        vec![
            part(&item.version, "platforms").into(),
            part(&item.version, "capabilities").into(),
            last(&item.version).into(),
            item.identity.clone(),
            item.calls.to_string(),
            item.failed_calls.to_string(),
            item.first_call_time.map(since).unwrap_or_default(),
            item.last_call_time.map(since).unwrap_or_default(),
        ]
    });
    show(&listed, args.output)
}
