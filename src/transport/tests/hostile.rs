//! Floods end the flooder's connection with the code that says so, and nobody else's.

use super::raw::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, REQUEST, RST_STREAM, Raw, SETTINGS, frame};
use super::*;
use tokio::io::AsyncWriteExt;

const CANCEL: &[u8] = &[0, 0, 0, 8];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
const CONTINUATION: u8 = 9;
const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
const WINDOW_UPDATE: u8 = 8;

/// Sends `bytes` while reading what comes back, until GOAWAY; returns its code.
async fn flooded(settings: &Settings, bytes: Vec<u8>) -> Option<[u8; 4]> {
    let (near, far) = duplex(1 << 16);
    listen(far, settings, echo);
    let raw = Raw::client(near).await;
    let (read, mut write) = tokio::io::split(raw.0);
    let flood = lifecycle::spawn("test flood", async move {
        // The server hangs up in the middle of it.
        let _ = write.write_all(&bytes).await;
        std::future::pending::<()>().await;
    });
    let code = goaway(read).await;
    flood.abort();
    code
}

async fn goaway(mut io: tokio::io::ReadHalf<DuplexStream>) -> Option<[u8; 4]> {
    use tokio::io::AsyncReadExt;
    loop {
        let mut head = [0; 9];
        io.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        io.read_exact(&mut payload).await.ok()?;
        if head[3] == GOAWAY {
            return payload[4..8].try_into().ok();
        }
    }
}

fn streams(count: u32, each: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(|n| each(2 * n + 1)).collect()
}

#[tokio::test]
async fn a_rapid_reset_flood_is_told_to_calm_down() {
    // CVE-2023-44487.
    let flood = streams(10_000, |id| {
        [frame(HEADERS, END_HEADERS | END_STREAM, id, REQUEST), frame(RST_STREAM, 0, id, CANCEL)].concat()
    });
    assert_eq!(flooded(&Settings::default(), flood).await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_made_you_reset_flood_is_told_to_calm_down() {
    // CVE-2025-8671: a window that overflows is an error of the stream, which the server must reset.
    let flood = streams(10_000, |id| {
        let update = frame(WINDOW_UPDATE, 0, id, &[0x7f, 0xff, 0xff, 0xff]);
        [frame(HEADERS, END_HEADERS, id, REQUEST), update].concat()
    });
    assert_eq!(flooded(&Settings::default(), flood).await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_window_update_of_zero_ends_the_connection() {
    let update = [frame(HEADERS, END_HEADERS, 1, REQUEST), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat();
    assert_eq!(flooded(&Settings::default(), update).await, Some(PROTOCOL_ERROR));
}

#[tokio::test]
async fn streams_over_the_limit_are_refused_and_those_within_live() {
    let settings = Settings { max_concurrent_streams: 3, ..Settings::default() };
    let (near, far) = duplex(1 << 16);
    listen(far, &settings, echo);
    let mut raw = Raw::client(near).await;
    // The server's limit binds when its SETTINGS are acknowledged.
    raw.next(&[SETTINGS]).await.unwrap();
    for id in [1, 3, 5, 7] {
        raw.send(HEADERS, END_HEADERS, id, REQUEST).await;
    }
    let refused = raw.next(&[RST_STREAM]).await.unwrap();
    assert_eq!((refused.stream, refused.payload.as_slice()), (7, [0, 0, 0, 7].as_slice()));
    raw.send(0, END_STREAM, 1, b"x").await;
    let echoed = raw.next(&[0]).await.unwrap();
    assert_eq!((echoed.stream, echoed.payload.as_slice()), (1, b"x".as_slice()));
}

#[tokio::test]
async fn a_header_list_over_the_limit_is_answered_with_431() {
    let settings = Settings { max_header_list_size: 1024, ..Settings::default() };
    let connection = linked(&settings, echo).await;
    let mut head = post();
    head.headers_mut().insert("large", HeaderValue::from_str(&"x".repeat(1024)).unwrap());
    let (response, _send) = connection.send(head, true).unwrap();
    assert_eq!(response.await.unwrap().status(), 431);
    let (response, _send) = connection.send(post(), true).unwrap();
    assert_eq!(response.await.unwrap().status(), 200, "the connection lives");
}

#[tokio::test]
async fn a_header_block_that_goes_on_and_on_ends_the_connection() {
    // VU#421644: each piece adds a header, or nothing at all, and none is the last.
    let field = [&[0x00, 0x01, b'x', 0x7f, 0x81, 0x01][..], &[b'y'; 256]].concat();
    for piece in [field.as_slice(), &[]] {
        let endless = (0..20_000).flat_map(|_| frame(CONTINUATION, 0, 1, piece));
        let flood = frame(HEADERS, 0, 1, REQUEST).into_iter().chain(endless).collect();
        assert_eq!(
            flooded(&Settings::default(), flood).await,
            Some(ENHANCE_YOUR_CALM),
            "{} bytes",
            piece.len()
        );
    }
}

#[tokio::test]
async fn empty_frames_without_end_end_the_connection() {
    // CVE-2019-9518.
    let empty = (0..20_000).flat_map(|_| frame(0, 0, 1, &[]));
    let flood = frame(HEADERS, END_HEADERS, 1, REQUEST).into_iter().chain(empty).collect();
    assert_eq!(flooded(&Settings::default(), flood).await, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test(start_paused = true)]
async fn a_header_block_that_never_ends_is_given_up() {
    let settings = Settings::default();
    let (near, far) = duplex(1 << 16);
    let (listening, raw) = tokio::join!(server::Connection::handshake(far, &settings), Raw::client(near));
    let (mut listening, mut raw) = (listening.unwrap(), raw);
    raw.send(HEADERS, 0, 1, REQUEST).await;
    let error = listening.accept().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error:?}");
}

#[tokio::test]
async fn settings_and_pings_whose_answers_nobody_reads_are_not_piled_up() {
    const PING: u8 = 6;
    for piece in [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, &[7; 8])] {
        let (near, far) = duplex(1 << 12);
        listen(far, &Settings::default(), echo);
        let mut raw = Raw::client(near).await;
        let written = std::cell::Cell::new(0);
        let mut flood = std::pin::pin!(async {
            loop {
                raw.0.write_all(&piece).await.unwrap();
                written.set(written.get() + piece.len());
            }
        });
        for _ in 0..20_000 {
            assert!(futures::poll!(flood.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        // The answers fill the way back, and then the server reads no more.
        assert!(written.get() < 256 * 1024, "{} bytes taken", written.get());
    }
}
