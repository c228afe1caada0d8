//! Calls of every kind, across organisations.

use super::super::pb::data::kv::v1::key_value_service_client::KeyValueServiceClient;
use super::super::pb::data::kv::v1::{DeleteRequest, EventKind, PutRequest, WatchRequest};
use super::super::pb::data::search::v1::search_service_client::SearchServiceClient;
use super::super::pb::data::search::v1::{Document, IndexDocumentsRequest, SearchRequest};
use super::super::pb::ml::embedding::v1::StreamEmbeddingsRequest;
use super::super::pb::ml::embedding::v1::embedding_service_client::EmbeddingServiceClient;
use super::super::pb::payments::ledger::v1;
use super::super::pb::payments::ledger::v2::ledger_service_client::LedgerServiceClient;
use super::super::pb::payments::ledger::v2::{Money, PostEntryRequest};
use super::Stage;
use anyhow::{Context as _, bail, ensure};
use futures::stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_types::StatusExt as _;

pub(super) async fn unary(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut ledger = LedgerServiceClient::new(stage.data.channel());
    let entry = ledger.post_entry(payment(1_250)).await?.into_inner().entry.context("no entry")?;
    ensure!(entry.poster == "spiffe://data.example/reports", "posted by {:?}", entry.poster);
    Ok(format!("{}: {}, posted by {}", entry.name, entry.description, entry.poster))
}

pub(super) async fn refusal(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut ledger = LedgerServiceClient::new(stage.data.channel());
    let Err(status) = ledger.post_entry(payment(100_000_000)).await else { bail!("the ledger gave it") };
    ensure!(status.code() == Code::FailedPrecondition, "another refusal: {status}");
    let info = status.get_details_error_info().context("no details")?;
    ensure!(
        (&*info.reason, &*info.domain) == ("INSUFFICIENT_FUNDS", "payments.example"),
        "other details: {info:?}"
    );
    Ok(format!("{:?}: {} ({} of {})", status.code(), status.message(), info.reason, info.domain))
}

pub(super) async fn watch(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut watcher = KeyValueServiceClient::new(stage.ml.channel());
    let request = WatchRequest { prefix: "story/".into(), from_revision: 0, limit: 3 };
    let mut changes = watcher.watch(request).await?.into_inner();
    let mut store = KeyValueServiceClient::new(stage.data.channel());
    let put = |key: &str| PutRequest { key: key.into(), value: "ahoy".into(), expected_revision: 0 };
    store.put(put("story/a")).await?;
    store.put(put("other/b")).await?;
    store.put(put("story/c")).await?;
    store.delete(DeleteRequest { key: "story/a".into() }).await?;
    let mut seen = Vec::new();
    while let Some(change) = changes.message().await? {
        let kind = if change.kind() == EventKind::Delete { "delete" } else { "put" };
        seen.push(format!("{kind} {}", change.key_value.unwrap_or_default().key));
    }
    ensure!(seen == ["put story/a", "put story/c", "delete story/a"], "other changes: {seen:?}");
    Ok(seen.join(", "))
}

pub(super) async fn index(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut search = SearchServiceClient::new(stage.payments.channel());
    let document = |id: &str, title: &str, text: &str| IndexDocumentsRequest {
        document: Some(Document { id: id.into(), title: title.into(), text: text.into() }),
    };
    let documents = [
        document("invoice-1", "Invoice of the sailmaker", "Two topsails and a jib."),
        document("invoice-2", "Invoice of the chandler", "Rope, tar, and a new lantern."),
        document("reminder-1", "Reminder", "The sailmaker waits for his money."),
    ];
    let indexed = search.index_documents(stream::iter(documents)).await?.into_inner().indexed;
    ensure!(indexed == 3, "{indexed} were indexed");
    let request = SearchRequest { query: "sailmaker invoice".into(), limit: 1 };
    let best = search.search(request).await?.into_inner().hits.into_iter().next().context("nothing found")?;
    let id = best.document.context("a hit without its document")?.id;
    ensure!(id == "invoice-1", "{id} was found");
    Ok(format!("{indexed} indexed; \"sailmaker invoice\" finds {id} with {:.2}", best.score))
}

pub(super) async fn embed(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut embedding = EmbeddingServiceClient::new(stage.data.channel());
    let (texts, sent) = mpsc::channel(1);
    let mut answers = embedding.stream_embeddings(ReceiverStream::new(sent)).await?.into_inner();
    let mut near = Vec::new();
    for (id, text) in [("a", "the ship sails"), ("b", "the ships sail"), ("c", "income tax return")] {
        texts.send(StreamEmbeddingsRequest { id: id.into(), text: text.into() }).await?;
        // The next text is only sent when this one is answered: both directions are alive at once.
        let answer = answers.message().await?.context("the stream ended")?;
        ensure!(answer.id == id, "an answer to {}", answer.id);
        near.push(answer.similarity);
    }
    drop(texts);
    ensure!(answers.message().await?.is_none(), "an answer to nothing");
    ensure!(near[1] > near[2], "a tax return is nearer than ships: {near:?}");
    Ok(format!("ships are near to a ship ({:.2}), a tax return is not ({:.2})", near[1], near[2]))
}

pub(super) async fn deprecated(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut ledger = v1::ledger_service_client::LedgerServiceClient::new(stage.ml.channel());
    let request = v1::PostAmountRequest { account: "trainer".into(), amount: 5.0 };
    let answer = ledger.post_amount(request).await?;
    let header = |name: &str| {
        let value = answer.metadata().get(name).with_context(|| format!("no header {name}"))?;
        anyhow::Ok(value.to_str()?.to_owned())
    };
    Ok(format!("deprecation: {}; sunset: {}", header("deprecation")?, header("sunset")?))
}

fn payment(cents: i64) -> PostEntryRequest {
    PostEntryRequest {
        debit_account: "accounts/alice".into(),
        credit_account: "accounts/bob".into(),
        amount: Some(Money { currency_code: "EUR".into(), minor_units: cents }),
        description: "one chart of the Adriatic".into(),
        request_id: String::new(),
    }
}
