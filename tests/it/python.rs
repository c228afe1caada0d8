//! Python's grpcio on both sides of the broker, as it comes from its index.

use crate::fixture::World;
use crate::foreign::{Running, file, python, succeed};

#[tokio::test]
async fn an_unmodified_python_producer_serves_a_python_consumer() {
    let world = World::new();
    let protos = file("tests/it/python");
    let producer = world.data.files("/echo");
    let mut serving = Running::start(python().arg(protos.join("producer.py")).args([
        &producer.certificate,
        &producer.key,
        &world.hub.bundle(),
        &protos,
    ]));
    let line = serving.line().await;
    let port = line.strip_prefix("listening ").expect("a port");

    let descriptors = world.dir.path().join("echo.binpb");
    succeed(
        python()
            .args(["-m", "grpc_tools.protoc", "--include_imports", "echo.proto", "-I"])
            .arg(&protos)
            .arg(format!("--descriptor_set_out={}", descriptors.display())),
    )
    .await;
    let hub = world
        .broker()
        .with(&format!(
            "[[producers]]\nplatform = \"data.example\"\nid = \"echo\"\nidentity = \"{}\"\n\
             endpoints = [{{ address = \"127.0.0.1:{port}\" }}]\n[[producers.capabilities]]\nname = \"echo\"\n\
             version = \"1.0.0\"\nservices = [\"dat.echo.v1.EchoService\"]\ndescriptor_set = {descriptors:?}\n\
             owner = \"team\"\ncontact = \"team@data.example\"\nvisibility = [\"payments.example\"]",
            world.data.id("/echo"),
        ))
        .start()
        .await;

    let consumer = world.payments.files("/checkout");
    let told = succeed(
        python().arg(protos.join("consumer.py")).arg(format!("localhost:{}", hub.address.port())).args([
            &consumer.certificate,
            &consumer.key,
            &world.hub.bundle(),
            &protos,
        ]),
    )
    .await;
    assert_eq!(told.lines().filter(|line| line.starts_with("ok ")).count(), 16, "{told}");
}
