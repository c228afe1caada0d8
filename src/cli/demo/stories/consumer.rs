//! A consumer of one organisation, and what every consumer may ask a broker.

use super::super::cast::Organisation;
use super::super::place::Place;
use crate::client::pb::grpc::reflection::v1::ServerReflectionRequest;
use crate::client::pb::grpc::reflection::v1::server_reflection_client::ServerReflectionClient;
use crate::client::pb::grpc::reflection::v1::server_reflection_request::MessageRequest;
use crate::client::pb::grpc::reflection::v1::server_reflection_response::MessageResponse;
use crate::client::pb::portolan::status::v1::status_service_client::StatusServiceClient;
use crate::client::pb::portolan::status::v1::{Condition, WatchStatusRequest, WatchStatusResponse};
use crate::client::{self, Channel, Profile};
use anyhow::{Context as _, bail};
use prost::Message as _;
use prost_types::FileDescriptorProto;

/// A workload that calls, over one connection with its own certificate.
pub(super) struct Consumer {
    channel: Channel,
}

impl Consumer {
    /// Connects as the organisation's consumer, by its profile.
    pub(super) async fn connect(place: &Place, organisation: &Organisation) -> anyhow::Result<Self> {
        let profile = place.profile(organisation.short);
        let target = Profile::load(&profile.to_string_lossy())?.target()?;
        let channel = client::connect(&target)
            .await
            .with_context(|| format!("{} cannot connect", organisation.consumer))?;
        Ok(Self { channel })
    }

    /// The connection, for a generated client.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// The services that reflection lists.
    pub(super) async fn services(&self) -> anyhow::Result<Vec<String>> {
        match self.reflect(MessageRequest::ListServices(String::new())).await? {
            MessageResponse::ListServicesResponse(list) => {
                Ok(list.service.into_iter().map(|s| s.name).collect())
            }
            other => bail!("instead of a list: {other:?}"),
        }
    }

    /// The file that declares `symbol`; `None` if reflection does not know it.
    pub(super) async fn describe(&self, symbol: &str) -> anyhow::Result<Option<FileDescriptorProto>> {
        let files = match self.reflect(MessageRequest::FileContainingSymbol(symbol.into())).await? {
            MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto,
            MessageResponse::ErrorResponse(_) => return Ok(None),
            other => bail!("instead of files: {other:?}"),
        };
        let first = files.first().context("an empty answer")?;
        Ok(Some(FileDescriptorProto::decode(&**first)?))
    }

    async fn reflect(&self, question: MessageRequest) -> anyhow::Result<MessageResponse> {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
        let mut reflection = ServerReflectionClient::new(self.channel());
        let mut answers =
            reflection.server_reflection_info(futures::stream::iter([request])).await?.into_inner();
        let answer = answers.message().await?.context("no answer")?;
        answer.message_response.context("an empty answer")
    }

    /// Waits until the condition of a version is as wanted, and returns it.
    pub(super) async fn until(
        &self,
        version: &str,
        wanted: impl Fn(&Condition) -> bool,
    ) -> anyhow::Result<Condition> {
        let mut status = StatusServiceClient::new(self.channel());
        let mut states = status.watch_status(WatchStatusRequest {}).await?.into_inner();
        while let Some(state) = states.message().await? {
            if let Some(condition) = condition(state, version).filter(&wanted) {
                return Ok(condition);
            }
        }
        bail!("the status stream ended")
    }
}

fn condition(state: WatchStatusResponse, version: &str) -> Option<Condition> {
    let versions = state.capabilities.into_iter().flat_map(|capability| capability.versions);
    versions.into_iter().find(|found| found.name == version)?.condition
}
