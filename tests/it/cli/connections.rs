//! How a client command finds its broker, and what it says when it does not.

use super::*;

#[tokio::test]
async fn what_is_missing_is_named_with_the_ways_to_give_it() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(portolan(folder.path(), &["catalog"])).await;
    assert_eq!(ran.code, 1);
    for wanted in ["--address", "PORTOLAN_ADDRESS", "--ca", "--cert", "--key", "--profile"] {
        assert!(ran.err.contains(wanted), "{}", ran.err);
    }
    let ran = run(portolan(folder.path(), &["catalog", "--profile", "nobody"])).await;
    assert!(ran.err.contains(".config/portolan/profiles/nobody.toml"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[tokio::test]
async fn a_flag_wins_over_the_environment_and_that_over_the_profile() {
    let world = World::new();
    let hub = world.broker().start().await;
    let profile = profile(&world, &world.payments, &hub);
    let list = |arguments: &[&str], variable: Option<&str>| {
        let mut command = portolan(world.dir.path(), &["call", "list"]);
        command.args(arguments).env("PORTOLAN_PROFILE", &profile).env("PORTOLAN_TIMEOUT", "5s");
        variable.map(|address| command.env("PORTOLAN_ADDRESS", address));
        run(command)
    };
    assert_eq!(list(&[], None).await.code, 0);
    let dead = format!("127.0.0.1:{}", unused_port());
    assert!(
        list(&[], Some(&dead)).await.err.contains(&format!("cannot connect to {dead}: nobody listens there"))
    );
    assert_eq!(list(&["--address", &hub.address.to_string()], Some(&dead)).await.code, 0);
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_profile_is_found_by_its_name() {
    let world = World::new();
    let hub = world.broker().start().await;
    let folder = world.dir.path().join(".config/portolan/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(profile(&world, &world.data, &hub), folder.join("work.toml")).unwrap();
    let ran = run(portolan(world.dir.path(), &["call", "list", "-p", "work"])).await;
    assert!(ran.code == 0 && ran.out.contains("grpc.health.v1.Health\n"), "{}{}", ran.out, ran.err);
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn each_way_not_to_be_connected_has_its_own_words() {
    let world = World::new();
    let hub = world.broker().start().await;
    let stranger = Organisation::new(world.dir.path(), "stranger.example");
    let profile = profile(&world, &world.payments, &hub);
    let list = |arguments: Vec<String>| {
        let mut command = portolan(world.dir.path(), &["call", "list", "--profile", &profile]);
        command.args(arguments);
        run(command)
    };
    let own = |files: portolan::identity::Files| {
        vec![
            "--cert".into(),
            files.certificate.display().to_string(),
            "--key".into(),
            files.key.display().to_string(),
        ]
    };
    let flag = |name: &str, value: String| vec![name.to_owned(), value];
    let cases = [
        (own(stranger.files("/user")), "it does not accept the certificate in"),
        (
            flag("--ca", stranger.bundle().display().to_string()),
            "is an authority of spiffe://stranger.example, not of hub.example",
        ),
        (
            flag("--identity", "spiffe://hub.example/other".into()),
            "it is spiffe://hub.example/broker, not spiffe://hub.example/other",
        ),
        (
            flag("--trust-domain", "data.example".into()),
            "is an authority of spiffe://hub.example, not of data.example",
        ),
        (flag("--identity", "hub".into()), "--identity (PORTOLAN_IDENTITY) is the broker's SPIFFE id"),
        (flag("--ca", "/nowhere.pem".into()), "/nowhere.pem: No such file or directory"),
        (
            flag("--key", stranger.files("/user").key.display().to_string()),
            "it is not the key of the certificate in",
        ),
        // An address for documentation (RFC 5737): nobody answers.
        ([flag("-a", "192.0.2.1:1".into()), flag("--timeout", "300ms".into())].concat(), "192.0.2.1:1"),
    ];
    for (arguments, wanted) in cases {
        let ran = list(arguments.clone()).await;
        assert_eq!((ran.code, ran.err.lines().count()), (1, 1), "{arguments:?}: {}", ran.err);
        assert!(ran.err.starts_with("error: ") && ran.err.contains(wanted), "{arguments:?}: {}", ran.err);
    }
    let exact = list(flag("--identity", "spiffe://hub.example/broker".into())).await;
    assert_eq!(exact.code, 0, "{}", exact.err);
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn without_an_identity_the_host_name_is_held_to_the_bundle() {
    let world = World::new();
    let hub = world.broker().start().await;
    let files = world.ml.files("/user");
    let list = |address: String| {
        let mut command = portolan(world.dir.path(), &["call", "list", "--address", &address, "--ca"]);
        command.arg(world.hub.bundle()).arg("--cert").arg(&files.certificate).arg("--key").arg(&files.key);
        run(command)
    };
    assert_eq!(list(format!("localhost:{}", hub.address.port())).await.code, 0);
    assert_eq!(list(hub.address.to_string()).await.code, 0);
    let ran = list(format!("127.0.0.2:{}", hub.address.port())).await;
    assert!(
        ran.err.contains("cannot connect to 127.0.0.2") || ran.err.contains("not for the host 127.0.0.2"),
        "{}",
        ran.err
    );
    hub.drain(Duration::from_secs(5)).await;
}

/// A port on which nobody listens.
fn unused_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
