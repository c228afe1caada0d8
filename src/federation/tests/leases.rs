//! Leases run on our monotonic clock: LIVE, STALE at the end of the term, EXPIRED after the grace.

use super::hub::*;
use crate::model::*;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_renews_ends_in_two_steps_and_can_be_revived() {
    let hub = Hub::new();
    let receipt = hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap();
    let version =
        VersionName::parse("platforms/payments.example/capabilities/ledger/versions/1.0.0").unwrap();
    assert_eq!(lease(&receipt).term, Duration::from_secs(30));
    assert_eq!(lease(&receipt).expires, epoch() + jiff::SignedDuration::from_secs(30));
    assert_eq!(receipt.revision, hub.revision());

    seconds(29).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live));
    seconds(2).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Stale), "at once");
    seconds(57).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Stale), "within the grace");
    seconds(3).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Expired));
    assert_eq!(hub.versions(), ["ledger/1.0.0"], "it stays readable");
    assert!(hub.descriptors.snapshot().has(&version), "and describable");

    seconds(10_000).await;
    let revived = hub.registrar.renew(&ledger(), &lease(&receipt).id).await.unwrap();
    assert_eq!(lease(&revived).id, lease(&receipt).id);
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live));
    seconds(31).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Stale));
}

#[tokio::test(start_paused = true)]
async fn a_renewed_lease_stays_live_and_raises_no_revision() {
    let hub = Hub::new();
    let mut asked = declare("ledger-1", [offer("ledger", "1.0.0")]);
    asked.lease = Some(Duration::from_secs(5));
    let lease = hub.register(asked).await.unwrap().lease.unwrap();
    assert_eq!(lease.term, Duration::from_secs(5));
    let before = hub.revision();
    for _ in 0..100 {
        seconds(4).await;
        hub.registrar.renew(&ledger(), &lease.id).await.unwrap();
        assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live));
    }
    assert_eq!(hub.revision(), before);
    let producer = hub.producer("ledger-1").unwrap();
    assert_eq!(
        producer.lease_expires,
        Some(epoch() + jiff::SignedDuration::from_secs(405)),
        "it is shown all the same"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_jumps_changes_no_lease() {
    let hub = Hub::new();
    let lease = hub.register(declare("ledger-1", [offer("ledger", "1.0.0")])).await.unwrap().lease.unwrap();
    for jump in [86_400, -86_400, i64::from(i32::MAX)] {
        hub.wall.store(jump, Ordering::Relaxed);
        seconds(20).await;
        assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Live), "{jump}");
        hub.registrar.renew(&ledger(), &lease.id).await.unwrap();
    }
    seconds(31).await;
    assert_eq!(hub.freshness("ledger-1"), Some(Freshness::Stale));
}

#[tokio::test(start_paused = true)]
async fn many_leases_that_end_together_all_end() {
    let hub = Hub::new();
    for i in 0..180 {
        hub.register(declare(&format!("p{i}"), [offer("ledger", "1.0.0")])).await.unwrap();
    }
    seconds(31).await;
    let live =
        |hub: &Hub| (0..180).filter(|i| hub.freshness(&format!("p{i}")) == Some(Freshness::Live)).count();
    assert_eq!(live(&hub), 0);
}
