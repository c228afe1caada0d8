//! Real etcd as a producer that cannot register: `etcdctl` works through the broker and sends nothing of ours.

use crate::fixture::{Hub, World};
use crate::foreign::{Running, etcd, etcdctl, succeed};
use std::net::TcpListener;
use tokio::process::Command;

const SERVICES: &[&str] =
    &["etcdserverpb.KV", "etcdserverpb.Watch", "etcdserverpb.Lease", "etcdserverpb.Maintenance"];

#[tokio::test]
async fn etcdctl_works_through_the_broker() {
    let world = World::new();
    let port = free_port();
    let _etcd = start(&world, port);
    let hub = world
        .broker()
        .with(&format!(
            "[[platforms]]\nname = \"store.example\"\ntrust_domain = \"data.example\"\nservice_prefixes = [\"etcdserverpb\"]\n\
             [[producers]]\nplatform = \"store.example\"\nid = \"etcd\"\nidentity = \"{}\"\n\
             endpoints = [{{ address = \"127.0.0.1:{port}\" }}]\n[[producers.capabilities]]\nname = \"key-value\"\n\
             version = \"3.4.0\"\nservices = {SERVICES:?}\nowner = \"team\"\ncontact = \"team@store.example\"\n\
             visibility = [\"ml.example\"]",
            world.data.id("/etcd"),
        ))
        .start()
        .await;
    let ctl = |arguments: &str| ctl(&world, &hub, arguments);

    wait_for_etcd(&mut ctl("endpoint status")).await;
    assert_eq!(succeed(&mut ctl("put chart portolan")).await, "OK\n");
    assert_eq!(succeed(&mut ctl("get chart --print-value-only")).await, "portolan\n");

    let mut watch = Running::start(&mut ctl("watch chart --rev=1"));
    assert_eq!([watch.line().await, watch.line().await, watch.line().await], ["PUT", "chart", "portolan"]);
    succeed(&mut ctl("put chart atlas")).await;
    assert_eq!([watch.line().await, watch.line().await, watch.line().await], ["PUT", "chart", "atlas"]);

    let granted = succeed(&mut ctl("lease grant 30")).await;
    let lease = granted.split_whitespace().nth(1).expect("lease ID granted");
    succeed(&mut ctl(&format!("put --lease={lease} guest here"))).await;
    let once = succeed(&mut ctl(&format!("lease keep-alive --once {lease}"))).await;
    assert!(once.contains("keepalived with TTL(30)"), "{once}");
    let mut keeper = Running::start(&mut ctl(&format!("lease keep-alive {lease}")));
    assert!(keeper.line().await.contains("keepalived with TTL(30)"));
    succeed(&mut ctl(&format!("lease revoke {lease}"))).await;
    assert_eq!(succeed(&mut ctl("get guest --print-value-only")).await, "");
    assert_eq!(succeed(&mut ctl("del chart")).await, "1\n");
    assert_eq!([watch.line().await, watch.line().await], ["DELETE", "chart"]);
}

fn start(world: &World, port: u16) -> Running {
    let (files, url) = (world.data.files("/etcd"), format!("https://127.0.0.1:{port}"));
    Running::start(
        etcd()
            .arg("--data-dir")
            .arg(world.dir.path().join("etcd"))
            .args(["--listen-client-urls", &url, "--advertise-client-urls", &url])
            .args(["--listen-peer-urls", "http://127.0.0.1:0", "--log-level", "error", "--client-cert-auth"])
            // Its gateway would dial itself with a certificate that only the broker's CA could vouch for.
            .arg("--enable-grpc-gateway=false")
            .arg("--cert-file")
            .arg(files.certificate)
            .arg("--key-file")
            .arg(files.key)
            .arg("--trusted-ca-file")
            .arg(world.hub.bundle()),
    )
}

/// `etcdctl` as a workload of ml, with the broker as its only endpoint.
fn ctl(world: &World, hub: &Hub, arguments: &str) -> Command {
    let files = world.ml.files("/trainer");
    let mut command = etcdctl();
    command
        .arg(format!("--endpoints=https://localhost:{}", hub.address.port()))
        .arg("--cacert")
        .arg(world.hub.bundle())
        .arg("--cert")
        .arg(files.certificate)
        .arg("--key")
        .arg(files.key)
        .args(arguments.split(' '));
    command
}

/// etcd needs a moment to elect itself, and the broker another to find it.
async fn wait_for_etcd(status: &mut Command) {
    for _ in 0..30 {
        if crate::foreign::run(status).await.status.success() {
            return;
        }
    }
    succeed(status).await;
}

/// etcd cannot tell which port it took, so a free one is found for it.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
