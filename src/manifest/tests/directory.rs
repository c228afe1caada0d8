//! A directory of files: each on its own, links that lead out, and changes while it is watched.

use crate::lifecycle::{Shutdown, spawn};
use crate::manifest::{Directory, LoadError, Loaded, load_file, print};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn grant(id: &str) -> String {
    format!(
        "apiVersion: portolan.dev/v1\nkind: Grant\nmetadata: {{name: {id}, platform: b}}\nspec: {{service_prefixes: [x]}}\n"
    )
}

fn version(descriptors: &str) -> String {
    format!(
        "apiVersion: portolan.dev/v1\nkind: Version\nmetadata: {{name: a/1.0.0, platform: b}}\nspec: {{services: [x.Y], descriptor_set: {descriptors}}}\n"
    )
}

fn put(root: &Path, path: &str, text: &str) {
    fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
    fs::write(root.join(path), text).unwrap();
}

/// `path: resources` or `path: the first problem`.
fn told(loaded: &Loaded) -> Vec<String> {
    let line = |(path, read): (&std::path::PathBuf, &Result<Vec<_>, crate::manifest::Faults>)| match read {
        Ok(resources) => format!("{}: {}", path.display(), resources.len()),
        Err(faults) => format!("{}: {}", path.display(), faults.iter().next().unwrap().problem),
    };
    loaded.files.iter().map(line).collect()
}

#[test]
fn a_bad_file_harms_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    put(root, "a.yaml", &format!("{}---\n{}", grant("a"), grant("b")));
    put(root, "b/bad.yml", "kind: [");
    put(root, "b/twice.yaml", &format!("{}---\n{}", grant("c"), grant("a")));
    put(root, "c.yaml", &grant("c"));
    put(root, ".hidden/d.yaml", &grant("d"));
    put(root, "notes.txt", "kind: [");
    fs::write(root.join("e.yaml"), b"# \xff\n").unwrap();
    let loaded = Directory::new(root).load().unwrap();
    assert_eq!(
        told(&loaded),
        [
            "a.yaml: 2",
            "b/bad.yml: this is not YAML: did not find expected node content",
            "b/twice.yaml: Grant platforms/b/grants/a is declared at a.yaml:1 already",
            "c.yaml: 1",
            "e.yaml: this is not UTF-8",
        ]
    );
    assert_eq!(loaded.resources().count(), 3);
    assert_eq!(loaded.faults().count(), 3);
}

#[test]
fn nothing_is_concluded_from_what_cannot_be_read() {
    let missing = Directory::new("/nowhere/manifests").load();
    assert!(matches!(missing, Err(LoadError::Unreadable { .. })), "{missing:?}");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r")).unwrap();
    put(folder.path(), "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/x.yaml", "");
    let deep = Directory::new(folder.path()).load();
    assert!(matches!(deep, Err(LoadError::TooMuch { .. })), "{deep:?}");
}

#[test]
fn no_link_leads_out() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "secret/s.yaml", &grant("s"));
    put(folder.path(), "secret/d.binpb", "secret");
    let root = folder.path().join("manifests");
    put(&root, "in.yaml", &grant("a"));
    put(&root, ".data/linked.yaml", &grant("l"));
    put(&root, "v.yaml", &version("d.binpb"));
    let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, root.join(at)).unwrap();
    link("../secret/s.yaml", "out.yaml");
    link("../secret/d.binpb", "d.binpb");
    link("../secret", "folder");
    link(".", "loop");
    link(".data/linked.yaml", "linked.yaml");
    let outside = "it lies outside of the directory";
    assert_eq!(
        told(&Directory::new(&root).load().unwrap()),
        [
            "in.yaml: 1".to_owned(),
            "linked.yaml: 1".to_owned(),
            format!("out.yaml: the file cannot be read: {outside}"),
            format!("v.yaml: the file d.binpb cannot be read: {outside}"),
        ]
    );
    assert!(load_file(&root.join("v.yaml")).is_err());
    assert_eq!(load_file(&root.join("in.yaml")).unwrap().len(), 1);
}

#[test]
fn what_is_written_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let mut resources = super::read(super::WHOLE).unwrap();
    for (path, bytes) in print(&resources) {
        fs::create_dir_all(folder.path().join(&path).parent().unwrap()).unwrap();
        fs::write(folder.path().join(path), bytes).unwrap();
    }
    let loaded = Directory::new(folder.path()).load().unwrap();
    assert_eq!(
        told(&loaded),
        [
            "overrides/acme.ledger.v1.Ledger.yaml: 1",
            "payments.example/ledger-1.2.0.yaml: 1",
            "payments.example/ledger.yaml: 1",
            "payments.example/platform.yaml: 2",
            "payments.example/producer-ledger-1.yaml: 1",
        ]
    );
    let mut back: Vec<_> = loaded.resources().cloned().collect();
    back.iter_mut().chain(&mut resources).for_each(|resource| resource.origin.clear());
    back.sort_by_key(|resource| (resource.spec.kind(), resource.spec.name()));
    resources.sort_by_key(|resource| (resource.spec.kind(), resource.spec.name()));
    assert_eq!(back, resources);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_once_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    put(&root, "a.yaml", &version("d.binpb"));
    put(&root, "d.binpb", "1");
    let shutdown = Shutdown::new();
    let (mut looks, watcher) = Directory::new(&root).watch();
    let task = spawn("manifests", watcher.run(shutdown.clone()));
    let now = |looks: &mut tokio::sync::watch::Receiver<crate::manifest::Look>| {
        told(looks.borrow_and_update().as_ref().as_ref().unwrap())
    };
    assert_eq!(now(&mut looks), ["a.yaml: 1"]);
    let changed = async |looks: &mut tokio::sync::watch::Receiver<_>| {
        tokio::time::timeout(Duration::from_secs(60), looks.changed()).await.unwrap().unwrap();
    };
    put(&root, "new/b.yaml", &grant("b"));
    changed(&mut looks).await;
    assert_eq!(now(&mut looks), ["a.yaml: 1", "new/b.yaml: 1"]);
    put(&root, "new/b.yaml", "kind: [");
    changed(&mut looks).await;
    assert_eq!(
        now(&mut looks),
        ["a.yaml: 1", "new/b.yaml: this is not YAML: did not find expected node content"]
    );
    // A file that a manifest names belongs to it.
    put(&root, "d.binpb", "2");
    changed(&mut looks).await;
    fs::remove_dir_all(&root).unwrap();
    changed(&mut looks).await;
    assert!(looks.borrow().is_err());
    shutdown.request();
    task.await.unwrap();
}
