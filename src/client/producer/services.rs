//! Several generated services behind one door.

use crate::transport::RecvBody;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

type Answer = BoxFuture<'static, Result<Response<Body>, Infallible>>;
type Handler = Arc<dyn Fn(Request<RecvBody>) -> Answer + Send + Sync>;

/// Generated services by name. A call of any other service is UNIMPLEMENTED.
#[derive(Clone, Default)]
pub struct Services {
    by_name: Arc<HashMap<&'static str, Handler>>,
}

impl Services {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// These and one more, such as `FooServer::new(foo)`.
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: NamedService + Clone + Send + Sync + 'static,
        S: Service<Request<RecvBody>, Response = Response<Body>, Error = Infallible>,
        S::Future: Send + 'static,
    {
        let handler = move |request| service.clone().call(request).boxed();
        Arc::make_mut(&mut self.by_name).insert(S::NAME, Arc::new(handler));
        self
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }
}

impl Service<Request<RecvBody>> for Services {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RecvBody>) -> Answer {
        let service = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
        match self.by_name.get(service) {
            Some(handler) => handler(request),
            None => {
                let status = tonic::Status::unimplemented(format!("{service:?} is not served here"));
                std::future::ready(Ok(status.into_http())).boxed()
            }
        }
    }
}
