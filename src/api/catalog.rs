//! `portolan.catalog.v1.CatalogService`: who offers what, as the caller may see it.

mod conflicts;
mod graph;
mod list;
mod pins;
mod search;
pub(super) mod view;
mod watch;

use super::caller::caller;
use super::consumers::Consumers;
use super::fault::Fault;
use super::turns::Turns;
use crate::access::{Caller, Policy};
use crate::catalog::{Reader, Snapshot};
use crate::lifecycle::Shutdown;
use crate::model::{CapabilityName, VersionName};
use crate::status::Board;
use crate::wire::pb::portolan::catalog::v1 as pb;
use pb::catalog_service_server::{CatalogService, CatalogServiceServer};
use pins::Pins;
use std::fmt::Display;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use view::View;

/// Answers made at the same time that read all of the catalogue at once.
const AT_ONCE: usize = 4;

/// The service.
#[derive(Debug, Clone)]
pub struct Catalog {
    reader: Reader,
    policy: Arc<Policy>,
    board: Board,
    consumers: Consumers,
    pins: Arc<Pins>,
    watches: watch::Places,
    turns: Turns,
    shutdown: Shutdown,
}

/// The service over a catalogue, how it is and who uses it, filtered by policy.
pub fn service(
    reader: Reader,
    policy: Arc<Policy>,
    board: Board,
    consumers: Consumers,
    shutdown: Shutdown,
) -> CatalogServiceServer<Catalog> {
    let (pins, watches) = (Arc::default(), watch::Places::default());
    let turns = Turns::new(AT_ONCE);
    let catalog = Catalog { reader, policy, board, consumers, pins, watches, turns, shutdown };
    CatalogServiceServer::new(catalog).max_decoding_message_size(super::SMALL_MESSAGE)
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn list_platforms(
        &self,
        request: Request<pb::ListPlatformsRequest>,
    ) -> Result<Response<pb::ListPlatformsResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(self.platforms(&caller, request.get_ref()).await?))
    }

    async fn get_platform(
        &self,
        request: Request<pb::GetPlatformRequest>,
    ) -> Result<Response<pb::GetPlatformResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        let view = self.view(&caller, &snapshot);
        let name = request.into_inner().name;
        let platform = view::platform_name(&name)?;
        let entry = view.platform(&platform).ok_or_else(|| Fault::not_found(&name))?;
        Ok(Response::new(pb::GetPlatformResponse { platform: Some(view.show_platform(entry)) }))
    }

    async fn list_capabilities(
        &self,
        request: Request<pb::ListCapabilitiesRequest>,
    ) -> Result<Response<pb::ListCapabilitiesResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(self.capabilities(&caller, request.get_ref()).await?))
    }

    async fn get_capability(
        &self,
        request: Request<pb::GetCapabilityRequest>,
    ) -> Result<Response<pb::GetCapabilityResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        let name = request.into_inner().name;
        let parsed = CapabilityName::parse(&name).map_err(invalid)?;
        let view = self.view(&caller, &snapshot);
        let capability = view.capability(&parsed).ok_or_else(|| Fault::not_found(&name))?;
        Ok(Response::new(pb::GetCapabilityResponse { capability: Some(capability.show()) }))
    }

    async fn list_versions(
        &self,
        request: Request<pb::ListVersionsRequest>,
    ) -> Result<Response<pb::ListVersionsResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(self.versions(&caller, request.get_ref()).await?))
    }

    async fn get_version(
        &self,
        request: Request<pb::GetVersionRequest>,
    ) -> Result<Response<pb::GetVersionResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        let name = request.into_inner().name;
        let parsed = VersionName::parse(&name).map_err(invalid)?;
        let view = self.view(&caller, &snapshot);
        let offering = view.version(&parsed).ok_or_else(|| Fault::not_found(&name))?;
        Ok(Response::new(pb::GetVersionResponse { version: Some(view.show_version(offering)) }))
    }

    async fn list_producers(
        &self,
        request: Request<pb::ListProducersRequest>,
    ) -> Result<Response<pb::ListProducersResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(self.producers(&caller, request.get_ref()).await?))
    }

    async fn list_conflicts(
        &self,
        request: Request<pb::ListConflictsRequest>,
    ) -> Result<Response<pb::ListConflictsResponse>, Status> {
        let caller = caller(&request)?;
        let (catalog, asked, whose) = (self.clone(), request.into_inner(), caller.identity.clone());
        let found = self.turns.run(&whose, move || catalog.conflicts(&caller, &asked)).await?;
        Ok(Response::new(found))
    }

    async fn list_consumers(
        &self,
        request: Request<pb::ListConsumersRequest>,
    ) -> Result<Response<pb::ListConsumersResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        Ok(Response::new(self.consumers.list(&caller, &snapshot, request.get_ref())?))
    }

    async fn get_dependency_graph(
        &self,
        request: Request<pb::GetDependencyGraphRequest>,
    ) -> Result<Response<pb::GetDependencyGraphResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        let graph = graph::get(self.view(&caller, &snapshot), request.get_ref())?;
        Ok(Response::new(pb::GetDependencyGraphResponse { graph: Some(graph) }))
    }

    type WatchCatalogStream = watch::Messages;

    async fn watch_catalog(
        &self,
        request: Request<pb::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        Ok(Response::new(watch::open(self, &request)?))
    }
}

impl Catalog {
    fn open<T>(&self, request: &Request<T>) -> Result<(Arc<Caller>, Arc<Snapshot>), Fault> {
        Ok((caller(request)?, self.reader.snapshot()))
    }

    fn view<'a>(&'a self, caller: &'a Caller, snapshot: &'a Snapshot) -> View<'a> {
        View { policy: &self.policy, caller, snapshot }
    }
}

fn invalid(error: impl Display) -> Fault {
    Fault::invalid("INVALID_NAME", error.to_string())
}

#[cfg(test)]
mod tests;
