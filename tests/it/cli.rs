//! The real binary as people use it: its words, its exit codes, and a real broker at the other end.

use crate::fixture::{Hub, Organisation, World};
use prost::Message;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto, field_descriptor_proto,
};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

mod calls;
mod connections;
mod explain;
mod lint;
mod serving;

/// What a run of the binary left.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

/// The binary, in `folder`, with no variable of ours around it.
fn portolan(folder: &Path, arguments: &[&str]) -> Command {
    program(Command::new(env!("CARGO_BIN_EXE_portolan")), folder, arguments)
}

/// The program where few files may be open at first, as on many systems.
fn portolan_with_few_files(folder: &Path, arguments: &[&str]) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_portolan")]);
    program(shell, folder, arguments)
}

fn program(mut command: Command, folder: &Path, arguments: &[&str]) -> Command {
    command.args(arguments).current_dir(folder).kill_on_drop(true).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTOLAN")) {
        command.env_remove(name);
    }
    command.env("HOME", folder).env_remove("XDG_CONFIG_HOME").env("NO_COLOR", "1");
    command
}

async fn run(mut command: Command) -> Ran {
    let ended = tokio::time::timeout(Duration::from_secs(30), command.output()).await;
    let Output { status, stdout, stderr } = ended.expect("it ends within 30 s").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().expect("an exit code"), out: text(stdout), err: text(stderr) }
}

/// A profile by which a workload of `organisation` reaches the broker.
fn profile(world: &World, organisation: &Organisation, hub: &Hub) -> String {
    let files = organisation.files("/user");
    let path = world.dir.path().join(format!("{}.toml", organisation.name));
    let text = format!(
        "address = \"{}\"\nca = {:?}\ncert = {:?}\nkey = {:?}\ntrust_domain = \"hub.example\"\n",
        hub.address,
        world.hub.bundle(),
        files.certificate,
        files.key
    );
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_command_explains_itself_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    let help = run(portolan(folder.path(), &["--help"])).await;
    assert_eq!(help.code, 0);
    for command in [
        "serve",
        "plan",
        "apply",
        "export",
        "publish",
        "schema",
        "catalog",
        "status",
        "report",
        "call",
        "config",
        "explain",
        "lint",
        "certs",
        "demo",
        "completions",
    ] {
        assert!(help.out.contains(&format!("  {command} ")), "{}", help.out);
        let own = run(portolan(folder.path(), &[command, "--help"])).await;
        assert!(own.code == 0 && own.out.contains("Examples:"), "{command}: {}{}", own.out, own.err);
    }
    assert_eq!(run(portolan(folder.path(), &["catalogue"])).await.code, 2);
    let script = run(portolan(folder.path(), &["completions", "bash"])).await;
    assert!(script.code == 0 && script.out.contains("complete -F _portolan"), "{}", script.err);
}

#[tokio::test]
async fn a_configuration_is_checked_with_all_its_faults() {
    let world = World::new();
    let file = world.dir.path().join("bad.toml");
    std::fs::write(&file, "id = \"Hub\"\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"xml\"\n").unwrap();
    let checked = run(portolan(world.dir.path(), &["config", "check", "bad.toml"])).await;
    assert_eq!((checked.code, checked.out.as_str()), (1, ""));
    for wanted in [
        "bad.toml:1:1: id: ",
        "bad.toml:1:1: tls.certificate: it is missing",
        "bad.toml:4:1: log.format: ",
        "    fix: ",
    ] {
        assert!(checked.err.contains(wanted), "{wanted:?}: {}", checked.err);
    }
    let served = run(portolan(world.dir.path(), &["serve", "--config", "bad.toml"])).await;
    assert!(served.code == 1 && served.err.contains("bad.toml:4:1: log.format"), "{}", served.err);

    let mut fixed = portolan(world.dir.path(), &["config", "check", "bad.toml"]);
    let files = world.hub.files("/broker");
    fixed.env("PORTOLAN__ID", "hub").env("PORTOLAN__LOG__FORMAT", "json");
    fixed.env("PORTOLAN__TLS__CERTIFICATE", &files.certificate).env("PORTOLAN__TLS__KEY", &files.key);
    let bundle = format!("[{{ name = \"hub.example\", bundle = {:?} }}]", world.hub.bundle());
    let fixed = run({
        fixed.env("PORTOLAN__TRUST_DOMAINS", bundle);
        fixed
    })
    .await;
    assert!(
        fixed.code == 0 && fixed.out.starts_with("OK: broker hub listens on"),
        "{}{}",
        fixed.out,
        fixed.err
    );

    std::fs::write(world.dir.path().join("empty.pem"), "no certificate").unwrap();
    let mut broken = portolan(world.dir.path(), &["config", "check", "bad.toml"]);
    broken.env("PORTOLAN__ID", "hub").env("PORTOLAN__LOG__FORMAT", "json");
    broken.env("PORTOLAN__TLS__CERTIFICATE", "empty.pem").env("PORTOLAN__TLS__KEY", &files.key);
    broken.env("PORTOLAN__TRUST_DOMAINS", "[{ name = \"hub.example\", bundle = \"empty.pem\" }]");
    let broken = run(broken).await;
    assert!(broken.code == 1 && broken.err.ends_with("2 faults\n"), "{}", broken.err);

    let schema = run(portolan(world.dir.path(), &["config", "schema"])).await;
    assert!(schema.out.contains("https://json-schema.org/draft/2020-12/schema"), "{}", schema.err);
}

/// A descriptor set of one service, `SERVICE/Talk`, which takes and gives streams of `Word { string text = 1; }`.
fn descriptors(package: &str, service: &str) -> Vec<u8> {
    let field = FieldDescriptorProto {
        name: Some("text".into()),
        number: Some(1),
        label: Some(field_descriptor_proto::Label::Optional.into()),
        r#type: Some(field_descriptor_proto::Type::String.into()),
        json_name: Some("text".into()),
        ..Default::default()
    };
    let method = MethodDescriptorProto {
        name: Some("Talk".into()),
        input_type: Some(format!(".{package}.Word")),
        output_type: Some(format!(".{package}.Word")),
        client_streaming: Some(true),
        server_streaming: Some(true),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some(format!("{package}.proto")),
        package: Some(package.into()),
        message_type: vec![DescriptorProto {
            name: Some("Word".into()),
            field: vec![field],
            ..Default::default()
        }],
        service: vec![ServiceDescriptorProto {
            name: Some(service.into()),
            method: vec![method],
            ..Default::default()
        }],
        syntax: Some("proto3".into()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

/// What a child prints on its standard output, until `wanted` has come.
async fn until(child: &mut Child, wanted: &str) -> String {
    let out = child.stdout.as_mut().unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 1024]);
    while !text.contains(wanted) {
        let read = tokio::time::timeout(Duration::from_secs(20), out.read(&mut bytes)).await;
        let count = read.unwrap_or_else(|_| panic!("{wanted:?} within 20 s, not only {text:?}")).unwrap();
        assert_ne!(count, 0, "the output ends with {text:?}");
        text += std::str::from_utf8(&bytes[..count]).unwrap();
    }
    text
}

/// Everything that a child still prints on its standard error.
async fn rest(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut text).await.unwrap();
    text
}

async fn type_in(child: &mut Child, text: &str) {
    child.stdin.as_mut().unwrap().write_all(text.as_bytes()).await.unwrap();
}
