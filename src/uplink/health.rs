//! Asks one endpoint how it is: grpc.health.v1 where it serves that, else whether a connection stands.

use super::{Error, Look, Pool};
use crate::model::{Endpoint, Producer, ServiceName, State, TrustDomain};
use crate::transport::{self, Channel};
use crate::wire::pb::grpc::health::v1::HealthCheckRequest;
use crate::wire::pb::grpc::health::v1::health_check_response::ServingStatus;
use crate::wire::pb::grpc::health::v1::health_client::HealthClient;
use futures::stream::{self, StreamExt};
use http::uri::Authority;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status};

/// Services asked for at once.
const AT_ONCE: usize = 8;

/// Looks at one endpoint: the whole, then each of `services`. Takes at most `deadline`, and always has an answer.
///
/// | the endpoint                                      | state       | reason                                |
/// |---------------------------------------------------|-------------|---------------------------------------|
/// | cannot be connected to                            | NotServing  | the dialler's                         |
/// | does not answer in time, or loses the connection  | NotServing  | `HEALTH_TIMEOUT`, `CONNECTION_LOST`   |
/// | does not serve grpc.health.v1 to us               | Serving     | `CONNECTED`                           |
/// | says SERVING, and of each service too             | Serving     | `SERVING`                             |
/// | says SERVING, and of a service something else     | Degraded    | `SERVICE_NOT_SERVING`                 |
/// | says NOT_SERVING, UNKNOWN                         | so          | so                                    |
/// | answers with another error                        | Unknown     | `HEALTH_FAILED`                       |
pub async fn probe(
    pool: &Pool,
    producer: &Producer,
    endpoint: &Endpoint,
    tenant: &TrustDomain,
    services: &[ServiceName],
    deadline: Duration,
) -> Look {
    let asked = async {
        let connection = pool.connection(producer, endpoint, tenant).await.map_err(|e| unreachable(&e))?;
        let authority = Authority::try_from(endpoint.address.authority());
        let authority = authority.unwrap_or_else(|_| Authority::from_static("producer.invalid"));
        Ok(ask(HealthClient::new(Channel::new(connection, authority)), services).await)
    };
    match timeout(deadline, asked).await {
        Ok(Ok(look) | Err(look)) => look,
        Err(_) => silent("HEALTH_TIMEOUT", format!("it did not say how it is within {deadline:?}")),
    }
}

async fn ask(client: HealthClient<Channel>, services: &[ServiceName]) -> Look {
    let (whole, reason, message) = match judge(check(&client, "").await) {
        Said::State(state, reason, message) => (state, reason, message),
        Said::Nothing => (State::Serving, "CONNECTED", "its connection stands".to_owned()),
        // It has names for its parts and none for the whole.
        Said::NoSuchService => (State::Serving, "SERVING", "it answers".to_owned()),
        Said::Lost(message) => return silent("CONNECTION_LOST", message),
    };
    let services = match reason {
        "CONNECTED" => BTreeMap::new(),
        _ => each(&client, services, whole).await,
    };
    let is_reachable = true;
    match services.iter().find(|(_, state)| whole == State::Serving && **state != State::Serving) {
        None => Look { state: whole, is_reachable, reason, message, services },
        Some((worst, _)) => {
            let message = format!("it says that {worst} does not serve");
            Look { state: State::Degraded, is_reachable, reason: "SERVICE_NOT_SERVING", message, services }
        }
    }
}

/// How each service is; one that the endpoint has no name for is as the whole.
async fn each(
    client: &HealthClient<Channel>,
    services: &[ServiceName],
    whole: State,
) -> BTreeMap<ServiceName, State> {
    // Owned by each look: a borrow would keep the whole probe from being spawned as a task (rust-lang/rust#102211).
    let services: Vec<ServiceName> = services.to_vec();
    let asked = services.into_iter().map(|service| {
        let client = client.clone();
        async move {
            let state = match judge(check(&client, service.as_str()).await) {
                Said::State(state, ..) => state,
                Said::Nothing | Said::NoSuchService => whole,
                Said::Lost(_) => State::NotServing,
            };
            (service, state)
        }
    });
    stream::iter(asked).buffer_unordered(AT_ONCE).collect().await
}

async fn check(client: &HealthClient<Channel>, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    client.clone().check(request).await.map(|answer| answer.into_inner().status())
}

/// What an answer means.
enum Said {
    State(State, &'static str, String),
    Nothing,
    NoSuchService,
    Lost(String),
}

fn judge(answer: Result<ServingStatus, Status>) -> Said {
    let error = match answer {
        Ok(ServingStatus::Serving) => return Said::State(State::Serving, "SERVING", "it says so".to_owned()),
        Ok(ServingStatus::NotServing) => {
            return Said::State(State::NotServing, "NOT_SERVING", "it says so".to_owned());
        }
        Ok(ServingStatus::Unknown) => {
            return Said::State(State::Unknown, "UNKNOWN", "it does not know itself".to_owned());
        }
        Ok(ServingStatus::ServiceUnknown) => return Said::NoSuchService,
        Err(error) => error,
    };
    if let Some(lost) = transport::Error::behind(&error) {
        return Said::Lost(lost.to_string());
    }
    match error.code() {
        Code::NotFound => Said::NoSuchService,
        // Whoever keeps it from us answers all the same.
        Code::Unimplemented | Code::PermissionDenied | Code::Unauthenticated => Said::Nothing,
        Code::Unavailable => Said::State(State::NotServing, "NOT_SERVING", quote(&error)),
        _ => Said::State(State::Unknown, "HEALTH_FAILED", quote(&error)),
    }
}

/// A producer's words, cut and in quotes: they go into logs and other people's screens.
fn quote(error: &Status) -> String {
    let words: String = error.message().chars().take(200).collect();
    format!("its health service answers {:?}: {words:?}", error.code())
}

fn unreachable(error: &Error) -> Look {
    silent(error.reason(), error.why())
}

fn silent(reason: &'static str, message: String) -> Look {
    Look { state: State::NotServing, is_reachable: false, reason, message, services: BTreeMap::new() }
}
