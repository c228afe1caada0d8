//! A directory of manifests that a real broker watches: what its files say is so, and absence is not deletion.

use crate::fixture::{Consumer, Producer, World, echo};
use std::time::Duration;

fn ledger(producer: &Producer) -> String {
    let head = |kind: &str, name: &str| {
        format!(
            "apiVersion: portolan.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\n  platform: payments.example\nspec:\n"
        )
    };
    format!(
        "{}  services: [pay.v1.Ledger]\n  owner: team\n  contact: c\n  stage: stable\n  visibility: [\"*\"]\n---\n\
         {}  identity: {}\n  endpoints:\n    - address: \"{}\"\n  versions: [ledger/1.0.0]\n",
        head("Version", "ledger/1.0.0"),
        head("Producer", "ledger"),
        producer.identity,
        producer.address
    )
}

/// Calls until it is answered by the producer, or refused for this reason.
async fn until(consumer: &Consumer, wanted: Option<&str>) {
    for _ in 0..200 {
        let reply = consumer.unary("/pay.v1.Ledger/Post", &[], b"x").await.unwrap();
        let is_so = match wanted {
            None => reply.status() == 0,
            Some(reason) => reply.status() != 0 && reply.reason() == reason,
        };
        if is_so {
            return;
        }
        // The system tells of a changed folder in its own time.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never {wanted:?}")
}

#[tokio::test]
async fn a_directory_is_followed_and_its_absence_deletes_nothing() {
    let world = World::new();
    let producer = Producer::start(&world.payments, &world.hub, "/ledger", echo).await;
    let folder = world.dir.path().join("manifests");
    std::fs::create_dir(&folder).unwrap();
    let broker = || world.broker().top("manifests = \"manifests\"");
    let hub = broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    until(&consumer, Some("NO_OWNER")).await;

    let file = folder.join("ledger.yaml");
    std::fs::write(&file, ledger(&producer)).unwrap();
    until(&consumer, None).await;
    assert!(hub.drain(Duration::from_secs(5)).await);

    std::fs::rename(&folder, world.dir.path().join("elsewhere")).unwrap();
    let hub = broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    until(&consumer, None).await;

    std::fs::rename(world.dir.path().join("elsewhere"), &folder).unwrap();
    std::fs::write(folder.join("other.yaml"), "# Nothing is declared here.\n").unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(hub.drain(Duration::from_secs(5)).await);
    let hub = broker().start().await;
    let consumer = Consumer::connect(&world.data, "/app", &hub).await;
    until(&consumer, Some("NO_OWNER")).await;
}
