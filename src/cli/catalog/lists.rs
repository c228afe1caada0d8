//! The four lists of the catalogue, whole: as tables for people, and as messages for programs.

use super::{Client, What};
use crate::cli::output::{self, clean, last};
use crate::client::pb::portolan::catalog::v1 as pb;
use anyhow::Context as _;
use comfy_table::Table;
use prost_types::FieldMask;
use serde_json::{Value, json};

/// As many as the broker gives in one page.
const PAGE: i32 = 1000;

/// What is asked of a list.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// `-` is any.
    pub(super) platform: String,
    pub(super) filter: String,
    pub(super) order_by: String,
    pub(super) mask: Option<FieldMask>,
}

/// Asks for a whole list.
pub(super) async fn ask(client: &mut Client, what: What, asked: &Asked) -> Result<Listed, tonic::Status> {
    let mut listed = match what {
        What::Platforms => platforms(client, asked).await,
        What::Capabilities => capabilities(client, asked).await,
        What::Versions => versions(client, asked).await,
        What::Producers => producers(client, asked).await,
        What::Conflicts => conflicts(client, asked).await,
    }?;
    listed.is_cut = asked.mask.is_some();
    Ok(listed)
}

/// A whole list, as rows and as messages.
pub(in crate::cli) struct Listed {
    kind: &'static str,
    message: &'static str,
    header: &'static [&'static str],
    rows: Vec<Vec<String>>,
    encoded: Vec<Vec<u8>>,
    /// Whether fields were left out.
    is_cut: bool,
}

impl Listed {
    pub(in crate::cli) fn new<M: prost::Message>(
        (kind, message): (&'static str, &'static str),
        header: &'static [&'static str],
        items: &[M],
        row: impl Fn(&M) -> Vec<String>,
    ) -> Self {
        let rows = items.iter().map(|item| row(item).iter().map(|cell| clean(cell)).collect()).collect();
        Self {
            kind,
            message,
            header,
            rows,
            encoded: items.iter().map(M::encode_to_vec).collect(),
            is_cut: false,
        }
    }

    pub(in crate::cli) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(in crate::cli) fn table(&self) -> Table {
        let mut table = output::table(self.header);
        table.add_rows(&self.rows);
        table
    }

    pub(in crate::cli) fn json(&self) -> anyhow::Result<Value> {
        let descriptor = output::pool()?.get_message_by_name(self.message).context("an unknown message")?;
        let items: anyhow::Result<Vec<Value>> = self
            .encoded
            .iter()
            .map(|bytes| {
                let message = prost_reflect::DynamicMessage::decode(descriptor.clone(), bytes.as_slice())?;
                // An empty field that was not asked for would look as if it were known to be empty.
                if self.is_cut { Ok(serde_json::to_value(&message)?) } else { output::dynamic_json(&message) }
            })
            .collect();
        Ok(json!({ self.kind: items? }))
    }
}

async fn platforms(client: &mut Client, asked: &Asked) -> Result<Listed, tonic::Status> {
    // This list has no parent to name the platform; `AND` binds loosest, so what was asked for stays as it is.
    let only = Some(format!("platform = {:?}", asked.platform)).filter(|_| asked.platform != "-");
    let asked_for = Some(asked.filter.clone()).filter(|filter| !filter.trim().is_empty());
    let filter = asked_for.into_iter().chain(only).collect::<Vec<_>>().join(" AND ");
    let items = pages(async |page_token| {
        let request = pb::ListPlatformsRequest {
            page_size: PAGE,
            page_token,
            filter: filter.clone(),
            order_by: asked.order_by.clone(),
            read_mask: asked.mask.clone(),
        };
        let answer = client.list_platforms(request).await?.into_inner();
        Ok((answer.platforms, answer.next_page_token))
    })
    .await?;
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

async fn capabilities(client: &mut Client, asked: &Asked) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{}", asked.platform);
    let items = pages(async |page_token| {
        let request = pb::ListCapabilitiesRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            filter: asked.filter.clone(),
            order_by: asked.order_by.clone(),
            read_mask: asked.mask.clone(),
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

async fn versions(client: &mut Client, asked: &Asked) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{}/capabilities/-", asked.platform);
    let items = pages(async |page_token| {
        let request = pb::ListVersionsRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            filter: asked.filter.clone(),
            order_by: asked.order_by.clone(),
            read_mask: asked.mask.clone(),
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
            said(item.stage().as_str_name(), "STAGE_").to_lowercase(),
            item.services.join("\n"),
            item.producers.iter().map(|name| last(name)).collect::<Vec<_>>().join("\n"),
            item.owner.clone(),
        ]
    }))
}

async fn producers(client: &mut Client, asked: &Asked) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{}", asked.platform);
    let items = pages(async |page_token| {
        let request = pb::ListProducersRequest {
            parent: parent.clone(),
            page_size: PAGE,
            page_token,
            filter: asked.filter.clone(),
            order_by: asked.order_by.clone(),
            read_mask: asked.mask.clone(),
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
            said(item.freshness().as_str_name(), "FRESHNESS_"),
            item.endpoints.iter().map(|endpoint| endpoint.address.clone()).collect::<Vec<_>>().join("\n"),
            item.versions.iter().map(version).collect::<Vec<_>>().join("\n"),
            item.identity.clone(),
        ]
    }))
}

async fn conflicts(client: &mut Client, asked: &Asked) -> Result<Listed, tonic::Status> {
    let parent = format!("platforms/{}", asked.platform);
    let items = pages(async |page_token| {
        let request = pb::ListConflictsRequest { parent: parent.clone(), page_size: PAGE, page_token };
        let answer = client.list_conflicts(request).await?.into_inner();
        Ok((answer.conflicts, answer.next_page_token))
    })
    .await?;
    let header = &["SUBJECT", "KIND", "CLAIMANTS", "RULE", "WHAT TO KNOW"];
    Ok(Listed::new(("conflicts", "portolan.catalog.v1.Conflict"), header, &items, |item| {
        let claimant = |claimant: &pb::Claimant| {
            let source = said(claimant.source().as_str_name(), "SOURCE_").to_lowercase();
            let has = if claimant.winner { " (has it)" } else { "" };
            let origin = Some(claimant.origin.as_str()).filter(|origin| !origin.is_empty());
            let origin = origin.map(|origin| format!(", {origin}")).unwrap_or_default();
            format!("{} by {source}{origin}{has}", last(&claimant.platform))
        };
        vec![
            item.subject.clone(),
            said(item.kind().as_str_name(), "CONFLICT_KIND_").to_lowercase(),
            item.claimants.iter().map(claimant).collect::<Vec<_>>().join("\n"),
            item.rule.clone(),
            item.message.clone(),
        ]
    }))
}

/// All pages of a list.
pub(in crate::cli) async fn pages<T>(
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
pub(in crate::cli) fn part<'a>(name: &'a str, word: &str) -> &'a str {
    let mut parts = name.split('/');
    parts.by_ref().find(|part| *part == word);
    parts.next().unwrap_or_default()
}

/// The value of an enum without its prefix; empty if it is not said.
fn said(name: &str, prefix: &str) -> String {
    Some(output::word(name, prefix)).filter(|word| word != "UNSPECIFIED").unwrap_or_default()
}
