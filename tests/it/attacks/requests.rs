//! Requests that are none (attacks.md H7, G1 to G3): refused by the code that RFC 9113 or gRPC names, before any
//! producer sees them.

use super::end::*;
use super::raw::*;
use super::stage::Stage;

const MALFORMED: &[End] = &[End::Reset(PROTOCOL_ERROR), End::Goaway(PROTOCOL_ERROR), End::Http(400)];
const CUT_OFF: &[End] = &[End::Status(0), End::Reset(PROTOCOL_ERROR)];
const UNNAMED: &[End] = &[End::Status(12), End::Reset(PROTOCOL_ERROR), End::Http(400)];

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

fn good() -> Fields<'static> {
    vec![
        (":method", b"POST"),
        (":scheme", b"https"),
        (":path", b"/pay.v1.Ledger/Post"),
        (":authority", b"a"),
        ("te", b"trailers"),
        ("content-type", b"application/grpc"),
    ]
}

fn with<'a>(name: &'a str, value: &'a [u8]) -> Fields<'a> {
    let mut fields = good();
    match fields.iter_mut().find(|(other, _)| *other == name) {
        Some(field) => field.1 = value,
        None => fields.push((name, value)),
    }
    fields
}

fn without(name: &str) -> Fields<'static> {
    good().into_iter().filter(|(other, _)| *other != name).collect()
}

fn twice<'a>(name: &'a str, value: &'a [u8]) -> Fields<'a> {
    let mut fields = good();
    fields.insert(0, (name, value));
    fields
}

#[tokio::test]
async fn what_is_no_request_reaches_no_producer() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let (malformed, unnamed) = (MALFORMED, UNNAMED);
    let huge = [&b"/"[..], &[b'x'; 70_000]].concat();
    let cases: Vec<(&str, Fields, &[End])> = vec![
        ("an empty path", with(":path", b""), malformed),
        ("a relative path", with(":path", b"pay.v1.Ledger/Post"), unnamed),
        ("a star", with(":path", b"*"), unnamed),
        ("a query", with(":path", b"/pay.v1.Ledger/Post?x"), unnamed),
        // The parser cuts a fragment off, so that neither policy nor producer ever sees one.
        ("a fragment", with(":path", b"/pay.v1.Ledger/Post#x"), CUT_OFF),
        ("dots", with(":path", b"/x/../pay.v1.Ledger/Post"), unnamed),
        ("a NUL in the path", with(":path", b"/pay.v1.Ledger/Po\0st"), unnamed),
        ("a path with 8-bit bytes", with(":path", b"/pay.v1.Ledger/P\xc3\xb6st"), unnamed),
        ("a path of 64 KiB", with(":path", &huge), &[End::Http(431), End::Reset(PROTOCOL_ERROR)]),
        ("no path", without(":path"), malformed),
        ("no method", without(":method"), malformed),
        ("no scheme", without(":scheme"), malformed),
        ("two paths", twice(":path", b"/pay.v1.Ledger/Post"), malformed),
        ("two methods", twice(":method", b"POST"), malformed),
        ("a pseudo-header that is none", twice(":foo", b"x"), malformed),
        ("a response's pseudo-header", twice(":status", b"200"), malformed),
        ("a pseudo-header after the others", with(":protocol", b"x"), malformed),
        (
            "CONNECT",
            with(":method", b"CONNECT"),
            &[End::Reset(PROTOCOL_ERROR), End::Http(400), End::Http(405)],
        ),
        ("GET", with(":method", b"GET"), &[End::Http(405)]),
        ("an upper-case name", with("X-Upper", b"x"), malformed),
        ("CR in a value", with("x-a", b"a\rb"), malformed),
        ("LF in a value", with("x-a", b"a\nb"), malformed),
        ("NUL in a value", with("x-a", b"a\0b"), malformed),
        ("connection", with("connection", b"close"), malformed),
        ("transfer-encoding", with("transfer-encoding", b"chunked"), malformed),
        ("te: gzip", with("te", b"gzip"), malformed),
        ("no content-type", without("content-type"), &[End::Http(415)]),
        ("JSON", with("content-type", b"application/json"), &[End::Http(415)]),
        ("a negative timeout", with("grpc-timeout", b"-1S"), &[End::Status(3)]),
        ("a timeout of nine digits", with("grpc-timeout", b"123456789S"), &[End::Status(3)]),
        ("an empty timeout", with("grpc-timeout", b""), &[End::Status(3)]),
        ("a timeout of an unknown unit", with("grpc-timeout", b"1x"), &[End::Status(3)]),
        ("a timeout of nothing", with("grpc-timeout", b"0n"), &[End::Status(4)]),
    ];
    let mut stranger = stage.attacker().await;
    let mut id = 1;
    for (name, fields, expected) in cases {
        // A block over one frame's size goes on in CONTINUATION.
        let block = hpack(&fields);
        let (first, rest) = block.split_at(block.len().min(16_000));
        let end = if rest.is_empty() { END_HEADERS } else { 0 };
        let mut bytes = frame(HEADERS, END_STREAM | end, id, first);
        let pieces: Vec<_> = rest.chunks(16_000).collect();
        for (n, piece) in pieces.iter().enumerate() {
            let end = if n + 1 == pieces.len() { END_HEADERS } else { 0 };
            bytes.extend(frame(CONTINUATION, end, id, piece));
        }
        stranger.send(&bytes).await;
        let end = stranger.end_of(id).await;
        assert!(expected.contains(&end), "{name}: {end:?}");
        id += 2;
        if matches!(end, End::Goaway(_) | End::Closed) {
            (stranger, id) = (stage.attacker().await, 1);
        }
    }
    neighbour.is_unharmed("odd requests").await;

    // The same connection still serves a good request, and one without `te` or with another `host`.
    let before = stage.producer.calls();
    for fields in [good(), without("te"), with("host", b"elsewhere")] {
        assert_eq!(stranger.ask(id, &hpack(&fields)).await, End::Status(0), "{fields:?}");
        id += 2;
    }
    assert!(stage.producer.calls() >= before + 3);
}

#[tokio::test]
async fn seven_kibibytes_of_metadata_pass() {
    let stage = Stage::new("").await;
    let mut stranger = stage.attacker().await;
    let value = vec![b'y'; 7 * 1024];
    assert_eq!(stranger.ask(1, &hpack(&with("x-long", &value))).await, End::Status(0));
}

/// Name, path, what stands for a message, and the codes that tell it well.
type Lie<'a> = (&'a str, &'a [u8], &'a [u8], &'a [u32]);

#[tokio::test]
async fn a_message_that_lies_about_its_length_harms_nobody() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let mut stranger = stage.attacker().await;
    let open = |id, path: &'static [u8]| frame(HEADERS, END_HEADERS, id, &hpack(&with(":path", path)));
    let own: &[u8] = b"/grpc.health.v1.Health/Check";
    let foreign: &[u8] = b"/pay.v1.Ledger/Post";
    let cases: [Lie; 7] = [
        ("4 GiB announced to a producer", foreign, &[0, 255, 255, 255, 255], &[8]),
        ("4 GiB announced to the broker", own, &[0, 255, 255, 255, 255], &[8, 11]),
        ("a reserved flag", own, &[7, 0, 0, 0, 0], &[13]),
        ("a cut prefix", own, &[0, 0], &[13, 3]),
        ("a cut message", own, &[0, 0, 0, 0, 9, 1], &[13, 3]),
        ("compression that nobody agreed on", own, &[1, 0, 0, 0, 1, 1], &[12, 13]),
        ("no protobuf", own, &[0, 0, 0, 0, 2, 0xff, 0xff], &[13, 3]),
    ];
    for (n, (name, path, message, expected)) in cases.into_iter().enumerate() {
        let id = 2 * n as u32 + 1;
        stranger.send(&[open(id, path), frame(DATA, END_STREAM, id, message)].concat()).await;
        let end = stranger.end_of(id).await;
        assert!(matches!(end, End::Status(code) if expected.contains(&code)), "{name}: {end:?}");
    }
    neighbour.is_unharmed("lying messages").await;
}

#[tokio::test]
async fn an_encoding_that_nobody_knows_is_refused_by_our_own_services_and_passes_to_others() {
    let stage = Stage::new("").await;
    let mut stranger = stage.attacker().await;
    let message = frame(DATA, END_STREAM, 1, &[1, 0, 0, 0, 1, 1]);
    let mut fields = with("grpc-encoding", b"brotli");
    for (id, path, end) in
        [(1, b"/grpc.health.v1.Health/Check".as_slice(), 12), (3, b"/pay.v1.Ledger/Post", 0)]
    {
        fields.iter_mut().find(|(name, _)| *name == ":path").unwrap().1 = path;
        let message = [&message[..5], &u32::to_be_bytes(id), &message[9..]].concat();
        stranger.send(&[frame(HEADERS, END_HEADERS, id, &hpack(&fields)), message].concat()).await;
        assert_eq!(stranger.end_of(id).await, End::Status(end));
    }
}
