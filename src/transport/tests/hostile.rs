//! Floods end the flooder's connection with the code that says so, and nobody else's.

use super::raw::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, REQUEST, RST_STREAM, Raw, SETTINGS, frame};
use super::*;
use tokio::io::AsyncWriteExt;

const CANCEL: &[u8] = &[0, 0, 0, 8];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];
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
