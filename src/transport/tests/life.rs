//! How connections begin, count their streams, stay alive and end.

use super::raw::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, REQUEST, Raw};
use super::*;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn silence_at_the_greeting_is_given_up() {
    let settings = Settings::default();
    let (near, far) = duplex(1 << 16);
    let error = server::Connection::handshake(far, &settings).await.unwrap_err();
    assert!(matches!(error, Error::Silent { what: "HTTP/2 preface", .. }), "{error:?}");
    drop(near);

    let (near, _far) = duplex(1 << 16);
    let error = client::connect(near, &settings).await.err().unwrap();
    assert!(matches!(error, Error::Silent { what: "HTTP/2 SETTINGS", .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_gives_up_a_client_that_vanished_without_a_word() {
    let settings = Settings::default();
    let (near, far) = duplex(1 << 16);
    let (listening, _raw) = tokio::join!(server::Connection::handshake(far, &settings), Raw::client(near));
    let mut listening = listening.unwrap();
    let start = tokio::time::Instant::now();
    let error = listening.accept().await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Silent { what: "answer to a ping", .. }), "{error:?}");
    assert!(
        start.elapsed() <= settings.keepalive_interval + settings.keepalive_timeout + Duration::from_secs(1)
    );
    assert!(listening.accept().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_gives_up_a_server_that_vanished_under_a_call() {
    let settings = Settings::default();
    let (connection, driver, _raw) = bare(&settings, &[]).await;
    let (response, _send) = connection.send(post(), true).unwrap();
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let error = response.await.unwrap_err();
    assert!(matches!(error, Error::Silent { what: "answer to a ping", .. }), "{error:?}");
    assert!(!error.is_unprocessed());
    assert!(matches!(connection.closed().await, Error::Silent { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_silent_call_lives_for_an_hour_without_too_many_pings() {
    const PING: u8 = 6;
    let settings = Settings::default();
    let (connection, driver, mut raw) = bare(&settings, &[]).await;
    let (_response, _send) = connection.send(post(), true).unwrap();
    let mut asked = Vec::new();
    let answering = async {
        while let Some(ping) = raw.next(&[PING]).await {
            raw.send(PING, 1, 0, &ping.payload).await;
            asked.push(tokio::time::Instant::now());
        }
    };
    tokio::select! {
        cause = driver.run() => panic!("{cause:?}"),
        () = answering => panic!("the client left"),
        // The clock is paused: nobody waits for an hour.
        () = tokio::time::sleep(Duration::from_secs(3600)) => {}
    }
    // gRPC servers allow two pings without data; any other must come five minutes after the one before.
    let hasty = asked.windows(2).filter(|pair| pair[1] - pair[0] < Duration::from_secs(300)).count();
    assert!(hasty <= 2, "{hasty} pings in haste");
    assert!(asked.len() >= 10, "and it does ask: {}", asked.len());
}

#[tokio::test]
async fn streams_are_counted_against_the_lower_limit() {
    // SETTINGS_MAX_CONCURRENT_STREAMS = 2.
    let settings = Settings::default();
    let (connection, driver, mut raw) = bare(&settings, &[0, 3, 0, 0, 0, 2]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    assert_eq!(connection.limit(), 2);
    let first = connection.send(post(), true).unwrap();
    let _second = connection.send(post(), true).unwrap();
    assert_eq!(connection.in_flight(), 2);
    assert!(!connection.has_room() && connection.is_open());
    let error = connection.send(post(), true).unwrap_err();
    assert!(matches!(error, Error::AtCapacity { limit: 2 }) && error.is_unprocessed(), "{error:?}");
    raw.next(&[HEADERS]).await.unwrap();
    drop(first);
    assert!(connection.has_room());
    connection.send(post(), true).unwrap();

    let own = Settings { max_concurrent_streams: 1, ..settings };
    let (connection, _driver, _raw) = bare(&own, &[]).await;
    assert_eq!(connection.limit(), 1);
}

#[tokio::test]
async fn a_graceful_shutdown_finishes_what_is_open() {
    let (mut listening, connection) = by_hand(&Settings::default()).await;
    let (response, _send) = connection.send(post(), true).unwrap();
    let Exchange { respond, .. } = listening.accept().await.unwrap().unwrap();
    listening.graceful_shutdown();
    let server = async { listening.accept().await.is_none() };
    let call = async {
        while connection.is_open() {
            tokio::task::yield_now().await;
        }
        assert!(connection.send(post(), true).unwrap_err().is_unprocessed());
        let mut answer = respond.send(ok(), false).unwrap();
        answer.frame(Bytes::from_static(b"to the end"), false).await.unwrap();
        answer.trailers(status("0")).unwrap();
        read(&mut response.await.unwrap().into_body()).await.unwrap()
    };
    let (over, (body, trailers)) = tokio::join!(server, call);
    assert!(over);
    assert_eq!((body.as_slice(), trailers), (b"to the end" as &[u8], Some(status("0"))));
    connection.closed().await;
}

#[tokio::test]
async fn an_abrupt_shutdown_says_why() {
    let settings = Settings::default();
    let (near, far) = duplex(1 << 16);
    let (listening, mut raw) = tokio::join!(server::Connection::handshake(far, &settings), Raw::client(near));
    let mut listening = listening.unwrap();
    listening.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
    let (goaway, over) = tokio::join!(raw.next(&[GOAWAY]), listening.accept());
    assert_eq!(goaway.unwrap().payload[4..8], [0, 0, 0, 11]);
    assert!(over.is_none());
}

#[tokio::test]
async fn accept_loses_nothing_when_it_is_dropped() {
    let (mut listening, connection) = by_hand(&Settings::default()).await;
    let (response, _send) = connection.send(post(), true).unwrap();
    let exchange = loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            exchange = listening.accept() => break exchange.unwrap().unwrap(),
        }
    };
    exchange.respond.send(ok(), true).unwrap();
    lifecycle::spawn("test listener", async move { while listening.accept().await.is_some() {} });
    response.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_told_goodbye_and_a_busy_one_is_not() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(60)), ..Settings::default() };
    let (mut listening, connection) = by_hand(&settings).await;
    let (_response, _send) = connection.send(post(), true).unwrap();
    let exchange = listening.accept().await.unwrap().unwrap();
    let busy = tokio::time::timeout(Duration::from_secs(600), listening.accept()).await;
    assert!(busy.is_err(), "a stream is open");
    exchange.respond.send(ok(), true).unwrap();
    drop(exchange.request);
    let start = tokio::time::Instant::now();
    let over = listening.accept().await;
    assert!(over.is_none(), "{over:?}");
    assert!(start.elapsed() >= Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_quick_call_now_and_then_is_not_idle() {
    let settings = Settings { idle_timeout: Some(Duration::from_secs(60)), ..Settings::default() };
    let (mut listening, connection) = by_hand(&settings).await;
    lifecycle::spawn("test listener", async move {
        drop(listening.serve(|exchange| drop(exchange.respond.send(ok(), true))).await);
    });
    for _ in 0..30 {
        let (response, _send) = connection.send(post(), true).unwrap();
        response.await.unwrap();
        // The clock is paused: nobody waits.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert!(connection.is_open());
}

#[tokio::test]
async fn a_connection_that_nobody_holds_closes() {
    let (mut listening, connection) = by_hand(&Settings::default()).await;
    drop(connection);
    assert!(listening.accept().await.is_none());
}

#[tokio::test]
async fn a_driver_can_be_cut_with_a_reason() {
    let (connection, driver, _raw) = bare(&Settings::default(), &[]).await;
    let (response, _send) = connection.send(post(), true).unwrap();
    driver.run_until(async { "no longer trusted" }).await;
    assert!(matches!(response.await.unwrap_err(), Error::Closed("no longer trusted")));
    assert!(matches!(connection.send(post(), true).unwrap_err(), Error::Unsent(_)));
}

#[tokio::test]
async fn what_is_sent_until_the_goodbye_is_heard_is_served() {
    // RFC 9113 §6.8: the first GOAWAY allows all streams, and the second names the last one that counts.
    const PING: u8 = 6;
    const ACK: u8 = 1;
    let settings = Settings::default();
    let (near, far) = duplex(1 << 16);
    let (listening, raw) = tokio::join!(server::Connection::handshake(far, &settings), Raw::client(near));
    let (mut listening, mut raw) = (listening.unwrap(), raw);
    listening.graceful_shutdown();
    let served = lifecycle::spawn("test listener", async move {
        let mut served = 0;
        while let Some(Ok(Exchange { respond, .. })) = listening.accept().await {
            served += 1;
            respond.send(ok(), true).unwrap();
        }
        assert_eq!(served, 3);
    });
    let first = raw.next(&[GOAWAY]).await.unwrap();
    assert_eq!(first.payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let ping = raw.next(&[PING]).await.unwrap();
    for id in [1, 3, 5] {
        raw.send(HEADERS, END_HEADERS | END_STREAM, id, REQUEST).await;
    }
    for id in [1, 3, 5] {
        assert_eq!(raw.next(&[HEADERS]).await.unwrap().stream, id);
    }
    raw.send(PING, ACK, 0, &ping.payload).await;
    let last = raw.next(&[GOAWAY]).await.unwrap();
    assert_eq!(last.payload, [0, 0, 0, 5, 0, 0, 0, 0], "whoever sent more knows that it was not processed");
    assert!(raw.next(&[HEADERS]).await.is_none(), "and then it closes");
    served.await.unwrap();
}
