//! `portolan catalog`: who offers what, as the caller may see it.

use crate::cli::connection::Connection;
use crate::cli::output::{self, Form, clean, last};
use crate::client::Channel;
use crate::client::pb::portolan::catalog::v1::{self as pb, catalog_service_client::CatalogServiceClient};
use anyhow::Context as _;
use serde_json::{Value, json};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  portolan catalog --profile hub
  portolan catalog capabilities --platform payments.example
  portolan catalog producers -o json | jq -r '.producers[].endpoints[].address'

What you may not see is absent, not hidden: another certificate may show another catalogue.";

/// As many as the broker gives in one page.
const PAGE: i32 = 1000;

type Client = CatalogServiceClient<Channel>;

/// List platforms, capabilities, versions and producers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
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

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum What {
    /// Registries of capabilities, and who runs them
    Platforms,
    /// Capabilities with their versions
    Capabilities,
    /// Contracts with stage, services and owner
    Versions,
    /// Workloads with their addresses, and how far they may be believed
    Producers,
}

pub(super) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let mut client = CatalogServiceClient::new(args.connection.open().await?);
    let listed = match args.what {
        What::Platforms => platforms(&mut client, &args.platform).await,
        What::Capabilities => capabilities(&mut client, &args.platform).await,
        What::Versions => versions(&mut client, &args.platform).await,
        What::Producers => producers(&mut client, &args.platform).await,
    };
    let listed = listed.map_err(|status| anyhow::anyhow!(crate::cli::call::one_line(&status)))?;
    match args.output {
        Form::Json => output::say(format!("{:#}", listed.json()?))?,
        Form::Table if listed.rows.is_empty() => {
            eprintln!("nothing is listed: there is nothing, or nothing that you may see");
        }
        Form::Table => {
            let mut table = output::table(listed.header);
            table.add_rows(&listed.rows);
            output::show(table)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A whole list, as rows and as messages.
struct Listed {
    kind: &'static str,
    message: &'static str,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
    encoded: Vec<Vec<u8>>,
}

impl Listed {
    fn new<M: prost::Message>(
        (kind, message): (&'static str, &'static str),
        header: &'static [&'static str],
        items: &[M],
        row: impl Fn(&M) -> Vec<String>,
    ) -> Self {
        let rows = items.iter().map(|item| row(item).iter().map(|cell| clean(cell)).collect()).collect();
        Self { kind, message, header, rows, encoded: items.iter().map(M::encode_to_vec).collect() }
    }

    fn json(&self) -> anyhow::Result<Value> {
        let descriptor = output::pool()?.get_message_by_name(self.message).context("an unknown message")?;
        let items: anyhow::Result<Vec<Value>> = self
            .encoded
            .iter()
            .map(|bytes| {
                let message = prost_reflect::DynamicMessage::decode(descriptor.clone(), bytes.as_slice())?;
                output::dynamic_json(&message)
            })
            .collect();
        Ok(json!({ self.kind: items? }))
    }
}

async fn platforms(client: &mut Client, platform: &str) -> Result<Listed, tonic::Status> {
    let mut items = pages(async |page_token| {
        let request = pb::ListPlatformsRequest { page_size: PAGE, page_token, ..Default::default() };
        let answer = client.list_platforms(request).await?.into_inner();
        Ok((answer.platforms, answer.next_page_token))
    })
    .await?;
    items.retain(|item| platform == "-" || last(&item.name) == platform);
    let header = &["PLATFORM", "TRUST DOMAIN", "CAPABILITIES", "SERVICE PREFIXES", "NAME"];
    Ok(Listed::new(("platforms", "portolan.catalog.v1.Platform"), header, &items, |item| {
        vec![
            last(&item.name).into(),
            item.trust_domain.clone(),
            item.capability_count.to_string(),
            item.service_prefixes.join("\n"),
            item.display_name.clone(),
        ]
    }))
}

async fn capabilities(client: &mut Client, platform: &str) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{platform}");
    let items = pages(async |page_token| {
        let request = pb::ListCapabilitiesRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let answer = client.list_capabilities(request).await?.into_inner();
        Ok((answer.capabilities, answer.next_page_token))
    })
    .await?;
    let header = &["PLATFORM", "CAPABILITY", "VERSIONS", "SERVICES", "DESCRIPTION"];
    Ok(Listed::new(("capabilities", "portolan.catalog.v1.Capability"), header, &items, |item| {
        vec![
            part(&item.name, "platforms").into(),
            last(&item.name).into(),
            item.versions.join(", "),
            item.services.join("\n"),
            item.description.clone(),
        ]
    }))
}

async fn versions(client: &mut Client, platform: &str) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{platform}/capabilities/-");
    let items = pages(async |page_token| {
        let request = pb::ListVersionsRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let answer = client.list_versions(request).await?.into_inner();
        Ok((answer.versions, answer.next_page_token))
    })
    .await?;
    let header = &["PLATFORM", "CAPABILITY", "VERSION", "STAGE", "SERVICES", "PRODUCERS", "OWNER"];
    Ok(Listed::new(("versions", "portolan.catalog.v1.Version"), header, &items, |item| {
        vec![
            part(&item.name, "platforms").into(),
            part(&item.name, "capabilities").into(),
            item.version.clone(),
            output::word(item.stage().as_str_name(), "STAGE_").to_lowercase(),
            item.services.join("\n"),
            item.producers.iter().map(|name| last(name)).collect::<Vec<_>>().join("\n"),
            item.owner.clone(),
        ]
    }))
}

async fn producers(client: &mut Client, platform: &str) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{platform}");
    let items = pages(async |page_token| {
        let request = pb::ListProducersRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            ..Default::default()
        };
        let answer = client.list_producers(request).await?.into_inner();
        Ok((answer.producers, answer.next_page_token))
    })
    .await?;
    let header = &["PLATFORM", "PRODUCER", "FRESHNESS", "ENDPOINTS", "VERSIONS", "IDENTITY"];
    Ok(Listed::new(("producers", "portolan.catalog.v1.Producer"), header, &items, |item| {
        let version = |name: &String| format!("{} {}", part(name, "capabilities"), last(name));
        vec![
            part(&item.name, "platforms").into(),
            last(&item.name).into(),
            output::word(item.freshness().as_str_name(), "FRESHNESS_"),
            item.endpoints.iter().map(|endpoint| endpoint.address.clone()).collect::<Vec<_>>().join("\n"),
            item.versions.iter().map(version).collect::<Vec<_>>().join("\n"),
            item.identity.clone(),
        ]
    }))
}

/// All pages of a list.
async fn pages<T>(
    mut next: impl AsyncFnMut(String) -> Result<(Vec<T>, String), tonic::Status>,
) -> Result<Vec<T>, tonic::Status> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next_token) = next(token).await?;
        all.extend(page);
        if next_token.is_empty() {
            return Ok(all);
        }
        token = next_token;
    }
}

/// The part of a resource name behind a word.
fn part<'a>(name: &'a str, word: &str) -> &'a str {
    let mut parts = name.split('/');
    parts.by_ref().find(|part| *part == word);
    parts.next().unwrap_or_default()
}
