//! What a probe makes of every kind of endpoint.

use super::*;
use portolan::model::{ServiceName, State};
use portolan::transport::serve;
use portolan::uplink::{Look, health};
use portolan::wire::pb::grpc::health::v1::health_check_response::ServingStatus;
use portolan::wire::pb::grpc::health::v1::health_server::{Health, HealthServer};
use portolan::wire::pb::grpc::health::v1::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use tonic::{Request, Response, Status};

/// Speaks as the path of its producer's certificate says: `/whole`, `/parts`, ….
struct Says(fn(&str) -> Result<ServingStatus, Status>);

#[tonic::async_trait]
impl Health for Says {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = request.into_inner().service;
        if service == "acme.slow.v1.Slow" {
            std::future::pending::<()>().await;
        }
        (self.0)(&service).map(|status| Response::new(HealthCheckResponse { status: status.into() }))
    }

    async fn list(&self, _: Request<HealthListRequest>) -> Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    type WatchStream = futures::stream::Empty<Result<HealthCheckResponse, Status>>;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

async fn looked<F>(handle: fn(Exchange) -> F, services: &[&str]) -> Look
where
    F: Future<Output = ()> + Send + 'static,
{
    looked_for(Duration::from_secs(10), handle, services).await
}

async fn looked_for<F>(deadline: Duration, handle: fn(Exchange) -> F, services: &[&str]) -> Look
where
    F: Future<Output = ()> + Send + 'static,
{
    let world = World::new();
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), handle)
            .await;
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let services: Vec<_> = services.iter().map(|name| ServiceName::parse(name).unwrap()).collect();
    let pool = pool(&world, Settings::default());
    health::probe(&pool, &producer, &endpoint, &tenant("hub.example"), &services, deadline).await
}

async fn says(exchange: Exchange, answer: fn(&str) -> Result<ServingStatus, Status>) {
    let Exchange { request, respond } = exchange;
    let _ = serve(request, respond, HealthServer::new(Says(answer))).await;
}

const LEDGER: &str = "acme.ledger.v1.Ledger";
const SEARCH: &str = "acme.search.v1.Search";

fn told(look: &Look) -> (State, &'static str, bool) {
    (look.state, look.reason, look.is_reachable)
}

#[tokio::test]
async fn what_it_says_of_the_whole_counts() {
    let look = looked(|e| says(e, |_| Ok(ServingStatus::Serving)), &[LEDGER]).await;
    assert_eq!(told(&look), (State::Serving, "SERVING", true));
    let look = looked(|e| says(e, |_| Ok(ServingStatus::NotServing)), &[LEDGER]).await;
    assert_eq!(told(&look), (State::NotServing, "NOT_SERVING", true));
    let look = looked(|e| says(e, |_| Ok(ServingStatus::Unknown)), &[]).await;
    assert_eq!(told(&look), (State::Unknown, "UNKNOWN", true));
    let look = looked(|e| says(e, |_| Err(Status::unavailable("later"))), &[]).await;
    assert_eq!(told(&look), (State::NotServing, "NOT_SERVING", true));
    let look = looked(|e| says(e, |_| Err(Status::internal("a\nb"))), &[]).await;
    assert_eq!(told(&look), (State::Unknown, "HEALTH_FAILED", true));
    assert!(!look.message.contains('\n'), "{}", look.message);
}

#[tokio::test]
async fn one_service_that_does_not_serve_is_named() {
    let look = looked(
        |e| {
            says(e, |service| match service {
                SEARCH => Ok(ServingStatus::NotServing),
                LEDGER => Err(Status::not_found("unknown service")),
                _ => Ok(ServingStatus::Serving),
            })
        },
        &[LEDGER, SEARCH],
    )
    .await;
    assert_eq!(told(&look), (State::Degraded, "SERVICE_NOT_SERVING", true));
    assert!(look.message.contains(SEARCH), "{}", look.message);
    assert_eq!(look.services.get(SEARCH), Some(&State::NotServing));
    assert_eq!(
        look.services.get(LEDGER),
        Some(&State::Serving),
        "without a name of its own it is as the whole"
    );
}

#[tokio::test]
async fn without_a_health_service_the_connection_counts() {
    for look in [
        looked(|e| says(e, |_| Err(Status::unimplemented(""))), &[LEDGER]).await,
        looked(|e| says(e, |_| Err(Status::permission_denied(""))), &[LEDGER]).await,
    ] {
        assert_eq!(told(&look), (State::Serving, "CONNECTED", true));
        assert!(look.services.is_empty());
    }
}

#[tokio::test]
async fn silence_and_loss_are_not_serving() {
    let soon = Duration::from_millis(300);
    let look = looked_for(soon, |e| says(e, |_| Ok(ServingStatus::Serving)), &["acme.slow.v1.Slow"]).await;
    assert_eq!(told(&look), (State::NotServing, "HEALTH_TIMEOUT", false));
    let look = looked(|e| async { drop(e) }, &[]).await;
    assert_eq!(told(&look), (State::NotServing, "CONNECTION_LOST", false));

    let world = World::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (producer, endpoint) = ledger(&world.payments, gone);
    let pool = pool(&world, Settings::default());
    let deadline = Duration::from_secs(5);
    let look = health::probe(&pool, &producer, &endpoint, &tenant("hub.example"), &[], deadline).await;
    assert_eq!(told(&look), (State::NotServing, "CONNECTION_REFUSED", false));
    assert!(look.message.starts_with("cannot connect"), "{}", look.message);
}
