//! What manifests mean, and what is said of those that mean nothing.

mod directory;
mod identity;
mod types;

use super::*;
use crate::model::{Spec, Stage};

const WHOLE: &str = r#"
# The payments platform.
apiVersion: portolan.dev/v1
kind: Platform
metadata: {name: payments.example}
spec:
  display_name: Payments
  trust_domain: payments.example
---
apiVersion: portolan.dev/v1
kind: Grant
metadata: {name: ledger, platform: payments.example}
spec: {service_prefixes: [acme.ledger]}
---
apiVersion: portolan.dev/v1
kind: Capability
metadata: {name: ledger, platform: payments.example}
spec:
  description: Double-entry books.
  owner: team-ledger
  contact: ledger@payments.example
  labels: {tier: gold, domain: money}
  visibility: ["*"]
---
apiVersion: portolan.dev/v1
kind: Version
metadata: {name: ledger/1.2.0, platform: payments.example}
spec:
  services: [acme.ledger.v1.Ledger]
  descriptor_set: ledger.binpb
  parameter_schema: {type: object, required: [currency]}
  stage: deprecated
  sunset_time: 2027-01-01T00:00:00Z
  replacement: platforms/payments.example/capabilities/ledger/versions/2.0.0
  slo: {availability_percent: 99.9, latency_p99: 250ms}
  labels: {tier: silver}
  availability: no_new
  traffic_weight: 90
  depends_on: [{capability: platforms/data.example/capabilities/kv, range: ^1.2}]
---
apiVersion: portolan.dev/v1
kind: Producer
metadata: {name: ledger-1, platform: payments.example}
spec:
  identity: spiffe://payments.example/ledger
  endpoints: [{address: "10.0.0.1:50051", locality: eu/a, weight: 7}]
  versions: [ledger/1.2.0]
  discovery_interval: 1m30s
---
apiVersion: portolan.dev/v1
kind: Override
metadata: {name: acme.ledger.v1.Ledger}
spec: {platform: payments.example, expire_time: 2027-01-01T00:00:00+01:00, reason: moving}
"#;

fn files(path: &Path) -> io::Result<Vec<u8>> {
    match path.to_str() {
        Some("ledger.binpb") => Ok(b"descriptors".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn read(text: &str) -> Result<Vec<Resource>, Faults> {
    parse(Path::new("ledger.yaml"), text, &files)
}

/// `line:column field: problem`, of each fault.
fn told(text: &str) -> Vec<String> {
    let faults = read(text).unwrap_err();
    faults.iter().map(|f| format!("{}:{} {}: {}", f.line, f.column, f.field, f.problem)).collect()
}

#[test]
fn a_file_of_every_kind_is_read() {
    let mut resources = read(WHOLE).unwrap();
    let names: Vec<_> = resources.iter().map(|r| format!("{} {r}", r.origin)).collect();
    assert_eq!(
        names,
        [
            "ledger.yaml:3 Platform platforms/payments.example",
            "ledger.yaml:10 Grant platforms/payments.example/grants/ledger",
            "ledger.yaml:15 Capability platforms/payments.example/capabilities/ledger",
            "ledger.yaml:25 Version platforms/payments.example/capabilities/ledger/versions/1.2.0",
            "ledger.yaml:41 Producer platforms/payments.example/producers/ledger-1",
            "ledger.yaml:50 Override overrides/acme.ledger.v1.Ledger",
        ]
    );
    resolve(&mut resources);
    let Spec::Version(version) = &resources[3].spec else { panic!("{:?}", resources[3]) };
    let offer = &version.offer;
    assert_eq!(offer.stage, Stage::Deprecated);
    assert_eq!(offer.descriptor_set, b"descriptors");
    assert_eq!(offer.parameter_schema.as_deref(), Some(r#"{"required":["currency"],"type":"object"}"#));
    assert_eq!((offer.owner.as_str(), offer.description.as_str()), ("team-ledger", "Double-entry books."));
    assert!(offer.visibility.everyone);
    let labels: Vec<_> = offer.facts.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(labels, ["domain=money", "tier=silver"]);
}

#[test]
fn every_fault_of_a_file_is_told_with_its_place() {
    let text = "\
apiVersion: portolan.dev/v1
kind: Version
metadata:
  name: ledger/1.2
  platfrom: payments.example
spec:
  services:
    - acme.ledger.v1.Ledger
    - grpc.health.v1.Health
  descriptor_set: ../../etc/passwd
  owner: 7
  slo:
    availability_percent: 101
  depends_on:
    - range: ^1
---
apiVersion: portolan.dev/v2
kind: Verison
metadata: {}
spec: {}
---
kind: [
---
apiVersion: portolan.dev/v1
kind: Grant
metadata: {name: a, platform: b}
spec: {service_prefixes: [], 1: 2}
";
    assert_eq!(
        told(text),
        [
            "3:1 metadata.platform: it is missing",
            "4:3 metadata.name: \"ledger/1.2\" is not written {capability}/{version}: unexpected end of input while parsing minor version number",
            "5:3 metadata.platfrom: no such field is known",
            "9:7 spec.services[1]: grpc.health.v1.Health is reserved",
            "10:3 spec.descriptor_set: \"../../etc/passwd\" is no file below the folder of the manifest",
            "11:3 spec.owner: it is a whole number, and text is needed",
            "13:5 spec.slo.availability_percent: 101 is out of range",
            "15:7 spec.depends_on[0].capability: it is missing",
            "17:1 apiVersion: \"portolan.dev/v2\" is none of the words known here",
            "18:1 kind: \"Verison\" is none of the words known here",
            "23:1 : this is not YAML: did not find expected node content",
            "27:30 : a key is text, and this is a number",
        ]
    );
}

#[test]
fn what_was_meant_is_said() {
    let faults =
        read("apiVersion: portolan.dev/v1\nkind: Verison\nmetadata: {}\nspec: {}\nspce: {}\n").unwrap_err();
    let text = faults.to_string();
    assert!(text.contains("ledger.yaml:2:1: kind: \"Verison\" is none of the words known here\n    fix: did you mean \"Version\"?"), "{text}");
    assert!(
        text.contains("ledger.yaml:5:1: spce: no such field is known\n    fix: did you mean \"spec\"?"),
        "{text}"
    );
}

#[test]
fn one_name_is_declared_once() {
    let grant = "apiVersion: portolan.dev/v1\nkind: Grant\nmetadata: {name: a, platform: b}\nspec: {service_prefixes: [x]}\n";
    let twice = told(&format!("{grant}---\n{grant}"));
    assert_eq!(twice, ["6:1 metadata.name: Grant platforms/b/grants/a is declared at ledger.yaml:1 already"]);
}

#[test]
fn what_grows_without_end_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let whole = |problem: &str, text: &str| {
        let told = told(text);
        assert!(told.len() == 1 && told[0].contains(problem), "{problem}: {told:?}");
    };
    whole("a document holds at most 50000 values", &bomb);
    whole("values stand in values 64 deep at most", &format!("a: {}", "[".repeat(100) + &"]".repeat(100)));
    whole("is too long", &format!("a: {}", "x".repeat(300 << 10)));
    whole("and 4194304 is the most", &"x\n".repeat(3 << 20));
    whole("the file has 10001 documents", &"---\na\n".repeat(10_001));
    whole("\"a\" is already there", "a: 1\na: 2\n");
    whole("did not find expected <document start>", "\"a\" \"b\"\n");
    whole("2000 lists and maps in brackets", &"[], ".repeat(2001));
    whole("tags have no meaning here", "a: !b c\n");
    assert_eq!(read("# nothing\n---\n").unwrap(), []);
    assert_eq!(read(&"---\nkind: x\n".repeat(1000)).unwrap_err().iter().count(), 100);
}

#[test]
fn hostile_text_takes_no_time() {
    let begun = std::time::Instant::now();
    for hostile in
        ["[", "{", "- ", "? ", "a: {", "&a *a ", "!a ", "\"", "| ", "- - \n", "[a,", "{a: [", "'\n", "*a\n"]
    {
        let text = hostile.repeat((200 << 10) / hostile.len());
        assert!(read(&text).is_err(), "{hostile}");
    }
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
}
