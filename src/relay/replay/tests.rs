//! Copies against what was copied, and against their limits.

use super::*;

fn request() -> request::Parts {
    let mut secret = HeaderValue::from_static("hush");
    secret.set_sensitive(true);
    let request = Request::post("https://ledger.example/pay.v1.Ledger/Post")
        .header("te", "trailers")
        .header("x-twice", "1")
        .header("x-twice", HeaderValue::from_bytes(b"\xff\xfe").unwrap())
        .header("authorization", secret);
    request.body(()).unwrap().into_parts().0
}

fn kept() -> usize {
    on_shelf(|shelf| shelf.bytes).unwrap()
}

#[test]
fn a_head_reads_back_as_it_was() {
    let head = request();
    let replay = Replay::of(&head, false, Limits::default());
    let back = replay.head().unwrap();
    assert_eq!((&back.method, &back.uri, &back.headers), (&head.method, &head.uri, &head.headers));
    assert!(back.headers["authorization"].is_sensitive() && !back.headers["te"].is_sensitive());
    assert!(!replay.is_whole());

    let mut bare = request();
    bare.uri = "/pay.v1.Ledger/Post".parse().unwrap();
    let back = Replay::of(&bare, true, Limits::default());
    assert_eq!(back.head().unwrap().uri, bare.uri);
    assert!(back.is_whole() && back.frame(0).is_none());
}

#[test]
fn frames_read_back_whether_they_were_copied_or_held() {
    let mut replay = Replay::of(&request(), false, Limits::default());
    let large = Bytes::from(vec![7; 9000]);
    for (data, end) in [(&b"small"[..], false), (b"er", false), (&large, false), (b"end", false), (b"", true)]
    {
        replay.push(&Bytes::copy_from_slice(data), end);
    }
    let frames = [Bytes::from_static(b"smaller"), large, Bytes::from_static(b"end")];
    assert_eq!(replay.frames(), frames.map(|data| (data.clone(), data == "end")), "small ones are one");
    assert!(replay.is_whole());
}

#[test]
fn what_fits_is_what_push_keeps() {
    let limits = Limits { call: 1 << 20, worker: kept() + 2000 };
    let mut replay = Replay::of(&request(), false, limits);
    assert!(replay.fits(1000) && !replay.fits(2000), "the worker's room counts");
    replay.push(&vec![1; 1000].into(), false);
    assert!(replay.is_kept() && !replay.fits(1000));
    (0..10_000).for_each(|_| replay.push(&Bytes::from_static(b"x"), false));
    assert!(!replay.is_kept(), "small frames count with their place");
}

#[test]
fn what_is_over_a_limit_is_not_kept_and_what_ends_makes_room() {
    let before = kept();
    let limits = Limits { call: 10_000, worker: before + 15_000 };
    let mut first = Replay::of(&request(), false, limits);
    first.push(&vec![1; 9000].into(), false);
    assert!(first.is_kept() && kept() > before + 9000);
    let mut second = Replay::of(&request(), false, limits);
    second.push(&vec![1; 9000].into(), false);
    assert!(!second.is_kept() && second.head().is_none(), "the worker has no room for it");
    drop(first);
    assert_eq!(kept(), before);
    let mut third = Replay::of(&request(), false, limits);
    third.push(&vec![1; 9000].into(), false);
    assert!(third.is_kept());
    third.push(&vec![1; 1000].into(), true);
    assert!(!third.is_kept(), "the call is too large");
    assert_eq!(kept(), before);
}
