//! What a consumer sees, and what it does not.

use super::super::cast::ROLES;
use super::super::pb::ml::embedding::v1::EmbedRequest;
use super::super::pb::ml::embedding::v1::embedding_service_client::EmbeddingServiceClient;
use super::Stage;
use crate::client::pb::portolan::catalog::v1::ListVersionsRequest;
use crate::client::pb::portolan::catalog::v1::catalog_service_client::CatalogServiceClient;
use anyhow::{Context as _, bail, ensure};
use tonic::Code;

const HIDDEN: &str = "ml.embedding.v1.EmbeddingService";

pub(super) async fn lists(stage: &Stage<'_>) -> anyhow::Result<String> {
    let services = stage.payments.services().await?;
    for role in ROLES.iter().filter(|role| role.visible_to == ["*"]) {
        ensure!(
            services.iter().any(|name| name == role.service),
            "{} is missing in {services:?}",
            role.service
        );
    }
    let of_others =
        services.iter().filter(|name| !name.starts_with("grpc.") && !name.starts_with("portolan."));
    Ok(of_others.cloned().collect::<Vec<_>>().join(", "))
}

pub(super) async fn describes(stage: &Stage<'_>) -> anyhow::Result<String> {
    let file = stage.payments.describe("data.kv.v1.KeyValueService").await?.context("not described")?;
    let service = file.service.first().context("a file without the service")?;
    let methods: Vec<_> = service.method.iter().map(|method| method.name().to_owned()).collect();
    ensure!(methods == ["Put", "Get", "List", "Delete", "Watch"], "other methods: {methods:?}");
    Ok(format!("{} declares {}", file.name(), methods.join(", ")))
}

pub(super) async fn catalogue(stage: &Stage<'_>) -> anyhow::Result<String> {
    let mut catalogue = CatalogServiceClient::new(stage.ml.channel());
    let parent = "platforms/payments.example/capabilities/ledger".to_owned();
    let request = ListVersionsRequest { parent, ..ListVersionsRequest::default() };
    let versions = catalogue.list_versions(request).await?.into_inner().versions;
    let shown: Vec<_> =
        versions.iter().map(|v| format!("{} {}", v.version, v.stage().as_str_name())).collect();
    ensure!(shown == ["2.1.0 STAGE_STABLE", "1.4.2 STAGE_DEPRECATED"], "other versions: {shown:?}");
    Ok(format!("ledger of payments.example: {}", shown.join(", ")))
}

pub(super) async fn denied(stage: &Stage<'_>) -> anyhow::Result<String> {
    let services = stage.payments.services().await?;
    ensure!(!services.iter().any(|name| name == HIDDEN), "it is listed");
    ensure!(stage.payments.describe(HIDDEN).await?.is_none(), "it is described");
    ensure!(stage.data.services().await?.iter().any(|name| name == HIDDEN), "data does not see it either");
    let mut embedding = EmbeddingServiceClient::new(stage.payments.channel());
    match embedding.embed(EmbedRequest { text: "ahoy".into() }).await {
        Err(status) if status.code() == Code::PermissionDenied => Ok(format!("denied: {}", status.message())),
        Err(status) => bail!("another refusal: {status}"),
        Ok(_) => bail!("the call went through"),
    }
}
