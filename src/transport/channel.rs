//! Lets generated clients call over one of our connections.

use super::body::pump;
use super::{Error, RecvBody, client};
use crate::lifecycle;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::uri::{Authority, Scheme, Uri};
use http_body::Body;
use std::task::{Context, Poll};
use tower_service::Service;

/// A connection as generated tonic clients want it: `FooClient::new(Channel::new(connection, authority))`.
///
/// Errors arrive as the source of the `tonic::Status`: see [`Error::behind`].
#[derive(Debug, Clone)]
pub struct Channel {
    connection: client::Connection,
    authority: Authority,
}

impl Channel {
    /// Calls over `connection`, with `authority` (a host, or `host:port`) as `:authority`.
    pub fn new(connection: client::Connection, authority: Authority) -> Self {
        Self { connection, authority }
    }

    /// The connection below.
    pub fn connection(&self) -> &client::Connection {
        &self.connection
    }
}

impl<B> Service<http::Request<B>> for Channel
where
    B: Body<Data = Bytes> + std::marker::Send + 'static,
{
    type Response = http::Response<RecvBody>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response, Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let sent = self.send(request);
        Box::pin(async move { Ok(sent?.await?.map(RecvBody::new)) })
    }
}

impl Channel {
    fn send<B>(&self, request: http::Request<B>) -> Result<client::Response, Error>
    where
        B: Body<Data = Bytes> + std::marker::Send + 'static,
    {
        let (mut head, body) = request.into_parts();
        head.version = http::Version::HTTP_2;
        let mut uri = std::mem::take(&mut head.uri).into_parts();
        uri.scheme = Some(Scheme::HTTPS);
        uri.authority = Some(self.authority.clone());
        head.uri = Uri::from_parts(uri).map_err(|_| Error::Closed("the request has no path"))?;
        let end = body.is_end_stream();
        let (response, mut send) = self.connection.send(http::Request::from_parts(head, ()), end)?;
        if !end {
            // The body moves by itself: a caller may well send before it reads the answer. It ends with the stream.
            lifecycle::spawn("request body", async move {
                let _ = pump(&mut send, body).await;
            });
        }
        Ok(response)
    }
}
