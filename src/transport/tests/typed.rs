//! Generated tonic services and clients over our streams.

use super::*;
use crate::transport::{Channel, serve};
use crate::wire::pb::grpc::health::v1::health_check_response::ServingStatus;
use crate::wire::pb::grpc::health::v1::health_client::HealthClient;
use crate::wire::pb::grpc::health::v1::health_server::{Health, HealthServer};
use crate::wire::pb::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use futures::stream::{self, BoxStream, StreamExt};
use http::uri::Authority;
use tonic::{Code, Request, Response, Status};

struct Fixed;

#[tonic::async_trait]
impl Health for Fixed {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        match request.get_ref().service.as_str() {
            "" => Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() })),
            "never" => std::future::pending().await,
            _ => {
                Err(Status::with_details(Code::NotFound, "no such service", Bytes::from_static(b"\x08\x05")))
            }
        }
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("not here"))
    }

    type WatchStream = BoxStream<'static, Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let said = [ServingStatus::Serving, ServingStatus::NotServing];
        let said = stream::iter(said).map(|status| Ok(HealthCheckResponse { status: status.into() }));
        Ok(Response::new(said.chain(stream::iter([Err(Status::aborted("enough"))])).boxed()))
    }
}

async fn health(Exchange { request, respond }: Exchange) {
    let _ = serve(request, respond, HealthServer::new(Fixed)).await;
}

async fn client() -> (HealthClient<Channel>, client::Connection) {
    let connection = linked(&Settings::default(), health).await;
    let channel = Channel::new(connection.clone(), Authority::from_static("producer.test"));
    (HealthClient::new(channel), connection)
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn a_generated_client_calls_a_generated_service() {
    let (mut client, connection) = client().await;
    let answer = client.check(of("")).await.unwrap().into_inner();
    assert_eq!(answer.status(), ServingStatus::Serving);

    let error = client.check(of("x")).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message(), error.details()),
        (Code::NotFound, "no such service", b"\x08\x05" as _)
    );

    let mut watched = client.watch(of("")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watched.message().await.unwrap_err().code(), Code::Aborted);
    drop(watched);
    assert!(connection.is_open());
}

#[tokio::test]
async fn a_typed_call_that_is_dropped_frees_its_stream() {
    let (mut client, connection) = client().await;
    {
        let call = client.check(of("never"));
        tokio::pin!(call);
        tokio::select! {
            biased;
            answer = &mut call => panic!("{answer:?}"),
            () = async { for _ in 0..200 { tokio::task::yield_now().await } } => {}
        }
        assert_eq!(connection.in_flight(), 1);
    }
    while connection.in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    client.check(of("")).await.unwrap();
}

#[tokio::test]
async fn the_transport_error_is_found_behind_a_status() {
    let (connection, driver, raw) = bare(&Settings::default(), &[]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    drop(raw);
    let channel = Channel::new(connection, Authority::from_static("producer.test"));
    let error = HealthClient::new(channel).check(of("")).await.unwrap_err();
    assert!(Error::behind(&error).is_some(), "{error:?}");
}
