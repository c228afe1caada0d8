//! What breaks, as we see it and as buf sees it: one table, judged by both.

use crate::foreign;
use portolan::descriptors::{Break, Contract, Limits, Set, breaks};
use portolan::model::ServiceName;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

mod table;

/// A change, and which rules it breaks.
pub struct Change {
    /// What stands in the file of package `{p}` before and after. Without a declaration: the fields of `M`, which the
    /// only method takes and returns. Without `syntax` or `edition`: proto3.
    pub old: &'static str,
    pub new: &'static str,
    /// Our rules.
    pub ours: &'static [&'static str],
    /// The rules of buf's `WIRE_JSON`.
    pub buf: &'static [&'static str],
    /// Why the verdicts differ, if they do.
    pub why: &'static str,
}

fn source(text: &str, package: &str) -> String {
    let declares = ["message ", "service ", "enum "].iter().any(|word| text.contains(word));
    let text = if declares { text.to_owned() } else { format!("message M {{ {text} }}") };
    let service = if text.contains("service ") { "" } else { "service S { rpc Do(M) returns (M); }" };
    match text.split_once(';') {
        Some((syntax, rest)) if syntax.starts_with("syntax") || syntax.starts_with("edition") => {
            format!("{syntax}; package {package}; {service} {rest}")
        }
        _ => format!("syntax = \"proto3\"; package {package}; {service} {text}"),
    }
    .replace("{p}", package)
}

async fn build(folder: &Path, side: &str, text: fn(&Change) -> &'static str) -> Vec<u8> {
    for (at, change) in table::changes().enumerate() {
        let package = format!("c{at}");
        let path = folder.join(side).join(&package);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("c.proto"), source(text(change), &package)).unwrap();
    }
    let image = folder.join(format!("{side}.binpb"));
    foreign::succeed(foreign::buf().arg("build").arg(folder.join(side)).arg("-o").arg(&image)).await;
    fs::read(image).unwrap()
}

/// The rules that buf finds broken, by package.
async fn verdicts(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut buf = foreign::buf();
    buf.arg("breaking").arg(folder.join("new.binpb")).arg("--against").arg(folder.join("old.binpb"));
    buf.args(["--error-format", "json", "--config", r#"{"version":"v2","breaking":{"use":["WIRE_JSON"]}}"#]);
    let ran = foreign::run(&mut buf).await;
    assert_eq!(ran.status.code(), Some(100), "{}", foreign::text(&ran.stderr));
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in foreign::text(&ran.stdout).lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| line[key].as_str().unwrap_or_else(|| panic!("{key} in {line}")).to_owned();
        let package = text("path").split('/').next().unwrap().to_owned();
        found.entry(package).or_default().insert(text("type"));
    }
    found
}

#[tokio::test]
async fn we_and_buf_judge_the_same_changes() {
    let folder = tempfile::tempdir().unwrap();
    let old = build(folder.path(), "old", |change| change.old).await;
    let new = build(folder.path(), "new", |change| change.new).await;
    let screen = |bytes: &[u8]| {
        let set = Set::screen(bytes, &Limits::default()).unwrap();
        assert_eq!(set.warnings(), []);
        set
    };
    let (old, new, buf) = (screen(&old), screen(&new), verdicts(folder.path()).await);
    let mut faults = Vec::new();
    for (at, change) in table::changes().enumerate() {
        let package = format!("c{at}");
        let services = |set: &Set| -> Vec<ServiceName> {
            set.services().filter(|name| name.as_str().starts_with(&format!("{package}."))).cloned().collect()
        };
        let (before, after) = (services(&old), services(&new));
        let contract = |services, set| Contract { services, set: Some(set), parameter_schema: None };
        let found = breaks(contract(&before, &old), contract(&after, &new));
        assert_eq!(breaks(contract(&before, &old), contract(&before, &old)), []);
        let known = |path: &str| path.starts_with(&format!("{package}."));
        assert!(found.iter().all(|Break { path, .. }| known(path)), "{found:?}");

        let ours: BTreeSet<&str> = found.iter().map(|found| found.rule).collect();
        let theirs: BTreeSet<&str> = buf.get(&package).into_iter().flatten().map(String::as_str).collect();
        let (wanted, told) =
            (BTreeSet::from_iter(change.ours.to_vec()), BTreeSet::from_iter(change.buf.to_vec()));
        if (&ours, &theirs) != (&wanted, &told) {
            faults.push(format!(
                "{} -> {}\n    ours {ours:?}, buf {theirs:?}; expected {wanted:?}, {told:?}",
                change.old, change.new
            ));
        }
        let differ = change.ours.is_empty() != change.buf.is_empty();
        assert_eq!(differ, !change.why.is_empty(), "{} -> {}: say why, or why not", change.old, change.new);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(table::changes().count() >= 60);
}
