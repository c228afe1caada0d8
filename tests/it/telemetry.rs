//! What is told of calls, at real boundaries: scraped, sent to a collector that decodes real bytes, written to a file.

mod collector;
mod hedges;
mod lines;
mod metrics;
mod spans;

use crate::fixture::{Hub, Organisation, Producer, World};
use prost::Message;
use prost_types::{FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const POST: &str = "/pay.v1.Ledger/Post";

/// A broker with one producer whose descriptors declare `pay.v1.Ledger/Post`, and more configuration.
async fn hub(world: &World, producer: &Producer, more: &str) -> Hub {
    let file = world.dir.path().join("ledger.binpb");
    std::fs::write(&file, descriptors()).unwrap();
    let Organisation { name, .. } = &world.payments;
    let text = format!(
        "[[producers]]\nplatform = {name:?}\nid = \"ledger\"\nidentity = {:?}\nendpoints = [{{ address = \"{}\" }}]\n\
         [[producers.capabilities]]\nname = \"ledger\"\nversion = \"1.2.0\"\nservices = [\"pay.v1.Ledger\"]\n\
         descriptor_set = {file:?}\nowner = \"team\"\ncontact = \"x\"\nvisibility = [\"*\"]\n{more}",
        producer.identity, producer.address
    );
    world.broker().with(&text).start().await
}

fn descriptors() -> Vec<u8> {
    let of = ".google.protobuf.Empty".to_owned();
    let method = MethodDescriptorProto {
        name: Some("Post".into()),
        input_type: Some(of.clone()),
        output_type: Some(of),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some("Ledger".into()), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some("pay/v1/ledger.proto".into()),
        package: Some("pay.v1".into()),
        dependency: vec!["google/protobuf/empty.proto".into()],
        service: vec![service],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// The status line and the body of a page of the admin listener.
async fn page(hub: &Hub, path: &str) -> (u16, String) {
    let address = hub.broker.as_ref().unwrap().admin()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Every sample of `/metrics`.
pub async fn scrape(hub: &Hub) -> BTreeMap<String, f64> {
    let (status, body) = page(hub, "/metrics").await;
    assert_eq!(status, 200);
    let lines = body.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(k, v)| (k.to_owned(), v.parse().unwrap()))
        .collect()
}

/// Asks again until it is so: a call is counted when its task ends, a moment after its consumer has seen the end.
async fn soon<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{what} did not come");
        // It is sent and written by its own clock, which is real.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// All samples, once so many calls have ended.
async fn scraped_after(hub: &Hub, calls: f64) -> BTreeMap<String, f64> {
    soon("the last call", async || {
        let samples = scrape(hub).await;
        let of = |(name, _): &(&String, &f64)| name.starts_with("grpc_server_call_duration_seconds_count{");
        let ended: f64 = samples.iter().filter(of).map(|(_, count)| count).sum();
        (ended >= calls).then_some(samples)
    })
    .await
}
