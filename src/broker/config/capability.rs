//! What a producer declared by hand serves.

use super::platform::Platform;
use super::reader::{Field, Table};
use super::schema;
use crate::model::service_config::ServiceConfig;
use crate::model::{
    CapabilityId, Facts, Offer, PlatformName, ServiceName, ServicePrefix, Slo, Stage, Visibility,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

const STAGES: [(&str, Stage); 5] = [
    ("alpha", Stage::Alpha),
    ("beta", Stage::Beta),
    ("stable", Stage::Stable),
    ("deprecated", Stage::Deprecated),
    ("retired", Stage::Retired),
];

/// One version of a capability.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Capability {
    /// The capability's id in its platform: `ledger`.
    #[schemars(with = "String")]
    pub name: CapabilityId,
    /// Semantic version.
    #[schemars(with = "String")]
    pub version: semver::Version,
    /// Full names of its gRPC services, each under a prefix of the platform. With `discover`, which of the server's belong to it; then none stands for all that no other version names.
    #[schemars(with = "Vec<String>", default)]
    pub services: Vec<ServiceName>,
    /// Read the contract from the server itself, by reflection, instead of `descriptor_set`.
    #[schemars(default)]
    pub discover: bool,
    /// File with a `google.protobuf.FileDescriptorSet` of the services and all they import (`buf build -o FILE`). Without it: routable, not describable.
    #[schemars(with = "Option<String>")]
    pub descriptor_set: Option<Vec<u8>>,
    /// What it is for.
    #[schemars(default)]
    pub description: String,
    /// The team that owns it.
    pub owner: String,
    /// How to reach the owner: an address, a channel, a URL.
    pub contact: String,
    /// How far it is in its life.
    #[schemars(schema_with = "schema::stage", default = "schema::usual_stage", extend("default" = "stable"))]
    pub stage: Stage,
    /// Since when it is deprecated (RFC 9745).
    #[schemars(schema_with = "schema::time", default)]
    pub deprecation_time: Option<Timestamp>,
    /// When it stops being served (RFC 8594).
    #[schemars(schema_with = "schema::time", default)]
    pub sunset_time: Option<Timestamp>,
    /// Platforms that may see and call it besides its owner's; `*` is every platform.
    #[schemars(with = "Vec<String>", default)]
    pub visibility: Visibility,
    /// What the owner promises: availability in percent.
    #[schemars(range(max = 100))]
    pub availability_percent: Option<f64>,
    /// What the owner promises: the 99th percentile of the latency of unary calls.
    #[schemars(schema_with = "schema::duration", default)]
    pub latency_p99: Option<Duration>,
    /// How its methods are to be called: gRPC's service config as JSON, or the file that holds it.
    #[schemars(with = "Option<String>")]
    pub service_config: Option<ServiceConfig>,
    /// The metadata key whose value keeps calls with one endpoint, as long as that is there.
    #[schemars(default)]
    pub sticky_key: String,
}

impl Capability {
    /// What its producer would declare.
    pub(super) fn offer(&self) -> Offer {
        Offer {
            capability: self.name.clone(),
            version: self.version.clone(),
            services: self.services.clone(),
            descriptor_set: self.descriptor_set.clone().unwrap_or_default(),
            parameter_schema: None,
            discover: self.discover,
            description: self.description.clone(),
            owner: self.owner.clone(),
            contact: self.contact.clone(),
            stage: self.stage,
            deprecation_time: self.deprecation_time,
            sunset_time: self.sunset_time,
            visibility: self.visibility.clone(),
            slo: Slo { availability_percent: self.availability_percent, latency_p99: self.latency_p99 },
            traffic_weight: None,
            facts: Facts {
                sticky_key: self.sticky_key.clone(),
                service_config: self.service_config.clone(),
                ..Facts::default()
            }
            .shared(),
        }
    }
}

pub(super) fn capability(
    table: &Table<'_>,
    home: Option<&Platform>,
    seen: &RefCell<BTreeSet<(CapabilityId, semver::Version)>>,
) -> Option<Capability> {
    let name = table
        .need("name", "name the capability: name = \"ledger\"")
        .and_then(|field| field.parsed(CapabilityId::parse, "write a name such as \"ledger\""));
    let version = table.need("version", "give its semantic version: version = \"1.0.0\"").and_then(|field| {
        let version = field.parsed(
            |text| {
                semver::Version::parse(text).map_err(|e| format!("{text:?} is not a semantic version: {e}"))
            },
            "write major.minor.patch, such as \"1.0.0\"",
        )?;
        match &name {
            Some(name) if !seen.borrow_mut().insert((name.clone(), version.clone())) => {
                field.fault(format!("version {version} of {name} is already there"), "list each version once")
            }
            _ => Some(version),
        }
    });
    let discover = table.get("discover").map_or(Some(false), |field| field.switch());
    let services = match table.get("services") {
        None if discover == Some(true) => Some(Vec::new()),
        _ => table
            .need(
                "services",
                "name its gRPC services: services = [\"acme.ledger.v1.Ledger\"], or let discover = true",
            )
            .and_then(|field| field.some(|item| service(item, home))),
    };
    let words = |name, fix| table.need(name, fix).and_then(|field| field.words(fix));
    let owner = words("owner", "name the team that owns it: owner = \"team-ledger\"");
    let contact = words("contact", "say how to reach the owner: contact = \"ledger@payments.example\"");
    let descriptor_set = table.get("descriptor_set").map_or(Some(None), |field| match discover {
        Some(true) => field.fault("the contract is discovered", "take out descriptor_set, or discover"),
        _ => bytes(&field).map(Some),
    });
    let description =
        table.get("description").map_or(Some(String::new()), |field| field.text().map(str::to_owned));
    let stage = table.get("stage").map_or(Some(schema::usual_stage()), |field| field.choice(&STAGES));
    let time = |name| table.get(name).map_or(Some(None), |field| field.time().map(Some));
    let (deprecation_time, sunset_time) = (time("deprecation_time"), time("sunset_time"));
    let visible = table.get("visibility").map_or(Some(Visibility::default()), |field| visibility(&field));
    let availability_percent =
        table.get("availability_percent").map_or(Some(None), |field| percent(&field).map(Some));
    let latency_p99 = table.get("latency_p99").map_or(Some(None), |field| {
        field.duration(Duration::from_millis(1)..=Duration::from_secs(3600)).map(Some)
    });
    let service_config = table.get("service_config").map_or(Some(None), |field| config(&field).map(Some));
    let sticky_key =
        table.get("sticky_key").map_or(Some(String::new()), |field| field.text().map(str::to_owned));
    Some(Capability {
        name: name?,
        version: version?,
        services: services?,
        discover: discover?,
        descriptor_set: descriptor_set?,
        description: description?,
        owner: owner?,
        contact: contact?,
        stage: stage?,
        deprecation_time: deprecation_time?,
        sunset_time: sunset_time?,
        visibility: visible?,
        availability_percent: availability_percent?,
        latency_p99: latency_p99?,
        service_config: service_config?,
        sticky_key: sticky_key?,
    })
}

fn service(field: &Field<'_>, home: Option<&Platform>) -> Option<ServiceName> {
    let service =
        field.parsed(ServiceName::parse, "write the full name, such as \"acme.ledger.v1.Ledger\"")?;
    if service.is_reserved() {
        return field
            .fault(format!("{service} is reserved"), "grpc, google and portolan are offered by no platform");
    }
    match home {
        Some(home) if !home.service_prefixes.iter().any(|prefix| prefix.covers(&service)) => {
            let granted =
                home.service_prefixes.iter().map(ServicePrefix::as_str).collect::<Vec<_>>().join(", ");
            field.fault(
                format!("{service} stands under no prefix of {}", home.name),
                format!("offer it under {granted}, or add its prefix to the platform's service_prefixes"),
            )
        }
        _ => Some(service),
    }
}

fn visibility(field: &Field<'_>) -> Option<Visibility> {
    let platforms = field.list(|item| match item.text()? {
        "*" => Some(None),
        _ => item.parsed(PlatformName::parse, "write platform names, or \"*\" for all").map(Some),
    })?;
    Some(Visibility {
        everyone: platforms.contains(&None),
        platforms: platforms.into_iter().flatten().collect(),
    })
}

fn percent(field: &Field<'_>) -> Option<f64> {
    let percent = field.number()?;
    if percent > 0.0 && percent <= 100.0 {
        return Some(percent);
    }
    field
        .fault(format!("{percent} is out of range"), "write a percentage above 0 and up to 100, such as 99.9")
}

/// JSON, or the path of a file that holds some.
fn config(field: &Field<'_>) -> Option<ServiceConfig> {
    let fix = "see docs/resilience.md for what a service config says";
    let text = match field.text()? {
        text if text.trim_start().starts_with('{') => text.to_owned(),
        _ => match String::from_utf8(bytes(field)?) {
            Ok(text) => text,
            Err(_) => return field.fault("the file is not text", fix),
        },
    };
    let found = match ServiceConfig::parse(&text) {
        Ok(config) => return Some(config),
        Err(found) => found,
    };
    for violation in found {
        let place = if violation.field.is_empty() { "" } else { ": " };
        let _: Option<()> = field.fault(format!("{}{place}{}", violation.field, violation.message), fix);
    }
    None
}

fn bytes(field: &Field<'_>) -> Option<Vec<u8>> {
    let path = field.file()?;
    match std::fs::read(&path) {
        Ok(bytes) if bytes.is_empty() => {
            field.fault(format!("{} is empty", path.display()), "write it with: buf build -o FILE")
        }
        Ok(bytes) => Some(bytes),
        Err(error) => field
            .fault(format!("{} cannot be read: {error}", path.display()), "make it readable to the broker"),
    }
}
