//! What strangers send: bounded, cleaned, refused alone, and never a panic.

use super::*;
use proptest::prelude::*;

#[test]
fn an_item_that_cannot_be_read_is_refused_alone() {
    let Item::Record { signed: record, .. } = a_record() else { unreachable!() };
    let good = item::item(&a_record());
    let with = |edit: fn(&mut pb::TravellingRecord)| {
        let mut record = pb::TravellingRecord {
            signed: Some(signed(&record)),
            path: vec!["b1".into()],
            only_to_customers: String::new(),
        };
        edit(&mut record);
        pb::Item { item: Some(pb::item::Item::Record(record)) }
    };
    let bad = [
        pb::Item::default(),
        with(|r| r.signed = None),
        with(|r| r.path = vec!["B1".into()]),
        with(|r| r.path = vec!["b1".into(); LONGEST_PATH + 1]),
        with(|r| r.only_to_customers = "a b".into()),
        with(|r| r.signed.as_mut().unwrap().signer = Bytes::from_static(b"short")),
        with(|r| r.signed.as_mut().unwrap().scheme = 1 << 16),
        with(|r| r.signed.as_mut().unwrap().signature = vec![0; 200].into()),
        with(|r| r.signed.as_mut().unwrap().body = vec![0; LARGEST_BODY + 1].into()),
        pb::Item { item: Some(pb::item::Item::OutOfScope(pb::OutOfScope::default())) },
    ];
    let count = bad.len();
    let items = std::iter::once(good.clone()).chain(bad).chain([good]).collect();
    let batch = pb::Batch { number: 1, origin: Some(origin(&an_origin(1))), signers: Vec::new(), items };
    let batch = item::parse_batch(batch).unwrap();
    assert_eq!((&batch.items[0], &batch.items[count + 1]), (&a_record(), &a_record()));
    for item in &batch.items[1..=count] {
        assert!(matches!(item, Item::Unreadable(_)), "{item:?}");
    }
}

#[test]
fn what_is_too_much_is_not_read() {
    let open = |edit: fn(&mut pb::Open)| {
        let Some(pb::frame::Frame::Open(mut open)) = frame(&Frame::Open(an_open())).frame else { panic!() };
        edit(&mut open);
        read(&pb::Frame { frame: Some(pb::frame::Frame::Open(open)) })
    };
    assert!(open(|_| ()).is_ok());
    assert!(open(|o| o.features = vec!["x".into(); 65]).is_err());
    assert!(open(|o| o.features = vec!["x".repeat(65)]).is_err());
    assert!(open(|o| o.kinds = vec![1; 257]).is_err());
    assert!(open(|o| o.resume = vec![pb::ResumePoint::default(); MOST_ORIGINS + 1]).is_err());
    assert!(open(|o| o.resume.push(o.resume[0].clone())).is_err());
    assert!(open(|o| o.role = 99).is_err());
    assert!(open(|o| o.limits = None).is_err());
    assert!(open(|o| o.interval = Some(prost_types::Duration { seconds: -1, nanos: 0 })).is_err());

    let origin = Some(origin(&an_origin(1)));
    let batch = |signers, items| pb::Batch { number: 1, origin: origin.clone(), signers, items };
    let signer = |chain| vec![pb::Signer { chain }];
    assert!(item::parse_batch(batch(Vec::new(), vec![pb::Item::default(); MOST_ITEMS + 1])).is_err());
    assert!(item::parse_batch(batch(vec![pb::Signer::default(); MOST_SIGNERS + 1], Vec::new())).is_err());
    assert!(item::parse_batch(batch(signer(vec![Bytes::new(); LONGEST_CHAIN + 1]), Vec::new())).is_err());
    let large = vec![Bytes::from(vec![0; LARGEST_CERTIFICATE + 1])];
    assert!(item::parse_batch(batch(signer(large), Vec::new())).is_err());
}

#[test]
fn words_of_strangers_are_cut_and_cleaned() {
    let message = format!("a\n\u{202e}b{}", "x".repeat(5_000));
    let it = pb::Terminate { reason: 77, message };
    let Ok(Some(Frame::Terminate(read))) = read(&pb::Frame { frame: Some(pb::frame::Frame::Terminate(it)) })
    else {
        panic!()
    };
    assert_eq!(read.reason, TerminateReason::NotPeered);
    assert!(read.message.starts_with("abx") && read.message.len() == 1024, "{}", read.message);
    let it = pb::Verdict { outcome: 77, reason: "BAD\nNEWS; drop".into(), message: "x\u{7}y".into() };
    let verdicts = pb::Verdicts { batch: 1, verdicts: vec![it] };
    let frame = pb::Frame { frame: Some(pb::frame::Frame::Verdicts(verdicts)) };
    let Ok(Some(Frame::Verdicts(read))) = self::read(&frame) else { panic!() };
    let reason = Reason { code: "BADNEWS".into(), text: "xy".into() };
    assert_eq!(read.verdicts, [Verdict::Rejected(reason)]);
}

proptest! {
    /// Whatever a stranger sends: an answer, never a panic.
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400), kind in 0..9u32) {
        let bytes = Bytes::from(bytes);
        let _ = parse_body(&bytes);
        if let Ok(frame) = pb::Frame::decode(bytes.clone()) {
            let _ = parse_frame(frame);
        }
        for it in payloads() {
            let head = a_head(it.topic().kind(), it.topic().name().unwrap().as_str());
            let _ = parse_payload(&head, &bytes);
        }
        let _ = Topic::parse(Kind::from(kind), &RecordName::parse("platforms/p").unwrap());
    }

    /// A flipped bit or a cut never makes two bodies read as different heads of the same bytes, and never panics.
    #[test]
    fn damaged_frames_are_read_or_refused(which in 0..30usize, at in any::<prop::sample::Index>(), bit in 0..8u8, cut: bool) {
        let all = frames();
        let mut bytes = frame(&all[which % all.len()]).encode_to_vec();
        let at = at.index(bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << bit;
        }
        if cut {
            bytes.truncate(at);
        }
        if let Ok(frame) = pb::Frame::decode(Bytes::from(bytes)) {
            let _ = parse_frame(frame);
        }
    }
}
