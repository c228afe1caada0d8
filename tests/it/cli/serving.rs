//! `portolan serve` as a service manager runs it, and a producer in Rust that stays registered with it.

use super::*;
use futures::future::BoxFuture;
use http::{Request, Response};
use portolan::client::pb::portolan::catalog::v1::{Endpoint, Stage};
use portolan::client::pb::portolan::registry::v1::{CapabilityVersion, RegisterProducerRequest};
use portolan::client::producer::{self, Registration, Services, Standing};
use portolan::client::{Address, RecvBody, Target, TrustDomain, Whom};
use portolan::lifecycle::{self, Shutdown};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

/// Sends every message back.
#[derive(Clone)]
struct Talk;

impl NamedService for Talk {
    const NAME: &'static str = "pay.talk.v1.Talk";
}

impl Service<Request<RecvBody>> for Talk {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RecvBody>) -> Self::Future {
        let (_, body) = request.into_parts();
        let trailers = http::HeaderMap::from_iter([(
            http::HeaderName::from_static("grpc-status"),
            http::HeaderValue::from_static("0"),
        )]);
        let body = http_body_util::BodyExt::with_trailers(body, async { Some(Ok(trailers)) });
        let answer = Response::builder().header("content-type", "application/grpc").body(Body::new(body));
        Box::pin(async { Ok(answer.unwrap()) })
    }
}

/// A broker in a process of its own, from a file, on a free port.
async fn serve(world: &World) -> (Child, SocketAddr) {
    let files = world.hub.files("/broker");
    let mut text = format!(
        "id = \"hub-1\"\nlisten = \"127.0.0.1:0\"\nworkers = 1\n[admin]\nlisten = []\n[tls]\ncertificate = {:?}\nkey = {:?}\n\
         [endpoints]\nallow = [\"127.0.0.0/8\"]\n[log]\nformat = \"json\"\n",
        files.certificate, files.key
    );
    for organisation in [&world.payments, &world.data] {
        let (name, bundle) = (&organisation.name, organisation.bundle());
        text += &format!("[[trust_domains]]\nname = {name:?}\nbundle = {bundle:?}\n");
        text += &format!(
            "[[platforms]]\nname = {name:?}\ntrust_domain = {name:?}\nservice_prefixes = [{:?}]\n",
            &name[..3]
        );
    }
    std::fs::write(world.dir.path().join("hub.toml"), text).unwrap();
    let mut command = portolan_with_few_files(world.dir.path(), &["serve", "--config", "hub.toml"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let listens = async {
        loop {
            let line = lines.next_line().await.unwrap().expect("it says where it listens");
            let start = line.find("127.0.0.1:");
            if let Some(start) = start.filter(|_| line.contains("ready")) {
                let rest = &line[start..];
                return rest[..rest.find(|c: char| !"0123456789.:".contains(c)).unwrap()].parse().unwrap();
            }
        }
    };
    let address =
        tokio::time::timeout(Duration::from_secs(20), listens).await.expect("it is ready within 20 s");
    // Read on, or its log has nowhere to go.
    lifecycle::spawn("log of the broker", async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, address)
}

fn signal(child: &Child, name: &str) {
    let id = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
}

fn target(world: &World, organisation: &Organisation, path: &str, address: SocketAddr) -> Target {
    Target {
        address: Address::parse(&address.to_string()).unwrap(),
        ca: world.hub.bundle(),
        whom: Whom::Domain(TrustDomain::parse("hub.example").unwrap()),
        files: organisation.files(path),
        timeout: Duration::from_secs(5),
    }
}

fn declaration(port: u16) -> RegisterProducerRequest {
    let version = CapabilityVersion {
        capability: "talk".into(),
        version: "1.0.0".into(),
        services: vec!["pay.talk.v1.Talk".into()],
        descriptor_set: descriptors("pay.talk.v1", "Talk").into(),
        owner: "team-talk".into(),
        contact: "talk@payments.example".into(),
        stage: Stage::Stable.into(),
        visibility: vec!["*".into()],
        ..Default::default()
    };
    RegisterProducerRequest {
        platform: "payments.example".into(),
        producer: "talk-1".into(),
        endpoints: vec![Endpoint { address: format!("127.0.0.1:{port}"), ..Default::default() }],
        versions: vec![version],
        ..Default::default()
    }
}

/// A producer that is registered with the broker at `address`, and the task that keeps it so.
async fn talk(world: &World, address: SocketAddr, shutdown: &Shutdown) -> (Standing, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let request = declaration(listener.local_addr().unwrap().port());
    let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/talk"));
    let services = Services::new().with(Talk);
    lifecycle::spawn("producer", producer::serve(listener, trust, credentials, services, shutdown.clone()));
    let target = target(world, &world.payments, "/talk", address);
    let (registration, mut standing) = Registration::new(target, request);
    let registration = lifecycle::spawn("registration", registration.run(shutdown.clone()));
    let settled = standing.wait_for(|standing| !matches!(standing, Standing::New)).await.unwrap().clone();
    (settled, registration)
}

/// The binary, as a user of data.example at the broker at `address`.
fn user(world: &World, address: SocketAddr, arguments: &[&str]) -> Command {
    let files = world.data.files("/user");
    let mut command = portolan(world.dir.path(), arguments);
    command.env("PORTOLAN_ADDRESS", address.to_string()).env("PORTOLAN_CA", world.hub.bundle());
    command.env("PORTOLAN_CERT", &files.certificate).env("PORTOLAN_KEY", &files.key);
    command.env("PORTOLAN_TRUST_DOMAIN", "hub.example");
    command
}

#[tokio::test]
async fn a_producer_registers_is_found_and_called_and_says_goodbye() {
    let world = World::new();
    let (broker, address) = serve(&world).await;
    let shutdown = Shutdown::new();
    let (registered, registration) = talk(&world, address, &shutdown).await;
    let name = "platforms/payments.example/producers/talk-1";
    assert!(matches!(&registered, Standing::Registered { name: told, .. } if told == name), "{registered:?}");

    let ask = |arguments: &[&str]| run(user(&world, address, arguments));
    let table = ask(&["catalog"]).await;
    let row: Vec<_> = table.out.lines().nth(1).unwrap_or_default().split_whitespace().collect();
    assert_eq!(
        row,
        ["payments.example", "talk", "1.0.0", "stable", "pay.talk.v1.Talk", "talk-1", "team-talk"],
        "{}",
        table.err
    );
    for (what, wanted) in [("platforms", "payments.example"), ("capabilities", "talk"), ("producers", "LIVE")]
    {
        let listed = ask(&["catalog", what]).await;
        assert!(listed.code == 0 && listed.out.contains(wanted), "{what}: {}{}", listed.out, listed.err);
    }
    let json = ask(&["catalog", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["versions"][0]["stage"], "STAGE_STABLE");

    let found = ask(&["catalog", "search", "TALK stage = stable version >= 1 -describable = false"]).await;
    assert!(found.code == 0 && found.out.contains("pay.talk.v1.Talk"), "{}{}", found.out, found.err);
    let none = ask(&["catalog", "search", "stage = beta", "--of", "capabilities"]).await;
    assert!(none.err.contains("nothing is listed"), "{}{}", none.out, none.err);
    let other = ask(&["catalog", "search", "pay", "--of", "platforms", "--platform", "data.example"]).await;
    assert!(other.err.contains("nothing is listed"), "{}{}", other.out, other.err);
    let cut = ask(&["catalog", "search", "talk", "--mask", "version,stage", "-o", "json"]).await;
    let cut: serde_json::Value = serde_json::from_str(&cut.out).unwrap();
    assert_eq!(cut["versions"], serde_json::json!([{ "version": "1.0.0", "stage": "STAGE_STABLE" }]));
    let wrong = ask(&["catalog", "search", "stage = stabel"]).await;
    let drawn = "  stage = stabel\n          ^ `stabel` is not a word as `stage` is; did you mean `stable`?";
    assert!(wrong.code == 1 && wrong.err.contains(drawn), "{}{}", wrong.out, wrong.err);
    let wrong = ask(&["catalog", "search", "talk", "--order-by", "name, stge"]).await;
    assert!(wrong.code == 1 && wrong.err.contains("        ^ `stge` is not a field"), "{}", wrong.err);

    let called = ask(&["call", "pay.talk.v1.Talk/Talk", "-d", "{\"text\": \"hello\"}"]).await;
    assert!(called.code == 0 && called.out.contains("hello"), "{}{}", called.out, called.err);
    let status = ask(&["status", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert!(json["capabilities"][0]["name"] == "platforms/payments.example/capabilities/talk", "{json}");
    let table = ask(&["status"]).await;
    assert!(
        table.out.starts_with("hub-1: ") && table.out.contains("      talk-1"),
        "{}{}",
        table.out,
        table.err
    );

    shutdown.request();
    registration.await.unwrap();
    assert!(ask(&["catalog"]).await.err.contains("nothing is listed"));
    drop(broker);
}

#[tokio::test]
async fn all_files_are_taken_that_the_system_gives() {
    let world = World::new();
    let (broker, _) = serve(&world).await;
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", broker.id().unwrap())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let (soft, hard) = (files.split_whitespace().nth(3), files.split_whitespace().nth(4));
    assert_eq!(soft, hard, "{files}");
}

#[tokio::test]
async fn a_signal_lets_open_calls_finish_and_a_second_one_does_not() {
    let world = World::new();
    let (mut broker, _) = serve(&world).await;
    signal(&broker, "TERM");
    assert_eq!(broker.wait().await.unwrap().code(), Some(0));

    for (second, code) in [(None, 0), (Some("INT"), 3)] {
        let (mut broker, address) = serve(&world).await;
        let shutdown = Shutdown::new();
        let (registered, _) = talk(&world, address, &shutdown).await;
        assert!(matches!(registered, Standing::Registered { .. }), "{registered:?}");
        let mut call = user(&world, address, &["call", "pay.talk.v1.Talk/Talk", "-d", "@-"]);
        let mut caller = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        type_in(&mut caller, "{\"text\": \"before\"}").await;
        assert!(until(&mut caller, "}\n").await.contains("before"));

        signal(&broker, "TERM");
        refused(address).await;
        type_in(&mut caller, "{\"text\": \"during\"}").await;
        assert!(until(&mut caller, "}\n").await.contains("during"));
        match second {
            Some(second) => signal(&broker, second),
            None => drop(caller.stdin.take()),
        }
        assert_eq!(broker.wait().await.unwrap().code(), Some(code));
        // The call that was let finish ended well; the one that was cut did not.
        assert_eq!(caller.wait().await.unwrap().code() == Some(0), second.is_none());
    }
}

/// Returns once nobody listens at `address` any more.
async fn refused(address: SocketAddr) {
    let gone = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("no new connections");
}
