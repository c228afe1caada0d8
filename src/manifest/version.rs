//! A version in a manifest: its contract, and what its owner says of it.

use super::kind::visibility;
use super::reader::{Field, Table};
use crate::model::service_config::ServiceConfig;
use crate::model::{
    Availability, CapabilityId, CapabilityName, Facts, Offer, PlatformName, Requirement, ServiceName, Slo,
    Stage, VersionName, VersionSpec,
};
use serde_json::Value;
use std::time::Duration;

/// The most bytes of a descriptor set, or of a schema in a file.
const LARGEST_FILE: usize = 16 << 20;

pub(super) const STAGES: [(&str, Stage); 5] = [
    ("alpha", Stage::Alpha),
    ("beta", Stage::Beta),
    ("stable", Stage::Stable),
    ("deprecated", Stage::Deprecated),
    ("retired", Stage::Retired),
];

pub(super) const AVAILABILITIES: [(&str, Availability); 4] = [
    ("open", Availability::Open),
    ("no_new", Availability::NoNew),
    ("no_update", Availability::NoUpdate),
    ("delete_only", Availability::DeleteOnly),
];

/// Reads `{capability}/{version}`: how a platform names its versions.
pub(super) fn served(text: &str) -> Result<(CapabilityId, semver::Version), String> {
    let wrong = || {
        let quoted: String = text.chars().take(80).collect();
        format!("{quoted:?} is not written {{capability}}/{{version}}")
    };
    let (id, version) = text.split_once('/').filter(|_| text.len() <= 192).ok_or_else(wrong)?;
    let version = semver::Version::parse(version).map_err(|e| format!("{}: {e}", wrong()))?;
    Ok((CapabilityId::parse(id).map_err(|e| e.to_string())?, version))
}

pub(super) fn version(
    name: Option<(PlatformName, (CapabilityId, semver::Version))>,
    spec: &Table<'_>,
) -> Option<VersionSpec> {
    let contract = contract(spec);
    let description = spec.text("description");
    let owner = spec.text("owner");
    let contact = spec.text("contact");
    let stage = spec.maybe("stage", |field| field.choice(&STAGES));
    let deprecation_time = spec.maybe("deprecation_time", Field::time);
    let sunset_time = spec.maybe("sunset_time", Field::time);
    let visible = spec.maybe("visibility", visibility);
    let slo = spec.maybe("slo", |field| field.table(slo));
    let weight = spec.maybe("traffic_weight", |field| field.whole(1..=1000));
    let facts = facts(spec);
    let (platform, (capability, version)) = name?;
    let contract = contract?;
    let offer = Offer {
        capability,
        version,
        services: contract.services,
        descriptor_set: contract.descriptor_set,
        parameter_schema: contract.parameter_schema,
        discover: contract.discover,
        description: description?,
        owner: owner?,
        contact: contact?,
        stage: stage?.unwrap_or(Stage::Stable),
        deprecation_time: deprecation_time?,
        sunset_time: sunset_time?,
        visibility: visible?.unwrap_or_default(),
        slo: slo?.unwrap_or_default(),
        traffic_weight: weight?.and_then(|weight| u16::try_from(weight).ok()),
        facts: facts?.shared(),
    };
    Some(VersionSpec { platform, offer })
}

struct Contract {
    services: Vec<ServiceName>,
    descriptor_set: Vec<u8>,
    parameter_schema: Option<String>,
    discover: bool,
}

fn contract(spec: &Table<'_>) -> Option<Contract> {
    let discover = spec.maybe("discover", Field::boolean);
    let services = match spec.get("services") {
        Some(field) if discover == Some(Some(true)) => field.list(service),
        Some(field) => field.some(service),
        None if discover == Some(Some(true)) => Some(Vec::new()),
        None => {
            spec.missing(
                "services",
                "name its gRPC services: services: [acme.ledger.v1.Ledger], or write discover: true",
            );
            None
        }
    };
    let descriptor_set = spec.maybe("descriptor_set", |field| match discover {
        Some(Some(true)) => field.fault(
            "the contract is read from the producers",
            "leave out descriptor_set, or discover: a contract has one source",
        ),
        _ => field.file(LARGEST_FILE),
    });
    let parameter_schema = spec.maybe("parameter_schema", schema);
    Some(Contract {
        services: services?,
        descriptor_set: descriptor_set?.unwrap_or_default(),
        parameter_schema: parameter_schema?,
        discover: discover?.unwrap_or(false),
    })
}

fn service(field: &Field<'_>) -> Option<ServiceName> {
    let service = field.parsed(ServiceName::parse, "write the full name: acme.ledger.v1.Ledger")?;
    if service.is_reserved() {
        let fix = "grpc, google and portolan are offered by no platform";
        return field.fault(format!("{service} is reserved"), fix);
    }
    Some(service)
}

/// A schema that stands right here, or the path of a file that holds one.
fn schema(field: &Field<'_>) -> Option<String> {
    match field.value() {
        Value::Object(_) => Some(field.value().to_string()),
        Value::String(_) => {
            let text = String::from_utf8(field.file(LARGEST_FILE)?);
            let text = text
                .ok()
                .filter(|text| serde_json::from_str::<Value>(text).is_ok_and(|schema| schema.is_object()));
            text.or_else(|| {
                field.fault("the file holds no JSON object", "write a JSON Schema (2020-12) into it")
            })
        }
        _ => field.wrong("a JSON Schema or the path of one", "write its fields below it, indented"),
    }
}

/// A service config that stands right here, or the path of a file that holds one.
fn service_config(field: &Field<'_>) -> Option<ServiceConfig> {
    let fix = "see docs/resilience.md for what a service config says";
    let text = match field.value() {
        Value::Object(_) => field.value().to_string(),
        Value::String(_) => match String::from_utf8(field.file(LARGEST_FILE)?) {
            Ok(text) => text,
            Err(_) => return field.fault("the file is not text", fix),
        },
        _ => {
            return field.wrong("a service config or the path of one", "write its fields below it, indented");
        }
    };
    ServiceConfig::parse(&text)
        .map_err(|found| {
            for violation in found {
                let place = if violation.field.is_empty() { "" } else { ": " };
                let _: Option<()> =
                    field.fault(format!("{}{place}{}", violation.field, violation.message), fix);
            }
        })
        .ok()
}

fn slo(table: &Table<'_>) -> Option<Slo> {
    let percent = table.maybe("availability_percent", |field| {
        let percent = field.number()?;
        if percent > 0.0 && percent <= 100.0 {
            return Some(percent);
        }
        field.fault(
            format!("{percent} is out of range"),
            "write a percentage above 0 and up to 100, such as 99.9",
        )
    });
    let latency = table.maybe("latency_p99", |field| {
        field.duration().filter(|span| *span <= Duration::from_secs(3600)).or_else(|| {
            // What is no duration at all is told already.
            let text = field.value().as_str().filter(|text| super::unit::duration(text).is_some())?;
            field.fault(format!("{text:?} is out of range"), "write a duration up to 1h")
        })
    });
    Some(Slo { availability_percent: percent?, latency_p99: latency? })
}

fn facts(spec: &Table<'_>) -> Option<Facts> {
    let labels = spec.maybe("labels", Field::words_by_key);
    let replacement = spec.maybe("replacement", |field| {
        field.parsed(VersionName::parse, "write platforms/…/capabilities/…/versions/…")
    });
    let availability = spec.maybe("availability", |field| field.choice(&AVAILABILITIES));
    let depends_on = spec.maybe("depends_on", |field| field.list(|item| item.table(requirement)));
    let prerequisites = spec.maybe("prerequisites", |field| field.list(|item| item.table(requirement)));
    let on_call = spec.text("on_call");
    let support_tier = spec.text("support_tier");
    let cost_unit = spec.text("cost_unit");
    let sticky_key = spec.text("sticky_key");
    let obligations = spec.maybe("obligations", |field| field.list(|item| item.text().map(str::to_owned)));
    let service_config = spec.maybe("service_config", service_config);
    Some(Facts {
        labels: labels?.unwrap_or_default(),
        replacement: replacement?,
        availability: availability?.unwrap_or_default(),
        depends_on: depends_on?.unwrap_or_default(),
        prerequisites: prerequisites?.unwrap_or_default(),
        on_call: on_call?,
        support_tier: support_tier?,
        cost_unit: cost_unit?,
        sticky_key: sticky_key?,
        obligations: obligations?.unwrap_or_default(),
        service_config: service_config?,
        idempotent: Vec::new(),
    })
}

fn requirement(table: &Table<'_>) -> Option<Requirement> {
    let capability = table.need("capability", "name it: capability: platforms/…/capabilities/…");
    let capability = capability.and_then(|field| {
        field.parsed(CapabilityName::parse, "write platforms/{platform}/capabilities/{id}")
    });
    let range = table.maybe("range", |field| {
        let range =
            |text: &str| semver::VersionReq::parse(text).map_err(|e| format!("{text:?} is no range: {e}"));
        field.parsed(range, "write a semver range, such as ^1.2 or \">=1.2, <3\"")
    });
    Some(Requirement { capability: capability?, range: range?.unwrap_or(semver::VersionReq::STAR) })
}
