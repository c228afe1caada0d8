//! The same calls with each of tonic and grpcio as consumer and as producer (grpcio with itself: `python.rs`).

use super::echo::{self, Client, Message};
use crate::fixture::{Consumer, Hub, Producer, World};
use crate::python;
use futures::StreamExt;
use futures::stream;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

async fn hub(world: &World, producer: &Producer) -> Hub {
    world.broker().with(&python::declared(world, producer.address.port()).await).start().await
}

#[tokio::test]
async fn a_tonic_producer_serves_a_tonic_consumer() {
    let world = World::new();
    let producer = echo::producer(&world.data, &world).await;
    let hub = hub(&world, &producer).await;
    consume(&Consumer::connect(&world.payments, "/checkout", &hub).await, "tonic").await;
}

#[tokio::test]
async fn a_grpcio_producer_serves_a_tonic_consumer() {
    let world = World::new();
    let (_serving, port) = python::producer(&world).await;
    let hub = world.broker().with(&python::declared(&world, port).await).start().await;
    consume(&Consumer::connect(&world.payments, "/checkout", &hub).await, "grpcio").await;
}

#[tokio::test]
async fn a_tonic_producer_serves_a_grpcio_consumer() {
    let world = World::new();
    let producer = echo::producer(&world.data, &world).await;
    let hub = hub(&world, &producer).await;
    // Servers on tonic cannot send trailers with an OK.
    python::consume(&world, &hub, "head").await;
}

fn with(message: Message, metadata: &[(&'static str, &str)]) -> Request<Message> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs(20));
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    request
}

fn streaming(messages: Vec<Message>, metadata: &[(&'static str, &str)]) -> Request<echo::Outgoing> {
    let (metadata, extensions, _) = with(Message::default(), metadata).into_parts();
    Request::from_parts(metadata, extensions, stream::iter(messages).boxed())
}

/// All checks, as tonic's generated clients make the calls.
async fn consume(consumer: &Consumer, producer: &str) {
    let client = Client::new(consumer);
    kinds(&client).await;
    statuses(&client).await;
    metadata(&client, producer).await;
    early(&client, consumer).await;
    ends(&client).await;
    let many = (0..300).map(|n| client.unary("Echo", with(Message::new(vec![7; 100], n), &[])));
    // grpcio's server runs 16 at a time; the broker grants 256 on a connection, and tonic does not queue.
    let answers: Vec<_> = stream::iter(many).buffer_unordered(200).collect().await;
    let mut counts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().into_inner().count).collect();
    counts.sort_unstable();
    assert!(counts.into_iter().eq(0..300));
}

async fn kinds(client: &Client) {
    for payload in [vec![], vec![7; 10], vec![9; 1 << 20]] {
        let answer = client.unary("Echo", with(Message::new(payload.clone(), 7), &[])).await.unwrap();
        assert_eq!(answer.into_inner(), Message::new(payload, 7));
    }
    let hundred = || (0..100u8).map(|n| Message::new(vec![n], 0)).collect::<Vec<_>>();
    let answer = client.collect(streaming(hundred(), &[])).await.unwrap().into_inner();
    assert_eq!(answer, Message::new((0..100).collect::<Vec<u8>>(), 100));
    assert_eq!(client.collect(streaming(vec![], &[])).await.unwrap().into_inner(), Message::default());
    // Empty messages count too.
    let empty = vec![Message::default(); 50];
    assert_eq!(client.collect(streaming(empty.clone(), &[])).await.unwrap().into_inner().count, 50);

    let answer = client.expand(with(Message::new(vec![1; 10_000], 500), &[])).await.unwrap().into_inner();
    let counts: Vec<_> = answer.map(|message| message.unwrap().count).collect().await;
    assert!(counts.into_iter().eq(0..500));
    let answer = client.expand(with(Message::default(), &[])).await.unwrap().into_inner();
    assert_eq!(answer.count().await, 0);

    let answer = client.chat(streaming(empty, &[])).await.unwrap().into_inner();
    assert_eq!(answer.count().await, 50);
    let (ask, questions) = tokio::sync::mpsc::channel(1);
    ask.send(Message::new("port", 0)).await.unwrap();
    let questions = tokio_stream::wrappers::ReceiverStream::new(questions).boxed();
    let (metadata, extensions, _) = with(Message::default(), &[]).into_parts();
    let chat = client.chat(Request::from_parts(metadata, extensions, questions)).await.unwrap();
    let mut answers = chat.into_inner();
    for n in 0..20 {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!((answer.payload.as_ref(), answer.count), (b"PORT".as_slice(), n));
        ask.send(Message::new("port", 0)).await.unwrap();
    }
    drop(ask);
    assert_eq!(answers.count().await, 1, "what was asked last, and the end");
}

/// Each code on each of the four kinds; those that stream answers send them all before it.
async fn statuses(client: &Client) {
    for code in 0..=16 {
        let fail = code.to_string();
        let fail = [("x-fail", fail.as_str())];
        let three = || vec![Message::new("a", 0); 3];
        let told = [
            client.unary("Echo", with(Message::new("a", 3), &fail)).await.map(drop),
            client.collect(streaming(three(), &fail)).await.map(drop),
            all(client.expand(with(Message::new("a", 3), &fail)).await.unwrap().into_inner()).await,
            all(client.chat(streaming(three(), &fail)).await.unwrap().into_inner()).await,
        ];
        for (kind, told) in told.into_iter().enumerate() {
            match told {
                Ok(()) => assert_eq!(code, 0, "kind {kind}"),
                Err(status) => {
                    let expected = (Code::from(code), "as asked: 100 % ünlucky");
                    assert_eq!((status.code(), status.message()), expected, "kind {kind}");
                }
            }
        }
    }
}

/// Reads three answers and then the status.
async fn all(mut answers: tonic::Streaming<Message>) -> Result<(), Status> {
    for _ in 0..3 {
        assert_eq!(answers.message().await.unwrap().unwrap().payload.to_ascii_lowercase(), b"a");
    }
    answers.message().await.map(|end| assert_eq!(end, None))
}

async fn metadata(client: &Client, producer: &str) {
    let long = "v".repeat(6 * 1024);
    let mut request = with(Message::default(), &[("x-plain", "one"), ("x-plain", "two"), ("x-long", &long)]);
    let bytes: Vec<u8> = (0..=255).collect();
    request.metadata_mut().append_bin("x-raw-bin", MetadataValue::from_bytes(&bytes));
    request.metadata_mut().append_bin("x-raw-bin", MetadataValue::from_bytes(b""));
    request.metadata_mut().append("portolan-caller", "spiffe://payments.example/admin".parse().unwrap());
    let answer = client.unary("Echo", request).await.unwrap();
    let told = answer.metadata();
    let plain: Vec<_> = told.get_all("x-plain").iter().map(|value| value.to_str().unwrap()).collect();
    // Head and, where the producer can, trailers: tonic shows a unary answer's as one map.
    assert_eq!(plain[..2], ["one", "two"], "{producer}");
    let raw: Vec<_> = told.get_all_bin("x-raw-bin").iter().map(|value| value.to_bytes().unwrap()).collect();
    assert_eq!((raw[0].as_ref(), raw[1].as_ref()), (&bytes[..], &b""[..]));
    assert_eq!(told.get("x-long").unwrap().to_str().unwrap(), long);
    assert_eq!(told.get("x-caller").unwrap(), "spiffe://payments.example/checkout");

    let status = client.unary("Fail", with(Message::new("", 10), &[])).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Aborted, "no echo: 50 % außer Betrieb"));
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(
        (info.reason.as_str(), info.domain.as_str(), info.metadata["left"].as_str()),
        ("OUT_OF_ECHO", "acme.example", "0")
    );
    assert_eq!(status.metadata().get("x-fault").unwrap(), "mine");
    assert_eq!(status.metadata().get_bin("x-raw-bin").unwrap().to_bytes().unwrap().as_ref(), b"\x00\xff\x10");
}

/// A status while the request still streams: every time, and the connection lives.
async fn early(client: &Client, consumer: &Consumer) {
    for round in 0..30 {
        let endless = stream::iter(0..).map(|n| Message::new(vec![0; 16 * 1024], n)).boxed();
        let (metadata, extensions, _) =
            with(Message::default(), &[("x-fail", "8"), ("x-early", "1")]).into_parts();
        let status = client.collect(Request::from_parts(metadata, extensions, endless)).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "round {round}: {status:?}");
        assert!(consumer.connection.is_open());
    }
}

async fn ends(client: &Client) {
    let cancelled =
        async || client.unary("Report", with(Message::default(), &[])).await.unwrap().into_inner();
    let before = cancelled().await;
    let left: f64 = std::str::from_utf8(&before.payload).unwrap().parse().unwrap();
    assert!(left > 0.0 && left < 20.5, "{left}");
    let mut request = Request::new(Message::default());
    request.set_timeout(Duration::from_millis(300));
    let begin = Instant::now();
    let status = client.unary("Wait", request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    let given_up = timeout(Duration::from_millis(200), client.unary("Wait", with(Message::default(), &[])));
    assert!(given_up.await.is_err());
    let both = async {
        while cancelled().await.count < before.count + 2 {
            // The producer is another process: it can only be asked again.
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(10), both).await.expect("the producer saw both ends");
    let missing = client.unary("Missing", with(Message::default(), &[])).await.unwrap_err();
    assert_eq!(missing.code(), Code::Unimplemented);
}
