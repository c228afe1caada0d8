//! What is remembered: contracts after their producers, claims at their recorded age, clashes until they are settled.

use super::*;

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn owner(snapshot: &Snapshot) -> &str {
    snapshot.service("acme.Ledger").unwrap().owner().unwrap().platform.as_str()
}

#[test]
fn a_recorded_contract_holds_when_nobody_serves_it_any_more() {
    let first = stable("a.example", "1.0.0");
    let record = Contract::of(&first, second(7), Source::Registration, "somebody".into());
    let snapshot = after([
        platform("a.example", &["acme"]),
        producer("a.example", "x", 1, vec![first.clone()]),
        Change::RecordContract(record.clone()),
        Change::RemoveProducer(name("a.example/producers/x")),
    ]);
    assert!(snapshot.offering(&first.name).is_none());
    assert_eq!(snapshot.contract(&first.name).map(|known| &**known), Some(&record));
    let other = version("a.example", "1.0.0", Stage::Stable, &["acme.Ledger", "acme.More"]);
    let refused = snapshot.apply(producer("a.example", "y", 2, vec![other])).unwrap_err();
    assert_eq!(refused, Error::ContractMutated(first.name.clone()));
    snapshot.apply(producer("a.example", "y", 2, vec![first])).unwrap();
}

#[test]
fn contracts_of_a_capability_come_in_their_order_and_of_no_other() {
    let mut snapshot = after([platform("a.example", &["acme"])]);
    for text in ["2.0.0", "1.10.0", "1.2.0", "0.0.0-0", "1.2.0-rc.1"] {
        let contract =
            Contract::of(&stable("a.example", text), second(1), Source::Registration, String::new());
        let mut other = contract.clone();
        other.name.capability = CapabilityId::parse("ledgers").unwrap();
        let records = [contract, other].map(Change::RecordContract);
        snapshot = records.into_iter().fold(snapshot, |snapshot, record| snapshot.apply(record).unwrap());
    }
    let name = stable("a.example", "1.2.0").name;
    let below: Vec<_> = snapshot.contracts_below(&name).map(|c| c.name.version.to_string()).collect();
    let above: Vec<_> = snapshot.contracts_above(&name).map(|c| c.name.version.to_string()).collect();
    assert_eq!(
        (&below[..], &above[..]),
        (&["1.2.0-rc.1", "0.0.0-0"].map(String::from)[..], &["1.10.0", "2.0.0"].map(String::from)[..])
    );
    assert_eq!(snapshot.contract_count(&name.platform), 10);
}

#[test]
fn a_recorded_claim_is_as_old_as_its_record_whatever_its_producers_say() {
    let record = |platform: &str, at| Change::RecordClaim {
        service: ServiceName::parse("acme.Ledger").unwrap(),
        platform: PlatformName::parse(platform).unwrap(),
        since: second(at),
    };
    let snapshot = after([
        platform("a.example", &["acme"]),
        platform("b.example", &["acme"]),
        producer("a.example", "x", 5, vec![stable("a.example", "1.0.0")]),
        record("a.example", 10),
        producer("b.example", "x", 6, vec![stable("b.example", "1.0.0")]),
        record("b.example", 11),
        producer("b.example", "y", 1, vec![stable("b.example", "1.1.0")]),
    ]);
    assert_eq!(owner(&snapshot), "a.example", "a clock that went back gives nobody a name");
    let left = snapshot.apply(Change::RemoveProducer(name("b.example/producers/x"))).unwrap();
    let claims = left.service("acme.Ledger").unwrap();
    assert_eq!(claims.of("b.example").unwrap().since, second(11), "the founder may leave");
    assert_eq!(after([platform("a.example", &["acme"]), record("a.example", 1)]).services().count(), 0);
}

#[test]
fn a_clash_is_settled_by_its_producers_next_word_and_too_many_give_way() {
    let clash = |subject: &str, producer: &str, at| Clash {
        subject: subject.into(),
        kind: ClashKind::Contract,
        platform: PlatformName::parse("a.example").unwrap(),
        source: Source::Registration,
        producer: Some(name(&format!("a.example/producers/{producer}"))),
        origin: "somebody".into(),
        claim: "sha256:…".into(),
        message: "it stands with another contract".into(),
        since: second(at),
    };
    let snapshot = after([
        platform("a.example", &["acme"]),
        Change::PutClash(clash("one", "x", 1)),
        Change::PutClash(clash("one", "y", 2)),
        Change::PutClash(clash("two", "x", 3)),
    ]);
    let again = snapshot.apply(Change::PutClash(clash("one", "x", 9))).unwrap();
    assert_eq!(again.revision(), snapshot.revision(), "the same again is no news");
    assert_eq!(again.clashes().next().unwrap().since, second(1));
    let producer = name("a.example/producers/x");
    let settled = again.apply(Change::SettleProducer { producer, source: Source::Registration }).unwrap();
    assert_eq!(settled.clashes().map(|clash| clash.subject.as_str()).collect::<Vec<_>>(), ["one"]);

    let many = (0..150).map(|i| Change::PutClash(clash(&format!("{i:03}"), "x", i)));
    let full = after([platform("a.example", &["acme"])].into_iter().chain(many));
    assert_eq!(full.clashes().count(), 100);
    assert_eq!(full.clashes().next().unwrap().subject, "050");
}
