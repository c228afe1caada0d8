//! Resets that a peer may not be ready for come a few at a time.

use super::raw::{END_HEADERS, END_STREAM, HEADERS, RESPONSE, RST_STREAM};
use super::*;
use std::time::Duration;
use tokio::time::Instant;

/// A connection to bare frames with 24 streams open, all of them heard of there.
async fn opened() -> (client::Connection, super::raw::Raw, Vec<(client::Response, Send)>) {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let mut open = Vec::new();
    for _ in 0..24 {
        open.push(connection.send(post(), true).unwrap());
        raw.next(&[HEADERS]).await.unwrap();
    }
    (connection, raw, open)
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_cancellations_is_spread_over_time() {
    let (connection, mut raw, open) = opened().await;
    let start = Instant::now();
    drop(open);
    let mut after = Vec::new();
    for _ in 0..24 {
        raw.next(&[RST_STREAM]).await.unwrap();
        after.push(start.elapsed());
    }
    assert!(after[7] < Duration::from_millis(10), "a few at once: {after:?}");
    assert!(after[8] >= Duration::from_millis(100) && after[15] < Duration::from_millis(150), "{after:?}");
    assert!(after[16] >= Duration::from_millis(200) && after[23] < Duration::from_millis(300), "{after:?}");
    assert_eq!(connection.in_flight(), 0, "none is left behind");
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_what_was_sent_later_lets_all_go() {
    let (connection, mut raw, open) = opened().await;
    let start = Instant::now();
    drop(open);
    for _ in 0..8 {
        raw.next(&[RST_STREAM]).await.unwrap();
    }
    assert_eq!(connection.in_flight(), 16, "those that wait keep their places");
    let (later, _send) = connection.send(post(), true).unwrap();
    let asked = raw.next(&[HEADERS]).await.unwrap();
    raw.send(HEADERS, END_HEADERS | END_STREAM, asked.stream, RESPONSE).await;
    later.await.unwrap();
    for _ in 0..16 {
        raw.next(&[RST_STREAM]).await.unwrap();
    }
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_answered_is_reset_at_once_and_many_resets_wear_a_connection_out() {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let start = Instant::now();
    for sent in 0..200 {
        let (response, send) = connection.send(post(), false).unwrap();
        let asked = raw.next(&[HEADERS]).await.unwrap();
        raw.send(HEADERS, END_HEADERS, asked.stream, RESPONSE).await;
        drop((response.await.unwrap(), send));
        assert_eq!(raw.next(&[RST_STREAM]).await.unwrap().stream, asked.stream);
        assert_eq!(connection.is_worn(), sent + 1 >= 128, "{sent}");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(connection.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_window_is_used_up_says_so() {
    // The whole connection may send 65,535 bytes until the peer takes some.
    let (connection, driver, mut raw) = bare(&Settings::default(), &[0, 4, 0, 1, 0, 0]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let (_response, mut send) = connection.send(post(), false).unwrap();
    let filling = lifecycle::spawn("test upload", async move {
        let _ = send.frame(Bytes::from(vec![0; 100_000]), true).await;
        std::future::pending::<()>().await;
    });
    raw.next(&[HEADERS]).await.unwrap();
    assert!(!connection.is_stalled());
    // What moves between is the runtime's; the clock is paused.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(connection.is_stalled() && connection.has_room());
    filling.abort();
    // As above.
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!connection.is_stalled(), "whoever waits no longer holds nobody up");
}

#[tokio::test]
async fn a_server_with_the_limit_of_h2_bears_what_is_paced_and_nothing_else() {
    for (max_early_resets, lives) in [(8, true), (usize::MAX, false)] {
        let strict = Settings { max_pending_resets: 20, ..Settings::default() };
        let settings = Settings { max_early_resets, ..Settings::default() };
        let (near, far) = duplex(1 << 16);
        let (listening, dialling) =
            tokio::join!(server::Connection::handshake(far, &strict), client::connect(near, &settings));
        let ((connection, driver), mut listening) = (dialling.unwrap(), listening.unwrap());
        lifecycle::spawn("test driver", async move {
            driver.run().await;
        });
        // The server is busy elsewhere: all that is sent waits for it, heads and resets.
        let open: Vec<_> = (0..60).map(|_| connection.send(post(), true).unwrap()).collect();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        drop(open);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        lifecycle::spawn("test listener", async move {
            while let Some(Ok(Exchange { respond, .. })) = listening.accept().await {
                let _ = respond.send(ok(), true);
            }
        });
        let answer = match connection.send(post(), true) {
            Ok((response, _send)) => response.await,
            Err(error) => Err(error),
        };
        assert_eq!(answer.is_ok(), lives, "{max_early_resets}: {answer:?}");
    }
}
