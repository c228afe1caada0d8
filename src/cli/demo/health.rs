//! Health of a producer of the demo: as long as it answers at all, it serves.

use crate::client::pb::grpc::health::v1::health_check_response::ServingStatus;
use crate::client::pb::grpc::health::v1::health_server::Health;
use crate::client::pb::grpc::health::v1::*;
use futures::stream::{self, BoxStream, StreamExt as _};
use tonic::{Request, Response, Status};

/// Vouches for one service and for the whole.
#[derive(Debug, Clone)]
pub(super) struct Vouch(pub(super) &'static str);

const SERVING: HealthCheckResponse = HealthCheckResponse { status: ServingStatus::Serving as i32 };

#[tonic::async_trait]
impl Health for Vouch {
    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        match service.is_empty() || service == self.0 {
            true => Ok(Response::new(SERVING)),
            false => Err(Status::not_found(format!("{service:?} is not served here"))),
        }
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        let statuses = ["", self.0].map(|name| (name.to_owned(), SERVING)).into();
        Ok(Response::new(HealthListResponse { statuses }))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let service = request.into_inner().service;
        let known = service.is_empty() || service == self.0;
        let status = if known { ServingStatus::Serving } else { ServingStatus::ServiceUnknown };
        let now = Ok(HealthCheckResponse { status: status.into() });
        // The state never changes, so the stream stays open and silent.
        Ok(Response::new(stream::iter([now]).chain(stream::pending()).boxed()))
    }
}
