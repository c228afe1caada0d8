//! `portolan.catalog.v1.CatalogService`: who offers what, as the caller may see it.

mod view;

use super::caller::caller;
use super::fault::Fault;
use super::page::{self, Page};
use crate::access::{Caller, Policy};
use crate::catalog::{Reader, Snapshot};
use crate::model::{CapabilityName, PlatformName, ProducerName, VersionName};
use crate::wire::pb::portolan::catalog::v1 as pb;
use pb::catalog_service_server::{CatalogService, CatalogServiceServer};
use std::fmt::Display;
use std::sync::Arc;
use tonic::{Request, Response, Status};
use view::{Level, View};

/// The service.
#[derive(Debug, Clone)]
pub struct Catalog {
    reader: Reader,
    policy: Arc<Policy>,
}

/// The service over a catalogue, filtered by policy.
pub fn service(reader: Reader, policy: Arc<Policy>) -> CatalogServiceServer<Catalog> {
    CatalogServiceServer::new(Catalog { reader, policy }).max_decoding_message_size(super::SMALL_MESSAGE)
}

#[tonic::async_trait]
impl CatalogService for Catalog {
    async fn list_platforms(
        &self,
        request: Request<pb::ListPlatformsRequest>,
    ) -> Result<Response<pb::ListPlatformsResponse>, Status> {
        let (caller, snapshot) = self.open(&request)?;
        let view = self.view(&caller, &snapshot);
        let pb::ListPlatformsRequest { page_size, page_token, .. } = request.into_inner();
        let list = List::open("ListPlatforms", "", page_size, &page_token, &caller)?;
        let after = list.after(PlatformName::parse)?;
        let found = view.platforms(after.as_ref());
        let (platforms, next_page_token) = list.page(found, |entry| entry.platform.name.to_string());
        let platforms = platforms.into_iter().map(|entry| view.show_platform(entry)).collect();
        Ok(Response::new(pb::ListPlatformsResponse { platforms, next_page_token }))
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
        let (caller, snapshot) = self.open(&request)?;
        let view = self.view(&caller, &snapshot);
        let pb::ListCapabilitiesRequest { parent, page_size, page_token, .. } = request.into_inner();
        let platform = view.parent_platform(&parent)?;
        let list = List::open("ListCapabilities", &parent, page_size, &page_token, &caller)?;
        let found = view.capabilities(&platform, &Level::Any, list.after(CapabilityName::parse)?);
        let (found, next_page_token) = list.page(found, |capability| capability.name.to_string());
        let capabilities = found.iter().map(|capability| capability.show()).collect();
        Ok(Response::new(pb::ListCapabilitiesResponse { capabilities, next_page_token }))
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
        let (caller, snapshot) = self.open(&request)?;
        let view = self.view(&caller, &snapshot);
        let pb::ListVersionsRequest { parent, page_size, page_token, .. } = request.into_inner();
        let (platform, capability) = view.parent_capability(&parent)?;
        let list = List::open("ListVersions", &parent, page_size, &page_token, &caller)?;
        let found = view.versions(&platform, &capability, list.after(VersionName::parse)?);
        let (found, next_page_token) = list.page(found, |offering| offering.version.name.to_string());
        let versions = found.into_iter().map(|offering| view.show_version(&offering)).collect();
        Ok(Response::new(pb::ListVersionsResponse { versions, next_page_token }))
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
        let (caller, snapshot) = self.open(&request)?;
        let view = self.view(&caller, &snapshot);
        let pb::ListProducersRequest { parent, page_size, page_token, .. } = request.into_inner();
        let platform = view.parent_platform(&parent)?;
        let list = List::open("ListProducers", &parent, page_size, &page_token, &caller)?;
        let found = view.producers(&platform, list.after(ProducerName::parse)?);
        let (found, next_page_token) = list.page(found, |(producer, _)| producer.name.to_string());
        let producers = found.into_iter().map(|(producer, versions)| view::show_producer(producer, versions));
        Ok(Response::new(pb::ListProducersResponse { producers: producers.collect(), next_page_token }))
    }

    async fn list_conflicts(
        &self,
        _request: Request<pb::ListConflictsRequest>,
    ) -> Result<Response<pb::ListConflictsResponse>, Status> {
        Err(Fault::internal("NOT_BUILT", "not built yet").into())
    }

    async fn list_consumers(
        &self,
        _request: Request<pb::ListConsumersRequest>,
    ) -> Result<Response<pb::ListConsumersResponse>, Status> {
        Err(Fault::internal("NOT_BUILT", "not built yet").into())
    }

    async fn get_dependency_graph(
        &self,
        _request: Request<pb::GetDependencyGraphRequest>,
    ) -> Result<Response<pb::GetDependencyGraphResponse>, Status> {
        Err(Fault::internal("NOT_BUILT", "not built yet").into())
    }

    type WatchCatalogStream = tokio_stream::Empty<Result<pb::WatchCatalogResponse, Status>>;

    async fn watch_catalog(
        &self,
        _request: Request<pb::WatchCatalogRequest>,
    ) -> Result<Response<Self::WatchCatalogStream>, Status> {
        Err(Fault::internal("NOT_BUILT", "not built yet").into())
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

/// One list that somebody pages through.
struct List<'a> {
    query: String,
    page: Page,
    caller: &'a Caller,
}

impl<'a> List<'a> {
    fn open(method: &str, parent: &str, size: i32, token: &str, caller: &'a Caller) -> Result<Self, Fault> {
        let query = format!("{method} {parent}");
        Ok(Self { page: Page::parse(size, token, &query, caller)?, query, caller })
    }

    /// The last item of the page before.
    fn after<T, E>(&self, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, Fault> {
        let wrong = |_| Fault::invalid("INVALID_PAGE_TOKEN", "page_token is not one of this list");
        self.page.after.as_deref().map(parse).transpose().map_err(wrong)
    }

    /// The items of this page, and the token of the next; empty if there is none.
    fn page<T>(&self, items: impl Iterator<Item = T>, name: impl Fn(&T) -> String) -> (Vec<T>, String) {
        let mut items = items.fuse();
        let found: Vec<T> = items.by_ref().take(self.page.size).collect();
        let last = found.last().filter(|_| items.next().is_some());
        let token = last.map(|last| page::token(&name(last), &self.query, self.caller));
        (found, token.unwrap_or_default())
    }
}

fn invalid(error: impl Display) -> Fault {
    Fault::invalid("INVALID_NAME", error.to_string())
}

#[cfg(test)]
mod tests;
