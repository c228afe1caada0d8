//! When a connection ends: goodbye, new certificates, lost trust, and the pool itself.

use super::*;
use portolan::cli::certs::Request as Wanted;
use portolan::lifecycle::Shutdown;

/// Answers when the request has ended.
async fn answer_at_the_end(mut exchange: Exchange) {
    while exchange.request.body_mut().frame().await.is_some() {}
    answer(exchange).await;
}

#[tokio::test]
async fn after_a_goodbye_a_new_connection_is_lent_and_open_calls_finish() {
    let world = World::new();
    let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/ledger"));
    let listener = Listener::start(trust, credentials, answer_at_the_end).await;
    let pool = pool(&world, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let data = tenant("data.example");
    let first = pool.connection(&producer, &endpoint, &data).await.unwrap();
    call(&first).await.unwrap();
    let (response, mut send) = first.send(post(), false).unwrap();
    send.frame("half".into(), false).await.unwrap();

    listener.goodbye.cancel();
    while first.is_open() {
        tokio::task::yield_now().await;
    }
    let second = pool.connection(&producer, &endpoint, &data).await.unwrap();
    assert_eq!(listener.connections(), 2);
    assert!(!first.is_open() && first.in_flight() == 1);
    send.frame("the rest".into(), true).await.unwrap();
    assert_eq!(response.await.unwrap().headers()["grpc-status"], "0");
    drop(second);
}

#[tokio::test]
async fn a_new_certificate_of_ours_makes_new_connections_and_old_calls_finish() {
    let world = World::new();
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), hang).await;
    let domains: Vec<_> = world.organisations().iter().map(|organisation| organisation.domain()).collect();
    let files = world.hub.files("/broker");
    let (credentials, trust, watcher) = identity::open(&files, &domains).unwrap();
    let shutdown = Shutdown::new();
    lifecycle::spawn("test watcher", watcher.run(shutdown.clone()));
    let pool = Pool::new(trust, credentials.clone(), Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let data = tenant("data.example");
    let first = pool.connection(&producer, &endpoint, &data).await.unwrap();
    let (pending, _send) = start(&first);

    let mut changed = credentials.changed();
    let wanted = Wanted::workload("/broker").on_this_machine();
    world.hub.authority.issue_to(&world.hub.dir, "broker", &wanted, true).unwrap();
    changed.changed().await.unwrap();
    let second = pool.connection(&producer, &endpoint, &data).await.unwrap();
    assert_eq!(listener.connections(), 2);
    assert!(first.is_open(), "calls on it go on");
    assert_eq!((first.in_flight(), second.in_flight()), (1, 0));
    drop(pending);
    shutdown.request();
}

#[tokio::test]
async fn a_producer_that_loses_our_trust_loses_its_calls() {
    let world = World::new();
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), hang).await;
    let domains: Vec<_> = world.organisations().iter().map(|organisation| organisation.domain()).collect();
    let (credentials, trust, watcher) = identity::open(&world.hub.files("/broker"), &domains).unwrap();
    let shutdown = Shutdown::new();
    lifecycle::spawn("test watcher", watcher.run(shutdown.clone()));
    let pool = Pool::new(trust, credentials, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let connection = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap();
    let (pending, _send) = start(&connection);

    // Another authority speaks for the domain from now on.
    let other = Organisation::new(&world.dir.path().join("other"), "payments.example");
    std::fs::copy(other.bundle(), world.payments.bundle()).unwrap();
    let error = pending.await.unwrap_err();
    assert!(matches!(error, transport::Error::Closed("the producer is no longer trusted")), "{error:?}");
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert_eq!(error.reason(), "CERTIFICATE_REFUSED", "{error}");
    shutdown.request();
}

#[tokio::test]
async fn the_end_of_a_pool_closes_its_connections_after_their_calls() {
    let world = World::new();
    let (trust, credentials) = (world.payments.trust(&world.hub), world.payments.credentials("/ledger"));
    let listener = Listener::start(trust, credentials, answer).await;
    let pool = pool(&world, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let connection = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap();
    drop(pool);
    call(&connection).await.unwrap();
    assert_eq!(listener.ended.load(Ordering::SeqCst), 0, "what is lent lives on");
    drop(connection);
    while listener.ended.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
}
