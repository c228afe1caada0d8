//! `portolan demo` as a new user meets it: the real program, the page that it prints, and every line of it.

use crate::foreign::{Running, buf, file, portolan, python, run, succeed, text};
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;
use tokio::process::Command;

/// The gRPC code; `buf curl` ends with eight times a code, `portolan call` with 64 more.
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 64 + 14;
/// Exit codes of `portolan status`.
const DEGRADED: i32 = 4;
const NOT_SERVING: i32 = 5;

#[tokio::test]
async fn the_demo_proves_itself() {
    let told = succeed(portolan().args(["demo", "--check"])).await;
    assert!(told.contains("19 of 19 stories passed"), "{told}");
}

#[tokio::test]
async fn every_printed_command_works_as_printed() {
    let demo = Demo::start().await;
    let (mut chapter, mut tried) = (String::new(), 0);
    for line in &demo.page {
        let line = line.trim();
        if let Some(title) = line.strip_prefix("# ") {
            chapter = title.to_owned();
        } else if line.starts_with(env!("CARGO_BIN_EXE_portolan")) || line.starts_with("buf ") {
            let Output { status, stdout, stderr } = demo.shell(line).await;
            let said = format!("{line}\n{}{}", text(&stdout), text(&stderr));
            let expected: &[i32] = match () {
                () if chapter.starts_with("denied") && line.ends_with(" list") => &[0],
                () if chapter.starts_with("denied") => &[8 * PERMISSION_DENIED, 64 + PERMISSION_DENIED],
                () if chapter.starts_with("let the ledger") && line.contains(" call ") => &[UNAVAILABLE],
                // Whether the broker has noticed the crash by now is its probe's business.
                () if chapter.starts_with("let the ledger") && line.contains(" status ") => {
                    &[0, DEGRADED, NOT_SERVING]
                }
                () => &[0],
            };
            assert!(
                status.code().is_some_and(|code| expected.contains(&code)),
                "{chapter}: {status}: {said}"
            );
            tried += 1;
        }
    }
    assert_eq!(tried, 18, "{:#?}", demo.page);
}

#[tokio::test]
async fn buf_lists_describes_and_calls_with_mutual_tls() {
    let demo = Demo::start().await;
    let listed = demo.buf("data", &["--list-services"], "").await;
    assert!(
        listed.contains("payments.ledger.v2.LedgerService") && listed.contains("ml.embedding.v1"),
        "{listed}"
    );
    let listed = demo.buf("payments", &["--list-services"], "").await;
    assert!(!listed.contains("ml.embedding.v1"), "{listed}");
    let methods = demo.buf("payments", &["--list-methods"], "").await;
    assert!(methods.contains("data.kv.v1.KeyValueService/Watch"), "{methods}");
    let found = demo
        .buf("payments", &["-d", "{\"query\":\"lighthouse\"}"], "data.search.v1.SearchService/Search")
        .await;
    assert!(found.contains("\"id\":\"lighthouse\"") || found.contains("\"id\": \"lighthouse\""), "{found}");
    let texts = "{\"id\":\"a\",\"text\":\"ship\"}{\"id\":\"b\",\"text\":\"ships\"}";
    let bidi = demo.buf("data", &["-d", texts], "ml.embedding.v1.EmbeddingService/StreamEmbeddings").await;
    assert_eq!(bidi.matches("\"embedding\"").count(), 2, "{bidi}");
}

#[tokio::test]
async fn the_python_example_registers_itself_and_is_called() {
    let demo = Demo::start().await;
    let certs = demo.dir().join("certs");
    let names = ["--dns", "localhost", "--ip", "127.0.0.1", "--dir"];
    succeed(portolan().args(["certs", "issue", "spiffe://payments.example/greeter"]).args(names).arg(&certs))
        .await;
    let of_payments = certs.join("payments.example");
    let mut example = Running::start(
        python()
            .arg("examples/producer.py")
            .arg(format!("localhost:{}", demo.port))
            .arg(certs.join("hub.example/ca.pem"))
            .args([of_payments.join("greeter.pem"), of_payments.join("greeter.key")]),
    );
    assert_eq!(example.line().await, "registered platforms/payments.example/producers/greeter");
    let greeting =
        demo.buf("ml", &["-d", "{\"name\":\"Ada\"}"], "payments.greeter.v1.GreeterService/Greet").await;
    assert!(greeting.contains("Ahoy, Ada!"), "{greeting}");
}

#[tokio::test]
async fn our_protos_pass_buf_s_standard_lint() {
    let config = r#"{"version":"v2","modules":[{"path":"proto","excludes":["proto/demo"]},{"path":"proto/demo"}],
                     "lint":{"use":["STANDARD"],"ignore":["proto/grpc"]}}"#;
    succeed(buf().arg("lint").arg("--config").arg(config)).await;
}

/// The demo, running in a directory that goes away.
struct Demo {
    dir: TempDir,
    page: Vec<String>,
    port: u16,
    _running: Running,
}

impl Demo {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut running = Running::start(portolan().args(["demo", "--port", "0", "--dir"]).arg(dir.path()));
        let page = running.until("Ctrl-C ends it").await;
        let broker = page.iter().find(|line| line.contains("BROKER")).expect("where the broker listens");
        let port = broker.split("localhost:").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        Self { dir, page, port, _running: running }
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs a line as a shell does in which buf is installed.
    async fn shell(&self, line: &str) -> Output {
        let buf = PathBuf::from(buf().as_std().get_program());
        let path = format!("{}:{}", buf.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", path).current_dir(file("")).kill_on_drop(true);
        run(&mut command).await
    }

    /// `buf curl` as the consumer of an organisation.
    async fn buf(&self, short: &str, arguments: &[&str], method: &str) -> String {
        let consumer = match short {
            "payments" => "payments.example/checkout",
            "data" => "data.example/reports",
            _ => "ml.example/trainer",
        };
        let certs = self.dir().join("certs");
        let mut curl = buf();
        curl.arg("curl").arg("--protocol").arg("grpc").args(arguments);
        curl.arg("--cacert").arg(certs.join("hub.example/ca.pem"));
        curl.arg("--cert").arg(certs.join(format!("{consumer}.pem")));
        curl.arg("--key").arg(certs.join(format!("{consumer}.key")));
        succeed(curl.arg(format!("https://localhost:{}/{method}", self.port))).await
    }
}
