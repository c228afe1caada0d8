//! Both legs against each other, and each against bare frames.

mod calls;
mod ends;
mod flow;
mod hostile;
mod life;
mod pacing;
mod raw;

use self::raw::Raw;
use super::{Error, Exchange, Recv, Send, Settings, client, server};
use crate::lifecycle;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};

/// Both legs on a pipe in memory; every request goes to `handle`, each in a task of its own.
async fn linked<F>(settings: &Settings, handle: fn(Exchange) -> F) -> client::Connection
where
    F: Future<Output = ()> + std::marker::Send + 'static,
{
    let (near, far) = duplex(1 << 16);
    listen(far, settings, handle);
    connected(near, settings).await
}

/// Both legs on a TCP connection.
async fn linked_by_tcp<F>(settings: &Settings, handle: fn(Exchange) -> F) -> client::Connection
where
    F: Future<Output = ()> + std::marker::Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    listen(listener.accept().await.unwrap().0, settings, handle);
    connected(near, settings).await
}

fn listen<IO, F>(io: IO, settings: &Settings, handle: fn(Exchange) -> F)
where
    IO: AsyncRead + AsyncWrite + Unpin + std::marker::Send + 'static,
    F: Future<Output = ()> + std::marker::Send + 'static,
{
    let settings = settings.clone();
    lifecycle::spawn("test listener", async move {
        let Ok(mut connection) = server::Connection::handshake(io, &settings).await else { return };
        while let Some(Ok(exchange)) = connection.accept().await {
            lifecycle::spawn("test handler", handle(exchange));
        }
    });
}

async fn connected<IO>(io: IO, settings: &Settings) -> client::Connection
where
    IO: AsyncRead + AsyncWrite + Unpin + std::marker::Send + 'static,
{
    let (connection, driver) = client::connect(io, settings).await.unwrap();
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    connection
}

/// A listening end whose requests the test takes by itself, and a connection to it.
async fn by_hand(settings: &Settings) -> (server::Connection<DuplexStream>, client::Connection) {
    let (near, far) = duplex(1 << 16);
    let (listening, dialling) =
        tokio::join!(server::Connection::handshake(far, settings), client::connect(near, settings));
    let (connection, driver) = dialling.unwrap();
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    (listening.unwrap(), connection)
}

/// A connection to a server of bare frames whose SETTINGS carry `announced`; it moves when its driver runs.
async fn bare(
    settings: &Settings,
    announced: &[u8],
) -> (client::Connection, client::Driver<DuplexStream>, Raw) {
    let (near, far) = duplex(1 << 16);
    let (connecting, raw) = tokio::join!(client::connect(near, settings), Raw::server(far, announced));
    let (connection, driver) = connecting.unwrap();
    (connection, driver, raw)
}

fn post() -> Request<()> {
    Request::post("https://producer.test/a.v1.A/B").body(()).unwrap()
}

fn ok() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

fn status(code: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::header::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(code),
    )])
}

/// Reads everything, handing each frame's bytes back to the peer.
async fn read(recv: &mut Recv) -> Result<(Vec<u8>, Option<HeaderMap>), Error> {
    let mut all = Vec::new();
    while let Some(frame) = recv.frame().await {
        let frame = frame?;
        all.extend_from_slice(&frame);
        recv.release(frame.len());
    }
    Ok((all, recv.trailers().await?))
}

/// Sends back each frame as it comes, then trailers.
async fn echo(Exchange { request, respond }: Exchange) {
    let mut request = request.into_body();
    let mut answer = respond.send(ok(), false).unwrap();
    while let Some(Ok(frame)) = request.frame().await {
        let length = frame.len();
        if answer.frame(frame, false).await.is_err() {
            return;
        }
        request.release(length);
    }
    let _ = answer.trailers(status("0"));
}

/// Moves frames as the relay does: released only when they were handed on.
async fn copy(from: &mut Recv, to: &mut Send) -> Result<(), Error> {
    while let Some(frame) = from.frame().await {
        let frame = frame?;
        let length = frame.len();
        to.frame(frame, false).await?;
        from.release(length);
    }
    match from.trailers().await? {
        Some(trailers) => to.trailers(trailers),
        None => to.frame(Bytes::new(), true).await,
    }
}
