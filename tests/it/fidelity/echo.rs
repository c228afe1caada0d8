//! The echo service of `python/echo.proto` once more, on tonic's generated-code machinery over our transport: a producer and
//! a client, so that each of tonic and grpcio can stand at each end.

use crate::fixture::{Consumer, Organisation, Producer, World};
use futures::stream::{BoxStream, StreamExt};
use http::uri::PathAndQuery;
use portolan::transport::{Channel, Exchange, RecvBody, serve};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::server::{ClientStreamingService, ServerStreamingService, StreamingService, UnaryService};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tonic_types::{ErrorDetails, StatusExt};
use tower_service::Service;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: bytes::Bytes,
    #[prost(int32, tag = "2")]
    pub count: i32,
}

const SERVICE: &str = "dat.echo.v1.EchoService";
const LARGEST: usize = 64 << 20;

type Codec = ProstCodec<Message, Message>;
type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;
type Messages = BoxStream<'static, Result<Message, Status>>;

impl Message {
    pub fn new(payload: impl Into<bytes::Bytes>, count: i32) -> Self {
        Self { payload: payload.into(), count }
    }
}

/// Serves the echo service as `python/producer.py` does.
pub async fn producer(organisation: &Organisation, world: &World) -> Producer {
    let cancelled = Arc::new(AtomicI32::new(0));
    Producer::start(organisation, &world.hub, "/echo", move |exchange: Exchange| {
        let echo = Echo { cancelled: cancelled.clone() };
        async move { drop(serve(exchange.request, exchange.respond, echo).await) }
    })
    .await
}

#[derive(Clone)]
struct Echo {
    cancelled: Arc<AtomicI32>,
}

impl Service<http::Request<RecvBody>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<RecvBody>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Codec::default())
                .max_decoding_message_size(LARGEST)
                .max_encoding_message_size(LARGEST);
            let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
            Ok(match method.as_str() {
                "Echo" => grpc.unary(Unary(echo, this.cancelled), request).await,
                "Collect" => grpc.client_streaming(Collect, request).await,
                "Expand" => grpc.server_streaming(Expand, request).await,
                "Chat" => grpc.streaming(Chat, request).await,
                "Fail" => grpc.unary(Unary(fail, this.cancelled), request).await,
                "Wait" => grpc.unary(Unary(wait, this.cancelled), request).await,
                "Report" => grpc.unary(Unary(report, this.cancelled), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

struct Unary(fn(Request<Message>, Arc<AtomicI32>) -> Answer<Message>, Arc<AtomicI32>);

impl UnaryService<Message> for Unary {
    type Response = Message;
    type Future = Answer<Message>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        self.0(request, self.1.clone())
    }
}

struct Collect;

impl ClientStreamingService<Message> for Collect {
    type Response = Message;
    type Future = Answer<Message>;

    fn call(&mut self, request: Request<Streaming<Message>>) -> Self::Future {
        Box::pin(collect(request))
    }
}

struct Expand;

impl ServerStreamingService<Message> for Expand {
    type Response = Message;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: Request<Message>) -> Self::Future {
        Box::pin(expand(request))
    }
}

struct Chat;

impl StreamingService<Message> for Chat {
    type Response = Message;
    type ResponseStream = Messages;
    type Future = Answer<Messages>;

    fn call(&mut self, request: Request<Streaming<Message>>) -> Self::Future {
        Box::pin(chat(request))
    }
}

/// What the call asks to be failed with, if it does: `x-fail` is the code.
fn failure(metadata: &MetadataMap) -> Option<Status> {
    let code: i32 = metadata.get("x-fail")?.to_str().ok()?.parse().ok()?;
    (code != 0).then(|| Status::new(Code::from(code), "as asked: 100 % ünlucky"))
}

fn custom(metadata: &MetadataMap) -> MetadataMap {
    let mut own = MetadataMap::new();
    for pair in metadata.iter() {
        match pair {
            KeyAndValueRef::Ascii(key, value) if key.as_str().starts_with("x-") => {
                own.append(key, value.clone());
            }
            KeyAndValueRef::Binary(key, value) if key.as_str().starts_with("x-") => {
                own.append_bin(key, value.clone());
            }
            _ => {}
        }
    }
    if let Some(caller) = metadata.get("portolan-caller") {
        own.append("x-caller", caller.clone());
    }
    own
}

fn echo(request: Request<Message>, _: Arc<AtomicI32>) -> Answer<Message> {
    Box::pin(async move {
        if let Some(status) = failure(request.metadata()) {
            return Err(status);
        }
        let metadata = custom(request.metadata());
        let mut answer = Response::new(request.into_inner());
        *answer.metadata_mut() = metadata;
        Ok(answer)
    })
}

async fn collect(request: Request<Streaming<Message>>) -> Result<Response<Message>, Status> {
    let failure = failure(request.metadata());
    if let (Some(status), true) = (&failure, request.metadata().contains_key("x-early")) {
        return Err(status.clone());
    }
    let (mut all, mut count, mut messages) = (Vec::new(), 0, request.into_inner());
    while let Some(message) = messages.message().await? {
        all.extend_from_slice(&message.payload);
        count += 1;
    }
    failure.map_or_else(|| Ok(Response::new(Message::new(all, count))), Err)
}

async fn expand(request: Request<Message>) -> Result<Response<Messages>, Status> {
    let failure = failure(request.metadata());
    let Message { payload, count } = request.into_inner();
    let messages = futures::stream::iter(0..count).map(move |n| Ok(Message::new(payload.clone(), n)));
    Ok(Response::new(messages.chain(futures::stream::iter(failure.map(Err))).boxed()))
}

async fn chat(request: Request<Streaming<Message>>) -> Result<Response<Messages>, Status> {
    let failure = failure(request.metadata());
    let messages = request.into_inner().enumerate().map(|(n, message)| {
        let message = message?;
        Ok(Message::new(message.payload.to_ascii_uppercase(), n as i32))
    });
    Ok(Response::new(messages.chain(futures::stream::iter(failure.map(Err))).boxed()))
}

fn fail(request: Request<Message>, _: Arc<AtomicI32>) -> Answer<Message> {
    Box::pin(async move {
        let details = ErrorDetails::with_error_info(
            "OUT_OF_ECHO",
            "acme.example",
            [("left".to_owned(), "0".to_owned())],
        );
        let mut metadata = MetadataMap::new();
        metadata.insert("x-fault", "mine".parse().unwrap());
        metadata.insert_bin("x-raw-bin", tonic::metadata::MetadataValue::from_bytes(b"\x00\xff\x10"));
        let code = Code::from(request.get_ref().count);
        let message = "no echo: 50 % außer Betrieb";
        Err(Status::with_error_details_and_metadata(code, message, details, metadata))
    })
}

/// Counts a call that was given up.
struct Counted(Arc<AtomicI32>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn wait(_: Request<Message>, cancelled: Arc<AtomicI32>) -> Answer<Message> {
    Box::pin(async move {
        let _counted = Counted(cancelled);
        std::future::pending().await
    })
}

fn report(request: Request<Message>, cancelled: Arc<AtomicI32>) -> Answer<Message> {
    Box::pin(async move {
        let told = request.metadata().get("grpc-timeout").map(|value| value.to_str().unwrap().to_owned());
        let micros = told.map_or(0, |told| told.trim_end_matches('u').parse::<u64>().unwrap());
        let left = (micros as f64 / 1e6).to_string();
        Ok(Response::new(Message::new(left, cancelled.load(Ordering::SeqCst))))
    })
}

/// A client of the echo service, as generated code would be.
pub struct Client(tonic::client::Grpc<Channel>);

impl Client {
    pub fn new(consumer: &Consumer) -> Self {
        let grpc = tonic::client::Grpc::new(consumer.channel());
        Self(grpc.max_decoding_message_size(LARGEST).max_encoding_message_size(LARGEST))
    }

    pub async fn unary(&self, method: &str, request: Request<Message>) -> Result<Response<Message>, Status> {
        self.0.clone().unary(request, path(method), Codec::default()).await
    }

    pub async fn collect(&self, request: Request<Outgoing>) -> Result<Response<Message>, Status> {
        self.0.clone().client_streaming(request, path("Collect"), Codec::default()).await
    }

    pub async fn expand(&self, request: Request<Message>) -> Result<Response<Streaming<Message>>, Status> {
        self.0.clone().server_streaming(request, path("Expand"), Codec::default()).await
    }

    pub async fn chat(&self, request: Request<Outgoing>) -> Result<Response<Streaming<Message>>, Status> {
        self.0.clone().streaming(request, path("Chat"), Codec::default()).await
    }
}

/// What a client sends on a stream.
pub type Outgoing = BoxStream<'static, Message>;

fn path(method: &str) -> PathAndQuery {
    PathAndQuery::try_from(format!("/{SERVICE}/{method}")).unwrap()
}
