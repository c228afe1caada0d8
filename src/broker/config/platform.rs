//! The platforms that take part, and what each may offer.

use super::reader::{Field, Table};
use super::trust::Domains;
use crate::model::{self, Identity, PlatformName, ServiceName, ServicePrefix, nearest};
use schemars::JsonSchema;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// A registry of capabilities, run by one organisation.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Platform {
    /// Its DNS-like name, unique in the federation: `payments.example`.
    #[schemars(with = "String")]
    pub name: PlatformName,
    /// The trust domain whose identities speak for it.
    #[schemars(with = "String")]
    pub trust_domain: model::TrustDomain,
    /// A name for people.
    #[schemars(default)]
    pub display_name: String,
    /// What its services' names begin with, in whole segments: `acme.ledger` covers `acme.ledger.v1.Ledger`. Never `grpc`, `google` or `portolan`. Where two platforms hold one prefix, the first to register a name keeps it.
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub service_prefixes: Vec<ServicePrefix>,
}

/// The platforms that were read, and of each by name, also of those at fault, what is known.
pub(super) struct Platforms {
    pub(super) read: Vec<Platform>,
    pub(super) known: BTreeMap<PlatformName, Option<Platform>>,
}

impl Platform {
    /// The noun it declares.
    pub fn model(&self) -> model::Platform {
        model::Platform {
            name: self.name.clone(),
            display_name: self.display_name.clone(),
            trust_domain: self.trust_domain.clone(),
            service_prefixes: self.service_prefixes.clone(),
        }
    }
}

pub(super) fn platforms(root: &Table<'_>, domains: &Domains) -> Platforms {
    let known = RefCell::new(BTreeMap::new());
    let read = root.entries("platforms", |table| {
        let name = table.need("name", "name the platform: name = \"payments.example\"").and_then(|field| {
            let name = field.parsed(PlatformName::parse, "write a DNS-like name")?;
            if known.borrow_mut().insert(name.clone(), None).is_none() {
                return Some(name);
            }
            field.fault(
                format!("the platform {name} is already there"),
                "give each platform a name of its own",
            )
        });
        let trust_domain = table
            .need(
                "trust_domain",
                "say whose identities speak for the platform: trust_domain = \"payments.example\"",
            )
            .and_then(|field| reference(&field, model::TrustDomain::parse, &domains.names, "trust_domains"));
        let display_name =
            table.get("display_name").map_or(Some(String::new()), |field| field.text().map(str::to_owned));
        let service_prefixes = table
            .need(
                "service_prefixes",
                "say what its services' names begin with: service_prefixes = [\"acme.ledger\"]",
            )
            .and_then(|field| field.some(prefix));
        let platform = Platform {
            name: name?,
            trust_domain: trust_domain?,
            display_name: display_name?,
            service_prefixes: service_prefixes?,
        };
        known.borrow_mut().insert(platform.name.clone(), Some(platform.clone()));
        Some(platform)
    });
    Platforms { read, known: known.into_inner() }
}

/// An identity of a trust domain of the file.
pub(super) fn operator(field: &Field<'_>, domains: &Domains) -> Option<Identity> {
    let fix = "write a SPIFFE id, such as \"spiffe://hub.example/operator\"";
    let identity = field.parsed(Identity::parse_spiffe, fix)?;
    if domains.names.contains(&identity.trust_domain) {
        return Some(identity);
    }
    field.fault(
        format!("{} is not declared in [[trust_domains]]", identity.trust_domain),
        "only who can be verified can operate the broker: declare its trust domain",
    )
}

fn prefix(field: &Field<'_>) -> Option<ServicePrefix> {
    let prefix = field
        .parsed(ServicePrefix::parse, "write the first segments of the names, such as \"acme.ledger\"")?;
    match ServiceName::parse(prefix.as_str()) {
        Ok(name) if name.is_reserved() => field
            .fault(format!("{prefix} is reserved"), "grpc, google and portolan are granted to no platform"),
        _ => Some(prefix),
    }
}

/// A name that must be declared elsewhere in the file.
pub(super) fn reference<T: Ord + Display, E: Display>(
    field: &Field<'_>,
    parse: impl Fn(&str) -> Result<T, E>,
    declared: &BTreeSet<T>,
    list: &str,
) -> Option<T> {
    let name = field.parsed(parse, "write the name as it is declared")?;
    if declared.contains(&name) {
        return Some(name);
    }
    let text = name.to_string();
    let known: Vec<String> = declared.iter().map(T::to_string).collect();
    let fix = match nearest(&text, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!(
            "add it to [[{list}]]; known are: {}",
            if known.is_empty() { "none".into() } else { known.join(", ") }
        ),
    };
    field.fault(format!("{text:?} is not declared in [[{list}]]"), fix)
}
