//! The reader against files that people write: the example, and every fault with its place and its cure.

use super::*;
use std::path::PathBuf;

mod schema;
mod table;

const EXAMPLE: &str = include_str!("../../../docs/portolan.example.toml");

/// A folder with every file that the example names.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in [
        "certs/hub-1.pem",
        "certs/hub-1-key.pem",
        "certs/payments.example.pem",
        "certs/payments.example.crl",
        "certs/legacy.example.pem",
        "descriptors/etcd.binpb",
    ] {
        let path = folder.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "content").unwrap();
    }
    folder
}

fn read_in(folder: &Path, text: &str, environment: &[(&str, &str)]) -> Result<Config, Faults> {
    let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    parse(&folder.join("portolan.toml"), text, environment)
}

fn faults_of(text: &str, environment: &[(&str, &str)]) -> Vec<Fault> {
    let folder = folder();
    match read_in(folder.path(), text, environment) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().cloned().collect(),
    }
}

/// The example with one piece replaced, and the line on which the piece stood.
fn with(from: &str, to: &str) -> (String, usize) {
    assert_eq!(EXAMPLE.matches(from).count(), 1, "{from:?} is not unique in the example");
    let line = EXAMPLE[..EXAMPLE.find(from).unwrap()].matches('\n').count() + 1;
    (EXAMPLE.replace(from, to), line)
}

#[test]
fn the_example_is_read_whole() {
    let folder = folder();
    let config = read_in(folder.path(), EXAMPLE, &[]).unwrap();
    assert_eq!(config.id.as_str(), "hub-1");
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.manifests, Some(folder.path().join("manifests")));
    assert_eq!(config.tls.key, folder.path().join("certs/hub-1-key.pem"));
    assert_eq!(config.trust_domains[1].dns_suffixes, ["svc.legacy.internal"]);
    assert!(config.platforms[0].service_prefixes[0].as_str() == "acme.ledger");
    let registration = config.producers[0].registration();
    assert_eq!(registration.identity.as_deref(), Some("dns:etcd.svc.legacy.internal"));
    assert_eq!(registration.offers[0].descriptor_set, b"content");
    assert_eq!(registration.offers[0].slo.availability_percent, Some(99.9));
    assert!(config.endpoints.allow[0].contains("127.0.0.1".parse().unwrap()));
    // The example states the defaults of all that has one.
    assert_eq!(config.leases, Leases::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.timeouts, Timeouts::default());
    assert_eq!(config.drain, Drain::default());
    assert_eq!(config.health, Health::default());
    assert_eq!(config.log, Log::default());
    assert_eq!(config.admin, Admin::default());
    let Metrics { collector, .. } = &config.metrics;
    assert_eq!(config.metrics, Metrics { collector: collector.clone(), ..Metrics::default() });
    assert!(collector.as_ref().is_some_and(|collector| !collector.is_tls));
    let Tracing { collector, collector_id, .. } = config.tracing.clone();
    assert_eq!(config.tracing, Tracing { collector, collector_id, ..Tracing::default() });
    let to = Some(folder.path().join("access.log"));
    assert_eq!(config.access_log, AccessLog { to, ..AccessLog::default() });
}

#[test]
fn the_shortest_file_has_every_default() {
    let folder = folder();
    let text = "id = 'a'\nlisten = '127.0.0.1:0'\ntls = { certificate = 'certs/hub-1.pem', key = 'certs/hub-1-key.pem' }\n\
        [[trust_domains]]\nname = 'x'\nbundle = 'certs/legacy.example.pem'\n";
    let config = read_in(folder.path(), text, &[]).unwrap();
    assert_eq!(config.data_dir, folder.path().join("data"));
    assert_eq!((config.limits, config.workers), (Limits::default(), 0));
}

#[test]
fn what_is_missing_is_named() {
    let fields: Vec<_> = faults_of("", &[]).into_iter().map(|fault| (fault.field, fault.problem)).collect();
    for field in ["id", "listen", "tls.certificate", "tls.key", "trust_domains"] {
        assert!(fields.contains(&(field.into(), "it is missing".into())), "{field}: {fields:?}");
    }
    let (text, _) = with("identity = \"dns:etcd.svc.legacy.internal\"\n", "");
    let [fault] = faults_of(&text, &[]).try_into().unwrap();
    let header = EXAMPLE[..EXAMPLE.find("[[producers]]").unwrap()].matches('\n').count() + 1;
    assert_eq!(
        (fault.field.as_str(), fault.place),
        ("producers[0].identity", Place::File { line: header, column: 1 })
    );
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = EXAMPLE
        .replace("id = \"hub-1\"", "id = 1")
        .replace("workers = 0", "workers = \"0\"")
        .replace("weight = 1 }", "wieght = 1 }")
        .replace("grace = \"60s\"", "grace = \"soon\"")
        .replace("format = \"text\"", "format = \"xml\"");
    let faults = faults_of(&text, &[]);
    let fields: Vec<_> = faults.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["id", "workers", "producers[0].endpoints[0].wieght", "leases.grace", "log.format"]);
}

#[test]
fn what_is_not_toml_is_told_with_the_other_faults() {
    let text =
        EXAMPLE.replace("workers = 0", "workers = = 0").replace("format = \"text\"", "format = \"xml\"");
    let faults = faults_of(&text, &[]);
    assert!(faults[0].problem.contains("not TOML"), "{faults:#?}");
    assert!(faults.iter().any(|fault| fault.field == "log.format"), "{faults:#?}");
    assert!(!faults.iter().any(|fault| fault.is_absence()), "{faults:#?}");
    let (text, line) = with("workers = 0", "workers = 0\nworkers = 1");
    let faults = faults_of(&text, &[]);
    assert!(matches!(faults[0].place, Place::File { line: at, .. } if at == line + 1), "{faults:#?}");
}

#[test]
fn a_fault_of_one_entry_does_not_make_faults_of_those_that_refer_to_it() {
    let (text, _) = with("certs/legacy.example.pem", "certs/none.pem");
    assert_eq!(faults_of(&text, &[]).len(), 1);
    let (text, _) = with("service_prefixes = [\"etcdserverpb\"]", "service_prefixes = [\"1\"]");
    let faults = faults_of(&text, &[]);
    assert!(
        faults
            .iter()
            .all(|fault| fault.field.starts_with("platforms[1]") || fault.field.ends_with("identity")),
        "{faults:#?}"
    );
}

#[test]
fn the_environment_overrides_single_fields() {
    let folder = folder();
    let environment = [
        ("PORTOLAN__WORKERS", "3"),
        ("PORTOLAN__LISTEN", "0.0.0.0:1"),
        ("PORTOLAN__LOG__FORMAT", "json"),
        ("PORTOLAN__PLATFORMS__0__DISPLAY_NAME", "Money"),
        ("PORTOLAN__ENDPOINTS__ALLOW", "[\"10.0.0.0/8\"]"),
        ("PORTOLAN_ADDRESS", "no override"),
    ];
    let config = read_in(folder.path(), EXAMPLE, &environment).unwrap();
    assert_eq!((config.workers, config.log.format), (3, LogFormat::Json));
    assert_eq!(config.listen, ["0.0.0.0:1".parse().unwrap()]);
    assert_eq!(config.platforms[0].display_name, "Money");
    assert_eq!(config.endpoints.allow.len(), 1);

    let faults = faults_of(
        EXAMPLE,
        &[("PORTOLAN__WORKERS", "many"), ("PORTOLAN__PLATFORMS__7__NAME", "x"), ("PORTOLAN__LOG__FORM", "x")],
    );
    let told: Vec<_> = faults.iter().map(|fault| (fault.place.clone(), fault.field.as_str())).collect();
    let environment = |name: &str| Place::Environment(name.into());
    assert_eq!(
        told,
        [
            (environment("PORTOLAN__LOG__FORM"), "log.form"),
            (environment("PORTOLAN__PLATFORMS__7__NAME"), "platforms.7.name"),
            (environment("PORTOLAN__WORKERS"), "workers"),
        ]
    );
}

#[test]
fn a_file_that_is_not_there_is_a_fault() {
    let faults = load(&PathBuf::from("/nowhere/portolan.toml")).unwrap_err();
    assert!(
        faults.to_string().starts_with("/nowhere/portolan.toml:1:1: the file cannot be read"),
        "{faults}"
    );
}
