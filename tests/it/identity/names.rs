//! What a name in a certificate may be, with and without SPIFFE (T4).

use super::hostile::*;
use super::wire::*;
use portolan::identity::{Domain, Refusal, Trust, Usage};
use proptest::prelude::*;
use rcgen::{CustomExtension, SanType};
use rustls::pki_types::CertificateDer;
use std::sync::LazyLock;

async fn named(orgs: &[&Org], by: &Org, names: &[SanType]) -> Result<String, Refusal> {
    let broker = Org::new("broker.example");
    let peer = judge(&trust(orgs), &broker.credentials("broker"), Some(by.sign(&leaf(names)))).await;
    peer.map(|peer| peer.identity.to_string())
}

#[tokio::test]
async fn a_leaf_has_exactly_one_uri_name() {
    let a = Org::new("a.example");
    assert_eq!(named(&[&a], &a, &[]).await, Err(Refusal::NoName));
    assert_eq!(named(&[&a], &a, &[dns("ledger.a.example")]).await, Err(Refusal::NoName));
    let two = [uri("spiffe://a.example/x"), uri("spiffe://a.example/y")];
    assert_eq!(named(&[&a], &a, &two).await, Err(Refusal::SeveralNames(2)));
    let other = [uri("spiffe://a.example/x"), uri("https://a.example/x")];
    assert_eq!(named(&[&a], &a, &other).await, Err(Refusal::SeveralNames(2)));
    let host = [uri("spiffe://a.example/x"), dns("localhost")];
    assert_eq!(named(&[&a], &a, &host).await, Ok("spiffe://a.example/x".into()));
}

#[tokio::test]
async fn a_uri_name_that_is_not_text_counts() {
    let a = Org::new("a.example");
    // SEQUENCE { [6] "spiffe://a.example/x", [6] ff fe }: webpki alone would see one name.
    let good = b"spiffe://a.example/x";
    let mut san = vec![0x30, good.len() as u8 + 6, 0x86, good.len() as u8];
    san.extend(good);
    san.extend([0x86, 2, 0xff, 0xfe]);
    let mut params = leaf(&[]);
    params.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], san));
    let broker = Org::new("broker.example");
    let refused = judge(&trust(&[&a]), &broker.credentials("broker"), Some(a.sign(&params))).await;
    assert!(matches!(refused, Err(Refusal::Malformed(_))), "{refused:?}");
}

#[tokio::test]
async fn what_the_specification_forbids_is_no_identity() {
    let a = Org::new("a.example");
    let long = format!("spiffe://a.example/{}", "x".repeat(2049 - 19));
    assert_eq!(long.len(), 2049);
    let bad = [
        "spiffe://a.example:443/x",
        "spiffe://a.example/x?y",
        "spiffe://a.example/x#y",
        "spiffe://a.example//x",
        "spiffe://a.example/x/",
        "spiffe://a.example/./x",
        "spiffe://a.example/../b.example/x",
        "spiffe://A.example/x",
        "SPIFFE://a.example/x",
        "spiffe://a.example/%78",
        "spiffe://b@a.example/x",
        "spiffe:///x",
        "spiffe://a.example/",
        "spiffe:a.example/x",
        "https://a.example/x",
        "",
        long.as_str(),
    ];
    for name in bad {
        let refused = named(&[&a], &a, &[uri(name)]).await;
        assert!(matches!(refused, Err(Refusal::BadName(_))), "{name:?}: {refused:?}");
    }
    let bare = named(&[&a], &a, &[uri("spiffe://a.example")]).await;
    assert_eq!(bare, Err(Refusal::NoPath(a.domain.name.clone())));
}

#[tokio::test]
async fn a_look_alike_is_another_domain() {
    let a = Org::new("a.example");
    for name in ["spiffe://a.example.evil/x", "spiffe://evil.a.example/x", "spiffe://example/x"] {
        let refused = named(&[&a], &a, &[uri(name)]).await;
        assert!(matches!(refused, Err(Refusal::UnknownDomain(_))), "{name}: {refused:?}");
    }
}

#[tokio::test]
async fn dns_names_are_mapped_by_whole_labels_and_the_longest_wins() {
    let old = Org::new("old.example").mapping(&["old.internal"]);
    let team = Org::new("team.example").mapping(&[".Team.old.internal"]);
    let both = [&old, &team];
    let found = |by, name| {
        let names = [dns(name)];
        async move { named(&both, by, &names).await }
    };
    assert_eq!(found(&old, "ledger.old.internal").await, Ok("dns:ledger.old.internal".into()));
    assert_eq!(found(&old, "Ledger.OLD.internal").await, Ok("dns:ledger.old.internal".into()));
    assert_eq!(found(&old, "old.internal").await, Ok("dns:old.internal".into()));
    assert_eq!(found(&team, "x.team.old.internal").await, Ok("dns:x.team.old.internal".into()));
    // The longer suffix is team's, and only team's authority speaks for it.
    assert_eq!(found(&old, "x.team.old.internal").await, Err(Refusal::Untrusted("team.example".into())));
    for other in ["ledger.bold.internal", "evilold.internal", "internal", "old.internal.evil"] {
        assert_eq!(found(&old, other).await, Err(Refusal::NoName), "{other}");
    }
    assert!(matches!(found(&old, "*.old.internal").await, Err(Refusal::BadName(_))));
}

#[tokio::test]
async fn dns_names_of_two_domains_are_nobody() {
    let (a, b) =
        (Org::new("a.example").mapping(&["a.internal"]), Org::new("b.example").mapping(&["b.internal"]));
    let two = [dns("x.a.internal"), dns("x.b.internal")];
    let refused = named(&[&a, &b], &a, &two).await;
    assert_eq!(refused, Err(Refusal::TwoDomains(a.domain.name.clone(), b.domain.name.clone())));
    let aliases = [dns("localhost"), dns("x.a.internal"), dns("y.a.internal")];
    assert_eq!(named(&[&a, &b], &a, &aliases).await, Ok("dns:x.a.internal".into()));
}

#[tokio::test]
async fn a_leaf_with_any_uri_name_is_never_mapped() {
    let a = Org::new("a.example").mapping(&["a.internal"]);
    let foreign = [uri("spiffe://c.example/x"), dns("x.a.internal")];
    assert!(matches!(named(&[&a], &a, &foreign).await, Err(Refusal::UnknownDomain(_))));
    let broken = [uri("spiffe://a.example//"), dns("x.a.internal")];
    assert!(matches!(named(&[&a], &a, &broken).await, Err(Refusal::BadName(_))));
    let other = [uri("https://x.a.internal"), dns("x.a.internal")];
    assert!(matches!(named(&[&a], &a, &other).await, Err(Refusal::BadName(_))));
}

#[test]
fn every_fault_of_the_bundles_is_told_at_once() {
    let (a, b, c) = (Org::new("a.example"), Org::new("b.example"), Org::new("c.example"));
    std::fs::write(&b.domain.bundle, "").unwrap();
    let missing = Domain { bundle: c.path("missing.pem"), ..c.domain.clone() };
    // A's bundle under C's name, a leaf as a bundle, one suffix for two, and a suffix that is none.
    let swapped = Domain { bundle: a.domain.bundle.clone(), ..c.domain.clone() };
    let of_leaf = Domain { bundle: a.files("leaf").certificate, ..c.domain.clone() };
    let mapped = a.domain.clone();
    let mapped = Domain { dns_suffixes: vec!["x.internal".into(), "no suffix".into()], ..mapped };
    let again = Domain { dns_suffixes: vec!["X.internal".into()], ..Org::new("d.example").domain };
    let domains = [mapped.clone(), b.domain.clone(), missing, swapped, of_leaf, mapped, again];
    let faults = Trust::load(&domains).unwrap_err();
    let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
    for part in [
        "the file is empty",
        "No such file",
        "is an authority of spiffe://a.example, not of c.example",
        "certificate 1 in it is not that of an authority",
        "trust domain a.example has two bundles",
        "\"no suffix\"",
    ] {
        assert!(text.iter().any(|t| t.contains(part)), "{part} in {text:#?}");
    }
}

#[test]
fn nothing_is_judged_without_a_chain() {
    let a = Org::new("a.example");
    let judged = trust(&[&a]).judge(&[], Usage::Client, jiff::Timestamp::now());
    assert_eq!(judged, Err(Refusal::NoCertificate));
    let nonsense = rustls::pki_types::CertificateDer::from(vec![0x30, 0x03, 1, 2, 3]);
    let judged = trust(&[&a]).judge(&[nonsense], Usage::Client, jiff::Timestamp::now());
    assert!(matches!(judged, Err(Refusal::Malformed(_))), "{judged:?}");
}

static LEDGER: LazyLock<(Trust, Vec<u8>)> = LazyLock::new(|| {
    let a = Org::new("a.example").mapping(&["a.internal"]);
    let shown = a.sign(&leaf(&[uri("spiffe://a.example/ledger"), dns("ledger.a.internal")]));
    (trust(&[&a]), shown.cert[0].to_vec())
});

proptest! {
    /// Strangers send any bytes; they are read before anybody vouched for them.
    #[test]
    fn a_certificate_with_other_bytes_is_refused(
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(any::<u8>(), 0..4),
        cut in 0..4usize,
    ) {
        let (trust, good) = &*LEDGER;
        let mut bad = good.clone();
        let at = at.index(bad.len());
        bad.splice(at..(at + cut).min(good.len()), bytes);
        let judged = trust.judge(&[CertificateDer::from(bad.clone())], Usage::Client, jiff::Timestamp::now());
        prop_assert_eq!(judged.is_ok(), bad == *good, "{:?}", judged);
    }
}
