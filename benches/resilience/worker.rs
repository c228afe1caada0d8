//! A producer in a process of its own, so that it can be killed and stopped.

use super::{World, frame};
use http::{HeaderMap, HeaderValue, Response};
use portolan::identity;
use portolan::lifecycle;
use portolan::transport::{Exchange, Settings, server};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::sleep;

/// How long an answer takes.
pub const WORK: Duration = Duration::from_millis(2);
/// And when it is slowed.
const SLOWED: u32 = 50;

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    Slow,
    Unavailable,
}

pub struct Worker {
    pub port: u16,
    child: Child,
    orders: ChildStdin,
}

impl Worker {
    /// On that port; 0 is any.
    pub async fn start(world: &World, port: u16) -> Self {
        let files = world.payments.files("/echo");
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("producer")
            .args([&files.certificate, &files.key, &world.payments.bundle(), &world.hub.bundle()])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("it says where it listens").parse().unwrap();
        let orders = child.stdin.take().unwrap();
        Self { port, child, orders }
    }

    pub async fn set(&mut self, mood: Mood) {
        self.orders.write_all(&[mood as u8]).await.unwrap();
        self.orders.flush().await.unwrap();
    }

    pub async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }
}

/// What the process does: CERTIFICATE KEY OWN_BUNDLE HUB_BUNDLE PORT.
pub async fn run(arguments: &[String]) {
    let [certificate, key, own, hub, port] = arguments else { panic!("{arguments:?}") };
    let (trust, tls) = super::shown::tls([certificate, key, own, hub]);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(format!("127.0.0.1:{port}").parse().unwrap()).unwrap();
    let listener = socket.listen(1024).unwrap();
    println!("{}", listener.local_addr().unwrap().port());

    let mood = Arc::new(AtomicU8::new(Mood::Well as u8));
    let told = mood.clone();
    std::thread::spawn(move || {
        let mut order = [0];
        while std::io::Read::read_exact(&mut std::io::stdin(), &mut order).is_ok() {
            told.store(order[0], Ordering::Relaxed);
        }
        // Whoever gave the orders is gone.
        std::process::exit(0);
    });
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        let (trust, tls, mood) = (trust.clone(), tls.clone(), mood.clone());
        lifecycle::spawn("connection", async move {
            let _ = tcp.set_nodelay(true);
            let Ok((io, _)) = identity::accept(&trust, tls, tcp).await else { return };
            let Ok(mut connection) = server::Connection::handshake(io, &Settings::default()).await else {
                return;
            };
            while let Some(Ok(exchange)) = connection.accept().await {
                lifecycle::spawn("call", answer(exchange, mood.load(Ordering::Relaxed)));
            }
        });
    }
}

async fn answer(exchange: Exchange, mood: u8) {
    let is_probe = exchange.request.uri().path().starts_with("/grpc.health");
    let mut trailers = HeaderMap::new();
    let status = |code: &'static str| HeaderValue::from_static(code);
    let mut head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    if is_probe || mood == Mood::Unavailable as u8 {
        head.headers_mut().insert("grpc-status", status(if is_probe { "12" } else { "14" }));
        let _ = exchange.respond.send(head, true);
        return;
    }
    sleep(if mood == Mood::Slow as u8 { WORK * SLOWED } else { WORK }).await;
    let Ok(mut send) = exchange.respond.send(head, false) else { return };
    if send.frame(frame(&[7; 128]), false).await.is_ok() {
        trailers.insert("grpc-status", status("0"));
        let _ = send.trailers(trailers);
    }
}
