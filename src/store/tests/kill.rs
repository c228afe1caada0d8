//! `kill -9` at any instant: a child process commits and says so; what it said is there afterwards.

use super::*;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const FOLDER: &str = "PORTOLAN_TEST_STORE";

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=4 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "store::tests::kill::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = 0;
        for line in lines.map_while(Result::ok) {
            // The test harness of the child may write on the same line.
            if let Some(number) =
                line.rsplit(' ').next().and_then(|n| n.parse().ok()).filter(|_| line.contains("done "))
            {
                acknowledged = number;
                said += 1;
                if said == round * 17 {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(said >= round * 17, "the child ended by itself");
        let (store, contents) = Store::open(folder.path(), now()).unwrap();
        assert!(contents.sequence >= acknowledged);
        assert_eq!(contents.producers.len() as u64, contents.sequence);
        store.close().await;
    }
}

#[tokio::test]
#[ignore = "the other half of the test above, in a process of its own"]
async fn child() {
    let Ok(folder) = env::var(FOLDER) else { return };
    let (store, _) = Store::open(Path::new(&folder), now()).unwrap();
    let mut next = 0;
    loop {
        let number = store.commit(vec![put(&format!("{next:?} {}", std::process::id()), "x")]).await.unwrap();
        next += 1;
        let mut out = std::io::stdout();
        writeln!(out, "done {number}").unwrap();
        out.flush().unwrap();
    }
}
