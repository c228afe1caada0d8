//! One request: checked as gRPC asks, then answered by a service of ours or carried to its owner.

use super::counted::{self, Counted};
use super::fault::Fault;
use super::services::Services;
use super::until::Until;
use super::{gate, passthrough};
use crate::access::{Caller, Policy};
use crate::relay::{self, Intent, Relay, deadline};
use crate::telemetry::Meters;
use crate::transport::{self, Exchange, Recv, RecvBody, Respond, send_body};
use crate::uplink::Pool;
use http::{Method, Request, Response, StatusCode};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;

/// How long after its deadline a stream may take to hear of it.
const LAST_WORD: Duration = Duration::from_millis(500);

/// Where requests go. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// What we answer ourselves.
    pub services: Arc<Services>,
    /// What is carried to others.
    pub relay: Arc<Relay>,
    /// Who may do what.
    pub policy: Arc<Policy>,
}

impl Dispatch {
    /// Answers one request, until `cut` says that it must end.
    pub async fn answer(
        &self,
        exchange: Exchange,
        (caller, peer): (Arc<Caller>, SocketAddr),
        pool: &Pool,
        cut: CancellationToken,
    ) {
        let Exchange { request, respond } = exchange;
        // What is no gRPC call is answered in HTTP (gRPC over HTTP/2, "Requests").
        if request.method() != Method::POST {
            return refuse(respond, StatusCode::METHOD_NOT_ALLOWED);
        }
        if !relay::is_grpc(request.headers()) {
            return refuse(respond, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        if let Some(transport::Error::OverShare { tenant, limit }) = request.body().refusal() {
            return end(respond, Fault::over_share(&tenant, limit)).await;
        }
        let (service, method) = match name(&request) {
            Ok(name) => name,
            Err(fault) => return self.end(respond, fault).await,
        };
        let deadline = match deadline::parse(request.headers()) {
            Ok(Some(Duration::ZERO)) => return self.end(respond, Fault::deadline_exceeded()).await,
            Ok(timeout) => timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            Err(bad) => return self.end(respond, Fault::invalid("BAD_TIMEOUT", bad.to_string())).await,
        };
        if self.services.has(&service) {
            let meters = self.relay.telemetry.meters.as_ref();
            let own = Own { services: &self.services, meters, service: &service, method: &method, deadline };
            return own.answer(request, respond, caller, cut).await;
        }
        let intent = match Intent::read(request.headers()) {
            Ok(intent) => intent,
            Err(bad) => return self.end(respond, Fault::from(bad)).await,
        };
        let wish = relay::Wish { caller, peer, service, method, intent, deadline };
        let call = relay::Call { wish, exchange: Exchange { request, respond } };
        passthrough::carry(&self.relay, pool, call, cut).await;
    }

    /// Answers a call that goes nowhere.
    async fn end(&self, respond: Respond, fault: Fault) {
        counted::turned_away(self.relay.telemetry.meters.as_ref(), &fault);
        end(respond, fault).await;
    }
}

struct Own<'a> {
    services: &'a Services,
    meters: Option<&'a Meters>,
    service: &'a str,
    method: &'a str,
    deadline: Option<Instant>,
}

impl Own<'_> {
    async fn answer(
        self,
        mut request: Request<Recv>,
        mut respond: Respond,
        caller: Arc<Caller>,
        cut: CancellationToken,
    ) {
        if let Err(fault) = gate::judge(self.service, self.method, &caller) {
            counted::turned_away(self.meters, &fault);
            return end(respond, fault).await;
        }
        let row = gate::row(self.service, self.method);
        let counted = self.meters.zip(row).map(|(meters, row)| Counted::begin(meters, row));
        request.extensions_mut().insert(caller);
        let request = request.map(|recv| Body::new(RecvBody::new(recv)));
        let Some(answer) = self.services.call(self.service, request) else { return };
        let answer = tokio::select! {
            biased;
            _gone = respond.closed() => return,
            answer = answer => answer,
            () = deadline::passed(self.deadline) => Status::from(Fault::deadline_exceeded()).into_http(),
            () = cut.cancelled() => Status::from(Fault::cut("its connection has to end")).into_http(),
        };
        let sent = match self.deadline {
            Some(deadline) => {
                // A reader who takes nothing is not told that its time is over: its stream is reset.
                let over = deadline::passed(Some(deadline + LAST_WORD));
                let answer = answer.map(|body| Until::new(body, deadline));
                send(respond, counted::watched(answer, counted), cut, over).await
            }
            None => send(respond, counted::watched(answer, counted), cut, std::future::pending()).await,
        };
        if let Err(error) = sent {
            tracing::debug!(service = self.service, method = self.method, %error, "an answer did not arrive");
        }
    }
}

async fn send<B>(
    respond: Respond,
    answer: Response<B>,
    cut: CancellationToken,
    over: impl Future<Output = ()>,
) -> Result<(), transport::Error>
where
    B: http_body::Body<Data = bytes::Bytes>,
{
    tokio::select! {
        biased;
        sent = send_body(respond, answer) => sent,
        // Dropping the answer resets the stream: half an answer cannot be taken for a whole one.
        () = cut.cancelled() => Ok(()),
        () = over => Ok(()),
    }
}

/// The service and method of a path, the very bytes that are routed: `/package.Service/Method`.
fn name(request: &Request<Recv>) -> Result<(String, String), Fault> {
    let path = request.uri().path_and_query().map(|path| path.as_str()).unwrap_or_default();
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    match parts {
        Some((service, method)) if gate::is_word(service) && gate::is_word(method) => {
            Ok((service.to_owned(), method.to_owned()))
        }
        _ => Err(Fault::unimplemented("MALFORMED_METHOD", "the path is not /package.Service/Method")),
    }
}

async fn end(respond: Respond, status: impl Into<Status>) {
    let answer: Response<Body> = status.into().into_http();
    // Whoever has gone does not wait for an answer.
    let _ = send_body(respond, answer).await;
}

fn refuse(respond: Respond, status: StatusCode) {
    let mut head = Response::new(());
    *head.status_mut() = status;
    // As above.
    let _ = respond.send(head, true);
}
