//! The four kinds of calls, and the edges that proxies get wrong.

use super::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, REQUEST, Raw};
use super::*;

async fn call(connection: &client::Connection, frames: &[&'static [u8]]) -> (Vec<u8>, Option<HeaderMap>) {
    let (response, mut send) = connection.send(post(), frames.is_empty()).unwrap();
    for (n, frame) in frames.iter().enumerate() {
        send.frame(Bytes::from_static(frame), n + 1 == frames.len()).await.unwrap();
    }
    let mut body = response.await.unwrap().into_body();
    read(&mut body).await.unwrap()
}

#[tokio::test]
async fn unary_and_streams_pass_with_their_trailers() {
    let settings = Settings::default();
    for connection in [linked(&settings, echo).await, linked_by_tcp(&settings, echo).await] {
        for frames in [&[b"one" as &[u8]] as &[&[u8]], &[b"one", b"two", b"three"], &[]] {
            let (body, trailers) = call(&connection, frames).await;
            assert_eq!(body, frames.concat());
            assert_eq!(trailers, Some(status("0")));
        }
        assert_eq!(connection.in_flight(), 0);
    }
    assert_eq!(settings.buffered.bytes(), 0);
}

#[tokio::test]
async fn both_directions_take_turns() {
    let connection = linked(&Settings::default(), echo).await;
    let (response, mut send) = connection.send(post(), false).unwrap();
    let mut body = response.await.unwrap().into_body();
    for turn in 0..20_u8 {
        send.frame(Bytes::from(vec![turn]), false).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap(), vec![turn]);
        body.release(1);
    }
    send.frame(Bytes::new(), true).await.unwrap();
    assert_eq!(read(&mut body).await.unwrap(), (Vec::new(), Some(status("0"))));
}

#[tokio::test]
async fn a_large_body_passes_through_small_windows() {
    let settings = Settings { stream_window: 65_535, max_concurrent_streams: 4, ..Settings::default() };
    let connection = linked_by_tcp(&settings, echo).await;
    let (response, mut send) = connection.send(post(), false).unwrap();
    let sending = async {
        for n in 0..64_u8 {
            send.frame(Bytes::from(vec![n; 100_000]), n == 63).await.unwrap();
        }
    };
    let reading = async { read(&mut response.await.unwrap().into_body()).await.unwrap().0 };
    let ((), body) = tokio::join!(sending, reading);
    assert_eq!(body.len(), 6_400_000);
    assert!(
        body.chunks(100_000).enumerate().all(|(n, chunk)| chunk.iter().all(|byte| usize::from(*byte) == n))
    );
}

#[tokio::test]
async fn the_answer_may_come_while_the_request_still_streams() {
    async fn refuse_early(Exchange { respond, .. }: Exchange) {
        let head = Response::builder().header("grpc-status", "7").body(()).unwrap();
        respond.send(head, true).unwrap();
    }
    let connection = linked(&Settings::default(), refuse_early).await;
    let (response, mut send) = connection.send(post(), false).unwrap();
    send.frame(Bytes::from_static(b"part"), false).await.unwrap();
    let answer = response.await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "7");
    assert!(answer.body().is_end());
    // What is still sent fails without harm, and the connection lives.
    send.closed().await;
    assert!(send.frame(Bytes::from(vec![0; 1 << 21]), false).await.is_err());
    drop((answer, send));
    let (response, _) = connection.send(post(), true).unwrap();
    assert!(response.await.unwrap().body().is_end());
    assert!(connection.is_open());
}

#[tokio::test]
async fn half_close_reaches_the_producer_when_the_consumer_says_so() {
    let (mut listening, connection) = by_hand(&Settings::default()).await;
    let (response, mut send) = connection.send(post(), false).unwrap();
    let Exchange { request, respond } = listening.accept().await.unwrap().unwrap();
    lifecycle::spawn("test listener", async move { while listening.accept().await.is_some() {} });
    let mut request = request.into_body();
    assert!(!request.is_end());
    let mut answer = respond.send(ok(), false).unwrap();

    send.frame(Bytes::from_static(b"last"), false).await.unwrap();
    assert_eq!(request.frame().await.unwrap().unwrap(), "last");
    assert!(!request.is_end(), "nothing said that it was the last");
    send.frame(Bytes::new(), true).await.unwrap();
    assert!(request.frame().await.is_none_or(|frame| frame.is_ok_and(|data| data.is_empty())));
    assert_eq!(request.trailers().await.unwrap(), None);

    answer.frame(Bytes::from_static(b"still here"), false).await.unwrap();
    answer.trailers(status("0")).unwrap();
    assert_eq!(read(&mut response.await.unwrap().into_body()).await.unwrap().0, b"still here");
}

#[tokio::test]
async fn a_trailers_only_answer_is_one_frame() {
    async fn not_found(Exchange { respond, .. }: Exchange) {
        respond.send(Response::builder().header("grpc-status", "5").body(()).unwrap(), true).unwrap();
    }
    let (near, far) = duplex(1 << 16);
    listen(far, &Settings::default(), not_found);
    let mut raw = Raw::client(near).await;
    raw.send(HEADERS, END_HEADERS | END_STREAM, 1, REQUEST).await;
    let answer = raw.next(&[HEADERS, DATA]).await.unwrap();
    assert_eq!((answer.kind, answer.flags), (HEADERS, END_HEADERS | END_STREAM));
}

#[tokio::test]
async fn trailers_only_arrives_as_such() {
    async fn not_found(Exchange { respond, .. }: Exchange) {
        respond.send(Response::builder().header("grpc-status", "5").body(()).unwrap(), true).unwrap();
    }
    let connection = linked(&Settings::default(), not_found).await;
    let (response, _send) = connection.send(post(), true).unwrap();
    let mut body = response.await.unwrap().into_body();
    assert!(body.is_end());
    assert_eq!(read(&mut body).await.unwrap(), (Vec::new(), None));
}

#[tokio::test]
async fn the_first_frame_goes_out_with_the_head() {
    let (connection, driver, mut raw) = bare(&Settings::default(), &[]).await;
    let (_response, mut send) = connection.send(post(), false).unwrap();
    // The driver has not run: nobody has assigned a window yet.
    send.frame(Bytes::from_static(b"early"), true).await.unwrap();
    lifecycle::spawn("test driver", async move {
        driver.run().await;
    });
    assert_eq!(raw.next(&[HEADERS, DATA]).await.unwrap().kind, HEADERS);
    let data = raw.next(&[HEADERS, DATA]).await.unwrap();
    assert_eq!((data.flags & END_STREAM, data.payload), (END_STREAM, b"early".to_vec()));
}
