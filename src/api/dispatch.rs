//! One request: checked as gRPC asks, then answered by a service of ours or carried to its owner.

use super::counted::{self, Counted};
use super::fault::Fault;
use super::services::Services;
use super::until::Until;
use super::{gate, passthrough};
use crate::access::{Caller, Policy};
use crate::lifecycle::{self, Guard};
use crate::relay::{self, Call, Intent, Relay, Wish, deadline};
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

/// Whoever is at the other end of a connection, and what answers there. Shared by its calls.
#[derive(Debug)]
pub(super) struct Guest {
    /// Where its requests go.
    pub(super) dispatch: Dispatch,
    /// Who it is.
    pub(super) caller: Arc<Caller>,
    /// From where.
    pub(super) address: SocketAddr,
    /// The connections to producers of this worker.
    pub(super) pool: Arc<Pool>,
    /// Cancelled when the connection has to end.
    pub(super) cut: CancellationToken,
}

/// Where a request goes.
enum Way {
    Own(Own),
    Relay(Wish),
}

/// What is no gRPC call.
enum Refused {
    /// It is answered in HTTP (gRPC over HTTP/2, "Requests").
    Http(StatusCode),
    Grpc(Box<Fault>),
}

/// Answers one request in a task of its own, until its connection is cut. Whoever drains waits for `working`.
///
/// A call is on the heap, and moved once: its task, and whatever wraps it, would move all of it again and again.
pub(super) fn begin(exchange: Exchange, guest: &Arc<Guest>, working: &Arc<Guard>) {
    let caller = guest.dispatch.policy.current(&guest.caller);
    let way = guest.dispatch.way(&exchange.request, (caller, guest.address));
    let (guest, working) = (guest.clone(), working.clone());
    match way {
        Ok(Way::Relay(wish)) => {
            lifecycle::spawn(
                "call",
                Box::pin(passthrough::carry(guest, Call::begin(wish, exchange), working)),
            );
        }
        Ok(Way::Own(own)) => {
            lifecycle::spawn("call", Box::pin(own.answer(guest, exchange, working)));
        }
        Err(Refused::Http(status)) => refuse(exchange.respond, status),
        Err(Refused::Grpc(fault)) => {
            counted::turned_away(guest.dispatch.relay.telemetry.meters.as_ref(), &fault);
            lifecycle::spawn("call", Box::pin(end(exchange.respond, *fault, working)));
        }
    }
}

impl Dispatch {
    fn way(
        &self,
        request: &Request<Recv>,
        (caller, peer): (Arc<Caller>, SocketAddr),
    ) -> Result<Way, Refused> {
        if request.method() != Method::POST {
            return Err(Refused::Http(StatusCode::METHOD_NOT_ALLOWED));
        }
        if !relay::is_grpc(request.headers()) {
            return Err(Refused::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        if let Some(transport::Error::OverShare { tenant, limit }) = request.body().refusal() {
            return Err(Fault::over_share(&tenant, limit).into());
        }
        let (service, method) = name(request)?;
        let deadline = match deadline::parse(request.headers()) {
            Ok(Some(Duration::ZERO)) => return Err(Fault::deadline_exceeded().into()),
            Ok(timeout) => timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            Err(bad) => return Err(Fault::invalid("BAD_TIMEOUT", bad.to_string()).into()),
        };
        if self.services.has(service) {
            let (service, method) = (service.to_owned(), method.to_owned());
            return Ok(Way::Own(Own { caller, service, method, deadline }));
        }
        let intent = Intent::read(request.headers()).map_err(Fault::from)?;
        let (service, method) = (service.to_owned(), method.to_owned());
        Ok(Way::Relay(Wish { caller, peer, service, method, intent, deadline }))
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Refused::Grpc(Box::new(fault))
    }
}

struct Own {
    caller: Arc<Caller>,
    service: String,
    method: String,
    deadline: Option<Instant>,
}

impl Own {
    async fn answer(self, guest: Arc<Guest>, exchange: Exchange, working: Arc<Guard>) {
        let Self { caller, service, method, deadline } = self;
        let Exchange { mut request, mut respond } = exchange;
        let (services, cut) = (&guest.dispatch.services, &guest.cut);
        let meters = guest.dispatch.relay.telemetry.meters.as_ref();
        if let Err(fault) = gate::judge(&service, &method, &caller) {
            counted::turned_away(meters, &fault);
            return end(respond, fault, working).await;
        }
        let row = gate::row(&service, &method);
        let counted = meters.zip(row).map(|(meters, row)| Counted::begin(meters, row));
        request.extensions_mut().insert(caller);
        let request = request.map(|recv| Body::new(RecvBody::new(recv)));
        let Some(answer) = services.call(&service, request) else { return };
        let answer = tokio::select! {
            biased;
            _gone = respond.closed() => return,
            answer = answer => answer,
            () = deadline::passed(deadline) => Status::from(Fault::deadline_exceeded()).into_http(),
            () = cut.cancelled() => Status::from(Fault::cut("its connection has to end")).into_http(),
        };
        let sent = match deadline {
            Some(deadline) => {
                // A reader who takes nothing is not told that its time is over: its stream is reset.
                let over = deadline::passed(Some(deadline + LAST_WORD));
                let answer = answer.map(|body| Until::new(body, deadline));
                send(respond, counted::watched(answer, counted), cut, over).await
            }
            None => send(respond, counted::watched(answer, counted), cut, std::future::pending()).await,
        };
        if let Err(error) = sent {
            tracing::debug!(service, method, %error, "an answer did not arrive");
        }
        drop(working);
    }
}

async fn send<B>(
    respond: Respond,
    answer: Response<B>,
    cut: &CancellationToken,
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
fn name(request: &Request<Recv>) -> Result<(&str, &str), Fault> {
    let path = request.uri().path_and_query().map(|path| path.as_str()).unwrap_or_default();
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    match parts {
        Some((service, method)) if gate::is_word(service) && gate::is_word(method) => Ok((service, method)),
        _ => Err(Fault::unimplemented("MALFORMED_METHOD", "the path is not /package.Service/Method")),
    }
}

async fn end(respond: Respond, fault: Fault, working: Arc<Guard>) {
    let answer: Response<Body> = Status::from(fault).into_http();
    // Whoever has gone does not wait for an answer.
    let _ = send_body(respond, answer).await;
    drop(working);
}

fn refuse(respond: Respond, status: StatusCode) {
    let mut head = Response::new(());
    *head.status_mut() = status;
    // As above.
    let _ = respond.send(head, true);
}
