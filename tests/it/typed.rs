//! Generated tonic services and clients over our streams.

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use http::uri::Authority;
use portolan::lifecycle;
use portolan::transport::{Channel, Error, Settings, client, serve, server};
use portolan::wire::pb::grpc::health::v1::health_check_response::ServingStatus;
use portolan::wire::pb::grpc::health::v1::health_client::HealthClient;
use portolan::wire::pb::grpc::health::v1::health_server::{Health, HealthServer};
use portolan::wire::pb::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
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

/// A generated client over a pipe; the other end serves `calls` calls and then is gone.
async fn client(calls: usize) -> (HealthClient<Channel>, client::Connection) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    lifecycle::spawn("test server", async move {
        let mut connection = server::Connection::handshake(far, &Settings::default()).await.unwrap();
        let mut left = calls;
        while left > 0 {
            let Some(Ok(exchange)) = connection.accept().await else { return };
            left -= 1;
            lifecycle::spawn("test call", async move {
                let _ = serve(exchange.request, exchange.respond, HealthServer::new(Fixed)).await;
            });
        }
    });
    let (connection, driver) = client::connect(near, &Settings::default()).await.unwrap();
    lifecycle::spawn("test driver", async { drop(driver.run().await) });
    let channel = Channel::new(connection.clone(), Authority::from_static("producer.test"));
    (HealthClient::new(channel), connection)
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

#[tokio::test]
async fn a_generated_client_calls_a_generated_service() {
    let (mut client, connection) = client(usize::MAX).await;
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
    let (mut client, connection) = client(usize::MAX).await;
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
    let (mut client, _connection) = client(1).await;
    let error = client.check(of("never")).await.unwrap_err();
    assert!(Error::behind(&error).is_some(), "{error:?}");
}
