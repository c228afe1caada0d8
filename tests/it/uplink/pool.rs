//! Who is lent a connection, and who hears why not.

use super::*;
use portolan::uplink::Error;

#[tokio::test]
async fn one_connection_serves_all_callers_of_a_tenant_and_none_of_another() {
    let world = World::new();
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), answer)
            .await;
    let pool = pool(&world, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);

    let data = tenant("data.example");
    let together = (0..50).map(|_| async {
        let connection = pool.connection(&producer, &endpoint, &data).await.unwrap();
        call(&connection).await.unwrap();
    });
    futures::future::join_all(together).await;
    assert_eq!(listener.connections(), 1, "one dial for all who wait");

    let other = pool.connection(&producer, &endpoint, &tenant("ml.example")).await.unwrap();
    call(&other).await.unwrap();
    assert_eq!(listener.connections(), 2, "tenants are kept apart");
}

#[tokio::test]
async fn nobody_but_the_registered_identity_is_used() {
    let world = World::new();
    let pool = pool(&world, Settings::default());
    let other =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/search"), answer)
            .await;
    let foreign =
        Listener::start(world.data.trust(&world.hub), world.data.credentials("/ledger"), answer).await;
    for listener in [&other, &foreign] {
        let (producer, endpoint) = ledger(&world.payments, listener.address);
        let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
        assert!(matches!(error, Error::Untrusted { .. }), "{error:?}");
        assert_eq!((error.reason(), error.address()), ("WRONG_IDENTITY", &endpoint.address));
        assert_eq!(listener.connections(), 0);

        // The next hears the same without a dial, and since when.
        let again = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
        assert!(matches!(again, Error::BackingOff { .. }), "{again:?}");
        assert_eq!(again.reason(), "WRONG_IDENTITY");
        assert!(again.since().unwrap() <= Timestamp::now());
        assert!(again.to_string().contains(&error.to_string()), "{again}");
    }
}

#[tokio::test]
async fn a_producer_that_refuses_our_certificate_is_not_up() {
    // In TLS 1.3 our side of the handshake succeeds all the same.
    let world = World::new();
    let trusts_only_itself = Trust::load(&[world.payments.domain()]).unwrap();
    let listener = Listener::start(trusts_only_itself, world.payments.credentials("/ledger"), answer).await;
    let pool = pool(&world, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert!(matches!(error, Error::Handshake { .. } | Error::Http2 { .. }), "{error:?}");
}

#[tokio::test]
async fn silence_is_given_up_and_says_in_which_phase() {
    let world = World::new();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { connect_timeout: Duration::from_millis(100), ..Settings::default() };
    let pool = pool(&world, settings);
    let (producer, endpoint) = ledger(&world.payments, socket.local_addr().unwrap());
    let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { phase: "the TLS handshake", .. }), "{error:?}");
    assert_eq!(error.reason(), "CONNECT_TIMEOUT");
}

#[tokio::test]
async fn a_producer_that_comes_back_is_found_again() {
    let world = World::new();
    let pool = pool(&world, hasty());
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (producer, endpoint) = ledger(&world.payments, gone);
    for _ in 0..2 {
        let error = pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap_err();
        assert_eq!(error.reason(), "CONNECTION_REFUSED");
    }
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), answer)
            .await;
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    call(&pool.connection(&producer, &endpoint, &tenant("data.example")).await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_end_the_dial_of_others() {
    let world = World::new();
    let listener =
        Listener::start(world.payments.trust(&world.hub), world.payments.credentials("/ledger"), answer)
            .await;
    let pool = pool(&world, Settings::default());
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let data = tenant("data.example");
    tokio::select! {
        biased;
        _ = pool.connection(&producer, &endpoint, &data) => panic!("a dial takes a while"),
        () = std::future::ready(()) => {}
    }
    call(&pool.connection(&producer, &endpoint, &data).await.unwrap()).await.unwrap();
    assert_eq!(listener.connections(), 1);
}

#[tokio::test]
async fn a_full_connection_is_joined_by_others_up_to_a_number() {
    let world = World::new();
    let narrow = transport::Settings { max_concurrent_streams: 1, ..transport::Settings::default() };
    let listener = Listener::start_with(
        world.payments.trust(&world.hub),
        world.payments.credentials("/ledger"),
        narrow,
        hang,
    )
    .await;
    let pool = pool(&world, Settings { max_connections: 3, ..Settings::default() });
    let (producer, endpoint) = ledger(&world.payments, listener.address);
    let data = tenant("data.example");
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(start(&pool.connection(&producer, &endpoint, &data).await.unwrap()));
    }
    assert_eq!(listener.connections(), 3);
    let error = pool.connection(&producer, &endpoint, &data).await.unwrap_err();
    assert!(matches!(error, Error::AtCapacity { connections: 3, .. }), "{error:?}");
    open.pop();
    pool.connection(&producer, &endpoint, &data).await.unwrap();
    assert_eq!(listener.connections(), 3, "the freed one is lent again");
}
