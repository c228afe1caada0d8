//! Producers behind the broker say goodbye, go, and come back at the same port and at another.

use super::*;
use crate::fixture::echo;
use crate::registry::declaration;
use portolan::client::pb::portolan::registry::v1 as registry;
use portolan::identity;
use portolan::transport::{self, Channel, server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Registry = registry::registry_service_client::RegistryServiceClient<Channel>;

/// A producer that stops as a good server does: no new connections, GOAWAY, what runs finishes.
struct Rolling {
    address: SocketAddr,
    stop: CancellationToken,
    open: TaskTracker,
}

impl Rolling {
    async fn start(world: &World, at: SocketAddr, calls: Arc<AtomicUsize>) -> Self {
        let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/ledger"));
        let tls = identity::server_config(&trust, &credentials);
        let socket = TcpListener::bind(at).await.unwrap();
        let rolling = Self {
            address: socket.local_addr().unwrap(),
            stop: CancellationToken::new(),
            open: TaskTracker::new(),
        };
        let (stop, open) = (rolling.stop.clone(), rolling.open.clone());
        lifecycle::spawn("test producer", async move {
            loop {
                let tcp = tokio::select! {
                    accepted = socket.accept() => accepted.unwrap().0,
                    () = stop.cancelled() => return,
                };
                tcp.set_nodelay(true).unwrap();
                let (trust, tls, stop, calls) = (trust.clone(), tls.clone(), stop.clone(), calls.clone());
                let guard = open.token();
                lifecycle::spawn("test connection", async move {
                    let Ok((io, _)) = identity::accept(&trust, tls, tcp).await else { return };
                    let settings = transport::Settings::default();
                    let Ok(mut connection) = server::Connection::handshake(io, &settings).await else {
                        return;
                    };
                    let mut said = false;
                    loop {
                        tokio::select! {
                            next = connection.accept() => {
                                let Some(Ok(exchange)) = next else { break };
                                if exchange.request.headers().contains_key("x-load") {
                                    calls.fetch_add(1, Ordering::SeqCst);
                                }
                                lifecycle::spawn("test call", echo(exchange));
                            }
                            () = stop.cancelled(), if !said => {
                                said = true;
                                connection.graceful_shutdown();
                            }
                        }
                    }
                    drop(guard);
                });
            }
        });
        rolling
    }

    async fn leave(&self) {
        self.stop.cancel();
        self.open.close();
        tokio::time::timeout(Duration::from_secs(20), self.open.wait()).await.expect("it drains");
    }
}

async fn register(world: &World, hub: &Hub, id: &str, address: SocketAddr) {
    let own = Consumer::connect(&world.payments, "/ledger", hub).await;
    let request = declaration(&world.payments, id, address);
    Registry::new(own.channel()).register_producer(request).await.unwrap();
}

#[tokio::test]
async fn producers_restart_in_turn_and_no_call_is_lost() {
    let world = World::new();
    let hub = world.broker().start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let anywhere: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let mut producers = Vec::new();
    for id in ["ledger-1", "ledger-2"] {
        let producer = Rolling::start(&world, anywhere, calls.clone()).await;
        register(&world, &hub, id, producer.address).await;
        producers.push((id, producer));
    }
    let roamer = Roamer::new(&world, "/app", &[hub.address]);
    let load = roamer.load(16);
    // First each comes back where it was, then each elsewhere.
    for stays in [true, true, false, false] {
        let (id, producer) = producers.remove(0);
        roamer.goes_on(100).await;
        producer.leave().await;
        roamer.goes_on(100).await;
        let at = if stays { producer.address } else { anywhere };
        let back = Rolling::start(&world, at, calls.clone()).await;
        register(&world, &hub, id, back.address).await;
        producers.push((id, back));
    }
    roamer.goes_on(100).await;
    roamer.finish(load).await;
    assert_eq!(calls.load(Ordering::SeqCst), roamer.seen.done.load(Ordering::SeqCst), "each call ran once");
}

#[tokio::test]
async fn a_lone_producer_restarts_and_calls_wait_or_are_safe_to_send_again() {
    let world = World::new();
    let hub = world.broker().start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let mut producer = Rolling::start(&world, "127.0.0.1:0".parse().unwrap(), calls.clone()).await;
    register(&world, &hub, "ledger-1", producer.address).await;
    let roamer = Roamer::new(&world, "/app", &[hub.address]);
    let load = roamer.load(8);
    for _ in 0..3 {
        roamer.goes_on(50).await;
        producer.leave().await;
        producer = Rolling::start(&world, producer.address, calls.clone()).await;
    }
    roamer.goes_on(50).await;
    roamer.finish(load).await;
    assert_eq!(calls.load(Ordering::SeqCst), roamer.seen.done.load(Ordering::SeqCst), "each call ran once");
}
