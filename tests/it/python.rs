//! Python's grpcio on both sides of the broker, as it comes from its index.

use crate::fixture::{Hub, World};
use crate::foreign::{Running, file, python, succeed};

/// How many checks `consumer.py` makes.
const CHECKS: usize = 22;

#[tokio::test]
async fn an_unmodified_python_producer_serves_a_python_consumer() {
    let world = World::new();
    let (_serving, port) = producer(&world).await;
    let hub = world.broker().with(&declared(&world, port).await).start().await;
    consume(&world, &hub, "head,trailers").await;
}

/// The Python producer, and its port.
pub async fn producer(world: &World) -> (Running, u16) {
    let protos = file("tests/it/python");
    let producer = world.data.files("/echo");
    let mut serving = Running::start(python().arg(protos.join("producer.py")).args([
        &producer.certificate,
        &producer.key,
        &world.hub.bundle(),
        &protos,
    ]));
    let line = serving.line().await;
    let port = line.strip_prefix("listening ").expect("a port").parse().unwrap();
    (serving, port)
}

/// The configuration that lists a producer of the echo service on that port.
pub async fn declared(world: &World, port: u16) -> String {
    let descriptors = world.dir.path().join("echo.binpb");
    succeed(
        python()
            .args(["-m", "grpc_tools.protoc", "--include_imports", "echo.proto", "-I"])
            .arg(file("tests/it/python"))
            .arg(format!("--descriptor_set_out={}", descriptors.display())),
    )
    .await;
    format!(
        "[[producers]]\nplatform = \"data.example\"\nid = \"echo\"\nidentity = \"{}\"\n\
         endpoints = [{{ address = \"127.0.0.1:{port}\" }}]\n[[producers.capabilities]]\nname = \"echo\"\n\
         version = \"1.0.0\"\nservices = [\"dat.echo.v1.EchoService\"]\ndescriptor_set = {descriptors:?}\n\
         owner = \"team\"\ncontact = \"team@data.example\"\nvisibility = [\"payments.example\"]",
        world.data.id("/echo"),
    )
}

/// Runs the Python consumer; `places` is where the producer can send metadata with an OK.
pub async fn consume(world: &World, hub: &Hub, places: &str) {
    let protos = file("tests/it/python");
    let consumer = world.payments.files("/checkout");
    let told = succeed(
        python()
            .arg(protos.join("consumer.py"))
            .arg(format!("localhost:{}", hub.address.port()))
            .args([&consumer.certificate, &consumer.key, &world.hub.bundle(), &protos])
            .arg(places),
    )
    .await;
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), CHECKS, "{told}");
}
