//! The README's own commands: what it tells a new user to type is typed here.

use crate::foreign::{Running, file, portolan, python, succeed};
use std::net::TcpListener;
use std::path::Path;
use tempfile::TempDir;
use tokio::process::Command;

#[tokio::test]
async fn a_broker_of_one_s_own_runs_as_the_readme_says() {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let chapter = between(&readme, "## A broker of your own", "\n## ");
    let [certificates, _, ask] = blocks(chapter, "sh").try_into().expect("three blocks of commands");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let home = tempfile::tempdir().unwrap();

    succeed(&mut shell(&home, certificates)).await;
    let configuration = blocks(chapter, "toml")[0].replace("7443", &port);
    std::fs::write(home.path().join("portolan.toml"), configuration).unwrap();
    succeed(&mut shell(&home, "portolan config check portolan.toml")).await;
    let _broker = Running::start(portolan().current_dir(&home).args(["serve", "--config", "portolan.toml"]));
    wait_for(&port).await;

    let ask = ask.replace("7443", &port);
    let told = succeed(&mut shell(&home, &ask)).await;
    assert!(told.contains("data.example") && told.contains("portolan.catalog.v1.CatalogService"), "{told}");

    let chapter = between(&readme, "## Register a producer", "\n## ");
    let declaration = between(chapter, "<<'JSON'\n", "\nJSON\n");
    let greeter = "export PORTOLAN_CERT=certs/payments.example/greeter.pem PORTOLAN_KEY=certs/payments.example/greeter.key";
    let register = "portolan call portolan.registry.v1.RegistryService/RegisterProducer -d @- <<'JSON'";
    let told =
        succeed(&mut shell(&home, &format!("{ask}\n{greeter}\n{register}\n{declaration}\nJSON"))).await;
    assert!(
        told.contains("platforms/payments.example/producers/greeter") && told.contains("warnings"),
        "{told}"
    );

    let blocks = blocks(chapter, "sh");
    let lines = blocks.iter().find(|block| block.starts_with("python ")).expect("how the example runs");
    let (example, call) = lines.split_once('\n').unwrap();
    let arguments =
        example.replace("7443", &port).replace("certs/", &format!("{}/certs/", home.path().display()));
    let mut example = Running::start(python().args(arguments.split(' ').skip(1)));
    assert!(example.line().await.starts_with("registered "));
    let told = succeed(&mut shell(&home, &format!("{ask}\n{call}"))).await;
    assert!(told.contains("Ahoy, Ada!"), "{told}");
}

/// A shell in a folder of its own, with our program on its path.
fn shell(home: &TempDir, script: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_portolan")).parent().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-ec", script]).current_dir(home).env("HOME", home.path()).kill_on_drop(true);
    shell.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
    shell
}

/// Until somebody listens; the broker prints to its log only.
async fn wait_for(port: &str) {
    for _ in 0..200 {
        if tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.is_ok() {
            return;
        }
        // Another process starts: nothing here can be awaited for it.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the broker does not listen");
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let start = text.find(begin).unwrap_or_else(|| panic!("the README lacks {begin:?}")) + begin.len();
    let length = text[start..].find(end).unwrap_or(text.len() - start);
    &text[start..start + length]
}

/// The blocks of a language in a chapter.
fn blocks<'t>(chapter: &'t str, language: &str) -> Vec<&'t str> {
    let fence = format!("```{language}\n");
    chapter.split(fence.as_str()).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}
