//! `grpc.health.v1`: the broker, its own services, and every federated service that the caller may see.

use super::caller::caller;
use super::fault::Fault;
use super::gate;
use crate::access::{Caller, Policy};
use crate::lifecycle::Shutdown;
use crate::status::Board;
use crate::wire::pb::grpc::health::v1 as pb;
use crate::wire::status::serving_status;
use futures::stream::{BoxStream, StreamExt, unfold};
use pb::health_check_response::ServingStatus;
use pb::health_server::{Health, HealthServer};
use std::collections::HashMap;
use std::sync::Arc;
use tonic::{Request, Response, Status};

/// The most that `List` shows; the protocol asks for RESOURCE_EXHAUSTED beyond it.
const LIST_LIMIT: usize = 100;
/// After so many names the thread is lent to others: a large federation must not delay a call.
const PATIENCE: usize = 1024;

/// Answers `grpc.health.v1.Health`.
#[derive(Debug, Clone)]
pub struct Service {
    board: Board,
    policy: Arc<Policy>,
    shutdown: Shutdown,
}

impl Service {
    /// The service over what `board` shows.
    pub fn server(board: Board, policy: Arc<Policy>, shutdown: Shutdown) -> HealthServer<Self> {
        HealthServer::new(Self { board, policy, shutdown }).max_decoding_message_size(super::SMALL_MESSAGE)
    }

    /// How a service is for this caller; `None` if it does not exist for it.
    fn status_of(&self, service: &str, caller: &Caller) -> Option<ServingStatus> {
        let may_see = |version: &_| self.policy.may_see(caller, version);
        let status = if service.is_empty() || gate::is_own(service) {
            ServingStatus::Serving
        } else {
            serving_status(self.board.federation().service(service, may_see)?)
        };
        // Whoever asks a broker that drains should go to another, whatever it asks for.
        Some(if self.shutdown.is_requested() { ServingStatus::NotServing } else { status })
    }
}

#[tonic::async_trait]
impl Health for Service {
    async fn check(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<pb::HealthCheckResponse>, Status> {
        let caller = caller(&request)?;
        let service = &request.get_ref().service;
        let status = self.status_of(service, &caller).ok_or_else(|| unknown(service))?;
        Ok(Response::new(answer(status)))
    }

    async fn list(
        &self,
        request: Request<pb::HealthListRequest>,
    ) -> Result<Response<pb::HealthListResponse>, Status> {
        let caller = caller(&request)?;
        let own = std::iter::once("").chain(gate::own());
        let own = own.filter_map(|name| Some((name.to_owned(), answer(self.status_of(name, &caller)?))));
        let mut statuses: HashMap<_, _> = own.collect();
        let catalog = self.board.federation().catalog.clone();
        for (looked_at, (name, _)) in catalog.services().enumerate() {
            if looked_at % PATIENCE == PATIENCE - 1 {
                tokio::task::yield_now().await;
            }
            let Some(status) = self.status_of(name.as_str(), &caller) else { continue };
            statuses.insert(name.to_string(), answer(status));
            if statuses.len() > LIST_LIMIT {
                let message =
                    format!("more than {LIST_LIMIT} services; ask for each by Check, or StatusService");
                return Err(Fault::too_much("TOO_MANY_SERVICES", message).into());
            }
        }
        Ok(Response::new(pb::HealthListResponse { statuses }))
    }

    type WatchStream = BoxStream<'static, Result<pb::HealthCheckResponse, Status>>;

    async fn watch(
        &self,
        request: Request<pb::HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let caller = caller(&request)?;
        let changed = self.board.changed();
        let service = request.into_inner().service;
        let watch = Watch { health: self.clone(), caller, changed, service, shown: None };
        let messages = unfold(Some(watch), |watch| async {
            let mut watch = watch?;
            match watch.next().await {
                Ok(status) => Some((Ok(answer(status)), Some(watch))),
                Err(end) => Some((Err(end.into()), None)),
            }
        });
        Ok(Response::new(messages.boxed()))
    }
}

/// One watcher. It looks only when its last message was taken, so that a slow reader gets the latest.
struct Watch {
    health: Service,
    caller: Arc<Caller>,
    changed: tokio::sync::watch::Receiver<u64>,
    service: String,
    shown: Option<ServingStatus>,
}

impl Watch {
    /// The next status that differs from the one shown. A broker that drains says so, and then ends the stream.
    async fn next(&mut self) -> Result<ServingStatus, Fault> {
        loop {
            let draining = self.health.shutdown.is_requested();
            self.changed.borrow_and_update();
            let status = self.health.status_of(&self.service, &self.caller);
            let status = status.unwrap_or(ServingStatus::ServiceUnknown);
            if self.shown != Some(status) {
                self.shown = Some(status);
                return Ok(status);
            }
            if draining {
                return Err(Fault::draining());
            }
            tokio::select! {
                () = self.health.shutdown.requested() => {}
                Ok(()) = self.changed.changed() => {}
            }
        }
    }
}

fn answer(status: ServingStatus) -> pb::HealthCheckResponse {
    pb::HealthCheckResponse { status: status.into() }
}

fn unknown(service: &str) -> Fault {
    let service: String = service.chars().take(255).collect();
    Fault::missing("UNKNOWN_SERVICE", format!("service {service:?} is not known"))
}

#[cfg(test)]
mod tests;
