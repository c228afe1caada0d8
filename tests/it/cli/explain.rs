//! `portolan explain`, and `portolan call --explain`.

use super::*;
use crate::fixture::{Producer, echo};

#[tokio::test]
async fn a_route_is_explained_before_and_with_a_call() {
    let world = World::new();
    std::fs::write(world.dir.path().join("talk.binpb"), descriptors("pay.talk.v1", "Talk")).unwrap();
    let producer = Producer::start(&world.payments, &world.hub, "/talk", echo).await;
    let hub =
        world.broker().producer(&world.payments, "talk", &producer, &["pay.talk.v1.Talk"]).start().await;
    let profile = profile(&world, &world.data, &hub);
    let ask = |arguments: &[&str]| {
        let mut command = portolan(world.dir.path(), arguments);
        command.args(["--profile", &profile]);
        run(command)
    };
    let told = ask(&["explain", "pay.talk.v1.Talk/Talk"]).await;
    let place = format!("payments.example talk 1.0.0 talk {}", producer.address);
    assert!(
        told.code == 0 && told.out.starts_with(&format!("pay.talk.v1.Talk → {place} (broker hub-1")),
        "{}",
        told.out
    );
    assert!(told.out.ends_with(&format!("└ CHOSEN         {place}\n")), "{}", told.out);

    let told = ask(&["explain", "pay.talk.v1.Talk", "--version", "^2"]).await;
    assert!(told.code == 4 && told.out.contains("nowhere: NO_VERSION_IN_RANGE"), "{}{}", told.out, told.err);
    assert!(told.out.contains("└ WRONG_VERSION  payments.example talk 1.0.0"), "{}", told.out);
    let told = ask(&["explain", "pay.talk.v1.Talk", "--platform", "ml.example", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &json["refusalReason"]), (4, &"NOT_OFFERED".into()));
    let told = ask(&["explain", "pay.talk.v1.Talk", "--metadata", "session-id=4711"]).await;
    assert!(told.code == 0 && told.out.contains("└ CHOSEN "), "{}{}", told.out, told.err);
    let told = ask(&["explain", "pay.talk.v1.Talk", "--metadata", "portolan-version=^1"]).await;
    assert!(told.code == 1 && told.err.contains("metadata[0].key"), "{}", told.err);
    let told = ask(&["explain", "pay.talk.v1.Talk", "--version", "newest"]).await;
    assert!(told.code == 1 && told.err.contains("is no range of versions"), "{}", told.err);

    let call = ["call", "pay.talk.v1.Talk/Talk", "-d", "{\"text\": \"a\"}", "--descriptor-set", "talk.binpb"];
    let asked =
        ["--platform", "payments.example", "--version", "=1.0.0", "--max-staleness", "1h", "--explain"];
    let called = ask(&[&call[..], &asked[..]].concat()).await;
    assert_eq!(called.code, 0, "{}", called.err);
    for wanted in [
        format!("  endpoint={}\n", producer.address),
        "portolan-decision\n  owner=ASKED_FOR\n  version=ASKED_FOR\n".into(),
        "portolan-timing\n  decided=".into(),
    ] {
        assert!(called.err.contains(&wanted), "{wanted}: {}", called.err);
    }
    let called = ask(&[&call[..], &["--version", "^2", "--explain"]].concat()).await;
    assert!(called.code == 73 && called.err.contains("  refused=NO_VERSION_IN_RANGE\n"), "{}", called.err);
    hub.drain(Duration::from_secs(5)).await;
}
