//! An OTLP collector in this process: it decodes what really arrives, in plain text or over mTLS.

use crate::fixture::{Organisation, World};
use bytes::BytesMut;
use http::{HeaderMap, Response};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use portolan::transport::{Exchange, Settings, server};
use portolan::{identity, lifecycle};
use prost::Message;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A collector, and what it got.
#[derive(Clone, Default)]
pub(super) struct Collector {
    got: Arc<Mutex<Got>>,
}

#[derive(Default)]
struct Got {
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    /// The status that the next requests are answered with.
    refusals: Vec<u8>,
}

impl Collector {
    /// Begins to listen in plain text.
    pub(super) async fn plain() -> (Self, SocketAddr) {
        let (collector, socket) = (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, this) = (socket.local_addr().unwrap(), collector.clone());
        lifecycle::spawn("test collector", async move {
            while let Ok((tcp, _)) = socket.accept().await {
                lifecycle::spawn("test collector's connection", this.clone().serve(tcp));
            }
        });
        (collector, address)
    }

    /// Begins to listen over mTLS, as a workload of an organisation.
    pub(super) async fn tls(world: &World, of: &Organisation, path: &str) -> (Self, SocketAddr) {
        let (collector, socket) = (Self::default(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let (address, this) = (socket.local_addr().unwrap(), collector.clone());
        let trust = of.trust(&world.hub);
        let tls = identity::server_config(&trust, &of.credentials(path));
        lifecycle::spawn("test collector", async move {
            while let Ok((tcp, _)) = socket.accept().await {
                let Ok((io, peer)) = identity::accept(&trust, tls.clone(), tcp).await else { continue };
                assert_eq!(peer.identity.to_string(), "spiffe://hub.example/broker");
                lifecycle::spawn("test collector's connection", this.clone().serve(io));
            }
        });
        (collector, address)
    }

    /// Answers the next request with this status.
    pub(super) fn refuse_next(&self, status: u8) {
        self.got.lock().unwrap().refusals.push(status);
    }

    /// All spans, in the order in which they came.
    pub(super) fn spans(&self) -> Vec<Span> {
        let got = self.got.lock().unwrap();
        let scopes = got.traces.iter().flat_map(|one| &one.resource_spans).flat_map(|one| &one.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    /// All requests with metrics.
    pub(super) fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        self.got.lock().unwrap().metrics.clone()
    }

    /// The resource that the first request with spans names.
    pub(super) fn resource(&self) -> Vec<KeyValue> {
        let got = self.got.lock().unwrap();
        got.traces[0].resource_spans[0].resource.clone().unwrap().attributes
    }

    async fn serve<IO: AsyncRead + AsyncWrite + Unpin>(self, io: IO) {
        let Ok(mut connection) = server::Connection::handshake(io, &Settings::default()).await else {
            return;
        };
        while let Some(Ok(exchange)) = connection.accept().await {
            lifecycle::spawn("test collector's call", self.clone().answer(exchange));
        }
    }

    async fn answer(self, Exchange { request, respond }: Exchange) {
        let (head, mut body) = request.into_parts();
        assert_eq!(head.headers["content-type"], "application/grpc");
        let mut bytes = BytesMut::new();
        while let Some(data) = body.frame().await {
            let data = data.unwrap();
            body.release(data.len());
            bytes.extend_from_slice(&data);
        }
        let status = {
            let mut got = self.got.lock().unwrap();
            let status = got.refusals.pop().unwrap_or(0);
            assert_eq!(u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize, bytes.len() - 5);
            match head.uri.path() {
                _ if status != 0 => {}
                portolan::telemetry::otlp::TRACES => {
                    got.traces.push(ExportTraceServiceRequest::decode(&bytes[5..]).unwrap());
                }
                portolan::telemetry::otlp::METRICS => {
                    got.metrics.push(ExportMetricsServiceRequest::decode(&bytes[5..]).unwrap());
                }
                other => panic!("{other}"),
            }
            status
        };
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let mut send = respond.send(head, false).unwrap();
        let _ = send.frame(crate::fixture::frame(b""), false).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", status.to_string().parse().unwrap());
        let _ = send.trailers(trailers);
    }
}

/// What an attribute says, as text.
pub(super) fn said(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|one| one.key == key)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(whole) => whole.to_string(),
        other => format!("{other:?}"),
    })
}
