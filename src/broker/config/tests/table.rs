//! Every fault, with its place, its field and its cure.

use super::*;

#[test]
fn each_fault_has_its_place_its_field_and_its_cure() {
    // What stands in the example, what is written instead, the field at fault, what is wrong, the cure.
    let table: &[(&str, &str, &str, &str, &str)] = &[
        ("id = \"hub-1\"", "id = \"Hub 1\"", "id", "not a broker id", "such as \"hub-1\""),
        ("listen = [\"127.0.0.1:9464\"]", "listen = 9464", "admin.listen", "text is needed", "double quotes"),
        ("series = 2000", "series = 1", "metrics.series", "out of range", "16 to 100000"),
        ("ratio = 0.01", "ratio = 1.5", "tracing.ratio", "not a share", "from 0 to 1"),
        (
            "\"http://127.0.0.1:4317\"",
            "\"127.0.0.1:4317\"",
            "metrics.collector",
            "neither http",
            "http://127.0.0.1:4317",
        ),
        (
            "\"http://127.0.0.1:4317\"",
            "\"https://127.0.0.1:4317\"",
            "metrics",
            "who the collector must be",
            "collector_id",
        ),
        (
            "spiffe://payments.example/collector",
            "spiffe://nobody.example/collector",
            "tracing.collector_id",
            "not declared",
            "declare its trust domain",
        ),
        (
            "fields = [\"time\",",
            "fields = [\"tmie\",",
            "access_log.fields[0]",
            "none of the words",
            "\"time\"",
        ),
        (
            "metadata = []",
            "metadata = [\"Authorization\"]",
            "access_log.metadata[0]",
            "credentials",
            "leave it out",
        ),
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
