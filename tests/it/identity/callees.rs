//! Those whom we dial, and who are not whom we dialled (T10).

use super::hostile::*;
use super::wire::*;
use portolan::identity::{Expected, Refusal, Roots, Usage};
use portolan::model::Identity;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::pki_types::ServerName;
use std::time::SystemTime;

fn identity(id: &str) -> Identity {
    Identity::parse_spiffe(id).unwrap()
}

async fn met(orgs: &[&Org], expected: Expected, shown: Shown) -> Result<(), Refusal> {
    let broker = Org::new("broker.example");
    answered(&trust(orgs), &broker.credentials("broker"), expected, shown).await
}

#[tokio::test]
async fn the_one_that_was_dialled_is_used() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let ledger = Expected::Identity(identity("spiffe://a.example/ledger"));
    assert_eq!(met(&[&a, &b], ledger, a.shown("ledger")).await, Ok(()));
    let any = Expected::Domain(a.domain.name.clone());
    assert_eq!(met(&[&a, &b], any, a.shown("other")).await, Ok(()));
}

#[tokio::test]
async fn another_producer_of_the_same_domain_is_not_used() {
    let a = Org::new("a.example");
    let expected = identity("spiffe://a.example/ledger");
    let found = identity("spiffe://a.example/search");
    let refused = met(&[&a], Expected::Identity(expected.clone()), a.shown("search")).await;
    assert_eq!(refused, Err(Refusal::WrongIdentity { expected, found }));
}

#[tokio::test]
async fn a_producer_of_another_domain_is_not_used() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let wrong = Refusal::WrongDomain { expected: a.domain.name.clone(), found: b.domain.name.clone() };
    let expected = Expected::Identity(identity("spiffe://a.example/ledger"));
    assert_eq!(met(&[&a, &b], expected, b.shown("ledger")).await, Err(wrong.clone()));
    let expected = Expected::Domain(a.domain.name.clone());
    assert_eq!(met(&[&a, &b], expected, b.shown("ledger")).await, Err(wrong));
}

#[tokio::test]
async fn a_forged_producer_is_not_used() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let expected = || Expected::Identity(identity("spiffe://a.example/ledger"));
    let forged = b.sign(&leaf(&[uri("spiffe://a.example/ledger")]));
    assert_eq!(met(&[&a, &b], expected(), forged).await, Err(Refusal::Untrusted("a.example".into())));
    let alone = self_signed(&leaf(&[uri("spiffe://a.example/ledger")]));
    assert_eq!(met(&[&a], expected(), alone).await, Err(Refusal::Untrusted("a.example".into())));
    let nobody = a.sign(&leaf(&[dns("localhost")]));
    assert_eq!(met(&[&a], expected(), nobody).await, Err(Refusal::NoName));
    let unknown = met(&[&b], expected(), a.shown("ledger")).await;
    assert_eq!(unknown, Err(Refusal::UnknownDomain(a.domain.name.clone())));
}

#[tokio::test]
async fn a_producer_out_of_time_or_purpose_is_not_used() {
    let a = Org::new("a.example");
    let expected = || Expected::Identity(identity("spiffe://a.example/ledger"));
    let mut old = leaf(&[uri("spiffe://a.example/ledger")]);
    old.not_after = (SystemTime::now() - HOUR / 2).into();
    let refused = met(&[&a], expected(), a.sign(&old)).await;
    assert!(matches!(refused, Err(Refusal::Expired(_))), "{refused:?}");
    for usages in [vec![], vec![ExtendedKeyUsagePurpose::ClientAuth]] {
        let mut params = leaf(&[uri("spiffe://a.example/ledger")]);
        params.extended_key_usages = usages;
        let refused = met(&[&a], expected(), a.sign(&params)).await;
        assert_eq!(refused, Err(Refusal::Purpose(Usage::Server)));
    }
    let bad = leaf(&[uri("spiffe://a.example/ledger")]);
    let revoked = a.authority.crl(&[bad.serial_number.as_ref().unwrap().to_bytes()]).unwrap();
    let a = a.with_list(&revoked);
    assert_eq!(met(&[&a], expected(), a.sign(&bad)).await, Err(Refusal::Revoked));
}

#[tokio::test]
async fn a_producer_without_spiffe_is_known_by_any_of_its_names() {
    let a = Org::new("a.example").mapping(&["a.internal"]);
    let shown = a.sign(&leaf(&[dns("x.a.internal"), dns("y.a.internal")]));
    for name in ["x.a.internal", "y.a.internal"] {
        let expected = Expected::Identity(Identity::parse_dns(name, a.domain.name.clone()).unwrap());
        assert_eq!(met(&[&a], expected, shown.clone()).await, Ok(()));
    }
    let expected = Expected::Identity(Identity::parse_dns("z.a.internal", a.domain.name.clone()).unwrap());
    let refused = met(&[&a], expected, shown).await;
    assert!(matches!(refused, Err(Refusal::WrongIdentity { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_client_that_knows_no_identities_checks_the_host() {
    let (a, b) = (Org::new("a.example"), Org::new("b.example"));
    let roots = Roots::load(&a.domain.bundle).unwrap();
    let host = |name: &'static str| Expected::Host(ServerName::try_from(name).unwrap(), roots.clone());
    assert_eq!(met(&[], host("localhost"), a.shown("broker")).await, Ok(()));
    assert_eq!(met(&[], host("127.0.0.1"), a.shown("broker")).await, Ok(()));
    let refused = met(&[], host("other.example"), a.shown("broker")).await;
    assert_eq!(refused, Err(Refusal::WrongHost("other.example".into())));
    let refused = met(&[], host("localhost"), b.shown("broker")).await;
    assert!(matches!(refused, Err(Refusal::Untrusted(_))), "{refused:?}");
}
