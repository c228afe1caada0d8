//! Stalled readers: memory stays bounded, and others do not notice.

use super::*;

const PIECE: usize = 64 * 1024;

/// Would send 100 MiB.
async fn flood(Exchange { respond, .. }: Exchange) {
    let mut answer = respond.send(ok(), false).unwrap();
    for _ in 0..1600 {
        if answer.frame(Bytes::from(vec![7; PIECE]), false).await.is_err() {
            return;
        }
    }
    let _ = answer.trailers(status("0"));
}

/// Lets every task go as far as it can.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stalled_reader_stalls_the_producer_and_bounds_what_is_held() {
    let (producer_side, relay_up, relay_down) =
        (Settings::default(), Settings::default(), Settings::default());
    let (near, far) = duplex(1 << 16);
    listen(far, &producer_side, flood);
    let upstream = connected(near, &relay_up).await;
    let (mut listening, consumer) = by_hand(&relay_down).await;

    let (response, _send) = consumer.send(post(), true).unwrap();
    let Exchange { respond, .. } = listening.accept().await.unwrap().unwrap();
    lifecycle::spawn("test listener", async move { while listening.accept().await.is_some() {} });
    let relay = lifecycle::spawn("test relay", async move {
        let (response, _send) = upstream.send(post(), true).unwrap();
        let mut up = response.await.unwrap().into_body();
        let mut down = respond.send(ok(), false).unwrap();
        copy(&mut up, &mut down).await.unwrap();
    });
    let mut body = response.await.unwrap().into_body();
    settle().await;

    // The consumer's window is full, and it holds no more than that.
    let window = relay_down.stream_window as usize;
    assert_eq!(body.buffered(), window);
    // The relay: one frame in hand, and what waits for the socket.
    let held = relay_up.buffered.bytes() + relay_down.buffered.bytes();
    assert!(held <= relay_down.send_buffer + 2 * PIECE, "{held} bytes held");
    // The producer may not have more in memory than its own send buffer.
    let waiting = producer_side.buffered.bytes();
    assert!(waiting <= producer_side.send_buffer + PIECE, "{waiting} bytes waiting");

    // It goes on when the reader does.
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.unwrap();
        total += frame.len();
        body.release(frame.len());
        assert!(body.buffered() <= window);
    }
    assert_eq!(total, 1600 * PIECE);
    assert_eq!(body.trailers().await.unwrap(), Some(status("0")));
    drop(body);
    relay.await.unwrap();
    let left = [&producer_side, &relay_up, &relay_down].map(|settings| settings.buffered.bytes());
    assert_eq!(left, [0, 0, 0]);
}

#[tokio::test]
async fn stalled_readers_do_not_freeze_another_stream() {
    async fn either(exchange: Exchange) {
        if exchange.request.headers().contains_key("flood") {
            flood(exchange).await
        } else {
            echo(exchange).await
        }
    }
    let settings = Settings { max_concurrent_streams: 8, ..Settings::default() };
    let connection = linked(&settings, either).await;
    let mut stalled = Vec::new();
    for _ in 0..7 {
        let mut head = post();
        head.headers_mut().insert("flood", HeaderValue::from_static("1"));
        let (response, send) = connection.send(head, true).unwrap();
        stalled.push((response.await.unwrap(), send));
    }
    settle().await;
    let full = settings.stream_window as usize;
    assert!(
        stalled.iter_mut().all(|(answer, _)| answer.body_mut().buffered() == full),
        "all windows are full"
    );

    let (response, mut send) = connection.send(post(), false).unwrap();
    send.frame(Bytes::from_static(b"through"), true).await.unwrap();
    assert_eq!(read(&mut response.await.unwrap().into_body()).await.unwrap().0, b"through");
}

#[tokio::test]
async fn a_window_of_zero_holds_one_early_frame_and_no_more() {
    use super::raw::HEADERS;
    let settings = Settings::default();
    // SETTINGS_INITIAL_WINDOW_SIZE = 0.
    let (connection, driver, mut raw) = bare(&settings, &[0, 4, 0, 0, 0, 0]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let (_response, mut send) = connection.send(post(), false).unwrap();
    send.frame(Bytes::from(vec![0; 16 * 1024]), false).await.unwrap();
    raw.next(&[HEADERS]).await.unwrap();
    let second = send.frame(Bytes::from(vec![0; 16 * 1024]), false);
    tokio::select! {
        biased;
        sent = second => panic!("sent into a window of zero: {sent:?}"),
        () = settle() => {}
    }
    assert_eq!(settings.buffered.bytes(), 16 * 1024);
    drop(send);
    settle().await;
    assert_eq!(settings.buffered.bytes(), 0, "the reset throws away what waits");
}

#[tokio::test]
async fn small_frames_that_have_arrived_come_as_one_piece_and_a_large_one_as_it_is() {
    use super::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, REQUEST, Raw};
    let settings = Settings::default();
    let (near, far) = duplex(1 << 17);
    let (raw, connection) = tokio::join!(Raw::client(near), server::Connection::handshake(far, &settings));
    let (mut raw, mut connection) = (raw, connection.unwrap());
    raw.send(HEADERS, END_HEADERS, 1, REQUEST).await;
    for piece in [&[1_u8; 3000] as &[u8], &[2; 3000], &[3; 9000], &[4; 10]] {
        raw.send(DATA, 0, 1, piece).await;
    }
    raw.send(DATA, END_STREAM, 1, &[5; 20]).await;
    let Exchange { request, respond } = connection.accept().await.unwrap().unwrap();
    lifecycle::spawn("test listener", async move { while connection.accept().await.is_some() {} });
    let mut body = request.into_body();
    let mut pieces = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.unwrap();
        assert_eq!(settings.buffered.bytes(), frame.len(), "what is handed out is counted");
        body.release(frame.len());
        pieces.push((frame[0], frame.len(), body.is_end()));
    }
    assert_eq!(pieces, [(1, 6000, false), (3, 9000, false), (4, 30, true)]);
    assert_eq!((body.trailers().await.unwrap(), settings.buffered.bytes()), (None, 0));
    respond.reset(crate::transport::Reason::CANCEL);
}
