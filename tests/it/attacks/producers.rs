//! Bad producers (attacks.md G6): whatever they answer, the caller gets one clear status that names whose fault it is,
//! nothing is mirrored raw, and nothing runs twice.

use super::raw::*;
use super::scripted::{Act, Scripted, data, goaway, head, ok, reset, send, trailers, trailers_only};
use crate::fixture::{Consumer, Producer, World, echo};
use tonic_types::StatusExt;

/// What a bad producer does with a request on a stream.
type Answer = fn(u32) -> Vec<Act>;

/// Name, what the producer does, and the codes that tell it well.
const CASES: &[(&str, Answer, &[u32])] = &[
    ("reset before the head", |s| send(&[reset(s, 2)]), &[13]),
    ("reset after the head", |s| send(&[ok(s), data(s), reset(s, 2)]), &[13]),
    ("reset with CANCEL", |s| send(&[ok(s), reset(s, 8)]), &[1, 13, 14]),
    ("reset with NO_ERROR before the end", |s| send(&[ok(s), reset(s, 0)]), &[13, 14]),
    (
        "goodbye in the middle, and gone",
        |s| vec![Act::Send([ok(s), goaway(s, 0)].concat()), Act::Vanish],
        &[14],
    ),
    ("an angry goodbye", |s| vec![Act::Send([ok(s), goaway(s, 11)].concat()), Act::Vanish], &[8, 13, 14]),
    ("gone before the head", |_| vec![Act::Vanish], &[14]),
    ("gone after the head", |s| vec![Act::Send(ok(s)), Act::Vanish], &[14]),
    ("nothing at all", |_| vec![], &[4]),
    ("a head and nothing more", |s| send(&[ok(s)]), &[4]),
    ("trailers without a status", |s| send(&[ok(s), data(s), trailers(s, &[("x", "y")])]), &[2, 13]),
    ("no trailers", |s| send(&[ok(s), frame(DATA, END_STREAM, s, &[0, 0, 0, 0, 0])]), &[2, 13]),
    (
        "two statuses",
        |s| send(&[ok(s), trailers(s, &[("grpc-status", "0"), ("grpc-status", "5")])]),
        &[2, 13],
    ),
    (
        "a status in the head, then a body",
        |s| {
            let fields = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "0")];
            send(&[head(s, &fields), data(s), trailers(s, &[("grpc-status", "0")])])
        },
        &[2, 13],
    ),
    ("status 99", |s| send(&[trailers_only(s, &[("grpc-status", "99")])]), &[2, 13]),
    ("a status that is no number", |s| send(&[trailers_only(s, &[("grpc-status", "fine")])]), &[2, 13]),
    // h2 drops the pseudo-header and takes the rest: nothing of it is passed on.
    (
        "a pseudo-header in the trailers",
        |s| send(&[ok(s), trailers(s, &[(":status", "200"), ("grpc-status", "0")])]),
        &[0, 13],
    ),
    ("an upper-case trailer", |s| send(&[ok(s), trailers(s, &[("Grpc-Status", "0")])]), &[13, 14]),
    (
        "a line break in a header",
        |s| send(&[head(s, &[(":status", "200"), ("content-type", "application/grpc"), ("x", "a\r\nb: c")])]),
        &[13, 14],
    ),
    ("HTML", |s| send(&[head(s, &[(":status", "200"), ("content-type", "text/html")]), data(s)]), &[2, 13]),
    ("HTTP 503", |s| send(&[trailers(s, &[(":status", "503"), ("content-type", "text/html")])]), &[14]),
    ("HTTP 429", |s| send(&[trailers(s, &[(":status", "429")])]), &[14]),
    ("HTTP 404", |s| send(&[trailers(s, &[(":status", "404")])]), &[12]),
    ("no :status", |s| send(&[head(s, &[("content-type", "application/grpc")])]), &[13, 14]),
    ("DATA before the head", |s| send(&[data(s)]), &[13, 14]),
    (
        "more than the window",
        |s| send(&[ok(s), frame(DATA, 0, s, &[0; 16_384]).repeat(20_000)]),
        // 4: on a busy machine the window is given back as fast as it is used, until the deadline.
        &[13, 14, 8, 4],
    ),
    (
        "a head that never ends",
        |s| {
            let piece = frame(CONTINUATION, 0, s, &hpack(&[("x", "y")]));
            send(&[frame(HEADERS, 0, s, &hpack(&[(":status", "200")])), piece.repeat(100_000)])
        },
        &[13, 14, 8],
    ),
    (
        "details of a mebibyte",
        |s| {
            let block = hpack(&[("grpc-status", "9"), ("grpc-status-details-bin", &"A".repeat(1 << 20))]);
            let pieces: Vec<_> = block.chunks(16_000).collect();
            let mut bytes = ok(s);
            for (n, piece) in pieces.iter().enumerate() {
                let kind = if n == 0 { HEADERS } else { CONTINUATION };
                let end = if n == 0 { END_STREAM } else { 0 };
                let last = if n + 1 == pieces.len() { END_HEADERS } else { 0 };
                bytes.extend(frame(kind, end | last, s, piece));
            }
            send(&[bytes])
        },
        &[13, 14, 8],
    ),
    ("bytes that are no HTTP/2", |_| vec![Act::Send(vec![0xff; 1 << 16])], &[13, 14]),
];

#[tokio::test]
async fn every_bad_answer_becomes_one_clear_status() {
    let world = World::new();
    let good = Producer::start(&world.data, &world.hub, "/good", echo).await;
    let mut builder = world.broker().producer(&world.data, "good", &good, &["dat.v1.Good"]);
    let mut bad = Vec::new();
    for (n, (_, answer, _)) in CASES.iter().enumerate() {
        let answer = *answer;
        let producer =
            Scripted::start(&world.payments, &world.hub, "/bad", move |ask| answer(ask.stream)).await;
        let listed = producer.listed(&world.payments, "/bad");
        builder =
            builder.producer(&world.payments, &format!("bad-{n}"), &listed, &[&format!("pay.v{n}.Bad")]);
        bad.push((producer, listed));
    }
    let hub = builder.start().await;
    let consumer = Consumer::connect(&world.ml, "/app", &hub).await;
    for (n, (name, _, expected)) in CASES.iter().enumerate() {
        let path = format!("/pay.v{n}.Bad/Do");
        let reply = consumer.unary(&path, &[("grpc-timeout", "1S")], b"x").await;
        let reply = reply.unwrap_or_else(|error| panic!("{name}: {error}"));
        let code = reply.status();
        assert!(expected.contains(&code), "{name}: {code} {:?}", reply.as_status());
        let status = reply.as_status();
        if code == 0 {
            continue;
        }
        let info = status.get_error_details().error_info().cloned();
        let info = info.unwrap_or_else(|| panic!("{name}: no ErrorInfo in {status:?}"));
        assert_eq!(info.domain, "portolan.dev", "{name}");
        if code != 4 {
            assert_eq!(info.metadata["fault"], "producer", "{name}: {info:?}");
        }
        assert!(bad[n].0.calls() <= 1, "{name}: it ran twice");
        // The consumer's connection lives, and other producers are unharmed.
        let reply = consumer.unary("/dat.v1.Good/Do", &[], b"x").await.unwrap();
        assert_eq!(reply.status(), 0, "after {name}");
    }
}

#[tokio::test]
async fn what_is_odd_but_allowed_passes() {
    let informed: Answer = |s| {
        let early = frame(HEADERS, END_HEADERS, s, &hpack(&[(":status", "103"), ("x", "y")]));
        send(&[early, ok(s), data(s), trailers(s, &[("grpc-status", "0"), ("x", "y")])])
    };
    let unread: Answer = |s| send(&[ok(s), data(s), trailers(s, &[("grpc-status", "5")]), reset(s, 0)]);
    let cases: [(&str, Answer, u32); 2] =
        [("1xx before the head", informed, 0), ("a status, then a reset that asks for no more", unread, 5)];
    for (name, answer, code) in cases {
        let world = World::new();
        let producer =
            Scripted::start(&world.payments, &world.hub, "/odd", move |ask| answer(ask.stream)).await;
        let listed = producer.listed(&world.payments, "/odd");
        let hub = world.broker().producer(&world.payments, "odd", &listed, &["pay.v1.Odd"]).start().await;
        let consumer = Consumer::connect(&world.ml, "/app", &hub).await;
        let reply = consumer.unary("/pay.v1.Odd/Do", &[], b"x").await.unwrap();
        assert_eq!(reply.status(), code, "{name}");
        assert_eq!(reply.body.as_ref(), [0, 0, 0, 0, 1, 42], "{name}");
    }
}
