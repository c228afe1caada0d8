//! Where producers' addresses lead: by DNS, again and again; over Unix sockets; and never where they must not.

use super::*;
use portolan::model::{EndpointRules, Network};
use portolan::uplink::Error;
use std::net::Ipv4Addr;
use std::sync::Mutex;
use tokio::net::{UdpSocket, UnixListener};

/// A DNS server that knows one name, and forgets nothing.
struct Dns {
    address: SocketAddr,
    leads_to: Arc<Mutex<Vec<Ipv4Addr>>>,
}

impl Dns {
    async fn start(leads_to: &[Ipv4Addr]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let dns =
            Self { address: socket.local_addr().unwrap(), leads_to: Arc::new(Mutex::new(leads_to.to_vec())) };
        let known = dns.leads_to.clone();
        lifecycle::spawn("test DNS", async move {
            let mut query = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let answer = answer_to(&query[..length], &known.lock().unwrap().clone());
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        dns
    }

    fn settings(&self, rules: EndpointRules) -> Settings {
        Settings { dns_servers: vec![self.address], rules, ..hasty() }
    }
}

/// The answer to a query of one question (RFC 1035 §4.1), its addresses believed for a second.
fn answer_to(query: &[u8], known: &[Ipv4Addr]) -> Vec<u8> {
    let labels = query[12..].iter().position(|byte| *byte == 0).unwrap();
    let question = &query[12..12 + labels + 5];
    let is_a = question[labels + 1..labels + 3] == [0, 1];
    let known = if is_a { known } else { &[] };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, known.len() as u8, 0, 0, 0, 0]);
    answer.extend(question);
    for address in known {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

fn loopback() -> EndpointRules {
    EndpointRules { allow: vec![Network::parse("127.0.0.0/8").unwrap()], ..EndpointRules::default() }
}

/// A producer that registered itself there.
fn named(world: &World, address: &str) -> (Producer, Endpoint) {
    let (mut producer, endpoint) = ledger(&world.payments, "127.0.0.1:1".parse().unwrap());
    producer.source = Source::Registration;
    (producer, Endpoint { address: Address::parse(address).unwrap(), ..endpoint })
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_followed_and_open_calls_finish() {
    let world = World::new();
    let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/ledger"));
    let settings = transport::Settings::default();
    let first = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = first.local_addr().unwrap().port();
    let second = TcpListener::bind(("127.0.0.3", port)).await.unwrap();
    let first = Listener::start_on(first, trust.clone(), credentials.clone(), settings.clone(), at_its_end);
    let second = Listener::start_on(second, trust, credentials, settings, at_its_end);

    let dns = Dns::start(&[Ipv4Addr::new(127, 0, 0, 2)]).await;
    let pool = pool(&world, dns.settings(loopback()));
    let (producer, endpoint) = named(&world, &format!("ledger.test:{port}"));
    let data = tenant("data.example");
    let old = pool.connection(&producer, &endpoint, &data).await.unwrap();
    let (response, mut send) = old.send(post(), false).unwrap();
    assert_eq!((first.connections(), second.connections()), (1, 0));

    *dns.leads_to.lock().unwrap() = vec![Ipv4Addr::new(127, 0, 0, 3)];
    let followed = async {
        while second.connections() == 0 {
            drop(pool.connection(&producer, &endpoint, &data).await.unwrap());
            // The answer is believed for a second of the resolver's own clock.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), followed).await.expect("the new address is used");
    send.frame(bytes::Bytes::new(), true).await.unwrap();
    let answer = response.await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "0", "the call on the old connection finishes");
}

/// Answers when the request has ended.
async fn at_its_end(mut exchange: Exchange) {
    while exchange.request.body_mut().frame().await.is_some() {}
    answer(exchange).await;
}

#[tokio::test]
async fn a_registered_name_that_leads_back_to_the_broker_is_not_dialled() {
    let world = World::new();
    let dns = Dns::start(&[Ipv4Addr::LOCALHOST]).await;
    let pool = pool(&world, dns.settings(EndpointRules::default()));
    let (mut producer, endpoint) = named(&world, "ledger.test:50051");
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error:?}");
    assert_eq!(error.reason(), "FORBIDDEN_ADDRESS");
    assert!(error.to_string().contains("127.0.0.1:50051 is loopback"), "{error}");

    // What the operator wrote into the configuration is his own business: nobody listens there, that is all.
    producer.source = Source::Configuration;
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert_eq!(error.reason(), "CONNECTION_REFUSED");
}

#[tokio::test]
async fn an_address_that_was_allowed_once_is_not_dialled_when_it_is_no_more() {
    let world = World::new();
    let own = EndpointRules { own: vec!["10.0.0.9:7443".parse().unwrap()], ..EndpointRules::default() };
    let cases = [
        ("127.0.0.1:50051", EndpointRules::default(), "FORBIDDEN_ADDRESS", "it is loopback"),
        ("localhost:50051", EndpointRules::default(), "FORBIDDEN_ADDRESS", "it is loopback"),
        ("unix:/run/elsewhere/a.sock", EndpointRules::default(), "FORBIDDEN_ADDRESS", "it is a Unix socket"),
        ("10.0.0.9:7443", own, "OWN_ADDRESS", "it is this broker itself"),
    ];
    for (address, rules, reason, why) in cases {
        let pool = pool(&world, Settings { rules, ..hasty() });
        let (producer, endpoint) = named(&world, address);
        let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
        assert!(matches!(error, Error::Disallowed { .. }), "{error:?}");
        assert_eq!(error.reason(), reason, "{address}");
        assert!(error.why().contains(why), "{error}");
        assert!(error.to_string().starts_with(address), "{error}");
    }
}

#[tokio::test]
async fn a_name_that_nobody_knows_is_told() {
    let world = World::new();
    let dns = Dns::start(&[]).await;
    let pool = pool(&world, dns.settings(loopback()));
    let (producer, endpoint) = named(&world, "ledger.test:50051");
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert_eq!(error.reason(), "HOST_UNRESOLVED", "{error}");
}

#[tokio::test]
async fn a_producer_on_a_unix_socket_is_called_over_mutual_tls() {
    let world = World::new();
    let path = world.dir.path().join("ledger.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/ledger"));
    let tls = identity::server_config(&trust, &credentials);
    lifecycle::spawn("test listener", async move {
        let (stream, _) = socket.accept().await.unwrap();
        let (io, _) = identity::accept(&trust, tls, stream).await.unwrap();
        let mut connection =
            server::Connection::handshake(io, &transport::Settings::default()).await.unwrap();
        while let Some(Ok(exchange)) = connection.accept().await {
            lifecycle::spawn("test call", answer(exchange));
        }
    });
    let rules = EndpointRules { unix: vec![world.dir.path().into()], ..EndpointRules::default() };
    let pool = pool(&world, Settings { rules, ..Settings::default() });
    let (producer, endpoint) = named(&world, &format!("unix:{}", path.display()));
    let connection = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap();
    call(&connection).await.unwrap();

    let (producer, endpoint) = named(&world, &format!("unix:{}.gone", path.display()));
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert_eq!(error.reason(), "CONNECTION_REFUSED", "{error}");
}
