//! `portolan status`: how well is the federation, why, since when, and how old is that knowledge.

use crate::cli::call::one_line;
use crate::cli::connection::Connection;
use crate::cli::output::{self, Form, clean, last};
use crate::client::Channel;
use crate::client::pb::portolan::status::v1::{self as pb, status_service_client::StatusServiceClient};
use comfy_table::{Cell, Color};
use jiff::{Timestamp, Unit};
use serde_json::json;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan status --profile hub
  portolan status --profile hub --watch
  portolan status --explain platforms/payments.example/capabilities/ledger
  portolan status -o json | jq -r '.status.condition.state'

Exit codes: 0 SERVING, 4 DEGRADED, 5 NOT_SERVING, 6 UNKNOWN (with --watch: the last that was seen);
1 the broker could not be asked, 2 wrong usage.";

mod explain;

const PAGE: i32 = 1000;

/// Show how well producers, versions, capabilities, platforms and the federation are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Stay, and show it again each time it has changed
    #[arg(long, short)]
    watch: bool,
    /// Say why: of NAME (platforms/…, a capability, version or producer), or of the whole
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "watch")]
    explain: Option<String>,
    /// The form of the answer; with --watch, one JSON object a line
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = StatusServiceClient::new(args.connection.open().await?);
    let failed = |status: tonic::Status| anyhow::anyhow!(one_line(&status));
    if let Some(name) = args.explain {
        let explained = client.explain_status(pb::ExplainStatusRequest { name }).await.map_err(failed)?;
        return explain::show(explained.into_inner(), args.output);
    }
    if !args.watch {
        let (status, capabilities) = ask(&mut client).await.map_err(failed)?;
        print(&status, &capabilities, args.output, false)?;
        return Ok(code(&status));
    }
    let mut changes = client.watch_status(pb::WatchStatusRequest {}).await.map_err(failed)?.into_inner();
    let mut last = pb::FederationStatus::default();
    loop {
        let change = tokio::select! {
            change = changes.message() => change.map_err(failed)?,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(change) = change else { return Ok(code(&last)) };
        last = change.status.unwrap_or_default();
        print(&last, &change.capabilities, args.output, true)?;
    }
}

async fn ask(
    client: &mut StatusServiceClient<Channel>,
) -> Result<(pb::FederationStatus, Vec<pb::CapabilityStatus>), tonic::Status> {
    let status = client.get_federation_status(pb::GetFederationStatusRequest {}).await?.into_inner().status;
    let (mut capabilities, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            pb::ListCapabilityStatusesRequest { parent: "platforms/-".into(), page_size: PAGE, page_token };
        let page = client.list_capability_statuses(request).await?.into_inner();
        capabilities.extend(page.capabilities);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok((status.unwrap_or_default(), capabilities));
        }
    }
}

fn print(
    status: &pb::FederationStatus,
    capabilities: &[pb::CapabilityStatus],
    form: Form,
    watching: bool,
) -> anyhow::Result<()> {
    if form == Form::Json {
        let capabilities: anyhow::Result<Vec<_>> = capabilities
            .iter()
            .map(|item| output::json("portolan.status.v1.CapabilityStatus", item))
            .collect();
        let status = output::json("portolan.status.v1.FederationStatus", status)?;
        let whole = json!({ "status": status, "capabilities": capabilities? });
        return Ok(output::say(if watching { whole.to_string() } else { format!("{whole:#}") })?);
    }
    if watching && io::stdout().is_terminal() {
        // Clears the screen and its history, as `watch` and `top` do.
        output::write(b"\x1b[2J\x1b[3J\x1b[H")?;
    }
    output::say(headline(status))?;
    for name in &status.unreachable {
        output::say(format!("not reached: {}", clean(name)))?;
    }
    let mut table = output::table(&["NAME", "STATE", "REASON", "SINCE", "FRESHNESS", "MESSAGE"]);
    let mut platform = "";
    for capability in capabilities {
        let owner = capability.name.split('/').nth(1).unwrap_or_default();
        if owner != platform {
            platform = owner;
            let found = status.platforms.iter().find(|item| last(&item.name) == owner);
            table.add_row(row(owner, found.and_then(|item| item.condition.as_ref()), brief));
        }
        table.add_row(row(&format!("  {}", last(&capability.name)), capability.condition.as_ref(), brief));
        for version in &capability.versions {
            table.add_row(row(&format!("    {}", last(&version.name)), version.condition.as_ref(), brief));
            for producer in &version.producers {
                table.add_row(row(
                    &format!("      {}", last(&producer.name)),
                    producer.condition.as_ref(),
                    str::to_owned,
                ));
            }
        }
    }
    if !capabilities.is_empty() {
        output::say("")?;
        output::show(table)?;
    }
    let drifts: Vec<_> =
        status.conditions.iter().chain(status.platforms.iter().flat_map(|p| &p.conditions)).collect();
    if !drifts.is_empty() {
        output::say("")?;
    }
    for drift in drifts {
        let since = drift.since.map(since).unwrap_or_default();
        output::say(clean(&format!("{} {} ({since}): {}", drift.r#type, drift.reason, drift.message)))?;
    }
    if watching {
        output::say("")?;
    }
    Ok(())
}

fn headline(status: &pb::FederationStatus) -> String {
    let condition = status.condition.clone().unwrap_or_default();
    let counts = [
        ("serving", status.platforms.iter().map(|p| p.serving).sum::<i32>()),
        ("degraded", status.platforms.iter().map(|p| p.degraded).sum()),
        ("not serving", status.platforms.iter().map(|p| p.not_serving).sum()),
        ("unknown", status.platforms.iter().map(|p| p.unknown).sum()),
    ];
    let counts: Vec<_> =
        counts.iter().filter(|(_, n)| *n > 0).map(|(word, n)| format!("{n} {word}")).collect();
    let counts = if counts.is_empty() { "none".to_owned() } else { counts.join(", ") };
    let message =
        if condition.message.is_empty() { String::new() } else { format!(" ({})", condition.message) };
    clean(&format!(
        "{}: {}{message}; capabilities: {counts}; catalogue revision {}",
        status.broker,
        state(condition.state()),
        status.revision
    ))
}

/// What a fold says of itself, without what it repeats of those below it.
fn brief(message: &str) -> String {
    message.split("; ").next().unwrap_or_default().to_owned()
}

fn row(name: &str, condition: Option<&pb::Condition>, shown: fn(&str) -> String) -> Vec<Cell> {
    let condition = condition.cloned().unwrap_or_default();
    let color = match condition.state() {
        pb::State::Serving => Color::Green,
        pb::State::Degraded => Color::Yellow,
        pb::State::NotServing => Color::Red,
        _ => Color::DarkGrey,
    };
    vec![
        Cell::new(clean(name)),
        Cell::new(state(condition.state())).fg(color),
        Cell::new(clean(&condition.reason)),
        Cell::new(condition.since.map(since).unwrap_or_default()),
        Cell::new(output::word(condition.freshness().as_str_name(), "FRESHNESS_")),
        Cell::new(clean(&shown(&condition.message))),
    ]
}

fn state(state: pb::State) -> String {
    match state {
        pb::State::Unspecified => "UNKNOWN".into(),
        state => output::word(state.as_str_name(), "STATE_"),
    }
}

/// How long ago, in the two largest units.
pub(super) fn since(time: prost_types::Timestamp) -> String {
    let Ok(then) = Timestamp::new(time.seconds, 0) else { return String::new() };
    let seconds = Timestamp::now().since((Unit::Second, then)).map_or(0, |span| span.get_seconds()).max(0);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(3);
    let mut rest = seconds;
    let mut text = String::new();
    for (size, unit) in units.iter().skip(first).take(2) {
        if text.is_empty() || rest >= *size {
            text += &format!("{}{unit}", rest / size);
        }
        rest %= size;
    }
    text + " ago"
}

fn code(status: &pb::FederationStatus) -> ExitCode {
    code_of(status.condition.as_ref())
}

fn code_of(condition: Option<&pb::Condition>) -> ExitCode {
    match condition.map(pb::Condition::state) {
        Some(pb::State::Serving) => ExitCode::SUCCESS,
        Some(pb::State::Degraded) => ExitCode::from(4),
        Some(pb::State::NotServing) => ExitCode::from(5),
        _ => ExitCode::from(6),
    }
}
