//! `portolan.status.v1`: the folded status, as far as the caller may see it.

use super::caller::caller;
use super::fault::Fault;
use super::page::{self, Page};
use crate::access::{Caller, Policy};
use crate::lifecycle::Shutdown;
use crate::model::{BrokerId, CapabilityId, CapabilityName, Drift, PlatformName, Version, VersionName};
use crate::status::{Board, CapabilityStatus, Federation};
use crate::uplink::Observations;
use crate::wire::pb::portolan::status::v1 as pb;
use explain::Eyes;
use futures::stream::{BoxStream, StreamExt, unfold};
use jiff::Timestamp;
use pb::status_service_server::{StatusService, StatusServiceServer};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tonic::{Request, Response, Status};

mod explain;
mod show;

/// A watcher is told at most this often; what changes meanwhile comes with the next message.
const PACE: Duration = Duration::from_millis(250);
/// After so many capabilities the thread is lent to others: a large federation must not delay a call.
const PATIENCE: usize = 256;

/// Answers `StatusService`.
#[derive(Debug, Clone)]
pub struct Service {
    broker: BrokerId,
    board: Board,
    observations: Observations,
    policy: Arc<Policy>,
    shutdown: Shutdown,
}

impl Service {
    /// The service over what `board` shows.
    pub fn server(
        broker: BrokerId,
        (board, observations): (Board, Observations),
        policy: Arc<Policy>,
        shutdown: Shutdown,
    ) -> StatusServiceServer<Self> {
        StatusServiceServer::new(Self { broker, board, observations, policy, shutdown })
            .max_decoding_message_size(super::SMALL_MESSAGE)
    }

    /// The federation as the caller may see it.
    async fn view(&self, caller: &Caller) -> Federation {
        let whole = self.board.federation();
        let now = Timestamp::now();
        let mut seen = BTreeMap::new();
        let mut effort = 0;
        for (name, platform) in &whole.platforms {
            let mine = platform.seen_by(|version| self.policy.may_see(caller, version), now);
            if !mine.capabilities.is_empty() || self.policy.speaks_for(caller, name) {
                seen.insert(name.clone(), mine);
            }
            effort += platform.capabilities.len() + 1;
            if effort > PATIENCE {
                effort = 0;
                tokio::task::yield_now().await;
            }
        }
        let may_inspect = |drift: &&Drift| match &drift.platform {
            Some(platform) => self.policy.may_inspect(caller, platform),
            None => caller.is_operator,
        };
        let drifts = whole.drifts.iter().filter(may_inspect).cloned().collect();
        whole.of(seen, drifts, now)
    }

    /// The next page of capabilities that the caller may see, one more than asked for if there is one.
    async fn capabilities(&self, caller: &Caller, parent: Option<&PlatformName>, page: &Page) -> Listing {
        let whole = self.board.federation();
        let may_see = |version: &Version| self.policy.may_see(caller, version);
        let now = Timestamp::now();
        let after = page.after.as_deref().and_then(|name| CapabilityName::parse(name).ok());
        let mut listing = Listing::default();
        let mut effort = 0;
        for (name, platform) in &whole.platforms {
            if parent.is_some_and(|parent| parent != name) {
                continue;
            }
            listing.parent_exists |= self.policy.speaks_for(caller, name);
            for (id, capability) in &platform.capabilities {
                effort += 1;
                if effort % PATIENCE == 0 {
                    tokio::task::yield_now().await;
                }
                let Some(seen) = capability.seen_by(may_see, now) else { continue };
                listing.parent_exists = true;
                if after.as_ref().is_some_and(|after| !comes_after(name, id, after)) {
                    continue;
                }
                listing.found.push(seen);
                if listing.found.len() > page.size {
                    return listing;
                }
            }
        }
        listing
    }
}

#[derive(Default)]
struct Listing {
    parent_exists: bool,
    found: Vec<Arc<CapabilityStatus>>,
}

fn comes_after(platform: &PlatformName, capability: &CapabilityId, after: &CapabilityName) -> bool {
    (platform, capability) > (&after.platform, &after.capability)
}

#[tonic::async_trait]
impl StatusService for Service {
    async fn get_federation_status(
        &self,
        request: Request<pb::GetFederationStatusRequest>,
    ) -> Result<Response<pb::GetFederationStatusResponse>, Status> {
        let caller = caller(&request)?;
        let status = show::federation(&self.broker, &self.view(&caller).await);
        Ok(Response::new(pb::GetFederationStatusResponse { status: Some(status) }))
    }

    async fn explain_status(
        &self,
        request: Request<pb::ExplainStatusRequest>,
    ) -> Result<Response<pb::ExplainStatusResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let view = self.view(&caller).await;
        let seen = self.observations.load().clone();
        let may_see = |name: &VersionName| {
            let offering = view.catalog.offering(name);
            offering.is_some_and(|offering| self.policy.may_see(&caller, &offering.version))
        };
        let may_inspect = |platform: &PlatformName| self.policy.may_inspect(&caller, platform);
        let eyes = Eyes {
            view: &view,
            seen: &seen,
            may_see: &may_see,
            may_inspect: &may_inspect,
            left: Cell::new(explain::THINGS),
        };
        let explanation = eyes.explain(&name)?.ok_or_else(|| Fault::not_found(&name))?;
        Ok(Response::new(pb::ExplainStatusResponse {
            broker: self.broker.to_string(),
            revision: view.catalog.revision(),
            explanation: Some(explanation),
        }))
    }

    async fn list_capability_statuses(
        &self,
        request: Request<pb::ListCapabilityStatusesRequest>,
    ) -> Result<Response<pb::ListCapabilityStatusesResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let parent = parse_parent(&request.parent)?;
        let query = format!("ListCapabilityStatuses {}", request.parent);
        let page = Page::parse(request.page_size, &request.page_token, &query, &caller)?;
        let Listing { parent_exists, mut found } = self.capabilities(&caller, parent.as_ref(), &page).await;
        if parent.is_some() && !parent_exists {
            return Err(Fault::not_found(&request.parent).into());
        }
        let more = found.len() > page.size;
        found.truncate(page.size);
        let last = found.last().filter(|_| more).map(|last| last.name.to_string());
        let next_page_token = last.map(|last| page::token(&last, &query, &caller)).unwrap_or_default();
        let producers = found.iter().flat_map(|c| &c.versions).flat_map(|v| &v.producers);
        let unreachable: BTreeSet<_> = producers.filter(|p| !p.reached).map(|p| p.name.to_string()).collect();
        Ok(Response::new(pb::ListCapabilityStatusesResponse {
            capabilities: found.iter().map(|capability| show::capability(capability)).collect(),
            next_page_token,
            unreachable: unreachable.into_iter().collect(),
        }))
    }

    type WatchStatusStream = BoxStream<'static, Result<pb::WatchStatusResponse, Status>>;

    async fn watch_status(
        &self,
        request: Request<pb::WatchStatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let caller = caller(&request)?;
        let changed = self.board.changed();
        let watch = Watch { service: self.clone(), caller, changed, shown: None };
        let messages = unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(message) => Some((Ok(message), Some(watch))),
                Err(end) => Some((Err(end.into()), None)),
            }
        });
        Ok(Response::new(messages.boxed()))
    }
}

/// One watcher. It builds a message only when the one before was taken, so that a slow reader gets the latest, and
/// nothing queues for it.
struct Watch {
    service: Service,
    caller: Arc<Caller>,
    changed: tokio::sync::watch::Receiver<u64>,
    shown: Option<Federation>,
}

impl Watch {
    async fn next(&mut self) -> Result<pb::WatchStatusResponse, Fault> {
        loop {
            if self.shown.is_some() {
                self.change().await?;
            }
            self.changed.borrow_and_update();
            let view = self.service.view(&self.caller).await;
            // What changed may be hidden from this caller, and then it must not even feel that something did.
            if !self.shown.as_ref().is_some_and(|shown| view.says_the_same(shown)) {
                let message = show::whole(&self.service.broker, &view);
                self.shown = Some(view);
                return Ok(message);
            }
        }
    }

    async fn change(&mut self) -> Result<(), Fault> {
        let change = async {
            tokio::time::sleep(PACE).await;
            self.changed.changed().await
        };
        tokio::select! {
            biased;
            () = self.service.shutdown.requested() => {}
            Ok(()) = change => return Ok(()),
        }
        Err(Fault::draining())
    }
}

/// `platforms/{platform}`, or `None` for `platforms/-`: all of them.
fn parse_parent(parent: &str) -> Result<Option<PlatformName>, Fault> {
    let wrong = || Fault::invalid("INVALID_PARENT", "parent is written platforms/{platform} or platforms/-");
    match parent.strip_prefix("platforms/").ok_or_else(wrong)? {
        "-" => Ok(None),
        name => PlatformName::parse(name).map(Some).map_err(|_| wrong()),
    }
}

#[cfg(test)]
mod tests;
