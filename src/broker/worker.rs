//! Data-plane threads: one current-thread runtime each, with its own sockets, connections and pool (design §7).

use crate::api::listener::Listener;
use crate::lifecycle::Shutdown;
use crate::uplink::Pool;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Starts one worker on its sockets. It runs until stopping was asked for and its connections are over or cut.
pub(super) fn start(
    index: usize,
    sockets: Vec<TcpListener>,
    listener: Arc<Listener>,
    pool: Arc<Pool>,
    shutdown: Shutdown,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sockets = {
        let _entered = runtime.enter();
        sockets.into_iter().map(tokio::net::TcpListener::from_std).collect::<io::Result<Vec<_>>>()?
    };
    std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
        runtime.block_on(async move {
            for socket in sockets {
                crate::lifecycle::spawn("listener", listener.clone().run(socket, pool.clone()));
            }
            // After the abort, connections still say goodbye: their second is waited for.
            shutdown.aborted().await;
            listener.connections.emptied(FAREWELL).await;
        });
    })
}

const FAREWELL: std::time::Duration = std::time::Duration::from_millis(1500);
