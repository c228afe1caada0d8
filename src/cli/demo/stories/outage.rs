//! A producer crashes and comes back, as everybody else sees it.

use super::super::cast::{ROLES, Role};
use super::super::pb::payments::ledger::v2::ListEntriesRequest;
use super::super::pb::payments::ledger::v2::ledger_service_client::LedgerServiceClient;
use super::Stage;
use crate::client::pb::portolan::status::v1::State;
use anyhow::{Context as _, bail, ensure};
use tonic::Code;
use tonic_types::StatusExt as _;

const VICTIM: &str = "ledger";
const LEDGER: &str = "platforms/payments.example/capabilities/ledger/versions/2.1.0";

pub(super) async fn all_serving(stage: &Stage<'_>) -> anyhow::Result<String> {
    for role in &ROLES {
        // Data sees every version: it owns two, may use one of ml's, and the rest is for everyone.
        stage.data.until(&version(role), |condition| condition.state() == State::Serving).await?;
    }
    Ok(format!("{} versions are {}", ROLES.len(), State::Serving.as_str_name()))
}

pub(super) async fn crash(stage: &Stage<'_>) -> anyhow::Result<String> {
    stage.house.kill(VICTIM).await?;
    let condition = stage.data.until(LEDGER, |condition| condition.state() == State::NotServing).await?;
    Ok(format!("{}: {} ({})", condition.state().as_str_name(), condition.message, condition.reason))
}

pub(super) async fn unavailable(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut ledger = LedgerServiceClient::new(stage.data.channel());
    let Err(status) = ledger.list_entries(ListEntriesRequest::default()).await else { bail!("it answered") };
    ensure!(status.code() == Code::Unavailable, "another failure: {status}");
    let info = status.get_details_error_info().context("no details")?;
    ensure!(info.domain == "portolan.dev", "other details: {info:?}");
    let since = info.metadata.get("since").context("it does not say since when")?;
    Ok(format!("{:?}: {} ({}, since {since})", status.code(), status.message(), info.reason))
}

pub(super) async fn still_described(stage: &Stage<'_>) -> anyhow::Result<String> {
    let file = stage.data.describe("payments.ledger.v2.LedgerService").await?.context("not described")?;
    Ok(format!("{} is served from its registration", file.name()))
}

pub(super) async fn back(stage: &Stage<'_>) -> anyhow::Result<String> {
    stage.house.start(VICTIM).await?;
    let condition = stage.data.until(LEDGER, |condition| condition.state() == State::Serving).await?;
    let mut ledger = LedgerServiceClient::new(stage.data.channel());
    let entries = ledger.list_entries(ListEntriesRequest::default()).await?.into_inner().entries;
    ensure!(entries.len() >= 3, "only {} entries", entries.len());
    Ok(format!("{}, with {} entries", condition.state().as_str_name(), entries.len()))
}

fn version(role: &Role) -> String {
    format!("platforms/{}/capabilities/{}/versions/{}", role.domain, role.capability, role.version)
}
