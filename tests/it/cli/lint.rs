//! `portolan lint` as a pipeline runs it, over what buf builds.

use super::{Ran, portolan, run};
use crate::foreign;
use std::fs;
use std::path::Path;

const LEDGER: &str = r#"syntax = "proto3";
package acme.ledger.v1;
import "google/protobuf/timestamp.proto";
service Ledger { rpc Post(PostRequest) returns (Entry); }
message PostRequest { string account = 1; int64 amount = 2; string note = 3; }
message Entry { string name = 1; google.protobuf.Timestamp time = 2; }
"#;

const PARAMETERS: &str = r#"{"type": "object", "properties": {"size": {"type": "integer", "maximum": 100}}}"#;

/// Builds `NAME.binpb` in `folder`.
async fn build(folder: &Path, name: &str, source: &str) {
    let sources = folder.join(name);
    fs::create_dir_all(&sources).unwrap();
    fs::write(sources.join("ledger.proto"), source).unwrap();
    let image = folder.join(format!("{name}.binpb"));
    foreign::succeed(foreign::buf().arg("build").arg(sources).arg("-o").arg(image)).await;
}

async fn lint(folder: &Path, arguments: &[&str]) -> Ran {
    run(portolan(folder, &[&["lint"], arguments].concat())).await
}

#[tokio::test]
async fn a_removed_and_a_renumbered_field_are_refused_by_path() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    build(folder, "old", LEDGER).await;
    build(folder, "removed", &LEDGER.replace(" string note = 3;", "")).await;
    build(folder, "renumbered", &LEDGER.replace("amount = 2", "amount = 4")).await;
    build(folder, "added", &LEDGER.replace(" string note = 3;", " string note = 3; bool dry_run = 4;")).await;

    let removed = lint(folder, &["removed.binpb", "--against", "old.binpb"]).await;
    assert_eq!(
        (removed.code, removed.out.as_str()),
        (
            3,
            "acme.ledger.v1.PostRequest.note: FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED: field 3 (string) is gone\n"
        )
    );
    assert_eq!(removed.err, "1 break; a new major version may break, this one may not\n");
    let renumbered = lint(folder, &["renumbered.binpb", "--against", "old.binpb", "-o", "json"]).await;
    let told: serde_json::Value = serde_json::from_str(&renumbered.out).unwrap();
    assert_eq!((renumbered.code, &told["ok"]), (3, &serde_json::Value::Bool(false)));
    assert_eq!(told["breaks"][0]["path"], "acme.ledger.v1.PostRequest.amount");
    assert_eq!(told["breaks"][0]["message"], "its number was 2 and is 4");

    let added = lint(folder, &["added.binpb", "--against", "old.binpb"]).await;
    assert_eq!((added.code, added.out.as_str()), (0, "OK: it may follow old.binpb\n"));
    let alone = lint(folder, &["added.binpb"]).await;
    assert_eq!((alone.code, alone.out.as_str()), (0, "OK: 1 service sound\n"));
    let other = lint(folder, &["added.binpb", "--service", "acme.ledger.v2.Ledger"]).await;
    assert!(other.code == 3 && other.out.contains("SERVICE_MISSING"), "{}", other.out);
}

#[tokio::test]
async fn a_narrowed_schema_is_refused_by_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("old.json", PARAMETERS);
    write("narrowed.json", &PARAMETERS.replace("100", "50"));
    write("widened.json", &PARAMETERS.replace("100", "200"));
    write("unsound.json", &PARAMETERS.replace("\"integer\"", "\"int\""));

    let narrowed = lint(folder, &["narrowed.json", "--against", "old.json"]).await;
    assert_eq!(narrowed.code, 3);
    assert_eq!(
        narrowed.out,
        "parameter_schema:/properties/size/maximum: SCHEMA_BOUND_NARROWED: it was 100 and is 50\n"
    );
    let widened = lint(folder, &["widened.json", "--against", "old.json"]).await;
    assert_eq!((widened.code, widened.out.as_str()), (0, "OK: it may follow old.json\n"));
    let unsound = lint(folder, &["unsound.json"]).await;
    assert!(unsound.code == 3 && unsound.out.contains("/properties/size/type"), "{}", unsound.out);
}

#[tokio::test]
async fn versions_of_manifests_are_compared_with_each_other_and_with_those_released() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path();
    build(folder, "old", LEDGER).await;
    build(folder, "new", &LEDGER.replace(" string note = 3;", "")).await;
    let version = |number: &str, image: &str, maximum: u32| {
        format!(
            "---\napiVersion: portolan.dev/v1\nkind: Version\nmetadata: {{name: ledger/{number}, platform: acme.example}}\n\
             spec:\n  services: [acme.ledger.v1.Ledger]\n  descriptor_set: {image}.binpb\n\
             \u{20} parameter_schema: {{type: object, properties: {{size: {{type: integer, maximum: {maximum}}}}}}}\n\
             \u{20} owner: ledger team\n  contact: ledger@acme.example\n"
        )
    };
    let write = |name: &str, versions: &[String]| fs::write(folder.join(name), versions.concat()).unwrap();
    write("released.yaml", &[version("1.0.0", "old", 9)]);
    write("next.yaml", &[version("1.0.0", "old", 9), version("1.1.0", "new", 5), version("2.0.0", "new", 5)]);
    write(
        "pre.yaml",
        &[version("1.0.0", "old", 9), version("1.1.0-rc.1", "old", 9), version("1.1.0", "old", 10)],
    );
    write("changed.yaml", &[version("1.0.0", "old", 10)]);
    write("unsound.yaml", &[version("1.0.0", "old", 9).replace("team", "team\n  colour: red")]);

    let gone =
        "acme.ledger.v1.PostRequest.note: FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED: field 3 (string) is gone";
    let less = "parameter_schema:/properties/size/maximum: SCHEMA_BOUND_NARROWED: it was 9 and is 5";
    let next = lint(folder, &["next.yaml"]).await;
    let told: Vec<&str> = next.out.lines().collect();
    assert_eq!((next.code, told.len()), (3, 2), "{}", next.out);
    for (line, what) in told.iter().zip([gone, less]) {
        assert!(
            line.starts_with("next.yaml:") && line.ends_with(&format!("{what} (between 1.0.0 and 1.1.0)")),
            "{line}"
        );
    }
    let pre = lint(folder, &["pre.yaml", "--against", "released.yaml"]).await;
    assert_eq!((pre.code, pre.out.as_str()), (0, "OK: it may follow released.yaml\n"));
    let changed = lint(folder, &["changed.yaml", "--against", "released.yaml"]).await;
    let told = "CONTRACT_MUTATED: a version never changes, and it differs: ~ parameter_schema:/properties/size/maximum: 9 -> 10\n";
    assert!(changed.code == 3 && changed.out.ends_with(told), "{}", changed.out);
    let unsound = lint(folder, &["unsound.yaml"]).await;
    assert!(unsound.code == 3 && unsound.out.contains("spec.colour: MANIFEST_UNSOUND: "), "{}", unsound.out);
    let mixed = lint(folder, &["next.yaml", "--against", "old.binpb"]).await;
    assert!(mixed.code == 1 && mixed.err.contains("not of one kind"), "{}", mixed.err);
    assert_eq!(lint(folder, &["."]).await.code, 3, "a folder is all its manifests");
}

#[tokio::test]
async fn what_is_no_contract_is_told_with_its_cure() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("ledger.proto", LEDGER);
    write("image.json", r#"{"file": []}"#);
    write("text.binpb", "not a descriptor set");
    write("schema.json", PARAMETERS);
    write("empty.binpb", "");
    for (arguments, told) in [
        (&["nowhere.binpb"][..], "cannot read nowhere.binpb"),
        (&["ledger.proto"], "buf build -o ledger.binpb"),
        (&["image.json"], "buf build -o x.binpb"),
        (&["text.binpb"], "google.protobuf.FileDescriptorSet"),
        (&["empty.binpb", "--against", "schema.json"], "not of one kind"),
    ] {
        let ran = lint(folder, arguments).await;
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(told), "{arguments:?}: {}", ran.err);
    }
    let empty = lint(folder, &["empty.binpb"]).await;
    assert!(empty.code == 3 && empty.out.starts_with("contract: SERVICE_MISSING: "), "{}", empty.out);
    assert_eq!(lint(folder, &["schema.json", "--service", "not a name"]).await.code, 1);
}
