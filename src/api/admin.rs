//! The listener for those who watch the process: metrics, life and readiness, over plain HTTP/1.1.
//!
//! It asks nobody who they are, and so it tells nothing of calls but numbers. One request a connection, answered from
//! memory; whoever is slow is cut, and only so many are heard at once.

use crate::lifecycle::{self, Shutdown};
use crate::telemetry::text::{self, Form};
use crate::uplink::collector::Gather;
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// Who is heard at once.
const MOST: usize = 64;
/// For the head of a request.
const HEAD: Duration = Duration::from_secs(5);
/// For a request and its answer.
const WHOLE: Duration = Duration::from_secs(15);
/// The largest head, in bytes.
const LARGEST: usize = 16 << 10;
/// How long accepting rests when the machine has no more file descriptors.
const REST: Duration = Duration::from_millis(50);

/// What the listener tells.
pub struct Admin {
    gather: Gather,
    is_serving: AtomicBool,
    shutdown: Shutdown,
    room: Arc<Semaphore>,
}

impl Admin {
    /// Tells what `gather` gives, and that the broker is not ready yet.
    pub fn new(gather: Gather, shutdown: Shutdown) -> Arc<Self> {
        let (is_serving, room) = (AtomicBool::new(false), Arc::new(Semaphore::new(MOST)));
        Arc::new(Self { gather, is_serving, shutdown, room })
    }

    /// The broker answers calls from now on.
    pub fn serving(&self) {
        self.is_serving.store(true, Ordering::Release);
    }

    /// Accepts until the drain is over: whoever watches sees it to its end.
    pub async fn run(self: Arc<Self>, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                () = self.shutdown.aborted() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Whoever finds no room is cut at once.
                    let Ok(place) = self.room.clone().try_acquire_owned() else { continue };
                    let admin = self.clone();
                    lifecycle::spawn("admin connection", async move {
                        admin.serve(stream).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection of the admin listener");
                    sleep(REST).await;
                }
            }
        }
    }

    async fn serve(&self, stream: TcpStream) {
        let answer = service_fn(async |request: Request<Incoming>| {
            Ok::<_, Infallible>(self.answer(
                request.method(),
                request.uri().path(),
                request.headers().get(ACCEPT),
            ))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(LARGEST)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer);
        match timeout(WHOLE, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection of the admin listener ended early"),
            Err(_) => tracing::debug!("a connection of the admin listener was too slow"),
        }
    }

    fn answer(&self, method: &Method, path: &str, accept: Option<&HeaderValue>) -> Response<Full<Bytes>> {
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return told(StatusCode::NOT_FOUND, "/metrics, /healthz and /readyz are here\n");
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = told(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match path {
            "/metrics" => {
                let form = Form::accepted(accept.and_then(|accept| accept.to_str().ok()).unwrap_or_default());
                let mut answer = told(StatusCode::OK, text::write(&(self.gather)(), form));
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
                answer
            }
            "/healthz" => told(StatusCode::OK, "ok\n"),
            _ if self.shutdown.is_requested() => told(StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
            _ if !self.is_serving.load(Ordering::Acquire) => {
                told(StatusCode::SERVICE_UNAVAILABLE, "starting\n")
            }
            _ => told(StatusCode::OK, "ready\n"),
        }
    }
}

fn told(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(text.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    answer
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("is_serving", &self.is_serving).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
