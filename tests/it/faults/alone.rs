//! Each fault of the wire, with nobody else to go to.

use super::stage::{HANG, HASTY, POST, SLEEP, Stage};
use crate::fixture::{Fault, Way, frame};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
/// What a machine with other work may add to any wait.
const SLACK: Duration = Duration::from_millis(1500);

/// What takes a connection away before a request could be sent on it.
#[tokio::test]
async fn a_connection_that_does_not_come_up_is_unavailable_and_nothing_ran() {
    let reset = |way, after| Fault::Reset { way, after };
    let corrupt = |way, after| Fault::Corrupt { way, after };
    let cases = [
        (Fault::Refuse, SLACK),
        (reset(Way::ToProducer, 0), SLACK),
        (reset(Way::ToBroker, 1), SLACK),
        (reset(Way::ToBroker, 700), SLACK),
        (corrupt(Way::ToBroker, 300), SLACK),
        (corrupt(Way::ToProducer, 100), SLACK),
        // The time for a connection, which HASTY sets to a second.
        (Fault::BlackHole, SECOND + SLACK),
    ];
    for (fault, within) in cases {
        let stage = Stage::alone(HASTY).await;
        stage.wire.set(fault).await;
        let outcome = stage.call(POST, "first", &[], b"x").await;
        assert_eq!(outcome.status, 14, "{fault:?}: {outcome:?}");
        assert!(
            ["NO_CONNECTION", "NO_HEALTHY_PRODUCER", "UNREACHABLE"].contains(&outcome.reason.as_str()),
            "{fault:?}: {outcome:?}"
        );
        assert!(outcome.took < within, "{fault:?}: {outcome:?}");
        assert_eq!(stage.ran.times("first"), 0, "{fault:?}");
        stage.neighbour.is_unharmed("a connection that does not come up").await;
        stage.wire.set(Fault::None).await;
        stage.heals(10 * SECOND).await;
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_or_spoilt_under_a_call_ends_it_once_and_clearly() {
    let message: Vec<u8> = (0..40_000u32).map(|n| (n % 251) as u8).collect();
    let whole = frame(&message);
    for way in [Way::ToProducer, Way::ToBroker] {
        // In the head, in the message, near the end.
        for after in [1, 30, 300, 5_000, 33_000] {
            for fault in [Fault::Reset { way, after }, Fault::Corrupt { way, after }] {
                let stage = Stage::alone(HASTY).await;
                assert_eq!(stage.call(POST, "before", &[], b"x").await.status, 0);
                stage.wire.set(fault).await;
                let outcome = stage.call(POST, "under", &[], &message).await;
                assert_eq!(outcome.status, 14, "{fault:?}: {} {}", outcome.status, outcome.reason);
                assert_eq!(outcome.reason, "CONNECTION_LOST", "{fault:?}");
                assert!(outcome.took < SECOND + SLACK, "{fault:?}: {:?}", outcome.took);
                assert!(whole.starts_with(&outcome.body), "{fault:?}: other bytes arrived than were sent");
                assert!(stage.ran.times("under") <= 1, "{fault:?}: it ran twice");
                stage.neighbour.is_unharmed("a spoilt connection").await;
                stage.wire.set(Fault::None).await;
                stage.heals(10 * SECOND).await;
            }
        }
    }
}

#[tokio::test]
async fn a_black_hole_ends_calls_by_their_deadline_or_by_keepalive() {
    let stage = Stage::alone(HASTY).await;
    for path in [SLEEP, HANG] {
        assert_eq!(stage.call(POST, &format!("before {path}"), &[], b"x").await.status, 0);
        let (deadline, none) = (format!("deadline {path}"), format!("none {path}"));
        let spoil = async {
            // Both are at the producer.
            while stage.ran.times(&deadline) + stage.ran.times(&none) < 2 {
                // Frames are on their way through the proxy and two sockets.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stage.wire.set(Fault::BlackHole).await;
        };
        let (timed, lost, ()) = tokio::join!(
            stage.call(path, &deadline, &[("grpc-timeout", "600m")], b"x"),
            stage.call(path, &none, &[], b"x"),
            spoil
        );
        assert_eq!((timed.status, timed.reason.as_str()), (4, "DEADLINE_EXCEEDED"), "{timed:?}");
        assert!(timed.took >= Duration::from_millis(590) && timed.took < SECOND + SLACK, "{timed:?}");
        assert_eq!((lost.status, lost.reason.as_str()), (14, "CONNECTION_LOST"), "{lost:?}");
        assert!(lost.took < 2 * SECOND + SLACK, "interval and time-out: {lost:?}");
        // Both ran, and not again.
        assert_eq!((stage.ran.times(&deadline), stage.ran.times(&none)), (1, 1));
        stage.neighbour.is_unharmed("a black hole").await;
        stage.wire.set(Fault::None).await;
        stage.heals(15 * SECOND).await;
    }
}

#[tokio::test]
async fn a_slow_wire_slows_its_own_calls_and_spoils_nothing() {
    let stage = Stage::alone("").await;
    assert_eq!(stage.call(POST, "before", &[], b"x").await.status, 0);
    let by = Duration::from_millis(60);
    stage.wire.set(Fault::Delay(by)).await;
    let outcome = stage.call(POST, "late", &[], b"x").await;
    assert_eq!(outcome.status, 0);
    assert!(outcome.took >= 2 * by && outcome.took < 2 * by + SECOND + SLACK, "{outcome:?}");
    let outcome = stage.call(POST, "too late", &[("grpc-timeout", "80m")], b"x").await;
    assert_eq!((outcome.status, outcome.reason.as_str()), (4, "DEADLINE_EXCEEDED"));
    stage.neighbour.is_unharmed("a delay").await;

    let message: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    stage.wire.set(Fault::Throttle(200_000)).await;
    let outcome = stage.call(POST, "narrow", &[], &message).await;
    assert_eq!((outcome.status, outcome.body == frame(&message)), (0, true));
    assert!(outcome.took > Duration::from_millis(400), "{:?}", outcome.took);
    stage.neighbour.is_unharmed("a narrow wire").await;
    stage.wire.set(Fault::None).await;
    stage.heals(10 * SECOND).await;
}
