//! `portolan call` against a real broker: learnt by reflection, JSON in and out, every kind of answer.

use super::*;
use crate::fixture::{Producer, echo};

#[tokio::test]
async fn a_service_is_listed_described_and_called() {
    let world = World::new();
    let hub = world.broker().start().await;
    let profile = profile(&world, &world.payments, &hub);
    let call = |arguments: &[&str]| {
        let mut command = portolan(world.dir.path(), &["call", "--profile", &profile]);
        command.args(arguments);
        run(command)
    };
    let methods = call(&["list", "grpc.health.v1.Health"]).await;
    assert_eq!(
        methods.out,
        "grpc.health.v1.Health/Check\ngrpc.health.v1.Health/List\ngrpc.health.v1.Health/Watch\n"
    );
    let told = call(&["describe", "grpc.health.v1.Health"]).await;
    assert!(told.out.contains("  rpc Watch(.grpc.health.v1.HealthCheckRequest) returns (stream .grpc.health.v1.HealthCheckResponse);"), "{}", told.err);
    let told = call(&["describe", "grpc.health.v1.HealthCheckRequest"]).await;
    assert_eq!(told.out, "message grpc.health.v1.HealthCheckRequest {\n  string service = 1;\n}\n");

    let answer = call(&["grpc.health.v1.Health/Check"]).await;
    assert_eq!(
        (answer.code, answer.out.replace(char::is_whitespace, "")),
        (0, "{\"status\":\"SERVING\"}".into()),
        "{}",
        answer.err
    );
    let answer = call(&["grpc.health.v1.Health/Check", "-d", "{\"service\": \"no.Such\"}", "-v"]).await;
    assert_eq!((answer.code, answer.out.as_str()), (69, ""));
    assert!(answer.err.contains("NOT_FOUND: ") && answer.err.contains("rpc Check("), "{}", answer.err);
    let answer = call(&["grpc.health.v1.Health/Watch", "--deadline", "300ms"]).await;
    assert!(answer.code == 68 && answer.out.contains("SERVING"), "{} {}", answer.code, answer.err);

    for (arguments, wanted) in [
        (vec!["no.Such/Method"], "no.Such is not known there"),
        (vec!["grpc.health.v1.Health/Chek"], "it has Check, List, Watch"),
        (vec!["Check"], "is no method"),
        (vec!["grpc.health.v1.Health/Check", "-d", "{\"name\": 1}"], "HealthCheckRequest"),
        (vec!["grpc.health.v1.Health/Check", "-d", "{} {}"], "2 are given"),
        (
            vec!["grpc.health.v1.Health/Check", "-d", "@nowhere.json"],
            "cannot read the request from nowhere.json",
        ),
    ] {
        let ran = call(&arguments).await;
        assert!(ran.code == 1 && ran.err.contains(wanted), "{arguments:?}: {}", ran.err);
    }
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_stream_is_talked_to_message_by_message() {
    let world = World::new();
    std::fs::write(world.dir.path().join("talk.binpb"), descriptors("pay.talk.v1", "Talk")).unwrap();
    let producer = Producer::start(&world.payments, &world.hub, "/talk", echo).await;
    let hub = world
        .broker()
        .producer(&world.payments, "talk", &producer, &["pay.talk.v1.Talk"])
        .with("descriptor_set = \"talk.binpb\"")
        .start()
        .await;
    let profile = profile(&world, &world.data, &hub);

    let arguments = ["call", "--profile", &profile, "pay.talk.v1.Talk/Talk"];
    let mut command = portolan(world.dir.path(), &arguments);
    command.args(["-d", "{\"text\": \"a\"}\n{\"text\": \"b\"}", "-H", "x-tag: 7", "-v"]);
    let ran = run(command).await;
    assert_eq!(
        (ran.code, ran.out.replace(char::is_whitespace, "")),
        (0, "{\"text\":\"a\"}{\"text\":\"b\"}".into()),
        "{}",
        ran.err
    );
    for wanted in [
        "rpc Talk(stream .pay.talk.v1.Word)",
        "header x-tag: 7",
        "header seen-portolan-caller: spiffe://data.example/user",
        "trailer x-trailer-bin: AAEC",
    ] {
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
    }

    // An answer comes before the next message is even typed.
    let mut command = portolan(world.dir.path(), &arguments);
    command.args(["-d", "@-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    for word in ["one", "two"] {
        type_in(&mut child, &format!("{{\"text\": \"{word}\"}}\n")).await;
        let answer = until(&mut child, "}\n").await;
        assert!(answer.contains(word), "{answer}");
    }
    type_in(&mut child, "{\"text\": 3}\n").await;
    let told = rest(&mut child).await;
    assert_eq!(child.wait().await.unwrap().code(), Some(1));
    assert!(told.contains("message 3 of the request is not a pay.talk.v1.Word"), "{told}");
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn whoever_knows_the_contract_of_what_it_may_not_see_is_denied() {
    let world = World::new();
    std::fs::write(world.dir.path().join("talk.binpb"), descriptors("pay.talk.v1", "Talk")).unwrap();
    let producer = Producer::start(&world.payments, &world.hub, "/talk", echo).await;
    let services = ["pay.talk.v1.Talk"];
    let hub = world
        .broker()
        .producer_for(&world.payments, "talk", &producer, &services, &["ml.example"])
        .start()
        .await;
    let profile = profile(&world, &world.data, &hub);
    let call = ["call", "--profile", &profile, "pay.talk.v1.Talk/Talk", "-d", "{\"text\": \"a\"}"];
    let blind = run(portolan(world.dir.path(), &call)).await;
    assert!(blind.code == 1 && blind.err.contains("is not known there"), "{}", blind.err);
    let mut command = portolan(world.dir.path(), &call);
    command.args(["--descriptor-set", "talk.binpb"]);
    let denied = run(command).await;
    assert!(
        denied.code == 71 && denied.err.starts_with("PERMISSION_DENIED: "),
        "{} {}",
        denied.code,
        denied.err
    );
    assert_eq!(producer.calls(), 0);
    hub.drain(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_reader_who_has_enough_is_no_failure() {
    let world = World::new();
    let hub = world.broker().start().await;
    let profile = profile(&world, &world.ml, &hub);
    let mut command = portolan(world.dir.path(), &["call", "list", "--profile", &profile]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let told = rest(&mut child).await;
    assert_eq!((child.wait().await.unwrap().code(), told.as_str()), (Some(0), ""));
    hub.drain(Duration::from_secs(5)).await;
}
