//! Every status of gRPC, on every kind of method, in every shape that an answer may have, exactly once.

use crate::fixture::{Consumer, Producer, World, frame, read};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use portolan::transport::Exchange;

/// How many messages go there and come back: unary, client streaming, server streaming, both.
const KINDS: [(&str, usize, usize); 4] = [
    ("/pay.v1.Ledger/Unary", 1, 1),
    ("/pay.v1.Ledger/Up", 20, 1),
    ("/pay.v1.Ledger/Down", 1, 20),
    ("/pay.v1.Ledger/Both", 20, 20),
];

/// Where the status stands: in the only frame, after the head, after all messages.
const SHAPES: [&str; 3] = ["only", "bare", "whole"];

const MESSAGE: &str = "50%25 au%C3%9Fer%20Betrieb";
const DETAILS: [&str; 2] = ["CAkSCG5vIG1vbmV5Gg==", "CAkSCG5vIG1vbmV5Gg"];

fn status(code: &str) -> HeaderMap {
    let pairs = [("grpc-status", code), ("grpc-message", MESSAGE), ("x-more", "1"), ("x-more", "2")];
    let details = DETAILS.map(|details| ("grpc-status-details-bin", details));
    let field = |(name, value): (&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())
    };
    let mut map = HeaderMap::new();
    // A producer sends its details once: which of the two is told by the code, so that both forms are seen.
    let odd = code.parse::<usize>().unwrap() % 2;
    for (name, value) in pairs.into_iter().chain([details[odd]]).map(field) {
        map.append(name, value);
    }
    map
}

/// Answers as the metadata asks: code, shape, and how many messages.
async fn answer(exchange: Exchange) {
    let Exchange { request, respond } = exchange;
    let said = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    let (code, shape, count) = (said("x-code"), said("x-shape"), said("x-count").parse::<usize>().unwrap());
    let mut body = request.into_body();
    let mut head = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    if shape == "only" {
        head.headers_mut().extend(status(&code));
        let _ = respond.send(head, true);
        return;
    }
    let mut taken = 0;
    while let Some(Ok(data)) = body.frame().await {
        taken += data.len();
        body.release(data.len());
    }
    head.headers_mut().insert("x-taken", taken.into());
    let mut send = respond.send(head, false).unwrap();
    for n in 0..if shape == "whole" { count } else { 0 } {
        send.frame(frame(&[n as u8; 3]), false).await.unwrap();
    }
    send.trailers(status(&code)).unwrap();
}

#[tokio::test]
async fn each_status_passes_on_each_kind_in_each_shape_and_once() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let mut calls = 0;
    for code in 0..=16u32 {
        for (path, up, down) in KINDS {
            for shape in SHAPES {
                let name = format!("{code} {path} {shape}");
                let (code, count) = (code.to_string(), down.to_string());
                let metadata = [("x-code", code.as_str()), ("x-shape", shape), ("x-count", &count)];
                let (response, mut send) = consumer.open(path, &metadata);
                for n in 0..up {
                    // A producer that answers at once may not take it all.
                    let _ = send.frame(frame(&[n as u8; 10]), false).await;
                }
                let _ = send.frame(Bytes::new(), true).await;
                let reply = read(response).await.unwrap_or_else(|error| panic!("{name}: {error}"));
                calls += 1;

                let expected = status(&code);
                let told = if shape == "only" { &reply.head.headers } else { &reply.trailers };
                assert_eq!(reply.is_one_frame, shape == "only", "{name}");
                for key in expected.keys() {
                    let values = |map: &HeaderMap| map.get_all(key).iter().cloned().collect::<Vec<_>>();
                    assert_eq!(values(told), values(&expected), "{name}: {key}");
                }
                let messages = if shape == "whole" { down } else { 0 };
                let body: Vec<u8> = (0..messages).flat_map(|n| frame(&[n as u8; 3])).collect();
                assert_eq!(reply.body, body, "{name}");
                if shape != "only" {
                    assert_eq!(reply.header("x-taken"), (up * 15).to_string(), "{name}");
                }
                assert_eq!(producer.calls(), calls, "{name}: each call ran once");
            }
        }
    }
}
