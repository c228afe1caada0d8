//! What is signed is believed as far as its signer owns it, and no bit further (attacks.md R5).

pub(in crate::federation) mod world;

use super::*;
use crate::identity::Unsealed;
use crate::model::{Kind, RecordKey, RecordName, Scope, Stamp, Topic};
use proptest::prelude::*;
use world::{Org, a_version, head, judge, judge_with, now, payload_of, seal};

#[test]
fn what_its_owner_signed_is_believed() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let mut judge = judge(&[&a, &b]);
    for org in [&a, &b] {
        let version = a_version(org);
        let record = seal(org, &version);
        judge.learn(&org.sealer().signer());
        let judged = judge.judge(record.signed.clone(), now()).unwrap();
        assert_eq!(judged, Judged { record, payload: Some(version) });
    }
}

#[test]
fn both_kinds_of_keys_sign_and_no_other() {
    for (algorithm, signs) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, true),
        (&rcgen::PKCS_ED25519, true),
        (&rcgen::PKCS_ECDSA_P384_SHA384, false),
    ] {
        let org = Org::with_key("a.example", algorithm);
        let version = a_version(&org);
        let sealed = org.sealer().seal(head(&org, &version), &payload_of(&version));
        if !signs {
            assert_eq!(sealed.unwrap_err(), Unsealed::OtherKey);
            continue;
        }
        let mut judge = judge(&[&org]);
        judge.learn(&org.sealer().signer());
        assert!(judge.judge(sealed.unwrap().signed, now()).is_ok());
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let org = Org::new("a.example");
    let mut judge = judge(&[&org]);
    judge.learn(&org.sealer().signer());
    let signed = seal(&org, &a_version(&org)).signed;
    let flipped = |bytes: &Bytes, at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at / 8] ^= 1 << (at % 8);
        Bytes::from(bytes)
    };
    for at in 0..signed.body.len() * 8 {
        let forged = Signed { body: flipped(&signed.body, at), ..signed.clone() };
        assert_eq!(judge.judge(forged, now()), Err(Rejection::BadSignature), "bit {at} of the body");
    }
    for at in 0..signed.signature.len() * 8 {
        let forged = Signed { signature: flipped(&signed.signature, at), ..signed.clone() };
        assert_eq!(judge.judge(forged, now()), Err(Rejection::BadSignature), "bit {at} of the signature");
    }
    for at in 0..16 {
        let forged = Signed { scheme: signed.scheme ^ (1 << at), ..signed.clone() };
        assert_eq!(judge.judge(forged, now()), Err(Rejection::BadSignature), "bit {at} of the scheme");
    }
    let cut = Signed { body: signed.body.slice(..signed.body.len() - 1), ..signed.clone() };
    assert_eq!(judge.judge(cut, now()), Err(Rejection::BadSignature));
    let none = Signed { signature: Bytes::new(), ..signed };
    assert_eq!(judge.judge(none, now()), Err(Rejection::BadSignature));
}

#[test]
fn a_signature_under_something_else_is_none_under_a_record() {
    let org = Org::new("a.example");
    let mut judge = judge(&[&org]);
    judge.learn(&org.sealer().signer());
    let record = seal(&org, &a_version(&org));
    let seal = org.credentials().seal(&record.signed.body).unwrap();
    let forged = Signed { signature: seal.signature.into(), ..record.signed };
    assert_eq!(judge.judge(forged, now()), Err(Rejection::BadSignature));
}

#[test]
fn a_signer_is_unknown_until_its_chain_came_and_believed_only_if_it_is_good() {
    let (a, stranger, b) = (Org::new("a.example"), Org::new("a.example"), Org::new("b.example"));
    let mut judge = judge(&[&a, &b]);
    let signed = seal(&stranger, &a_version(&a)).signed;
    assert_eq!(judge.judge(signed.clone(), now()), Err(Rejection::UnknownSigner));
    judge.learn(&stranger.sealer().signer());
    let refused = judge.judge(signed, now());
    assert!(matches!(refused, Err(Rejection::Untrusted(_))), "another authority of that name: {refused:?}");

    let forger = b.workload_called("spiffe://a.example/broker");
    judge.learn(&forger.sealer().signer());
    let refused = judge.judge(seal(&forger, &a_version(&a)).signed, now());
    assert!(
        matches!(refused, Err(Rejection::Untrusted(_))),
        "b's authority made an identity of a: {refused:?}"
    );

    judge.learn(&Signer { chain: Vec::new() });
    judge.learn(&Signer { chain: vec![Bytes::from_static(b"no certificate")] });
    let empty = Signed { signer: crate::identity::chain_digest(&[]), ..seal(&a, &a_version(&a)).signed };
    assert!(matches!(judge.judge(empty, now()), Err(Rejection::Untrusted(_))));
}

#[test]
fn nobody_tells_of_what_is_anothers() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let mut judge = judge(&[&a, &b]);
    judge.learn(&b.sealer().signer());
    let mut verdict = |head: Head, payload: &Payload| {
        let record = b.sealer().seal(head, &payload_of(payload)).unwrap();
        judge.judge(record.signed, now()).unwrap_err()
    };
    let of_a = a_version(&a);
    let as_a = head(&a, &of_a);
    assert!(matches!(verdict(as_a.clone(), &of_a), Rejection::ForeignSigner { .. }), "b as the origin a");

    let origin = head(&b, &a_version(&b)).key.origin;
    let as_b = Head { key: RecordKey { origin: origin.clone(), ..as_a.key.clone() }, ..as_a.clone() };
    assert!(matches!(verdict(as_b.clone(), &of_a), Rejection::ForeignName { .. }), "b of a's platform");

    let strange = RecordKey { kind: Kind::Other(90), ..as_b.key.clone() };
    let strange = Head { key: strange, ..as_b.clone() };
    assert!(matches!(verdict(strange, &of_a), Rejection::ForeignName { .. }), "also in kinds nobody knows");

    let unknown = RecordName::parse("platforms/nobody.example").unwrap();
    let unknown = RecordKey { origin, kind: Kind::Platform, name: unknown };
    let unknown = Head { key: unknown, ..as_b.clone() };
    assert!(matches!(verdict(unknown, &of_a), Rejection::ForeignName { .. }), "a platform that nobody knows");
}

#[test]
fn a_version_offers_only_what_its_platform_was_granted() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let mut judge = judge(&[&a, &b]);
    judge.learn(&b.sealer().signer());
    for service in ["a.v1.Ledger", "bb.v1.X", "grpc.health.v1.Health"] {
        let Payload::Version(mut version) = a_version(&b) else { panic!() };
        version.services.push(crate::model::ServiceName::parse(service).unwrap());
        let record = seal(&b, &Payload::Version(version));
        let expected = Rejection::ForeignPrefix { service: service.to_owned() };
        assert_eq!(judge.judge(record.signed, now()), Err(expected));
    }
}

#[test]
fn only_brokers_speak_where_brokers_are_named() {
    let a = Org::new("a.example");
    let broker = crate::model::Identity::parse_spiffe("spiffe://a.example/broker").unwrap();
    let mut judge = judge_with(&[&a], [(a.domain(), [broker].into())].into(), [].into());
    let ledger = a.workload_called("spiffe://a.example/ledger");
    for org in [&a, &ledger] {
        judge.learn(&org.sealer().signer());
    }
    assert!(judge.judge(seal(&a, &a_version(&a)).signed, now()).is_ok());
    let refused = judge.judge(seal(&ledger, &a_version(&a)).signed, now());
    assert!(matches!(refused, Err(Rejection::NotABroker(_))), "{refused:?}");
}

#[test]
fn authorities_come_from_their_own_or_a_pinned_introducer() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let bundle = |of: &Org, by: &Org| {
        let payload = Payload::Bundle(crate::model::Authorities {
            trust_domain: of.domain(),
            certificates: vec![Bytes::from_static(b"der")],
        });
        by.sealer().seal(head(by, &payload), &payload_of(&payload)).unwrap().signed
    };
    for (introducers, allowed) in [(vec![], false), (vec![b.domain()], true)] {
        let mut judge = judge_with(&[&a, &b], [].into(), introducers.into_iter().collect());
        judge.learn(&a.sealer().signer());
        judge.learn(&b.sealer().signer());
        assert!(judge.judge(bundle(&a, &a), now()).is_ok());
        assert_eq!(judge.judge(bundle(&a, &b), now()).is_ok(), allowed);
    }
}

#[test]
fn a_certificate_counts_a_little_longer_than_it_lives() {
    let a = Org::new("a.example");
    let signed = seal(&a, &a_version(&a)).signed;
    let end = a.credentials().not_after();
    let at = |after: SignedDuration| {
        let mut judge = judge(&[&a]);
        judge.learn(&a.sealer().signer());
        judge.judge(signed.clone(), end + after).map(|_| ())
    };
    assert_eq!(at(SignedDuration::from_secs(-1)), Ok(()));
    assert_eq!(at(OVERLAP - SignedDuration::from_secs(1)), Ok(()));
    assert_eq!(at(OVERLAP), Err(Rejection::ExpiredSigner));
    assert_eq!(at(SignedDuration::from_hours(24)), Err(Rejection::ExpiredSigner));
    let mut judge = judge(&[&a]);
    judge.learn(&a.sealer().signer());
    let mut at = |after: SignedDuration| judge.judge(signed.clone(), end + after).map(|_| ());
    assert_eq!(at(SignedDuration::from_hours(24)), Err(Rejection::ExpiredSigner));
    assert_eq!(at(SignedDuration::ZERO), Ok(()), "a clock that was set right is looked at again");
    assert_eq!(at(SignedDuration::from_hours(24)), Err(Rejection::ExpiredSigner));
}

#[test]
fn keys_and_authorities_rotate_with_an_overlap() {
    let old = Org::new("a.example");
    let new = Org::new("a.example");
    let both = Org::joined(&old, &new);
    for (bundle, believed) in [(&old, [true, false]), (&both, [true, true]), (&new, [false, true])] {
        let mut judge = judge(&[bundle]);
        for (signer, believed) in [&old, &new].into_iter().zip(believed) {
            judge.learn(&signer.sealer().signer());
            assert_eq!(judge.judge(seal(signer, &a_version(signer)).signed, now()).is_ok(), believed);
        }
    }
    let renewed = old.workload_called("spiffe://a.example/broker");
    assert_ne!(old.sealer().signer(), renewed.sealer().signer());
    let (first, again) = (seal(&old, &a_version(&old)), seal(&renewed, &a_version(&old)));
    assert!(!first.equivocates(&again), "another signature under the same words");
    assert_ne!(first.signed.signer, again.signed.signer);
}

#[test]
fn two_tongues_are_told_apart_from_a_replay() {
    let a = Org::new("a.example");
    let version = a_version(&a);
    let first = seal(&a, &version);
    let mut other = head(&a, &version);
    other.is_deleted = true;
    let deleted = a.sealer().seal(other, &Bytes::new()).unwrap();
    assert!(first.equivocates(&deleted));
    let mut later = head(&a, &version);
    later.stamp.sequence += 1;
    let later = a.sealer().seal(later, &payload_of(&version)).unwrap();
    assert!(!first.equivocates(&later));
    assert!(!first.equivocates(&first.clone()));
}

#[test]
fn strangers_push_out_only_who_was_asked_for_longest_ago() {
    let a = Org::new("a.example");
    let mut judge = judge(&[&a]);
    judge.learn(&a.sealer().signer());
    let signed = seal(&a, &a_version(&a)).signed;
    for n in 0..5_000u32 {
        judge.learn(&Signer { chain: vec![Bytes::copy_from_slice(&n.to_be_bytes())] });
        if n % 500 == 0 {
            assert!(judge.judge(signed.clone(), now()).is_ok(), "after {n}");
        }
    }
    assert!(judge.signer(&signed.signer).is_some());
    for n in 0..2_000u32 {
        judge.learn(&Signer { chain: vec![Bytes::copy_from_slice(&n.to_be_bytes())] });
    }
    assert_eq!(judge.judge(signed, now()), Err(Rejection::UnknownSigner), "its chain is to be sent again");
}

#[test]
fn a_record_of_an_unknown_kind_is_kept_and_not_used() {
    let a = Org::new("a.example");
    let mut judge = judge(&[&a]);
    judge.learn(&a.sealer().signer());
    let mut head = head(&a, &a_version(&a));
    head.key.kind = Kind::Other(90);
    head.scope = Scope::default();
    let record = a.sealer().seal(head, &Bytes::from_static(b"\xff\xff")).unwrap();
    let judged = judge.judge(record.signed.clone(), now()).unwrap();
    assert_eq!(judged, Judged { record, payload: None });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is signed by its owner is judged, never a panic: a broker may be honest and broken.
    #[test]
    fn signed_nonsense_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 1..8u32) {
        let a = Org::shared();
        let mut judge = judge(&[a]);
        judge.learn(&a.sealer().signer());
        let mut head = head(a, &a_version(a));
        head.key.kind = Kind::from(kind);
        head.stamp = Stamp { epoch: 1, sequence: 1 };
        if let Ok(Some(topic)) = Topic::parse(head.key.kind, &head.key.name) {
            prop_assert_eq!(topic.kind(), Kind::Version);
        }
        let record = a.sealer().seal(head, &bytes.into()).unwrap();
        let _ = judge.judge(record.signed, now());
    }
}
