//! Metadata: byte for byte, in order, both ways, up to the limit and not beyond.

use super::PATH;
use crate::attacks::end::End;
use crate::attacks::raw::hpack;
use crate::attacks::stage::Stage;
use crate::fixture::{Consumer, Producer, World, echo, frame, read};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use portolan::transport::{Exchange, Settings};

/// What is allowed in metadata and easily spoilt.
fn metadata() -> HeaderMap {
    let fields: [(&str, &[u8]); 14] = [
        ("x-twice", b"1"),
        ("x-twice", b"2"),
        ("x-twice", b"1"),
        ("x-joined", b"a, b"),
        ("x-joined", b"c"),
        ("x-empty", b""),
        ("x-spaces", b"a  b"),
        ("x-percent", b"50%25 %zz \"quoted\" \\"),
        ("x-eight", &[b'a', 0x80, 0xff, 0xc3, 0x28]),
        ("x-padded-bin", b"AAECAw=="),
        ("x-padded-bin", b"AAECAw"),
        ("x-padded-bin", b""),
        ("x-joined-bin", b"AAECAw,AAEC"),
        ("x-under_score.dot-0", b"y"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        map.append(HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap());
    }
    map
}

fn assert_same(told: &HeaderMap, place: &str) {
    let expected = metadata();
    for name in expected.keys() {
        let values = |map: &HeaderMap| map.get_all(name).iter().cloned().collect::<Vec<_>>();
        assert_eq!(values(told), values(&expected), "{name} in the {place}");
    }
}

/// Sends back the metadata that it got as head and as trailers.
async fn mirror(exchange: Exchange) {
    let Exchange { request, respond } = exchange;
    let got = || request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-"));
    let copy = || {
        let mut map = HeaderMap::new();
        for (name, value) in got() {
            map.append(name, value.clone());
        }
        map
    };
    let mut head = Response::builder().header("content-type", "application/grpc+proto").body(()).unwrap();
    head.headers_mut().extend(copy());
    let mut trailers = copy();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if request.headers().contains_key("x-only") {
        head.headers_mut().insert("grpc-status", HeaderValue::from_static("0"));
        let _ = respond.send(head, true);
        return;
    }
    let mut send = respond.send(head, false).unwrap();
    send.frame(frame(b"x"), false).await.unwrap();
    send.trailers(trailers).unwrap();
}

fn request(metadata: HeaderMap) -> Request<()> {
    let mut request = crate::fixture::head(PATH, &[]);
    request.headers_mut().extend(metadata);
    request
}

#[tokio::test]
async fn metadata_are_the_same_bytes_in_head_trailers_and_trailers_only() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", mirror).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let (response, mut send) = consumer.connection.send(request(metadata()), false).unwrap();
    send.frame(frame(b"x"), true).await.unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!(reply.status(), 0);
    assert_eq!(reply.header("content-type"), "application/grpc+proto");
    assert_same(&reply.head.headers, "head");
    assert_same(&reply.trailers, "trailers");

    let mut only = metadata();
    only.insert("x-only", HeaderValue::from_static("1"));
    let (response, _send) = consumer.connection.send(request(only), true).unwrap();
    let reply = read(response).await.unwrap();
    assert_eq!((reply.status(), reply.is_one_frame), (0, true));
    assert_same(&reply.head.headers, "only frame");
}

#[tokio::test]
async fn seven_kibibytes_pass_both_ways_and_so_do_two_hundred_fields() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", mirror).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let long = HeaderMap::from_iter([(
        HeaderName::from_static("x-long"),
        HeaderValue::try_from("v".repeat(7 * 1024)).unwrap(),
    )]);
    let many: HeaderMap =
        (0..200).map(|n| (HeaderName::try_from(format!("x-n{n}")).unwrap(), HeaderValue::from(n))).collect();
    for sent in [long, many] {
        let (response, mut send) = consumer.connection.send(request(sent.clone()), false).unwrap();
        send.frame(frame(b"x"), true).await.unwrap();
        let reply = read(response).await.unwrap();
        assert_eq!(reply.status(), 0);
        for (name, value) in &sent {
            assert_eq!(reply.head.headers.get(name), Some(value));
            assert_eq!(reply.trailers.get(name), Some(value));
        }
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused_as_such_and_the_connection_lives() {
    let request = |value: &[u8]| {
        let fields: [(&str, &[u8]); 7] = [
            (":method", b"POST"),
            (":scheme", b"https"),
            (":path", PATH.as_bytes()),
            (":authority", b"a"),
            ("te", b"trailers"),
            ("content-type", b"application/grpc"),
            ("x-long", value),
        ];
        hpack(&fields)
    };
    // Within one frame of the largest size that a peer may send unasked, and over the limit.
    let stage = Stage::new("[limits]\nheader_bytes = \"8KiB\"").await;
    let mut consumer = stage.attacker().await;
    assert_eq!(consumer.ask(1, &request(&[b'v'; 10 * 1024])).await, End::Http(431));
    assert_eq!(consumer.ask(3, &request(&[b'v'; 7 * 1024])).await, End::Status(0));
    assert_eq!(stage.producer.calls(), 1);
}

#[tokio::test]
async fn an_answer_with_too_much_metadata_becomes_a_clear_status() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        let length: usize = exchange.request.headers()["x-length"].to_str().unwrap().parse().unwrap();
        let mut send = exchange.respond.send(head, false).unwrap();
        send.frame(frame(b"x"), false).await.unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("9"));
        let details = HeaderValue::try_from("A".repeat(length)).unwrap();
        trailers.insert("grpc-status-details-bin", details);
        let _ = send.trailers(trailers);
    })
    .await;
    let good = Producer::start(&world.data, &world.hub, "/good", echo).await;
    let hub = world
        .broker()
        .producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"])
        .producer(&world.data, "good", &good, &["dat.v1.Good"])
        .start()
        .await;
    let wide = Settings { max_header_list_size: 1 << 20, ..Settings::default() };
    let consumer = Consumer::try_connect(&world.data, "/app", &hub, &wide).await.unwrap();
    let reply = consumer.unary(PATH, &[("x-length", "20000")], b"x").await.unwrap();
    assert_eq!(reply.status(), 9);
    assert_eq!(reply.trailers["grpc-status-details-bin"].len(), 20_000);
    let reply = consumer.unary(PATH, &[("x-length", "300000")], b"x").await.unwrap();
    let status = reply.as_status();
    assert!([8, 13, 14].contains(&reply.status()), "{status:?}");
    assert_eq!(producer.calls(), 2, "it ran once");
    assert_eq!(consumer.unary("/dat.v1.Good/Do", &[], b"x").await.unwrap().status(), 0);
}

#[tokio::test]
async fn what_is_grpcs_own_passes_too() {
    let world = World::new();
    let answer = |exchange: Exchange| async move {
        let mut head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
        for name in ["grpc-encoding", "grpc-accept-encoding", "user-agent", "grpc-message-type", "te"] {
            if let Some(value) = exchange.request.headers().get(name) {
                head.headers_mut().insert(HeaderName::try_from(format!("x-{name}")).unwrap(), value.clone());
            }
        }
        head.headers_mut().insert("grpc-encoding", HeaderValue::from_static("zstd"));
        let Ok(mut send) = exchange.respond.send(head, false) else { return };
        // A compressed message is bytes like any other.
        let message = Bytes::from_static(&[1, 0, 0, 0, 3, 0xff, 0xfe, 0xfd]);
        send.frame(message, false).await.unwrap();
        send.trailers(HeaderMap::from_iter([(
            HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]))
        .unwrap();
    };
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let sent = [
        ("grpc-encoding", "zstd"),
        ("grpc-accept-encoding", "identity,zstd"),
        ("user-agent", "grpc-x/1.0 (a; b)"),
        ("grpc-message-type", "pay.v1.Entry"),
    ];
    let reply = consumer.unary(PATH, &sent, b"x").await.unwrap();
    for (name, value) in sent {
        assert_eq!(reply.header(&format!("x-{name}")), value);
    }
    assert_eq!(reply.header("x-te"), "trailers");
    assert_eq!(reply.header("grpc-encoding"), "zstd");
    assert_eq!(reply.body.as_ref(), [1, 0, 0, 0, 3, 0xff, 0xfe, 0xfd]);
}

/// What other proxies tell producers about the caller, and what only a broker may say.
const FORGED: [&str; 17] = [
    "forwarded",
    "l5d-client-id",
    "portolan-anything",
    "portolan-caller",
    "portolan-route",
    "ssl-client-cert",
    "x-amzn-mtls-clientcert",
    "x-client-cert",
    "x-client-dn",
    "x-envoy-peer-metadata",
    "x-envoy-peer-metadata-id",
    "x-forwarded-client-cert",
    "x-forwarded-for",
    "x-real-ip",
    "x-spiffe-id",
    "x-ssl-client-cert",
    "x-ssl-client-dn",
];

#[tokio::test]
async fn nothing_that_a_consumer_says_of_itself_reaches_the_producer() {
    let world = World::new();
    // Tells the producer's whole view: every header with its value.
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", |exchange: Exchange| async move {
        let seen: Vec<_> =
            exchange.request.headers().iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        crate::fixture::answer_ok(exchange, seen.join("\n").into()).await;
    })
    .await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    for name in FORGED {
        let reply = consumer.unary(PATH, &[(name, "spiffe://payments.example/boss")], b"").await.unwrap();
        assert_eq!(reply.status(), 0, "{name}");
        let seen = String::from_utf8(reply.body[5..].to_vec()).unwrap();
        assert!(!seen.contains("boss"), "{name}: {seen}");
        assert!(seen.contains("portolan-caller=\"spiffe://data.example/app\""), "{name}: {seen}");
    }
}
