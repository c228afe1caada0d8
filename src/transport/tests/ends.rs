//! Resets, in both directions and by every handle, and what they say of the request.

use super::raw::{END_HEADERS, GOAWAY, HEADERS, RESPONSE, RST_STREAM};
use super::*;
use h2::Reason;

/// An accepted call, with its listening end moving in the background.
async fn accepted(
    settings: &Settings,
    send_end: bool,
) -> (Exchange, client::Response, Send, client::Connection) {
    let (mut listening, connection) = by_hand(settings).await;
    let (response, send) = connection.send(post(), send_end).unwrap();
    let exchange = listening.accept().await.unwrap().unwrap();
    lifecycle::spawn("test listener", async move { while listening.accept().await.is_some() {} });
    (exchange, response, send, connection)
}

fn reset(error: &Error) -> Option<(Reason, bool)> {
    match error {
        Error::Reset { reason, remote } => Some((*reason, *remote)),
        _ => None,
    }
}

#[tokio::test]
async fn a_refusal_before_the_head_tells_whether_the_application_saw_it() {
    for (reason, unprocessed) in
        [(Reason::REFUSED_STREAM, true), (Reason::INTERNAL_ERROR, false), (Reason::CANCEL, false)]
    {
        let (exchange, response, _send, _connection) = accepted(&Settings::default(), true).await;
        exchange.respond.reset(reason);
        let error = response.await.unwrap_err();
        assert_eq!(reset(&error), Some((reason, true)));
        assert_eq!(error.is_unprocessed(), unprocessed, "{reason:?}");
    }
}

#[tokio::test]
async fn a_reset_after_the_head_ends_the_body_with_its_code() {
    let (exchange, response, _send, _connection) = accepted(&Settings::default(), true).await;
    let mut answer = exchange.respond.send(ok(), false).unwrap();
    answer.frame(Bytes::from_static(b"half"), false).await.unwrap();
    let mut body = response.await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap(), "half");
    answer.reset(Reason::ENHANCE_YOUR_CALM);
    let error = body.frame().await.unwrap().unwrap_err();
    assert_eq!(reset(&error), Some((Reason::ENHANCE_YOUR_CALM, true)));
    assert!(!error.is_unprocessed());
}

#[tokio::test]
async fn a_handler_that_vanishes_is_an_internal_error() {
    let (exchange, response, _send, _connection) = accepted(&Settings::default(), true).await;
    drop(exchange);
    assert_eq!(reset(&response.await.unwrap_err()), Some((Reason::INTERNAL_ERROR, true)));

    let (exchange, response, _send, _connection) = accepted(&Settings::default(), true).await;
    let answer = exchange.respond.send(ok(), false).unwrap();
    let mut body = response.await.unwrap().into_body();
    drop(answer);
    assert_eq!(reset(&body.frame().await.unwrap().unwrap_err()), Some((Reason::INTERNAL_ERROR, true)));
}

#[tokio::test]
async fn dropping_the_awaited_answer_cancels_upstream_although_the_request_may_go_on() {
    let (mut exchange, response, mut send, connection) = accepted(&Settings::default(), false).await;
    drop(response);
    assert_eq!(reset(&exchange.respond.closed().await), Some((Reason::CANCEL, true)));
    let error = exchange.request.body_mut().frame().await.unwrap().unwrap_err();
    assert_eq!(reset(&error), Some((Reason::CANCEL, true)));
    assert!(send.frame(Bytes::from(vec![0; 20_000]), false).await.is_err());
    drop(send);
    assert_eq!(connection.in_flight(), 0);
}

#[tokio::test]
async fn dropping_the_answer_or_the_request_half_way_cancels_upstream() {
    let (exchange, response, send, _connection) = accepted(&Settings::default(), false).await;
    let mut answer = exchange.respond.send(ok(), false).unwrap();
    drop(response.await.unwrap());
    assert_eq!(reset(&answer.closed().await), Some((Reason::CANCEL, true)));
    drop(send);

    let (mut exchange, _response, send, _connection) = accepted(&Settings::default(), false).await;
    drop(send);
    assert_eq!(reset(&exchange.respond.closed().await), Some((Reason::CANCEL, true)));
}

#[tokio::test]
async fn a_waiting_sender_hears_the_reset() {
    let settings = Settings { stream_window: 65_535, max_concurrent_streams: 4, ..Settings::default() };
    let (exchange, response, _send, _connection) = accepted(&settings, true).await;
    let mut answer = exchange.respond.send(ok(), false).unwrap();
    let body = response.await.unwrap();
    let stuck = answer.frame(Bytes::from(vec![0; 1 << 20]), true);
    let (sent, ()) = tokio::join!(stuck, async { drop(body) });
    assert_eq!(reset(&sent.unwrap_err()), Some((Reason::CANCEL, true)));
}

#[tokio::test]
async fn a_cancel_reaches_the_producer_through_a_relay() {
    let (mut exchange, response, _consumer, _first) = accepted(&Settings::default(), true).await;
    let (mut producer, up, _request, _second) = accepted(&Settings::default(), true).await;
    let relayed = lifecycle::spawn("test relay", async move {
        tokio::select! {
            _ = exchange.respond.closed() => {}
            _ = up => panic!("the producer never answers"),
        }
    });
    drop(response);
    assert_eq!(reset(&producer.respond.closed().await), Some((Reason::CANCEL, true)));
    relayed.await.unwrap();
}

#[tokio::test]
async fn a_goaway_tells_the_calls_that_were_not_looked_at() {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    let driver = driver.run();
    let test = async {
        let (first, _one) = connection.send(post(), true).unwrap();
        let (second, _two) = connection.send(post(), true).unwrap();
        raw.next(&[HEADERS]).await.unwrap();
        raw.next(&[HEADERS]).await.unwrap();
        // Last stream 1, NO_ERROR.
        raw.send(GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]).await;
        let error = second.await.unwrap_err();
        assert!(matches!(error, Error::GoAway { reason: Reason::NO_ERROR, remote: true }), "{error:?}");
        assert!(error.is_unprocessed());

        assert!(!connection.is_open());
        assert!(connection.send(post(), true).unwrap_err().is_unprocessed());
        raw.send(HEADERS, END_HEADERS, 1, RESPONSE).await;
        let mut body = first.await.unwrap().into_body();
        drop(raw);
        let error = body.frame().await.unwrap().unwrap_err();
        assert!(!error.is_unprocessed(), "{error:?}");
    };
    tokio::join!(test, driver);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_its_calls_and_says_why() {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    let test = async {
        let (response, _send) = connection.send(post(), true).unwrap();
        raw.next(&[HEADERS]).await.unwrap();
        drop(raw);
        let error = response.await.unwrap_err();
        assert!(!error.is_unprocessed(), "the application may have seen it: {error:?}");
        assert!(matches!(error, Error::Io(_) | Error::Closed(_)), "{error:?}");
    };
    let ((), cause) = tokio::join!(test, driver.run());
    assert!(matches!(cause, Error::Io(_) | Error::Closed(_)), "{cause:?}");
    assert!(!connection.is_open());
    let error = connection.send(post(), true).unwrap_err();
    assert!(error.is_unprocessed(), "{error:?}");
    connection.closed().await;
}

#[tokio::test]
async fn a_reset_with_no_error_after_a_whole_answer_harms_nothing() {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    let (response, mut send) = connection.send(post(), false).unwrap();
    raw.next(&[HEADERS]).await.unwrap();
    raw.send(HEADERS, END_HEADERS, 1, RESPONSE).await;
    raw.send(0, 1, 1, b"all of it").await;
    raw.send(RST_STREAM, 0, 1, &[0, 0, 0, 0]).await;
    assert_eq!(reset(&send.closed().await), Some((Reason::NO_ERROR, true)));
    assert_eq!(read(&mut response.await.unwrap().into_body()).await.unwrap().0, b"all of it");
}
