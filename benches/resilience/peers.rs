//! What stands in front of the producers: Portolan and Envoy, one worker each, with retries, hedging and outlier detection.

use super::World;
use prost::Message;
use prost_types::method_options::IdempotencyLevel;
use prost_types::{
    DescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, MethodOptions,
    ServiceDescriptorProto,
};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Attempts of the two methods, as a gRPC service config says it (gRFC A6).
const SERVICE_CONFIG: &str = r#"{"methodConfig": [
  {"name": [{"service": "pay.v1.Echo", "method": "Retry"}],
   "retryPolicy": {"maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "0.1s", "backoffMultiplier": 2,
                   "retryableStatusCodes": ["UNAVAILABLE"]}},
  {"name": [{"service": "pay.v1.Echo", "method": "Hedge"}],
   "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]}}]}"#;

pub struct Peer {
    pub name: &'static str,
    pub address: SocketAddr,
    _process: Child,
}

impl Peer {
    pub async fn portolan(world: &World, ports: &[u16]) -> Self {
        let address = free();
        let endpoints: Vec<_> =
            ports.iter().map(|port| format!("{{ address = \"127.0.0.1:{port}\" }}")).collect();
        let descriptors = world.dir.path().join("echo.binpb");
        std::fs::write(&descriptors, described().encode_to_vec()).unwrap();
        let declared = format!(
            "[[producers]]\nplatform = {:?}\nid = \"echo\"\nidentity = {:?}\nendpoints = [{}]\n\
             [[producers.capabilities]]\nname = \"echo\"\nversion = \"1.0.0\"\nservices = [\"pay.v1.Echo\"]\n\
             descriptor_set = {descriptors:?}\nowner = \"team\"\ncontact = \"team@example\"\nstage = \"stable\"\nvisibility = [\"*\"]\n\
             service_config = '''{SERVICE_CONFIG}'''",
            world.payments.name,
            world.payments.id("/echo"),
            endpoints.join(", ")
        );
        let file = world.broker().with(&declared).write();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(
            &file,
            text.replacen("listen = \"127.0.0.1:0\"", &format!("listen = \"{address}\""), 1),
        )
        .unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command.args(["serve", "--config"]).arg(file);
        Self::start("Portolan", address, command).await
    }

    pub async fn envoy(world: &World, ports: &[u16]) -> Self {
        let address = free();
        let bundles: Vec<_> =
            world.organisations().iter().map(|o| std::fs::read(o.bundle()).unwrap()).collect();
        let bundle = world.dir.path().join("all.pem");
        std::fs::write(&bundle, bundles.concat()).unwrap();
        let files = world.hub.files("/broker");
        let endpoint = |port: &u16| {
            format!(
                "        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}\n"
            )
        };
        let text = include_str!("envoy.yaml")
            .replace("@PORT@", &address.port().to_string())
            .replace("@CERTIFICATE@", &files.certificate.display().to_string())
            .replace("@KEY@", &files.key.display().to_string())
            .replace("@BUNDLE@", &bundle.display().to_string())
            .replace("@ENDPOINTS@\n", &ports.iter().map(endpoint).collect::<String>());
        let file = world.dir.path().join("envoy.yaml");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "warning"]);
        Self::start("Envoy", address, command).await
    }

    async fn start(name: &'static str, address: SocketAddr, mut command: Command) -> Self {
        let log = std::fs::File::create(std::env::temp_dir().join(format!("resilience-{name}.log"))).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let listens = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(Duration::from_secs(20), listens).await.unwrap_or_else(|_| panic!("{name} does not listen"));
        Self { name, address, _process: process }
    }
}

/// `pay.v1.Echo`, whose methods may be repeated.
fn described() -> FileDescriptorSet {
    let method = |name: &str| MethodDescriptorProto {
        name: Some(name.into()),
        input_type: Some(".pay.v1.Bytes".into()),
        output_type: Some(".pay.v1.Bytes".into()),
        options: Some(MethodOptions {
            idempotency_level: Some(IdempotencyLevel::Idempotent.into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some("Echo".into()),
        method: vec![method("Retry"), method("Hedge")],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("pay/v1/echo.proto".into()),
        package: Some("pay.v1".into()),
        message_type: vec![DescriptorProto { name: Some("Bytes".into()), ..Default::default() }],
        service: vec![service],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }
}

fn program() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    variable("ENVOY").unwrap_or_else(|| {
        variable("BENCH_WORK").unwrap_or_else(|| "/tmp/bench".into()).join("envoy-venv/envoy")
    })
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
