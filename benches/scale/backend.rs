//! Producers in a process of its own: whatever address of this machine is dialled, one echo answers there.

use super::World;
use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, MESSAGE, PASSING, Wire, field};
use portolan::identity;
use portolan::lifecycle;
use std::collections::HashMap;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

/// What its certificate says.
pub const PATH: &str = "/backend";

pub struct Backend {
    pub port: u16,
    _process: Child,
}

impl Backend {
    pub async fn start(world: &World) -> Self {
        let files = world.payments.files(PATH);
        let mut process = Command::new(std::env::current_exe().unwrap())
            .arg("backend")
            .args([&files.certificate, &files.key, &world.payments.bundle(), &world.hub.bundle()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next_line().await.unwrap().expect("it says where it listens").parse().unwrap();
        Self { port, _process: process }
    }
}

/// What the process does: CERTIFICATE KEY OWN_BUNDLE HUB_BUNDLE.
pub async fn run(arguments: &[String]) {
    let [certificate, key, own, hub] = arguments else { panic!("{arguments:?}") };
    let (trust, tls) = super::shown::tls([certificate, key, own, hub]);
    // All addresses of 127.0.0.0/8 at once; whoever is not of this machine is sent away.
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    super::end_with_parent();
    loop {
        let Ok((tcp, from)) = listener.accept().await else { continue };
        if !from.ip().is_loopback() {
            continue;
        }
        let (trust, tls) = (trust.clone(), tls.clone());
        lifecycle::spawn("connection", async move {
            let _ = tcp.set_nodelay(true);
            if let Ok((io, _)) = identity::accept(&trust, tls, tcp).await {
                let _ = serve(io).await;
            }
        });
    }
}

async fn serve(io: tokio_rustls::server::TlsStream<TcpStream>) -> io::Result<()> {
    // 1,000 streams at once.
    let mut wire = Wire::new(io, &[(3, 1_000)]);
    let answers = Answers::new();
    wire.preface().await?;
    let mut came: HashMap<u32, usize> = HashMap::new();
    let echo: Arc<[u8]> = super::message().into();
    loop {
        while let Some(frame) = wire.next()? {
            let bytes = came.entry(frame.stream).or_default();
            if frame.kind == DATA {
                *bytes += frame.payload.len();
            }
            if frame.flags & END_STREAM == 0 {
                continue;
            }
            match came.remove(&frame.stream) {
                Some(MESSAGE) => {
                    wire.put(HEADERS, END_HEADERS, frame.stream, &answers.head);
                    wire.put(DATA, 0, frame.stream, &echo);
                    wire.put(HEADERS, END_HEADERS | END_STREAM, frame.stream, &answers.trailers);
                }
                // What is no call of the load is a probe.
                _ => wire.put(HEADERS, END_HEADERS | END_STREAM, frame.stream, &answers.unimplemented),
            }
        }
        wire.flush().await?;
        wire.read().await?;
    }
}

/// Header blocks.
struct Answers {
    head: Vec<u8>,
    trailers: Vec<u8>,
    unimplemented: Vec<u8>,
}

impl Answers {
    fn new() -> Self {
        // `:status: 200` and `content-type` of the static table.
        let mut head = vec![0x88];
        field(&mut head, PASSING, 31, "", "application/grpc");
        let (mut trailers, mut unimplemented) = (Vec::new(), head.clone());
        field(&mut trailers, PASSING, 0, "grpc-status", "0");
        field(&mut unimplemented, PASSING, 0, "grpc-status", "12");
        Self { head, trailers, unimplemented }
    }
}
