//! Which connection is lent, and when another is dialled.

use super::*;
use crate::transport::{client, server};

fn refused() -> Error {
    let address = Address::parse("ledger.example:1").unwrap();
    Error::TimedOut { address, phase: "connecting", after: Duration::from_secs(5) }
}

#[test]
fn the_pause_doubles_up_to_its_limit() {
    let settings = Settings::default();
    for (attempts, longest) in [(1, 250), (2, 500), (3, 1000), (8, 30_000), (u32::MAX, 30_000)] {
        let longest = Duration::from_millis(longest);
        for _ in 0..100 {
            let pause = pause(attempts, &settings);
            assert!(pause <= longest && pause >= longest / 2, "{attempts}: {pause:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_calls_fail_at_once_until_the_pause_is_over() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    let Lent::Dial(dial) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Wait(_)), "one dial for all");
    slot.fail(refused(), &settings);
    let told = slot.lend(&address, &settings, 1, Some(&dial));
    assert!(matches!(told, Lent::Failed(Error::TimedOut { .. })), "{told:?}");
    let Lent::Failed(error) = slot.lend(&address, &settings, 1, None) else { panic!("it should fail") };
    assert_eq!((error.reason(), error.address()), ("CONNECT_TIMEOUT", &address));
    let since = error.since().unwrap();

    tokio::time::advance(settings.min_backoff).await;
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Dial(_)));
    slot.fail(refused(), &settings);
    let Lent::Failed(error) = slot.lend(&address, &settings, 1, None) else { panic!("it should fail") };
    assert_eq!(error.since(), Some(since), "the first failure counts");

    tokio::time::advance(settings.max_backoff * 4).await;
    assert!(slot.prune(&settings, 1), "an old failure is forgotten");
}

#[test]
fn a_dial_that_vanished_does_not_block_the_next() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    let Lent::Dial(dial) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
    dial.over.cancel();
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Dial(_)));
}

#[tokio::test(start_paused = true)]
async fn idle_and_outdated_connections_are_let_go_and_busy_ones_are_not() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let (near, far) = tokio::io::duplex(1 << 16);
    let (connecting, _listening) = tokio::join!(
        client::connect(near, &settings.transport),
        server::Connection::handshake(far, &settings.transport)
    );
    let (connection, _driver) = connecting.unwrap();
    let mut slot = Slot::default();
    slot.keep(connection.clone(), 1);
    let head = http::Request::get("https://ledger.example/").body(()).unwrap();
    let busy = connection.send(head, true).unwrap();
    tokio::time::advance(settings.idle_timeout).await;
    assert!(!slot.prune(&settings, 1), "a call is open");
    drop(busy);
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)));
    tokio::time::advance(settings.idle_timeout / 2).await;
    assert!(!slot.prune(&settings, 1), "it was used a while ago");
    tokio::time::advance(settings.idle_timeout).await;
    assert!(!slot.prune(&settings, 1) && slot.kept.is_empty(), "it is let go, and still stands");
    slot.over();
    assert!(slot.prune(&settings, 1));

    slot.keep(connection, 1);
    assert!(
        matches!(slot.lend(&address, &settings, 2, None), Lent::Dial(_)),
        "our certificate is another now"
    );
}

/// A connection to a peer that allows `streams` at once, and what must stay for it to live.
async fn connected(streams: u32) -> (Connection, impl Sized) {
    let settings =
        crate::transport::Settings { max_concurrent_streams: streams, ..Settings::default().transport };
    let (near, far) = tokio::io::duplex(1 << 16);
    let (connecting, listening) =
        tokio::join!(client::connect(near, &settings), server::Connection::handshake(far, &settings));
    let (connection, driver) = connecting.unwrap();
    (connection, (driver, listening.unwrap()))
}

fn call(connection: &Connection) -> impl Sized + use<> {
    connection.send(http::Request::get("https://ledger.example/").body(()).unwrap(), true).unwrap()
}

#[tokio::test(start_paused = true)]
async fn another_is_dialled_only_when_the_last_is_nearly_full() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    let (connection, _alive) = connected(16).await;
    slot.keep(connection.clone(), 1);
    let mut open = Vec::new();
    for n in 0..14 {
        let lent = slot.lend(&address, &settings, 1, None);
        assert!(matches!(lent, Lent::Ready(_)), "{n}: {lent:?}");
        open.push(call(&connection));
    }
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Last(..)));
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)), "once is enough");
    let (second, _also) = connected(16).await;
    slot.keep(second.clone(), 1);
    open.push(call(&connection));
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)));
    assert_eq!(second.in_flight(), 0, "the first is filled first");
}

#[tokio::test(start_paused = true)]
async fn an_old_connection_is_lent_until_another_is_there() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    let (old, _alive) = connected(16).await;
    let id = slot.keep(old, 1);
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)));
    let Next::Dial(dial) = slot.replace(id, &settings, 1) else { panic!("it is used: another is dialled") };
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)), "nobody waits for it");
    assert!(matches!(slot.replace(id, &settings, 1), Next::Wait(_)));
    slot.fail(refused(), &settings);
    dial.over.cancel();
    assert!(matches!(slot.replace(id, &settings, 1), Next::Later(_)));
    assert!(
        matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)),
        "an old one is better than none"
    );

    let (young, _also) = connected(16).await;
    let young_id = slot.keep(young, 1);
    assert!(matches!(slot.replace(id, &settings, 1), Next::Nothing));
    assert_eq!(slot.kept.iter().map(|kept| kept.id).collect::<Vec<_>>(), [young_id]);
    tokio::time::advance(settings.idle_timeout).await;
    assert!(matches!(slot.replace(young_id, &settings, 1), Next::Nothing), "nobody needs another");
    assert!(slot.kept.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_called_is_dialled_again_before_somebody_asks() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    assert!(matches!(slot.renew(&settings, 1), Next::Nothing), "nobody ever asked");
    let Lent::Dial(_) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
    slot.fail(refused(), &settings);
    let Next::Later(pause) = slot.renew(&settings, 1) else { panic!("it is too early") };
    tokio::time::advance(pause).await;
    let Next::Dial(_) = slot.renew(&settings, 1) else { panic!("now it is time") };
    let (connection, alive) = connected(16).await;
    slot.keep(connection, 1);
    assert!(matches!(slot.renew(&settings, 1), Next::Nothing), "one is there");
    drop(alive);
    assert!(matches!(slot.renew(&settings, 1), Next::Dial(_)));
}

#[tokio::test(start_paused = true)]
async fn worn_connections_that_still_stand_are_counted_and_lent_again_when_there_are_many() {
    let settings = Settings { max_connections: 4, ..Settings::default() };
    let address = Address::parse("ledger.example:1").unwrap();
    let mut slot = Slot::default();
    let mut standing = Vec::new();
    for n in 0..3 {
        let (connection, alive) = connected(16).await;
        slot.keep(connection.clone(), 1);
        assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Ready(_)));
        // One call goes on for ever; as many others as wear it out are given up.
        standing.push((call(&connection), alive));
        for _ in 0..160 {
            drop(call(&connection));
            tokio::time::advance(Duration::from_millis(13)).await;
        }
        assert!(connection.is_worn(), "{n}");
        let lent = slot.lend(&address, &settings, 1, None);
        match n {
            0 | 1 => {
                assert!(matches!(lent, Lent::Dial(_)), "{n}: {lent:?}");
                slot.dialling = None;
            }
            _ => assert!(matches!(lent, Lent::Ready(_)), "{n}: {lent:?}"),
        }
    }
    assert_eq!((slot.standing, slot.kept.len()), (3, 1));
    slot.over();
    assert!(matches!(slot.lend(&address, &settings, 1, None), Lent::Dial(_)));
}

#[tokio::test(start_paused = true)]
async fn what_we_do_not_allow_ourselves_is_tried_again_soon() {
    let (settings, address) = (Settings::default(), Address::parse("ledger.example:1").unwrap());
    let mut slot = Slot::default();
    for _ in 0..10 {
        let Lent::Dial(dial) = slot.lend(&address, &settings, 1, None) else { panic!("it should dial") };
        slot.busy(refused());
        assert!(
            matches!(slot.lend(&address, &settings, 1, Some(&dial)), Lent::Failed(_)),
            "who waits hears of it"
        );
        tokio::time::advance(BUSY).await;
    }
}
