//! A producer's listener: whoever dials is proven, then each call goes to the service.

use crate::identity::{self, Credentials, Peer, Refusal, Trust};
use crate::lifecycle::{self, Shutdown};
use crate::transport::{self, RecvBody, Settings, server};
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use rustls::ServerConfig;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service;

/// Connections at once; the next waits in the listener's queue. A producer's callers are a few brokers.
const CONNECTIONS: usize = 1024;
/// After a failed accept (no file descriptor is left, say) so much time for others to give some back.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens until stopping is asked for, then says goodbye on every connection and lets calls finish until the
/// shutdown is aborted. Requests carry the [`Peer`] who called in their extensions.
///
/// Only identities of `trust` get in: give it the broker's trust domain alone, and only brokers can call.
pub async fn serve<S, B>(
    listener: TcpListener,
    trust: Trust,
    credentials: Credentials,
    service: S,
    shutdown: Shutdown,
) where
    S: Service<Request<RecvBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
{
    let config = identity::server_config(&trust, &credentials);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // The semaphore is never closed: an error is impossible.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let accepted = tokio::select! {
            biased;
            () = shutdown.requested() => return,
            accepted = listener.accept() => accepted,
        };
        let (tcp, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (trust, config, service, shutdown) =
            (trust.clone(), config.clone(), service.clone(), shutdown.clone());
        let guard = shutdown.guard();
        lifecycle::spawn("producer connection", async move {
            let _held = (place, guard);
            if let Err(reason) = connection(tcp, &trust, config, service, shutdown).await {
                tracing::info!(%from, reason, "connection ended");
            }
        });
    }
}

async fn connection<S, B>(
    tcp: TcpStream,
    trust: &Trust,
    config: Arc<ServerConfig>,
    service: S,
    shutdown: Shutdown,
) -> Result<(), String>
where
    S: Service<Request<RecvBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
{
    let settings = Settings::default();
    tcp.set_nodelay(true).map_err(|error| error.to_string())?;
    let shaken = timeout(settings.handshake_timeout, identity::accept(trust, config, tcp)).await;
    let (tls, peer) =
        shaken.map_err(|_| "no handshake in time".to_owned())?.map_err(|e: Refusal| e.to_string())?;
    let mut connection = server::Connection::handshake(tls, &settings).await.map_err(|e| e.to_string())?;
    let mut leaving = false;
    loop {
        let exchange = tokio::select! {
            () = shutdown.requested(), if !leaving => {
                leaving = true;
                connection.graceful_shutdown();
                continue;
            }
            () = shutdown.aborted() => return Err("cut: the time to finish is over".into()),
            refusal = trust.ends(&peer) => return Err(refusal.to_string()),
            exchange = connection.accept() => exchange,
        };
        let Some(exchange) = exchange else { return Ok(()) };
        let transport::Exchange { mut request, respond } = exchange.map_err(|error| error.to_string())?;
        request.extensions_mut().insert::<Peer>(peer.clone());
        let service = service.clone();
        lifecycle::spawn("producer call", async move {
            // A consumer that went away ends its own call and nothing else.
            let _ = transport::serve(request, respond, service).await;
        });
    }
}
