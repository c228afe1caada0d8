//! Messages and frames have nothing to do with each other: however bytes are cut, the same bytes arrive.

use super::request;
use crate::attacks::end::End;
use crate::attacks::raw::*;
use crate::attacks::scripted::{Act, Ask, ledger, ok, send, trailers};
use crate::attacks::stage::Stage;
use crate::fixture::{Consumer, frame as message};

/// DATA with so much padding (RFC 9113 §6.1).
fn padded(stream: u32, data: &[u8], padding: u8, flags: u8) -> Vec<u8> {
    let payload = [&[padding], data, &vec![0; padding.into()]].concat();
    frame(DATA, PADDED | flags, stream, &payload)
}

/// What is sent, and the frames that carry it; `end` closes the stream.
type Cut = (Vec<u8>, Vec<u8>);

/// Each way to cut: at every place of a message and its prefix, byte by byte, in odd company.
fn cuts(stream: impl Fn(usize) -> u32, end: bool) -> Vec<Cut> {
    let last = if end { END_STREAM } else { 0 };
    let whole = message(b"forty bytes, or some more, of one message").to_vec();
    let mut cuts: Vec<Cut> = Vec::new();
    for at in 0..=whole.len() {
        let id = stream(cuts.len());
        let (first, rest) = whole.split_at(at);
        cuts.push((whole.clone(), [frame(DATA, 0, id, first), frame(DATA, last, id, rest)].concat()));
    }
    let id = stream(cuts.len());
    let mut bytes: Vec<u8> = whole.iter().flat_map(|byte| frame(DATA, 0, id, &[*byte])).collect();
    // The end in a frame of its own, which is empty.
    bytes.extend(frame(DATA, last, id, &[]));
    cuts.push((whole.clone(), bytes));

    let id = stream(cuts.len());
    let apart = [frame(DATA, 0, id, &[]), frame(DATA, 0, id, &whole[..3]), frame(DATA, 0, id, &[])];
    cuts.push((whole.clone(), [apart.concat(), frame(DATA, last, id, &whole[3..])].concat()));

    for padding in [0, 1, 255] {
        let id = stream(cuts.len());
        let (first, rest) = whole.split_at(7);
        cuts.push((whole.clone(), [padded(id, first, padding, 0), padded(id, rest, padding, last)].concat()));
    }

    // Many small messages in one frame, empty ones among them, and messages that begin and end inside frames.
    let many: Vec<u8> = (0..200u8).flat_map(|n| message(&vec![n; usize::from(n % 7)]).to_vec()).collect();
    let id = stream(cuts.len());
    cuts.push((many.clone(), frame(DATA, last, id, &many)));
    let id = stream(cuts.len());
    let pieces: Vec<_> = many.chunks(11).map(|piece| frame(DATA, 0, id, piece)).collect();
    cuts.push((many, [pieces.concat(), frame(DATA, last, id, &[])].concat()));

    let empty = message(b"").to_vec();
    let id = stream(cuts.len());
    cuts.push((empty.repeat(50), frame(DATA, last, id, &empty.repeat(50))));
    let id = stream(cuts.len());
    cuts.push((Vec::new(), frame(DATA, last, id, &[])));
    cuts
}

fn id(n: usize) -> u32 {
    2 * n as u32 + 1
}

#[tokio::test]
async fn a_request_arrives_however_it_is_cut() {
    let stage = Stage::new("").await;
    let mut consumer = stage.attacker().await;
    for (n, (sent, frames)) in cuts(id, true).into_iter().enumerate() {
        consumer.send(&[frame(HEADERS, END_HEADERS, id(n), &request()), frames].concat()).await;
        let (body, end) = consumer.read(id(n)).await;
        assert_eq!((end, body), (End::Status(0), sent), "cut {n}");
    }
}

#[tokio::test]
async fn an_answer_arrives_however_it_is_cut() {
    let answer = |Ask { call, stream, .. }: Ask| {
        let (_, frames) = cuts(|_| stream, false).swap_remove(call);
        send(&[ok(stream), frames, trailers(stream, &[("grpc-status", "0")])])
    };
    let (world, scripted, listed) = ledger(answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let all = cuts(id, false);
    for (n, (sent, _)) in all.iter().enumerate() {
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
        assert_eq!((reply.status(), &reply.body[..]), (0, &sent[..]), "cut {n}");
    }
    assert_eq!(scripted.calls(), all.len());
}

#[tokio::test]
async fn padding_is_given_back_to_the_window() {
    let stage = Stage::new("[limits]\nstream_window = \"64KiB\"").await;
    let mut consumer = stage.attacker().await;
    // A message of 512 bytes is announced.
    let prefix = frame(DATA, 0, 1, &[0, 0, 0, 2, 0]);
    consumer.send(&[frame(HEADERS, END_HEADERS, 1, &request()), prefix].concat()).await;
    // Twice the window of the stream, nearly all of it padding. Each byte is awaited, so that it has been handed on.
    for n in 0..512 {
        consumer.send(&padded(1, b"x", 255, 0)).await;
        let mut back = 0;
        while back == 0 {
            let frame = consumer.next().await.expect("the connection lives");
            back += if frame.kind == DATA { frame.payload.len() } else { 0 };
            assert_eq!(End::of(&frame, 1), None, "after {n} frames");
        }
    }
    consumer.send(&frame(DATA, END_STREAM, 1, &[])).await;
    assert_eq!(consumer.end_of(1).await, End::Status(0));
}

#[tokio::test]
async fn a_head_that_is_the_whole_request_arrives_as_such() {
    let answer = |Ask { stream, .. }: Ask| {
        let parts = [ok(stream), trailers(stream, &[("grpc-status", "0")])];
        vec![Act::TakeAll, Act::Send(parts.concat())]
    };
    let (world, scripted, listed) = ledger(answer).await;
    let hub = world.broker().producer(&world.payments, "ledger", &listed, &["pay.v1.Ledger"]).start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    let head = crate::fixture::head("/pay.v1.Ledger/Post", &[]);
    let (response, _send) = consumer.connection.send(head, true).unwrap();
    let reply = crate::fixture::read(response).await.unwrap();
    assert_eq!((reply.status(), reply.body.len()), (0, 0));
    let frames = scripted.frames();
    let head = frames.iter().find(|frame| frame.kind == HEADERS && frame.flags & END_STREAM != 0);
    assert!(head.is_some(), "{frames:?}");
}
