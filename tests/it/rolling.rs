//! Brokers and producers stop and come back under load, and no call is lost: real processes, real sockets.

mod brokers;
mod producers;

use crate::fixture::{Consumer, Hub, Organisation, World, frame, read};
use portolan::identity::Domain;
use portolan::lifecycle;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tonic_types::StatusExt;

/// A consumer that knows several brokers, goes to the next when one says goodbye, and sends again what surely reached
/// nobody, as every gRPC library does: a refused stream, one above a GOAWAY, an answer that says `retry: safe`.
struct Roamer {
    organisation: Organisation,
    domain: Domain,
    addresses: Vec<SocketAddr>,
    current: tokio::sync::Mutex<Option<Arc<Consumer>>>,
    seen: Seen,
    stop: AtomicBool,
}

/// How its calls went.
#[derive(Default)]
struct Seen {
    done: AtomicUsize,
    again: AtomicUsize,
    failed: Mutex<Vec<String>>,
}

/// How one attempt went.
enum Went {
    Well,
    Again,
    Wrong(String),
}

impl Roamer {
    fn new(world: &World, path: &str, addresses: &[SocketAddr]) -> Arc<Self> {
        // Made before many ask for it at once.
        world.data.files(path);
        let Organisation { name, dir, .. } = &world.data;
        let authority = portolan::cli::certs::Authority::open(dir).unwrap();
        let organisation = Organisation { name: name.clone(), dir: dir.clone(), authority };
        Arc::new(Self {
            organisation,
            domain: world.hub.domain(),
            addresses: addresses.to_vec(),
            current: tokio::sync::Mutex::default(),
            seen: Seen::default(),
            stop: AtomicBool::new(false),
        })
    }

    /// Calls without a pause, `tasks` at once, until [`finish`](Self::finish); every fourth call takes its time.
    fn load(self: &Arc<Self>, tasks: usize) -> Vec<JoinHandle<()>> {
        let begin = |task: usize| {
            let roamer = self.clone();
            lifecycle::spawn("load", async move {
                let mut n = task;
                while !roamer.stop.load(Ordering::SeqCst) {
                    n += 1;
                    let pause = if n.is_multiple_of(4) { Duration::from_millis(100) } else { Duration::ZERO };
                    roamer.call(pause).await;
                }
            })
        };
        (0..tasks).map(begin).collect()
    }

    async fn finish(&self, load: Vec<JoinHandle<()>>) {
        self.stop.store(true, Ordering::SeqCst);
        for task in load {
            task.await.unwrap();
        }
        let failed = self.seen.failed.lock().unwrap().clone();
        let (done, again) = (self.seen.done.load(Ordering::SeqCst), self.seen.again.load(Ordering::SeqCst));
        println!("{done} calls, {again} sent again");
        assert!(
            failed.is_empty(),
            "{} of {done} calls were lost: {:#?}",
            failed.len(),
            &failed[..failed.len().min(5)]
        );
    }

    /// Waits until `more` calls have gone well from now on.
    async fn goes_on(&self, more: usize) {
        let enough = self.seen.done.load(Ordering::SeqCst) + more;
        let going = async {
            while self.seen.done.load(Ordering::SeqCst) < enough {
                // Other processes answer: nothing here can be awaited for it.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), going).await.expect("calls go on");
    }

    /// One call, sent again while that is safe.
    async fn call(&self, pause: Duration) {
        for _ in 0..200 {
            let consumer = self.consumer().await;
            match attempt(&consumer, pause).await {
                Went::Well => {
                    self.seen.done.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Went::Again => {
                    self.seen.again.fetch_add(1, Ordering::SeqCst);
                    // As a client backs off; what it waits for happens in another process.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Went::Wrong(what) => return self.seen.failed.lock().unwrap().push(what),
            }
        }
        self.seen.failed.lock().unwrap().push("no broker answered for long".into());
    }

    /// The connection that it has, or one to the next broker that answers.
    async fn consumer(&self) -> Arc<Consumer> {
        let mut current = self.current.lock().await;
        if let Some(open) = current.as_ref().filter(|consumer| consumer.connection.is_open()) {
            return open.clone();
        }
        for _ in 0..500 {
            for address in &self.addresses {
                let hub = Hub { address: *address, domain: self.domain.clone(), broker: None };
                let settings = portolan::transport::Settings::default();
                if let Ok(consumer) = Consumer::try_connect(&self.organisation, "/app", &hub, &settings).await
                {
                    let consumer = Arc::new(consumer);
                    *current = Some(consumer.clone());
                    return consumer;
                }
            }
            // Another process is about to listen: nothing here can be awaited for it.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no broker came back");
    }
}

async fn attempt(consumer: &Consumer, pause: Duration) -> Went {
    let head = crate::fixture::head("/pay.v1.Ledger/Post", &[("x-load", "1")]);
    let (response, mut send) = match consumer.connection.send(head, false) {
        Ok(sent) => sent,
        Err(error) if error.is_unprocessed() => return Went::Again,
        Err(error) => return Went::Wrong(format!("not sent: {error}")),
    };
    let upload = async {
        // What the broker does not take, its answer explains.
        let _ = send.frame(frame(b"first"), false).await;
        // A slow upload is what is tested: it is open while brokers come and go.
        tokio::time::sleep(pause).await;
        let _ = send.frame(frame(b"second"), true).await;
    };
    let (reply, ()) = tokio::join!(read(response), upload);
    match reply {
        Ok(reply) if reply.status() == 0 && reply.body == [frame(b"first"), frame(b"second")].concat() => {
            Went::Well
        }
        Ok(reply) if reply.status() == 0 => Went::Wrong(format!("cut: {:?}", reply.body)),
        Ok(reply) => {
            let status = reply.as_status();
            let info = status.get_error_details().error_info().cloned().unwrap();
            match info.metadata.get("retry").map(String::as_str) {
                Some("safe") => Went::Again,
                _ => Went::Wrong(format!("{status:?}")),
            }
        }
        Err(error) if error.is_unprocessed() => Went::Again,
        Err(error) => Went::Wrong(format!("{error}: {:?}", std::error::Error::source(&error))),
    }
}
