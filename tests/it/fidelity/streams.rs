//! A thousand streams open at one moment, each with its own bytes.

use super::PATH;
use crate::fixture::{Consumer, Producer, World, echo, frame, read};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::timeout;

#[tokio::test]
async fn a_thousand_streams_are_open_at_once_and_none_takes_anothers_bytes() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let mut open = Vec::new();
    for n in 0..5u32 {
        // The broker grants 256 streams on one connection.
        let consumer = Consumer::connect(&world.data, &format!("/app{n}"), &hub).await;
        for m in 0..200 {
            let (response, mut send) = consumer.open(PATH, &[]);
            send.frame(frame(&(n * 200 + m).to_be_bytes()), false).await.unwrap();
            open.push((response, send, consumer.connection.clone()));
        }
    }
    let mut heads = Vec::new();
    for (response, send, connection) in open {
        let head = timeout(Duration::from_secs(20), response).await.expect("all are open at once").unwrap();
        heads.push((head.into_body(), send, connection));
    }
    assert_eq!(producer.calls(), 1000);
    let ends = heads.into_iter().enumerate().map(|(n, (mut body, mut send, _connection))| async move {
        let n = n as u32;
        send.frame(frame(&(!n).to_be_bytes()), false).await.unwrap();
        send.frame(Bytes::new(), true).await.unwrap();
        let mut all = Vec::new();
        while let Some(data) = body.frame().await {
            let data = data.unwrap();
            body.release(data.len());
            all.extend_from_slice(&data);
        }
        assert_eq!(all, [frame(&n.to_be_bytes()), frame(&(!n).to_be_bytes())].concat());
        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
    });
    timeout(Duration::from_secs(30), futures::future::join_all(ends)).await.expect("all end");
    let consumer = Consumer::connect(&world.data, "/after", &hub).await;
    let (response, mut send) = consumer.open(PATH, &[]);
    send.frame(frame(b""), true).await.unwrap();
    assert_eq!(read(response).await.unwrap().status(), 0);
}
