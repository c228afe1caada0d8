//! Those who dial us with a certificate that must not let them in (T1, T2, T3, T5, T6).

use super::hostile::*;
use super::wire::*;
use portolan::identity::{Refusal, Usage};
use rcgen::{
    BasicConstraints, CidrSubnet, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyUsagePurpose,
    NameConstraints,
};
use rustls::version::TLS13;
use std::time::SystemTime;

/// Ours, and what it makes of somebody from `a.example` or elsewhere.
async fn judged(orgs: &[&Org], shown: Option<Shown>) -> Result<String, Refusal> {
    let broker = Org::new("broker.example");
    let peer = judge(&trust(orgs), &broker.credentials("broker"), shown).await;
    peer.map(|peer| peer.identity.to_string())
}

#[tokio::test]
async fn a_workload_is_known_by_its_spiffe_id() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let shown = judged(&[&a, &b], Some(a.shown("ledger"))).await;
    assert_eq!(shown, Ok("spiffe://a.example/ledger".into()));
}

#[tokio::test]
async fn nobody_comes_in_without_a_certificate() {
    let a = Org::new("a.example");
    assert_eq!(judged(&[&a], None).await, Err(Refusal::NoCertificate));
}

#[tokio::test]
async fn nobody_vouches_for_himself() {
    let a = Org::new("a.example");
    let forged = self_signed(&leaf(&[uri("spiffe://a.example/ledger")]));
    assert_eq!(judged(&[&a], Some(forged)).await, Err(Refusal::Untrusted("a.example".into())));
}

#[tokio::test]
async fn an_authority_that_nobody_knows_vouches_for_nobody() {
    let (a, stranger) = (Org::new("a.example"), Org::new("a.example"));
    let forged = stranger.sign(&leaf(&[uri("spiffe://a.example/ledger")]));
    assert_eq!(judged(&[&a], Some(forged)).await, Err(Refusal::Untrusted("a.example".into())));
    let unknown = Org::new("c.example").shown("ledger");
    let refused = judged(&[&a], Some(unknown)).await.unwrap_err();
    assert_eq!(refused.to_string(), "trust domain c.example is not known here");
}

#[tokio::test]
async fn an_authority_never_makes_an_identity_of_another_domain() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let forged = b.sign(&leaf(&[uri("spiffe://a.example/ledger")]));
    assert_eq!(judged(&[&a, &b], Some(forged)).await, Err(Refusal::Untrusted("a.example".into())));
}

#[tokio::test]
async fn neither_does_one_below_it() {
    let a = Org::new("a.example");
    let (b, root) = Org::with_deep_root("b.example");
    let middle = authority("b.example middle", Some(&root));
    let forged = sign(&leaf(&[uri("spiffe://a.example/ledger")]), &middle, &[middle.der().clone()]);
    assert_eq!(judged(&[&a, &b], Some(forged)).await, Err(Refusal::Untrusted("a.example".into())));
    let honest = sign(&leaf(&[uri("spiffe://b.example/ledger")]), &middle, &[middle.der().clone()]);
    assert_eq!(judged(&[&a, &b], Some(honest)).await, Ok("spiffe://b.example/ledger".into()));
}

#[tokio::test]
async fn a_cross_signed_authority_keeps_to_its_own_domain() {
    let (a, root) = Org::with_deep_root("a.example");
    let b = Org::new("b.example");
    // A's root signs B's authority, which says in its own certificate whose it is.
    let mut params = authority_params("b.example development authority");
    params.subject_alt_names = vec![uri("spiffe://b.example")];
    let crossed = below(params, Some(&root));
    let forged = sign(&leaf(&[uri("spiffe://a.example/ledger")]), &crossed, &[crossed.der().clone()]);
    let refused = judged(&[&a, &b], Some(forged)).await;
    let claimed = a.domain.name.clone();
    assert_eq!(refused, Err(Refusal::ForeignIssuer { claimed, issuer: "spiffe://b.example".into() }));
}

#[tokio::test]
async fn a_certificate_is_good_in_its_time_only() {
    let a = Org::new("a.example");
    let now = SystemTime::now();
    let mut old = leaf(&[uri("spiffe://a.example/ledger")]);
    old.not_after = (now - HOUR / 2).into();
    let refused = judged(&[&a], Some(a.sign(&old))).await;
    assert!(matches!(refused, Err(Refusal::Expired(at)) if at < jiff::Timestamp::now()), "{refused:?}");
    let mut early = leaf(&[uri("spiffe://a.example/ledger")]);
    early.not_before = (now + HOUR / 2).into();
    let refused = judged(&[&a], Some(a.sign(&early))).await;
    assert!(matches!(refused, Err(Refusal::NotYetValid(at)) if at > jiff::Timestamp::now()), "{refused:?}");
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_and_the_others_are_not() {
    let a = Org::new("a.example");
    let bad = leaf(&[uri("spiffe://a.example/bad")]);
    let revoked = a.authority.crl(&[bad.serial_number.as_ref().unwrap().to_bytes()]).unwrap();
    let a = a.with_list(&revoked);
    assert_eq!(judged(&[&a], Some(a.sign(&bad))).await, Err(Refusal::Revoked));
    assert!(judged(&[&a], Some(a.shown("good"))).await.is_ok());
}

#[tokio::test]
async fn a_revocation_list_that_says_nothing_lets_nobody_in() {
    let later = SystemTime::now() + HOUR;
    let a = Org::new("a.example");
    let old = list(a.authority.issuer(), &[], SystemTime::now() - HOUR);
    let a = a.with_list(&old);
    let refused = judged(&[&a], Some(a.shown("ledger"))).await;
    assert!(matches!(refused, Err(Refusal::RevocationListExpired { .. })), "{refused:?}");

    let other = authority("another authority", None);
    let a = Org::new("a.example").with_list(&list(&other, &[], later));
    let refused = judged(&[&a], Some(a.shown("ledger"))).await;
    assert_eq!(refused, Err(Refusal::RevocationUnknown("a.example".into())));

    let namesake = Org::new("a.example");
    let a = Org::new("a.example").with_list(&list(namesake.authority.issuer(), &[], later));
    let refused = judged(&[&a], Some(a.shown("ledger"))).await;
    assert!(matches!(refused, Err(Refusal::RevocationListInvalid { .. })), "{refused:?}");
}

#[tokio::test]
async fn an_authority_is_not_a_workload() {
    let a = Org::new("a.example");
    let mut with_bit = leaf(&[uri("spiffe://a.example/ledger")]);
    with_bit.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut with_usage = leaf(&[uri("spiffe://a.example/ledger")]);
    with_usage.key_usages.push(KeyUsagePurpose::KeyCertSign);
    for params in [with_bit, with_usage] {
        assert_eq!(judged(&[&a], Some(a.sign(&params))).await, Err(Refusal::Authority));
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_for_dialling_does_not_dial() {
    let a = Org::new("a.example");
    for usages in [vec![], vec![ExtendedKeyUsagePurpose::ServerAuth], vec![ExtendedKeyUsagePurpose::Any]] {
        let mut params = leaf(&[uri("spiffe://a.example/ledger")]);
        params.extended_key_usages = usages;
        assert_eq!(judged(&[&a], Some(a.sign(&params))).await, Err(Refusal::Purpose(Usage::Client)));
    }
}

#[tokio::test]
async fn the_constraints_of_an_authority_hold() {
    let (a, root) = Org::with_deep_root("a.example");
    let a = a.mapping(&["a.internal"]);
    let mut narrow = authority_params("narrow");
    narrow.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("team.a.internal".into())],
        excluded_subtrees: vec![GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0, 0, 0, 0], 0))],
    });
    let narrow = below(narrow, Some(&root));
    let outside = sign(&leaf(&[dns("ledger.a.internal")]), &narrow, &[narrow.der().clone()]);
    assert_eq!(judged(&[&a], Some(outside)).await, Err(Refusal::NameConstraint));
    let inside = sign(&leaf(&[dns("x.team.a.internal")]), &narrow, &[narrow.der().clone()]);
    assert_eq!(judged(&[&a], Some(inside)).await, Ok("dns:x.team.a.internal".into()));
}

#[tokio::test]
async fn no_authority_stands_below_one_that_allows_none() {
    // The development authority is such a one, and it is the anchor itself.
    let a = Org::new("a.example");
    let middle = authority("middle", Some(a.authority.issuer()));
    let shown = sign(&leaf(&[uri("spiffe://a.example/x")]), &middle, &[middle.der().clone()]);
    assert_eq!(judged(&[&a], Some(shown)).await, Err(Refusal::PathLength));

    let (b, root) = Org::with_deep_root("b.example");
    let mut params = authority_params("middle");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let middle = below(params, Some(&root));
    let lower = authority("lower", Some(&middle));
    let above = [lower.der().clone(), middle.der().clone()];
    let shown = sign(&leaf(&[uri("spiffe://b.example/x")]), &lower, &above);
    assert_eq!(judged(&[&b], Some(shown)).await, Err(Refusal::PathLength));
}

#[tokio::test]
async fn an_authority_out_of_time_vouches_for_nobody() {
    let a = Org::new("a.example");
    let mut params = authority_params("old root");
    params.not_after = (SystemTime::now() - HOUR / 2).into();
    let root = below(params, None);
    std::fs::write(&a.domain.bundle, root.pem()).unwrap();
    let refused = judged(&[&a], Some(sign(&leaf(&[uri("spiffe://a.example/x")]), &root, &[]))).await;
    assert!(matches!(refused, Err(Refusal::Expired(_))), "{refused:?}");
}

#[tokio::test]
async fn only_http2_is_spoken() {
    let (a, broker) = (Org::new("a.example"), Org::new("broker.example"));
    let (trust, ours) = (trust(&[&a]), broker.credentials("broker"));
    for alpn in [&[][..], &[&b"http/1.1"[..]], &[&b"h2c"[..]]] {
        for version in BOTH {
            let theirs = dialler(version, Some(a.shown("ledger")), alpn);
            let (near, far) = tokio::io::duplex(64 << 10);
            let dial =
                tokio_rustls::TlsConnector::from(std::sync::Arc::new(theirs)).connect(localhost(), far);
            let listen =
                portolan::identity::accept(&trust, portolan::identity::server_config(&trust, &ours), near);
            let (listened, _) = timely(async { tokio::join!(listen, dial) }).await;
            assert_eq!(listened.map(drop), Err(Refusal::NoHttp2), "{alpn:?}");
        }
    }
    let both = dialler(&TLS13, Some(a.shown("ledger")), &[b"http/1.1", b"h2"]);
    assert!(dialled(&trust, &ours, both).await.is_ok());
}

#[tokio::test]
async fn old_versions_and_weak_suites_are_refused() {
    let (a, broker) = (Org::new("a.example"), Org::new("broker.example"));
    let (trust, ours) = (trust(&[&a]), broker.credentials("broker"));
    const GOOD: [u8; 2] = [0xc0, 0x2b];
    let hellos = [
        ("SSL 3.0", hello([3, 0], GOOD)),
        ("TLS 1.0", hello([3, 1], GOOD)),
        ("TLS 1.1", hello([3, 2], GOOD)),
        ("RSA_WITH_NULL_SHA", hello([3, 3], [0, 2])),
        ("RSA_EXPORT_WITH_RC4_40_MD5", hello([3, 3], [0, 3])),
        ("RSA_WITH_AES_128_CBC_SHA", hello([3, 3], [0, 0x2f])),
        ("plain HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
    ];
    for (what, hello) in hellos {
        let refused = told(&trust, &ours, &hello).await;
        assert!(matches!(refused, Refusal::Handshake(_)), "{what}: {refused:?}");
    }
}

/// A ClientHello of one version with one cipher suite (RFC 5246 §7.4.1.2).
fn hello(version: [u8; 2], suite: [u8; 2]) -> Vec<u8> {
    let mut extensions = Vec::new();
    extensions.extend([0, 10, 0, 4, 0, 2, 0, 0x17]); // supported_groups: secp256r1
    extensions.extend([0, 11, 0, 2, 1, 0]); // ec_point_formats: uncompressed
    extensions.extend([0, 13, 0, 4, 0, 2, 4, 3]); // signature_algorithms: ecdsa_secp256r1_sha256
    extensions.extend([0, 16, 0, 5, 0, 3, 2, b'h', b'2']); // ALPN: h2
    extensions.extend([0, 23, 0, 0]); // extended_master_secret
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.extend([0, 0, 2, suite[0], suite[1], 1, 0, 0, extensions.len() as u8]);
    body.extend(extensions);
    let mut hello = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    hello.extend(body);
    hello
}
