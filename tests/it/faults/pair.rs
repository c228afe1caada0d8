//! Calls all the time over two endpoints, one of them behind a wire that is spoilt and mended: nothing runs twice, what
//! succeeds ran once, and what fails says why.

use super::stage::{HASTY, Outcome, POST, Stage};
use crate::fixture::{Fault, Way};
use std::cell::Cell;
use std::time::Duration;

const CALLERS: usize = 4;
const EACH: usize = 25;

/// Calls of all callers at once; `before` of them each before the wire is spoilt.
async fn load(stage: &Stage, name: &str, fault: Fault) -> Vec<(String, Outcome)> {
    let done = Cell::new(0);
    let callers = (0..CALLERS).map(|caller| {
        let (done, name) = (&done, &name);
        async move {
            let mut outcomes = Vec::new();
            for n in 0..EACH {
                let id = format!("{name}-{caller}-{n}");
                let outcome = stage.call(POST, &id, &[("grpc-timeout", "3S")], &[7; 2000]).await;
                done.set(done.get() + 1);
                outcomes.push((id, outcome));
            }
            outcomes
        }
    });
    let spoil = async {
        while done.get() < CALLERS * EACH / 5 {
            tokio::task::yield_now().await;
        }
        stage.wire.set(fault).await;
    };
    let (outcomes, ()) = tokio::join!(futures::future::join_all(callers), spoil);
    outcomes.into_iter().flatten().collect()
}

#[tokio::test]
async fn what_succeeds_ran_once_and_what_fails_at_most_once_whatever_happens() {
    let faults = [
        Fault::Refuse,
        Fault::Reset { way: Way::ToBroker, after: 9_000 },
        Fault::Reset { way: Way::ToProducer, after: 9_000 },
        Fault::Corrupt { way: Way::ToBroker, after: 5_000 },
        Fault::BlackHole,
        Fault::Delay(Duration::from_millis(20)),
        Fault::Throttle(300_000),
    ];
    let stage = Stage::pair("", HASTY).await;
    for (n, fault) in faults.into_iter().enumerate() {
        let outcomes = load(&stage, &format!("fault-{n}"), fault).await;
        let mut failed = 0;
        for (id, outcome) in &outcomes {
            match outcome.status {
                0 => assert_eq!(stage.ran.times(id), 1, "{fault:?}: {id} succeeded"),
                4 | 14 => {
                    failed += 1;
                    assert!(!outcome.reason.is_empty(), "{fault:?}: {outcome:?}");
                }
                _ => panic!("{fault:?}: {id}: {outcome:?}"),
            }
        }
        stage.ran.at_most_once();
        match fault {
            // Only what was under way when the connection broke: the rest goes to who is there.
            Fault::Refuse => assert!(failed <= CALLERS, "{failed} calls failed"),
            Fault::Delay(_) | Fault::Throttle(_) => assert_eq!(failed, 0, "{fault:?} loses nothing"),
            _ => assert!(failed < outcomes.len() / 2, "{fault:?}: {failed} of {} failed", outcomes.len()),
        }
        stage.neighbour.is_unharmed("a spoilt wire").await;
        stage.wire.set(Fault::None).await;
        stage.heals(Duration::from_secs(10)).await;
    }
}
