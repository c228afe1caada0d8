//! Clients and servers that others wrote: `./test` installs them into `.test/`.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(90);

/// Python with grpcio.
pub fn python() -> Command {
    command("PORTOLAN_TEST_PYTHON", "python/bin/python")
}

/// The buf command line.
pub fn buf() -> Command {
    command("PORTOLAN_TEST_BUF", "node/node_modules/.bin/buf")
}

pub fn etcd() -> Command {
    command("PORTOLAN_TEST_ETCD", "etcd/usr/bin/etcd")
}

pub fn etcdctl() -> Command {
    let mut command = command("PORTOLAN_TEST_ETCDCTL", "etcd/usr/bin/etcdctl");
    command.env("ETCDCTL_API", "3");
    command
}

/// Our own program, as users run it.
pub fn portolan() -> Command {
    new(Path::new(env!("CARGO_BIN_EXE_portolan")))
}

/// A file of the repository.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn command(variable: &str, installed: &str) -> Command {
    let path = std::env::var_os(variable).map_or_else(|| file(".test").join(installed), PathBuf::from);
    assert!(path.exists(), "{} is missing: run ./test once, it installs what the tests need", path.display());
    new(&path)
}

fn new(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).kill_on_drop(true).stdin(Stdio::null());
    // A proxy of the machine is not for the loopback.
    for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(variable);
    }
    command
}

/// Runs it to its end.
pub async fn run(command: &mut Command) -> Output {
    let output = timeout(PATIENCE, command.output()).await;
    output.unwrap_or_else(|_| panic!("it did not end: {command:?}")).unwrap()
}

/// Runs it to its good end and returns what it printed.
pub async fn succeed(command: &mut Command) -> String {
    let output = run(command).await;
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program that runs until it falls.
pub struct Running {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, lines }
    }

    /// The next line that it prints.
    pub async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time").unwrap();
        line.expect("it ended instead of printing a line")
    }

    /// Every line up to and with the first that contains `mark`.
    pub async fn until(&mut self, mark: &str) -> Vec<String> {
        let mut lines = vec![self.line().await];
        while !lines.last().unwrap().contains(mark) {
            lines.push(self.line().await);
        }
        lines
    }
}
