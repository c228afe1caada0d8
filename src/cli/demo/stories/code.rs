//! Platforms as code: a broker that gets everything from a directory of manifests.

use super::super::code;
use super::super::pb::payments::ledger::v1;
use super::Stage;
use crate::cli::manifests::changes;
use crate::client::Channel;
use crate::client::pb::portolan::catalog::v1::catalog_service_client::CatalogServiceClient;
use crate::client::pb::portolan::catalog::v1::{ListProducersRequest, ListVersionsRequest};
use crate::client::pb::portolan::manifest::v1::{Action, ApplyManifestsResponse, Change};
use anyhow::{Context as _, bail, ensure};
use std::collections::BTreeSet;

/// The version that goes in these stories.
const OLD: &str = "platforms/payments.example/capabilities/ledger/versions/1.4.2";

pub(super) async fn same(stage: &Stage<'_>) -> anyhow::Result<String> {
    let registered = catalogue(code::operator(stage.house.place()).await?).await?;
    let declared = catalogue(code::operator(stage.coded.place()).await?).await?;
    ensure!(registered == declared, "other catalogues: {registered:#?} and {declared:#?}");
    Ok(format!("{} versions and producers, of the same contracts", declared.len()))
}

pub(super) async fn planned(stage: &Stage<'_>) -> anyhow::Result<String> {
    let answer = plan(stage).await?;
    ensure!(differing(&answer).is_empty(), "there are changes:\n{}", changes::lines(&answer).join("\n"));
    Ok("no changes".into())
}

pub(super) async fn removed(stage: &Stage<'_>) -> anyhow::Result<String> {
    // Somebody relies on it: who that is, the plan of its end will say.
    let mut ledger =
        v1::ledger_service_client::LedgerServiceClient::new(stage.consumer_of_coded("ml").await?);
    ledger.post_amount(v1::PostAmountRequest { account: "trainer".into(), amount: 5.0 }).await?;
    one_less(stage, "payments.example/producer-ledger-v1.yaml").await
}

pub(super) async fn deprecated(stage: &Stage<'_>) -> anyhow::Result<String> {
    let proof = one_less(stage, "payments.example/ledger-1.4.2.yaml").await?;
    ensure!(proof.contains("affects spiffe://ml.example/trainer"), "nobody is affected: {proof}");
    let left = catalogue(code::operator(stage.coded.place()).await?).await?;
    ensure!(!left.iter().any(|line| line.contains(OLD)), "it is still there: {left:#?}");
    planned(stage).await?;
    Ok(proof)
}

/// Deletes a file; what the plan says is one removal, and that is what is done.
async fn one_less(stage: &Stage<'_>, file: &str) -> anyhow::Result<String> {
    std::fs::remove_file(stage.coded.place().manifests().join(file)).context(file.to_owned())?;
    let planned = plan(stage).await?;
    match differing(&planned)[..] {
        [change] if change.action() == Action::Delete => {}
        _ => bail!("not one removal:\n{}", changes::lines(&planned).join("\n")),
    }
    let given = code::given(stage.coded.place())?;
    let done = given.apply(code::operator(stage.coded.place()).await?, true, false).await?;
    ensure!(changes::lines(&done) == changes::lines(&planned), "another thing was done than was planned");
    Ok(changes::lines(&done).join("\n         "))
}

async fn plan(stage: &Stage<'_>) -> anyhow::Result<ApplyManifestsResponse> {
    let given = code::given(stage.coded.place())?;
    ensure!(given.faults.is_empty(), "files at fault: {:?}", given.faults);
    given.apply(code::operator(stage.coded.place()).await?, true, true).await
}

fn differing(answer: &ApplyManifestsResponse) -> Vec<&Change> {
    let stays = |change: &&Change| !matches!(change.action(), Action::Unchanged | Action::Unmanaged);
    answer.changes.iter().filter(stays).collect()
}

/// What is offered, by whom, and under which contract.
async fn catalogue(broker: Channel) -> anyhow::Result<BTreeSet<String>> {
    let mut catalogue = CatalogServiceClient::new(broker);
    let parent = "platforms/-/capabilities/-".to_owned();
    let versions = catalogue.list_versions(ListVersionsRequest { parent, ..Default::default() }).await?;
    let parent = "platforms/-".to_owned();
    let producers = catalogue.list_producers(ListProducersRequest { parent, ..Default::default() }).await?;
    let versions = versions.into_inner().versions.into_iter().map(|it| {
        let said = (it.stage, it.description, it.owner, it.contact, it.visibility, it.producers);
        format!("{} {} {said:?}", it.name, it.digest)
    });
    let producers = producers
        .into_inner()
        .producers
        .into_iter()
        .map(|it| format!("{} {} {:?}", it.name, it.identity, it.versions));
    Ok(versions.chain(producers).collect())
}
