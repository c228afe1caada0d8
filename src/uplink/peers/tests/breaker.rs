//! How much one endpoint carries, on a paused clock.

use super::{SECOND, World};
use crate::model::TrustDomain;
use crate::uplink::breaker::admit;
use crate::uplink::{Breaker, Busy, Error, Meter, Rules};
use std::sync::Arc;
use tokio::time::Instant;

fn narrow(breaker: Breaker) -> (World, Arc<Meter>) {
    let world = World::new(Rules { breaker, ..Rules::default() }, 1);
    let meter = world.desk.meter(&world.producer, &world.producer.endpoints[0]);
    (world, meter)
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_place_for_a_time_and_then_fails_and_beyond_the_queue_it_fails_at_once() {
    let (_world, meter) = narrow(Breaker { concurrent: 2, pending: 1, ..Breaker::default() });
    let first = admit(meter.clone(), false).await.unwrap();
    let _second = admit(meter.clone(), false).await.unwrap();
    assert!(meter.is_full());
    let begun = Instant::now();
    let (late, full) = tokio::join!(admit(meter.clone(), false), admit(meter.clone(), false));
    assert!(matches!(late, Err(Error::Busy { busy: Busy::Late(_), .. })), "{late:?}");
    assert!(matches!(full, Err(Error::Busy { busy: Busy::Queue(1), .. })), "{full:?}");
    assert_eq!(begun.elapsed(), SECOND);

    let freed = async {
        tokio::task::yield_now().await;
        assert_eq!(meter.peer().waiting(), 1);
        drop(first);
    };
    let (turn, ()) = tokio::join!(admit(meter.clone(), false), freed);
    let turn = turn.unwrap();
    assert_eq!((meter.peer().waiting(), meter.in_flight()), (0, 2));
    drop(turn);
    assert!(!meter.is_full());
}

#[tokio::test(start_paused = true)]
async fn the_limit_holds_for_all_workers_together() {
    let (world, here) = narrow(Breaker { concurrent: 4, pending: 4, retries: 1, ..Breaker::default() });
    let there = world.peers.desk().meter(&world.producer, &world.producer.endpoints[0]);
    let mut turns = Vec::new();
    for _ in 0..3 {
        turns.push(admit(here.clone(), false).await.unwrap());
    }
    turns.push(admit(there.clone(), true).await.unwrap());
    assert!(admit(there.clone(), false).await.is_err() && admit(here.clone(), false).await.is_err());
    turns.remove(0);
    let again = admit(here.clone(), true).await;
    assert!(matches!(again, Err(Error::Busy { busy: Busy::Retries(1), .. })), "{again:?}");
    turns.push(admit(here.clone(), false).await.unwrap());
    // A place that one worker frees wakes who waits at the other.
    let freed = async {
        tokio::task::yield_now().await;
        turns.pop();
    };
    let (turn, ()) = tokio::join!(admit(there, false), freed);
    turn.unwrap();
}

#[tokio::test(start_paused = true)]
async fn connections_are_counted_and_freed() {
    let (world, meter) = narrow(Breaker { connections: 3, ..Breaker::default() });
    let tenants = ["a", "b"].map(|name| TrustDomain::parse(name).unwrap());
    let connect = |tenant: usize| {
        world.desk.connecting(meter.peer().address(), meter.peer().identity(), &tenants[tenant])
    };
    let (one, two) = (connect(0).unwrap(), connect(0).unwrap());
    let refused = |tenant| matches!(connect(tenant), Err(Error::Busy { busy: Busy::Connections(3), .. }));
    assert!(refused(0), "one tenant takes half, rounded up");
    let three = connect(1).unwrap();
    assert!(refused(1));
    drop((one, two, three));
    assert_eq!(meter.peer().connections(), 0);
    connect(0).unwrap();
}
