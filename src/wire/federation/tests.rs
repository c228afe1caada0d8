//! Frames, bodies and payloads: what is written reads back, and what strangers send harms nothing.

mod hostile;

use super::*;
use crate::model::sync::*;
use crate::model::*;
use bytes::Bytes;
use jiff::Timestamp;
use prost::Message;
use std::time::Duration;

fn an_origin(n: u8) -> Origin {
    Origin {
        trust_domain: TrustDomain::parse(&format!("o{n}.example")).unwrap(),
        broker: BrokerId::parse(&format!("b{n}")).unwrap(),
    }
}

fn a_key(kind: Kind, name: &str) -> RecordKey {
    RecordKey { origin: an_origin(1), kind, name: RecordName::parse(name).unwrap() }
}

fn a_head(kind: Kind, name: &str) -> Head {
    Head {
        key: a_key(kind, name),
        stamp: Stamp { epoch: 7, sequence: 9 },
        is_deleted: false,
        scope: Scope {
            stage: Some(Stage::Beta),
            labels: [("b".to_owned(), "2".to_owned()), ("a".to_owned(), "1".to_owned())].into(),
        },
        written: Timestamp::from_second(1_700_000_000).unwrap(),
    }
}

fn a_signed() -> Signed {
    let body = body(&a_head(Kind::Other(99), "x/y"), &Bytes::from_static(b"payload"));
    Signed { body, signature: Bytes::from_static(b"sig"), scheme: 0x0403, signer: Digest::of(b"chain") }
}

fn a_record() -> Item {
    let path = Path::new([1, 2].map(|n| an_origin(n).broker));
    Item::Record { signed: a_signed(), travel: Travel { path, only_to_customers: Some(an_origin(2).broker) } }
}

fn a_position() -> Position {
    Position { stamp: Stamp { epoch: 1, sequence: 2 }, log: 3, cursor: 4 }
}

fn an_open() -> Open {
    Open {
        broker: an_origin(1),
        boot: 12,
        features: ["zeal".to_owned()].into(),
        role: Role::Customer,
        limits: Limits { items: 100, bytes: 1 << 20, hops: 4 },
        kinds: [Kind::Version, Kind::Other(40)].into(),
        interval: Duration::from_millis(2_500),
        head: Stamp { epoch: 1, sequence: 2 },
        resume: [(an_origin(2), a_position())].into(),
    }
}

fn frames() -> Vec<Frame> {
    let origin = an_origin(3);
    let reason = || Reason { code: "BAD_SIGNATURE".into(), text: "its signature does not fit".into() };
    let gone = a_key(Kind::Version, "platforms/p/capabilities/c/versions/1.0.0");
    let resets = [ResetReason::New, ResetReason::Epoch, ResetReason::Unknown, ResetReason::Behind];
    let courses = resets.into_iter().chain([ResetReason::Deferred]).map(Course::Reset);
    let stances = courses.chain([Course::Resume]).map(|course| {
        let (freshness, age) = (Freshness::Partitioned, Duration::from_secs(3));
        Frame::Stance(Stance { origin: an_origin(3), course, freshness, age })
    });
    let progress = Progress {
        origin: origin.clone(),
        position: Some(a_position()),
        freshness: Freshness::Live,
        age: Duration::ZERO,
    };
    let verdicts = vec![Verdict::Applied, Verdict::Rejected(reason()), Verdict::Deferred(reason())];
    let away = |reason| {
        Frame::GoAway(GoAway { reason, retry_after: Duration::from_secs(1), message: "later".into() })
    };
    let end = |reason| Frame::Terminate(Terminate { reason, message: "no".into() });
    let mut all: Vec<Frame> = stances.collect();
    all.extend([
        Frame::Open(an_open()),
        Frame::Begin(Begin { origin: origin.clone(), snapshot: 5 }),
        Frame::Batch(Batch {
            number: 1,
            origin: origin.clone(),
            signers: vec![Signer { chain: vec![Bytes::from_static(b"leaf")] }],
            items: vec![a_record(), Item::OutOfScope { key: gone, stamp: Stamp { epoch: 1, sequence: 1 } }],
        }),
        Frame::End(End { origin: origin.clone(), snapshot: 5, items: 2 }),
        Frame::Verdicts(Verdicts { batch: 1, verdicts }),
        Frame::Credit(Credit { items: 3, bytes: 4 }),
        Frame::Mark(Mark {
            number: 8,
            origins: vec![progress.clone(), Progress { position: None, ..progress }],
        }),
        Frame::Withdraw(Withdraw { origin }),
        Frame::Yours(a_record()),
    ]);
    use GoAwayReason::*;
    all.extend([Stopping, Duplicate, Reconfigured, Damped, Stalled, Silent, Protocol, Paused].map(away));
    use TerminateReason::*;
    all.extend([NotPeered, RoleMismatch, WrongBroker].map(end));
    all
}

fn a_version() -> Version {
    let facts = Facts {
        labels: [("z".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())].into(),
        on_call: "pager".into(),
        ..Facts::default()
    };
    Version {
        name: VersionName::parse("platforms/p.example/capabilities/c/versions/1.2.3").unwrap(),
        services: vec![ServiceName::parse("p.c.v1.S").unwrap()],
        descriptors: Some(Digest::of(b"set")),
        parameter_schema: Some("{}".into()),
        digest: Digest::of(b"contract"),
        description: "what it is for".into(),
        owner: "team".into(),
        contact: "team@p.example".into(),
        stage: Stage::Deprecated,
        deprecation_time: Some(Timestamp::UNIX_EPOCH),
        sunset_time: None,
        visibility: Visibility::everyone(),
        slo: Slo { availability_percent: Some(99.9), latency_p99: Some(Duration::from_millis(5)) },
        traffic_weight: Some(10),
        facts: facts.shared(),
    }
}

fn payloads() -> Vec<Payload> {
    let version = a_version();
    let name = version.name.clone();
    let health = Health {
        state: State::Degraded,
        reason: "PARTLY".into(),
        message: "one of two".into(),
        since: Timestamp::UNIX_EPOCH,
    };
    let id = ProducerId::parse("c-1").unwrap();
    vec![
        Payload::Bundle(Authorities {
            trust_domain: an_origin(1).trust_domain,
            certificates: vec![Bytes::from_static(b"der")],
        }),
        Payload::Platform(Platform {
            name: name.platform.clone(),
            display_name: "P".into(),
            trust_domain: an_origin(1).trust_domain,
            service_prefixes: vec![ServicePrefix::parse("p").unwrap()],
        }),
        Payload::Descriptors { version: name.clone(), bytes: Bytes::from_static(b"set") },
        Payload::Version(Box::new(version)),
        Payload::Producer(Serving {
            version: name.clone(),
            producer: id.clone(),
            identity: Identity::parse("spiffe://o1.example/c", &an_origin(1).trust_domain).unwrap(),
            endpoints: vec![Endpoint {
                address: Address::parse("10.0.0.1:443").unwrap(),
                locality: "eu/a".into(),
                weight: 3,
            }],
            created: Timestamp::UNIX_EPOCH,
        }),
        Payload::Status(Report { version: name, health: health.clone(), producers: [(id, health)].into() }),
    ]
}

fn read(frame: &pb::Frame) -> Result<Option<Frame>, Violation> {
    parse_frame(pb::Frame::decode(Bytes::from(frame.encode_to_vec())).unwrap())
}

#[test]
fn every_frame_reads_back() {
    for it in frames() {
        assert_eq!(read(&frame(&it)), Ok(Some(it)));
    }
}

#[test]
fn a_frame_of_a_newer_broker_is_skipped() {
    // Field 4000, a message: a kind of frame that nobody knows yet.
    let unknown = Bytes::from_static(&[0x82, 0xfa, 0x01, 0x02, 0x08, 0x01]);
    assert_eq!(parse_frame(pb::Frame::decode(unknown).unwrap()), Ok(None));
}

#[test]
fn what_a_freshness_of_a_newer_broker_says_is_not_believed() {
    let progress = pb::Progress { origin: Some(origin(&an_origin(1))), freshness: 9, ..Default::default() };
    let mark = pb::Mark { number: 1, origins: vec![progress] };
    let Ok(Some(Frame::Mark(mark))) = read(&pb::Frame { frame: Some(pb::frame::Frame::Mark(mark)) }) else {
        panic!()
    };
    assert_eq!(mark.origins[0].freshness, Freshness::Expired);
}

#[test]
fn every_payload_reads_back_and_fits_only_its_own_name() {
    for it in payloads() {
        let name = it.topic().name().unwrap();
        let head = Head { scope: Scope::default(), ..a_head(it.topic().kind(), name.as_str()) };
        let bytes = payload(&it);
        assert_eq!(payload(&it), bytes, "the same words are the same bytes");
        let body = body(&head, &bytes);
        let (read, slice) = parse_body(&body).unwrap();
        assert_eq!((&read, &slice), (&head, &bytes));
        assert_eq!(parse_payload(&read, &slice), Ok(Some(it)));
        let deleted = Head { is_deleted: true, ..read };
        assert_eq!(parse_payload(&deleted, &Bytes::new()), Ok(None));
    }
    let other = a_head(Kind::Version, "platforms/p.example/capabilities/c/versions/1.2.4");
    let read = parse_payload(&other, &payload(&Payload::Version(Box::new(a_version()))));
    assert!(matches!(read, Err(Rejection::BadPayload(_))), "{read:?}");
}

#[test]
fn a_producer_of_another_trust_domain_is_refused() {
    let serving = payloads().into_iter().find_map(|it| match it {
        Payload::Producer(serving) => Some(serving),
        _ => None,
    });
    let mut serving = serving.unwrap();
    serving.identity = Identity::parse_spiffe("spiffe://o2.example/c").unwrap();
    let it = Payload::Producer(serving);
    let head = a_head(Kind::Producer, it.topic().name().unwrap().as_str());
    assert!(matches!(parse_payload(&head, &payload(&it)), Err(Rejection::BadPayload(_))));
}

#[test]
fn a_body_says_what_no_record_may_say() {
    let version = "platforms/p/capabilities/c/versions/1.0.0";
    let parse = |edit: fn(&mut Head), payload: &'static [u8]| {
        let mut head = a_head(Kind::Version, version);
        edit(&mut head);
        parse_body(&body(&head, &Bytes::from_static(payload))).map(|_| ())
    };
    let is_malformed = |read| matches!(read, Err(Rejection::Malformed(_)));
    assert_eq!(parse(|_| (), b"x"), Ok(()));
    assert_eq!(parse(|h| h.is_deleted = true, b""), Ok(()));
    assert!(is_malformed(parse(|h| h.is_deleted = true, b"x")));
    assert!(is_malformed(parse(|h| h.stamp = Stamp { epoch: 0, sequence: 1 }, b"")));
    assert!(is_malformed(parse(|h| h.stamp = Stamp { epoch: 1, sequence: 0 }, b"")));
    assert!(is_malformed(parse(|h| h.key.kind = Kind::Status, b"")), "the name is not of its kind");
    assert_eq!(parse(|h| h.key.kind = Kind::Other(50), b"x"), Ok(()));
    assert!(is_malformed(parse(
        |h| h.scope.labels = (0..65).map(|n| (n.to_string(), String::new())).collect(),
        b""
    )));
    assert!(is_malformed(parse_body(&Bytes::new()).map(|_| ())));
}

#[test]
fn fields_of_a_newer_broker_stay_in_the_body() {
    let plain = body(&a_head(Kind::Version, "platforms/p/capabilities/c/versions/1.0.0"), &Bytes::new());
    // Field 1000, a varint.
    let newer = Bytes::from([plain.as_ref(), &[0xc0, 0x3e, 0x01]].concat());
    assert_eq!(parse_body(&newer).unwrap(), parse_body(&plain).unwrap());
    let record = Signed { body: newer.clone(), ..a_signed() };
    let Item::Record { signed, .. } =
        item::parse_item(item::item(&Item::Record { signed: record, travel: Travel::own() }))
    else {
        panic!()
    };
    assert_eq!(signed.body, newer);
}
