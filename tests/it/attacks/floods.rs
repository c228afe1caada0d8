//! Floods (attacks.md H1 to H5): the flooder's connection or stream ends, and the neighbour does not feel it.

use super::end::*;
use super::raw::*;
use super::stage::Stage;
use std::time::Duration;

const CALM: End = End::Goaway(ENHANCE_YOUR_CALM);
const PROTOCOL: End = End::Goaway(PROTOCOL_ERROR);

/// `POST https://a/pay.v1.Ledger/Post`, as gRPC asks.
pub fn request() -> Vec<u8> {
    hpack(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/pay.v1.Ledger/Post"),
        (":authority", "a"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
    ])
}

fn streams(count: u32, each: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(|n| each(2 * n + 1)).collect()
}

fn cancel(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())
}

fn open(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &request())
}

/// One large field into the table, then references to it: 62 is the first dynamic entry.
fn bomb() -> Vec<u8> {
    let mut block = request();
    block.push(0x40);
    block.extend(&hpack(&[("bomb", "x".repeat(4000))])[1..]);
    block.resize(block.len() + 8_000, 0x80 | 62);
    block
}

#[tokio::test]
async fn floods_end_the_flooder_and_nobody_else() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let block = request();
    let with = |fields: usize| {
        let many: Vec<_> = (0..fields).map(|n| (format!("x-{n}"), "y")).collect();
        [block.clone(), hpack(&many)].concat()
    };
    let split = |block: &[u8], stream: u32| -> Vec<u8> {
        let pieces: Vec<_> = block.chunks(16_000).collect();
        let last = pieces.len() - 1;
        let piece = |(n, piece): (usize, &&[u8])| {
            let kind = if n == 0 { HEADERS } else { CONTINUATION };
            let end = if n == 0 { END_STREAM } else { 0 };
            frame(kind, end | if n == last { END_HEADERS } else { 0 }, stream, piece)
        };
        pieces.iter().enumerate().flat_map(piece).collect()
    };
    let unfinished = frame(HEADERS, END_STREAM, 1, &block);
    let attacks: Vec<(&str, Vec<u8>, &[End])> = vec![
        ("rapid reset, CVE-2023-44487", streams(10_000, |id| [open(id), cancel(id)].concat()), &[CALM]),
        (
            "rapid reset with bodies",
            streams(10_000, |id| [open(id), frame(DATA, 0, id, b"xxxx"), cancel(id)].concat()),
            &[CALM],
        ),
        (
            "made-you-reset by a window that overflows, CVE-2025-8671",
            streams(10_000, |id| [open(id), frame(WINDOW_UPDATE, 0, id, &[0x7f, 0xff, 0xff, 0xff])].concat()),
            &[CALM],
        ),
        (
            "made-you-reset by a window of zero",
            streams(10_000, |id| [open(id), frame(WINDOW_UPDATE, 0, id, &[0; 4])].concat()),
            &[CALM, PROTOCOL],
        ),
        (
            "made-you-reset by DATA after the end",
            streams(10_000, |id| {
                [frame(HEADERS, END_HEADERS | END_STREAM, id, &block), frame(DATA, 0, id, b"x")].concat()
            }),
            &[CALM, End::Goaway(STREAM_CLOSED), PROTOCOL],
        ),
        (
            "made-you-reset by a bad header",
            streams(10_000, |id| {
                frame(HEADERS, END_HEADERS | END_STREAM, id, &[block.clone(), hpack(&[("X", "y")])].concat())
            }),
            &[CALM, PROTOCOL],
        ),
        (
            "CONTINUATION flood, VU#421644",
            [unfinished.clone(), frame(CONTINUATION, 0, 1, &hpack(&[("x", "y")])).repeat(100_000)].concat(),
            &[CALM, End::Goaway(COMPRESSION_ERROR), PROTOCOL],
        ),
        (
            "empty CONTINUATION flood",
            [unfinished, frame(CONTINUATION, 0, 1, &[]).repeat(100_000)].concat(),
            &[CALM, PROTOCOL],
        ),
        (
            "Huffman garbage",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x01, b'x']),
            // RFC 9113 §4.3 asks for COMPRESSION_ERROR; h2 says PROTOCOL_ERROR. The connection ends either way.
            &[End::Goaway(COMPRESSION_ERROR), PROTOCOL],
        ),
        ("HPACK bomb", split(&bomb(), 1), &[End::Lives, CALM]),
        ("10,000 headers", split(&with(10_000), 1), &[End::Lives, CALM]),
        ("SETTINGS flood", frame(SETTINGS, 0, 0, &[]).repeat(100_000), &[End::Lives, CALM]),
        ("PING flood", frame(PING, 0, 0, b"12345678").repeat(100_000), &[End::Lives, CALM]),
        ("PRIORITY flood", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 9]).repeat(100_000), &[End::Lives, CALM]),
        ("unknown frames", frame(0xbe, 0, 0, b"12345678").repeat(100_000), &[End::Lives, CALM]),
        (
            "WINDOW_UPDATE flood",
            frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()).repeat(100_000),
            &[End::Lives, CALM],
        ),
        (
            "empty DATA flood",
            [open(1), frame(DATA, 0, 1, &[]).repeat(100_000)].concat(),
            &[End::Lives, CALM, PROTOCOL],
        ),
        (
            "RST_STREAM on a closed stream",
            [open(1), cancel(1).repeat(100_000)].concat(),
            &[End::Lives, CALM, PROTOCOL],
        ),
        ("more streams than allowed", streams(1_000, open), &[End::Lives, CALM]),
        ("a stream of an even id", open(2), &[PROTOCOL]),
        ("a stream id again", [open(3), open(1)].concat(), &[PROTOCOL, End::Goaway(STREAM_CLOSED)]),
        ("DATA on an idle stream", frame(DATA, 0, 9, b"x"), &[PROTOCOL]),
        ("a frame over the size", frame(DATA, 0, 1, &[0; 16_385]), &[End::Goaway(FRAME_SIZE_ERROR)]),
        (
            "a window that overflows for all",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
            &[End::Goaway(FLOW_CONTROL_ERROR)],
        ),
        ("a stream that depends on itself", frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 9]), &[End::Lives, PROTOCOL]),
    ];
    for (name, bytes, expected) in attacks {
        let end = stage.attacker().await.flood(bytes).await;
        assert!(expected.contains(&end), "{name}: {end:?}");
        neighbour.is_unharmed(name).await;
        stage.left_with(1).await;
    }
}

#[tokio::test]
async fn a_flooder_that_never_reads_is_not_read_either() {
    let stage = Stage::new("[timeouts]\nkeepalive_interval = \"1s\"\nkeepalive_timeout = \"1s\"").await;
    let neighbour = stage.neighbour().await;
    let floods = [
        ("SETTINGS", frame(SETTINGS, 0, 0, &[]).repeat(1_000_000)),
        ("PING", frame(PING, 0, 0, b"12345678").repeat(1_000_000)),
        ("requests", streams(100_000, open)),
    ];
    for (name, bytes) in floods {
        let mut attacker = stage.attacker().await;
        attacker.shout(&bytes, Duration::from_millis(500)).await;
        neighbour.is_unharmed(name).await;
        // Its replies are stuck, so is its PING: keepalive gives it up.
        stage.left_with(1).await;
    }
}

#[tokio::test]
async fn whoever_never_finishes_is_given_up() {
    let config = "[timeouts]\nhandshake = \"1s\"\nkeepalive_interval = \"1s\"\nkeepalive_timeout = \"1s\"";
    let stage = Stage::new(config).await;
    let neighbour = stage.neighbour().await;
    let mut slow = Vec::new();
    for bytes in [
        Vec::new(),
        PREFACE[..10].to_vec(),
        // A header block that never ends: nothing else may come on this connection.
        [PREFACE, GREETING, &frame(HEADERS, END_STREAM, 1, &request())].concat(),
        // Half a frame.
        [PREFACE, GREETING, &open(1)[..20]].concat(),
    ] {
        let mut attacker = stage.silent_attacker().await;
        attacker.send(&bytes).await;
        slow.push(attacker);
    }
    neighbour.is_unharmed("slow peers").await;
    stage.left_with(1).await;
}

#[tokio::test]
async fn a_window_that_stays_shut_holds_its_own_stream_only() {
    let stage = Stage::new("").await;
    let neighbour = stage.neighbour().await;
    let mut attacker = stage.silent_attacker().await;
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    let shut = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    attacker.send(&[PREFACE, GREETING, &shut].concat()).await;
    let body = crate::fixture::frame(&[7; 1000]);
    attacker.send(&[open(1), frame(DATA, END_STREAM, 1, &body)].concat()).await;
    neighbour.is_unharmed("a shut window").await;
    // One byte at a time, it gets what it opens for, in the end with its status.
    for _ in 0..body.len() {
        attacker.send(&frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes())).await;
    }
    assert_eq!(attacker.end_of(1).await, End::Status(0));
}
