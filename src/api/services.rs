//! The broker's own gRPC services by name, on the same listener as the pass-through.

use futures::future::BoxFuture;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

type Handler = Arc<dyn Fn(http::Request<Body>) -> BoxFuture<'static, http::Response<Body>> + Send + Sync>;

/// The services this broker answers itself.
#[derive(Clone, Default)]
pub struct Services {
    handlers: HashMap<&'static str, Handler>,
}

impl Services {
    /// Adds a generated tonic server under its own name.
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
        S: NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        let handler = move |request| -> BoxFuture<'static, http::Response<Body>> {
            // Generated servers are always ready: there is nothing to wait for.
            let answer = service.clone().call(request);
            Box::pin(async move {
                match answer.await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            })
        };
        self.handlers.insert(S::NAME, Arc::new(handler));
        self
    }

    /// Whether the service is one of ours.
    pub(super) fn has(&self, service: &str) -> bool {
        self.handlers.contains_key(service)
    }

    /// Answers a call to a service of ours; `None` if it is not.
    pub(super) fn call(
        &self,
        service: &str,
        request: http::Request<Body>,
    ) -> Option<BoxFuture<'static, http::Response<Body>>> {
        self.handlers.get(service).map(|handler| handler(request))
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}
