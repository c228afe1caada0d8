//! The reader against files that people write: the example, and every fault with its place and its cure.

use super::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

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
fn each_fault_has_its_place_its_field_and_its_cure() {
    // What stands in the example, what is written instead, the field at fault, what is wrong, the cure.
    let table: &[(&str, &str, &str, &str, &str)] = &[
        ("id = \"hub-1\"", "id = \"Hub 1\"", "id", "not a broker id", "such as \"hub-1\""),
        ("id = \"hub-1\"", "id = 7", "id", "it is a whole number, and text is needed", "double quotes"),
        (
            "\"127.0.0.1:7443\", \"[::1]:7443\"",
            "\"localhost:7443\"",
            "listen[0]",
            "not an IP address",
            "0.0.0.0:7443",
        ),
        ("listen = [\"127.0.0.1:7443\", \"[::1]:7443\"]", "listen = []", "listen", "empty", "at least one"),
        ("workers = 0", "workers = -1", "workers", "out of range", "0 to 1024"),
        ("workers = 0", "workers = 99999999999999999999", "workers", "out of range", "0 to 1024"),
        ("workers = 0", "worker = 0", "worker", "no such field", "did you mean \"workers\"?"),
        ("workers = 0", "zzzz = 0", "zzzz", "no such field", "the fields here are: id, listen"),
        (
            "data_dir = \"data\"",
            "data_dir = \"certs/hub-1.pem\"",
            "data_dir",
            "it is a file",
            "give a folder",
        ),
        ("\"certs/hub-1.pem\"", "\"certs/none.pem\"", "tls.certificate", "cannot be read", "path of a file"),
        ("\"certs/hub-1-key.pem\"", "\"certs\"", "tls.key", "it is a folder", "path of a file"),
        ("certs/payments.example.crl", "x", "trust_domains[0].crl", "cannot be read", "path of a file"),
        (
            "name = \"legacy.example\"\nbundle",
            "name = \"payments.example\"\nbundle",
            "trust_domains[1].name",
            "already there",
            "one bundle",
        ),
        (
            "\"svc.legacy.internal\"",
            "\".internal\"",
            "trust_domains[1].dns_suffixes[0]",
            "not a DNS suffix",
            "legacy.internal",
        ),
        (
            "trust_domain = \"payments.example\"",
            "trust_domain = \"payment.example\"",
            "platforms[0].trust_domain",
            "not declared in [[trust_domains]]",
            "did you mean \"payments.example\"?",
        ),
        ("\"acme.ledger\", \"acme.transfer\"", "", "platforms[0].service_prefixes", "empty", "at least one"),
        (
            "\"acme.ledger\", \"acme.transfer\"",
            "\"acme.ledger.\"",
            "platforms[0].service_prefixes[0]",
            "not a service prefix",
            "acme.ledger",
        ),
        (
            "\"acme.ledger\", \"acme.transfer\"",
            "\"Google.x\"",
            "platforms[0].service_prefixes[0]",
            "reserved",
            "granted to no platform",
        ),
        (
            "platform = \"legacy.example\"",
            "platform = \"elsewhere\"",
            "producers[0].platform",
            "not declared",
            "known are: legacy.example, payments.example",
        ),
        (
            "\"dns:etcd.svc.legacy.internal\"",
            "\"spiffe://payments.example/x\"",
            "producers[0].identity",
            "no identity of legacy.example",
            "its trust domain",
        ),
        (
            "\"dns:etcd.svc.legacy.internal\"",
            "\"etcd\"",
            "producers[0].identity",
            "not an identity",
            "SPIFFE id, or dns:name",
        ),
        (
            "etcd-0.svc.legacy.internal:2379",
            "etcd-0",
            "producers[0].endpoints[0].address",
            "not an address",
            "host:port",
        ),
        ("weight = 1 }", "weight = 0 }", "producers[0].endpoints[0].weight", "out of range", "1 to 1000"),
        (
            "version = \"3.5.0\"",
            "version = \"3.5\"",
            "producers[0].capabilities[0].version",
            "not a semantic version",
            "major.minor.patch",
        ),
        (
            "\"etcdserverpb.Watch\"",
            "\"acme.Watch\"",
            "producers[0].capabilities[0].services[1]",
            "under no prefix",
            "etcdserverpb",
        ),
        (
            "\"etcdserverpb.Watch\"",
            "\"grpc.health.v1.Health\"",
            "producers[0].capabilities[0].services[1]",
            "reserved",
            "no platform",
        ),
        (
            "descriptors/etcd.binpb",
            "descriptors/none",
            "producers[0].capabilities[0].descriptor_set",
            "cannot be read",
            "path of a file",
        ),
        ("owner = \"team-storage\"", "owner = \" \"", "producers[0].capabilities[0].owner", "empty", "team"),
        (
            "stage = \"deprecated\"",
            "stage = \"old\"",
            "producers[0].capabilities[0].stage",
            "none of the words",
            "\"deprecated\"",
        ),
        (
            "sunset_time = 2027-09-01T00:00:00Z",
            "sunset_time = 2027-09-01",
            "producers[0].capabilities[0].sunset_time",
            "not a moment",
            "offset",
        ),
        (
            "visibility = [\"payments.example\"]",
            "visibility = [\"P!\"]",
            "producers[0].capabilities[0].visibility[0]",
            "not a platform name",
            "\"*\"",
        ),
        (
            "availability_percent = 99.9",
            "availability_percent = 101",
            "producers[0].capabilities[0].availability_percent",
            "out of range",
            "99.9",
        ),
        ("default = \"30s\"", "default = \"1h\"", "leases", "not between min and max", "min ≤ default ≤ max"),
        ("grace = \"60s\"", "grace = 60", "leases.grace", "a duration is needed", "\"30s\""),
        ("grace = \"60s\"", "grace = \"60 sec\"", "leases.grace", "not a duration", "\"1m30s\""),
        (
            "message_bytes = \"64MiB\"\n#",
            "message_bytes = \"64MB\"\n#",
            "limits.message_bytes",
            "not a size",
            "\"4MiB\"",
        ),
        (
            "header_bytes = \"32KiB\"",
            "header_bytes = \"1KiB\"",
            "limits.header_bytes",
            "out of range",
            "from 8KiB to 1MiB",
        ),
        ("timeout = \"2s\"", "timeout = \"20s\"", "health", "longer than the interval", "timeout ≤ interval"),
        ("\"127.0.0.0/8\"", "\"127.0.0.1/8\"", "endpoints.allow[0]", "not a network", "127.0.0.0/8"),
        ("format = \"text\"", "format = \"xml\"", "log.format", "none of the words", "\"text\", \"json\""),
        ("filter = \"info\"", "filter = \"a=b=c\"", "log.filter", "parsing level filter", "level"),
    ];
    for (from, to, field, problem, fix) in table {
        let (text, line) = with(from, to);
        let faults = faults_of(&text, &[]);
        let [fault, others @ ..] = faults.as_slice() else { panic!("{to:?} is taken") };
        // Only what is no longer declared may be missed further down.
        assert!(others.iter().all(|other| other.problem.contains("not declared")), "{to:?}: {faults:#?}");
        assert_eq!(fault.field, *field, "{to:?}");
        assert!(fault.problem.contains(problem), "{to:?}: {fault:#?}");
        assert!(fault.fix.contains(fix), "{to:?}: {fault:#?}");
        let Place::File { line: at, column } = fault.place else { panic!("{to:?}: {fault:#?}") };
        // A fault of a whole section is found at its header, above the piece.
        assert!(
            column > 0 && (at == line || (at < line && !field.contains('.'))),
            "{to:?}: line {at}, not {line}"
        );
    }
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

#[test]
fn schema_and_reader_know_the_same_fields() {
    let schema = schema();
    let root = &schema["properties"];
    // The reader tells the fields that it knows when it meets one that it does not.
    let places = [
        ("", "id = \"hub-1\"", "zzzz = 1\nid = \"hub-1\""),
        ("tls", "[tls]", "[tls]\nzzzz = 1"),
        ("trust_domains", "crl = ", "zzzz = 1\ncrl = "),
        ("platforms", "display_name = ", "zzzz = 1\ndisplay_name = "),
        ("producers", "identity = ", "zzzz = 1\nidentity = "),
        ("endpoints of a producer", "weight = 1 }", "weight = 1, zzzz = 1 }"),
        ("capabilities", "owner = ", "zzzz = 1\nowner = "),
        ("leases", "[leases]", "[leases]\nzzzz = 1"),
        ("limits", "[limits]", "[limits]\nzzzz = 1"),
        ("timeouts", "[timeouts]", "[timeouts]\nzzzz = 1"),
        ("drain", "[drain]", "[drain]\nzzzz = 1"),
        ("health", "[health]", "[health]\nzzzz = 1"),
        ("endpoints", "[endpoints]", "[endpoints]\nzzzz = 1"),
        ("log", "[log]", "[log]\nzzzz = 1"),
    ];
    for (place, from, to) in places {
        let object = match place {
            "" => &schema,
            "endpoints of a producer" => &schema["$defs"]["Endpoint"],
            "capabilities" => &schema["$defs"]["Capability"],
            section => resolve(&schema, &root[section]),
        };
        let described: BTreeSet<String> = object["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(object["additionalProperties"], false, "{place}");
        let silent: Vec<_> =
            described.iter().filter(|name| object["properties"][*name]["description"].is_null()).collect();
        assert!(silent.is_empty(), "no description in {place}: {silent:?}");

        let (text, _) = with(from, to);
        let [fault] = faults_of(&text, &[]).try_into().unwrap();
        let known = fault.fix.strip_prefix("the fields here are: ").unwrap();
        assert_eq!(known.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), described, "{place}");
    }
}

#[test]
fn the_defaults_in_the_schema_are_those_of_the_reader() {
    let schema = schema();
    for section in ["leases", "limits", "timeouts", "drain", "health", "log"] {
        let properties = resolve(&schema, &schema["properties"][section])["properties"].as_object().unwrap();
        for (name, property) in properties {
            // The example states the defaults: `the_example_is_read_whole`.
            let value: toml::Value = EXAMPLE.parse::<toml::Table>().unwrap()[section][name].clone();
            assert_eq!(serde_json::to_value(value).unwrap(), property["default"], "{section}.{name}");
        }
    }
}

/// The definition behind a reference, or behind the items of a list.
fn resolve<'a>(schema: &'a serde_json::Value, at: &'a serde_json::Value) -> &'a serde_json::Value {
    let reference = at["$ref"].as_str().or_else(|| at["items"]["$ref"].as_str());
    match reference.and_then(|text| text.strip_prefix("#")) {
        Some(pointer) => schema.pointer(pointer).unwrap(),
        None => at,
    }
}
