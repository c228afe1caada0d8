//! One consumer's cancellations do not end the calls of others.

use crate::fixture::{Consumer, Producer, World, echo, frame, read};
use portolan::transport;

#[tokio::test]
async fn calls_that_are_cancelled_at_once_do_not_reach_the_producer() {
    let world = World::new();
    // h2 servers give a connection up after 20 streams that were reset before anybody looked at them (tonic's default).
    let settings = transport::Settings { max_pending_resets: 20, ..transport::Settings::default() };
    let producer = Producer::start_with(&world.payments, &world.hub, "/ledger", settings, echo).await;
    let hub = world.broker().producer(&world.payments, "ledger", &producer, &["pay.v1.Ledger"]).start().await;
    let hasty = Consumer::connect(&world.data, "/hasty", &hub).await;
    // The same tenant: both share one connection to the producer.
    let patient = Consumer::connect(&world.data, "/patient", &hub).await;
    let (response, mut send) = patient.open("/pay.v1.Ledger/Post", &[]);
    send.frame(frame(b"first"), false).await.unwrap();
    assert_eq!(patient.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);

    for _ in 0..90 {
        // Head and reset leave in one write.
        drop(hasty.open("/pay.v1.Ledger/Post", &[]));
    }
    assert_eq!(hasty.unary("/pay.v1.Ledger/Post", &[], b"").await.unwrap().status(), 0);
    assert!(producer.calls() < 20, "{} calls reached it", producer.calls());
    send.frame(frame(b"last"), true).await.unwrap();
    assert_eq!(read(response).await.unwrap().status(), 0);
}
