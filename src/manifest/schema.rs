//! The JSON Schema of a manifest, so that editors complete and check it while it is written.

use super::kind::{API, KINDS};
use super::unit;
use super::version::{AVAILABILITIES, STAGES};
use serde_json::{Map, Value, json};

const ID: &str = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";
const DNS: &str = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$";
const PROTO: &str = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$";
const DOMAIN: &str = "^[a-z0-9][a-z0-9._-]{0,254}$";
const MOMENT: &str = r"^[0-9+-]*[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}.*([Zz]|[+-][0-9]{2}.*)$";
const SERVED: &str = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?/[0-9]+\.[0-9]+\.[0-9]+";

/// The JSON Schema (2020-12) of one document.
pub fn schema() -> Value {
    let branches: Vec<Value> = KINDS.iter().map(|kind| branch(kind)).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://portolan.dev/schemas/manifest.v1.json",
        "title": "A Portolan manifest",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {
            "apiVersion": {"const": API},
            "kind": {"enum": KINDS, "description": "What it is."},
            "metadata": {"type": "object"},
            "spec": {"type": "object"},
        },
        "additionalProperties": false,
        "allOf": branches,
    })
}

/// What holds for one kind.
fn branch(kind: &str) -> Value {
    let (name, spec) = match kind {
        "Platform" => (name(DNS, "The DNS-like name.", false), platform()),
        "Grant" => (name(ID, "The grant's id in the platform.", true), grant()),
        "Capability" => (name(ID, "The capability's id in the platform.", true), map(&[], common())),
        "Version" => (name(SERVED, "Capability and semantic version: ledger/1.2.0.", true), version()),
        "Producer" => (name(ID, "The producer's id in the platform.", true), producer()),
        _ => (name(PROTO, "The full name of the service.", false), decision()),
    };
    json!({
        "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
        "then": {"properties": {"metadata": name, "spec": spec}},
    })
}

fn name(pattern: &str, what: &str, of_platform: bool) -> Value {
    let mut fields = vec![("name", matching(pattern, what))];
    if of_platform {
        fields.push(("platform", matching(DNS, "The platform it belongs to: payments.example.")));
    }
    let required: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
    map(&required, fields)
}

fn platform() -> Value {
    let fields = vec![
        ("display_name", text("A name for people.")),
        (
            "trust_domain",
            matching(
                DOMAIN,
                "The trust domain whose identities speak for it, as the broker's configuration names it.",
            ),
        ),
    ];
    map(&["trust_domain"], fields)
}

fn grant() -> Value {
    let prefixes = some(
        matching(PROTO, "A prefix in whole segments."),
        "What names of its services begin with: acme.ledger covers acme.ledger.v1.Ledger.",
    );
    map(&["service_prefixes"], vec![("service_prefixes", prefixes)])
}

/// What a capability says for all its versions, and a version for itself.
fn common() -> Vec<(&'static str, Value)> {
    vec![
        ("description", text("What it is for.")),
        ("owner", text("The team that owns it.")),
        ("contact", text("How to reach the owner: an address, a channel, a URL.")),
        ("on_call", text("Whom to wake: an address, a channel, a URL.")),
        ("support_tier", text("How it is supported: gold, office hours.")),
        ("cost_unit", text("What is counted for its cost: call, instance-month.")),
        (
            "labels",
            json!({"type": "object", "additionalProperties": {"type": "string"}, "description": "Words to find it by."}),
        ),
        (
            "visibility",
            list(
                matching(&format!(r"{DNS}|^\*$"), "A platform's name, or *."),
                "Platforms that may see and call it besides its own; * is every platform.",
            ),
        ),
    ]
}

fn version() -> Value {
    let mut fields = common();
    let words = |choices: Vec<&str>, usual: &str, what: &str| json!({"enum": choices, "default": usual, "description": what});
    let stages = STAGES.iter().map(|(word, _)| *word).collect();
    let changes = AVAILABILITIES.iter().map(|(word, _)| *word).collect();
    fields.extend([
        ("services", list(matching(PROTO, "The full name of a gRPC service."), "Full names of its gRPC services.")),
        ("discover", json!({"type": "boolean", "description": "Read the contract from the producers, by reflection; services, if any, say which of theirs belong to it."})),
        ("descriptor_set", path("A file with a google.protobuf.FileDescriptorSet of the services and all they import (buf build -o FILE), below the manifest's folder.")),
        ("parameter_schema", json!({"type": ["object", "string"], "minLength": 1, "description": "JSON Schema (2020-12) of its parameters, or the path of one below the manifest's folder."})),
        ("stage", words(stages, "stable", "How far it is in its life.")),
        ("deprecation_time", time("Since when it is deprecated (RFC 9745).")),
        ("sunset_time", time("When it stops being served (RFC 8594).")),
        ("replacement", matching("^platforms/[^/]+/capabilities/[^/]+/versions/[^/]+$", "The version to move to.")),
        ("availability", words(changes, "open", "Which changes a provisioned capability still takes.")),
        ("traffic_weight", json!({"type": "integer", "minimum": 1, "maximum": 1000, "description": "Its share of calls that ask for no version, among the versions of the service that say one."})),
        ("service_config", json!({"type": ["object", "string"], "minLength": 1, "description": "How its methods are to be called: gRPC's service config, or the path of one below the manifest's folder."})),
        ("sticky_key", text("The metadata key whose value keeps calls with one endpoint, as long as that is there: session-id.")),
        ("slo", slo()),
        ("depends_on", list(requirement(), "What it stands on; the owner's business.")),
        ("prerequisites", list(requirement(), "What its consumer must have.")),
        ("obligations", list(json!({"type": "string"}), "What its consumers must observe: names of policies, or URLs.")),
    ]);
    let mut version = map(&[], fields);
    version["if"] = json!({"properties": {"discover": {"const": true}}, "required": ["discover"]});
    version["then"] = json!({"properties": {"descriptor_set": false}});
    version["else"] = json!({"required": ["services"], "properties": {"services": {"minItems": 1}}});
    version
}

fn slo() -> Value {
    let fields = vec![
        (
            "availability_percent",
            json!({"type": "number", "exclusiveMinimum": 0, "maximum": 100, "description": "Availability in percent."}),
        ),
        ("latency_p99", duration("The 99th percentile of the latency of unary calls, up to 1h.")),
    ];
    described(map(&[], fields), "What the owner promises.")
}

fn requirement() -> Value {
    let fields = vec![
        ("capability", matching("^platforms/[^/]+/capabilities/[^/]+$", "Which capability.")),
        ("range", matching("[0-9*xX]", "Which of its versions will do: ^1.2. Left out: any.")),
    ];
    map(&["capability"], fields)
}

fn producer() -> Value {
    let endpoint = map(
        &["address"],
        vec![
            ("address", matching(".:[0-9]{1,5}$", "host:port; an IPv6 host in brackets.")),
            ("locality", text("Where it stands, from the widest to the narrowest: region/zone.")),
            (
                "weight",
                json!({"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "description": "Share of the traffic among endpoints of one locality."}),
            ),
        ],
    );
    let fields = vec![
        (
            "identity",
            matching(
                "^(spiffe://|dns:).",
                "What its certificate says: a SPIFFE id, or dns:name, of the platform's trust domain.",
            ),
        ),
        ("endpoints", some(endpoint, "Where it listens.")),
        ("versions", some(matching(SERVED, "Capability and version: ledger/1.2.0."), "What it serves.")),
        ("discovery_interval", duration("How often a discovered contract is read again; left out: 60s.")),
    ];
    map(&["identity", "endpoints", "versions"], fields)
}

fn decision() -> Value {
    let fields = vec![
        ("platform", matching(DNS, "Who shall have the name.")),
        ("expire_time", time("When the decision ends.")),
        (
            "reason",
            json!({"type": "string", "pattern": r"\S", "description": "Why, for those who read it later."}),
        ),
    ];
    map(&["platform", "expire_time", "reason"], fields)
}

fn map(required: &[&str], fields: Vec<(&'static str, Value)>) -> Value {
    let properties: Map<String, Value> =
        fields.into_iter().map(|(name, field)| (name.to_owned(), field)).collect();
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn text(what: &str) -> Value {
    json!({"type": "string", "description": what})
}

fn matching(pattern: &str, what: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "description": what})
}

fn path(what: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": what})
}

fn time(what: &str) -> Value {
    json!({"type": "string", "format": "date-time", "pattern": MOMENT, "description": what})
}

fn duration(what: &str) -> Value {
    matching(unit::PATTERN, what)
}

fn list(items: Value, what: &str) -> Value {
    json!({"type": "array", "items": items, "description": what})
}

fn some(items: Value, what: &str) -> Value {
    json!({"type": "array", "items": items, "minItems": 1, "description": what})
}

fn described(mut schema: Value, what: &str) -> Value {
    schema["description"] = what.into();
    schema
}
