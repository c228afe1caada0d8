//! The admin listener over real sockets: what it tells, whom it refuses, and that nobody can hold it.

use super::*;
use crate::telemetry::{Family, Kind, Unit};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn start() -> (Arc<Admin>, SocketAddr, Shutdown) {
    let shutdown = Shutdown::new();
    let family = || Family::new(Kind::Gauge, "portolan.x", Unit::None, "X.").with(Vec::new(), 7u64);
    let admin = Admin::new(Arc::new(move || vec![family()]), shutdown.clone());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    lifecycle::spawn("test admin", admin.clone().run(socket));
    (admin, address, shutdown)
}

/// Everything that comes back until the connection is closed.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that was cut may end with a reset.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
}

#[tokio::test]
async fn readiness_follows_the_life_of_the_broker_and_health_does_not() {
    let (admin, address, shutdown) = start().await;
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 503"));
    admin.serving();
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let _working = shutdown.guard();
    shutdown.request();
    let draining = get(address, "/readyz").await;
    assert!(draining.starts_with("HTTP/1.1 503") && draining.ends_with("draining\n"), "{draining}");
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/metrics").await.contains("portolan_x 7\n"));
}

#[tokio::test]
async fn metrics_come_in_the_form_that_is_asked_for() {
    let (_, address, _) = start().await;
    let text = get(address, "/metrics?name[]=x").await;
    assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
    let request =
        "GET /metrics HTTP/1.1\r\nhost: x\r\naccept: application/openmetrics-text; version=1.0.0\r\n\r\n";
    let open = ask(address, request).await;
    assert!(open.contains("application/openmetrics-text") && open.ends_with("# EOF\n"), "{open}");
    let head = ask(address, "HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn other_paths_methods_and_nonsense_are_refused() {
    let (_, address, _) = start().await;
    for path in ["/", "/metrics/", "/metrics/../healthz", "//metrics", "/METRICS", "/debug"] {
        assert!(get(address, path).await.starts_with("HTTP/1.1 404"), "{path}");
    }
    let refused = ask(address, "POST /metrics HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("allow: GET, HEAD"), "{refused}");
    let long = format!("GET /healthz HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(2 * LARGEST));
    for nonsense in ["\u{16}\u{3}\u{1}\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &long] {
        assert!(!ask(address, nonsense).await.contains(" 200 "), "{nonsense:.40}");
    }
}

#[tokio::test]
async fn one_answer_ends_the_connection_and_the_next_is_not_taken_from_it() {
    let (_, address, _) = start().await;
    let twice = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2);
    assert_eq!(ask(address, &twice).await.matches("HTTP/1.1").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_slow_is_cut_and_gives_its_place_back() {
    let (admin, address, _) = start().await;
    let mut slow = Vec::new();
    for _ in 0..MOST {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    // The kernel hands connections on when it wants to; the clock stands still meanwhile.
    while admin.room.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(address, "/healthz").await, "", "one more is cut");
    // Paused, the clock runs on to the next thing that is waited for: their time.
    let mut rest = Vec::new();
    for mut stream in slow {
        let _ = stream.read_to_end(&mut rest).await;
    }
    while admin.room.available_permits() < MOST {
        tokio::task::yield_now().await;
    }
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
}
