//! Manifests as flat fields, and what differs between two of them.

use super::FieldChange;
use super::set::Sealed;
use crate::model::{
    CapabilitySpec, Endpoint, Offer, ProducerSpec, Requirement, ServiceName, Spec, Stage, Visibility,
};
use std::collections::{BTreeMap, BTreeSet};

/// Fields that are told; of more only that there are more.
const TOLD: usize = 50;
/// Characters of a value that are told.
const SHOWN: usize = 300;

/// The fields of one manifest by their path in its `spec`; those that say nothing are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// What a manifest says.
    pub(super) fn of(spec: &Spec, sealed: Option<&Sealed>) -> Self {
        let mut fields = Self::default();
        match spec {
            Spec::Platform(spec) => {
                fields.put("display_name", &spec.display_name);
                fields.put("trust_domain", spec.trust_domain.as_str());
            }
            Spec::Grant(spec) => {
                fields.list("service_prefixes", spec.service_prefixes.iter().map(|p| p.as_str()))
            }
            Spec::Capability(spec) => fields.capability(spec),
            Spec::Version(spec) => fields.version(&spec.offer, sealed),
            Spec::Producer(spec) => fields.producer(spec),
            Spec::Override(spec) => {
                fields.put("platform", spec.platform.as_str());
                fields.put("expire_time", spec.expires.to_string());
                fields.put("reason", &spec.reason);
            }
        }
        fields
    }

    /// What differs, by path; bounded, whatever strangers wrote.
    pub(super) fn changes(&self, after: &Self) -> Vec<FieldChange> {
        let paths: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        let differing: Vec<_> =
            paths.into_iter().filter(|path| self.0.get(*path) != after.0.get(*path)).collect();
        let shown = |text: Option<&String>| cut(text.map(String::as_str).unwrap_or_default());
        let mut changes: Vec<_> = differing
            .iter()
            .take(TOLD)
            .map(|path| FieldChange {
                path: cut(path),
                before: shown(self.0.get(*path)),
                after: shown(after.0.get(*path)),
            })
            .collect();
        if differing.len() > TOLD {
            let after = format!("{} more fields differ", differing.len() - TOLD);
            changes.push(FieldChange { path: "…".to_owned(), before: String::new(), after });
        }
        changes
    }

    fn put(&mut self, path: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.insert(path.into(), value);
        }
    }

    fn list<T: AsRef<str>>(&mut self, path: &str, items: impl IntoIterator<Item = T>) {
        let items: BTreeSet<String> = items.into_iter().map(|item| item.as_ref().to_owned()).collect();
        self.put(path, items.into_iter().collect::<Vec<_>>().join(", "));
    }

    fn labels(&mut self, labels: &BTreeMap<String, String>) {
        for (label, value) in labels {
            // An empty value is a value.
            self.0.insert(format!("labels.{label}"), value.clone());
        }
    }

    fn capability(&mut self, spec: &CapabilitySpec) {
        self.put("description", &spec.description);
        self.put("owner", &spec.owner);
        self.put("contact", &spec.contact);
        self.put("on_call", &spec.on_call);
        self.put("support_tier", &spec.support_tier);
        self.put("cost_unit", &spec.cost_unit);
        self.labels(&spec.labels);
        self.visibility(&spec.visibility);
    }

    fn visibility(&mut self, visibility: &Visibility) {
        let everyone = visibility.everyone.then_some("*");
        self.list("visibility", everyone.into_iter().chain(visibility.platforms.iter().map(|p| p.as_str())));
    }

    fn version(&mut self, offer: &Offer, sealed: Option<&Sealed>) {
        self.put("description", &offer.description);
        self.put("owner", &offer.owner);
        self.put("contact", &offer.contact);
        self.put("stage", stage(offer.stage));
        self.put("deprecation_time", offer.deprecation_time.map(|t| t.to_string()).unwrap_or_default());
        self.put("sunset_time", offer.sunset_time.map(|t| t.to_string()).unwrap_or_default());
        self.visibility(&offer.visibility);
        let slo = offer.slo;
        self.put(
            "slo.availability_percent",
            slo.availability_percent.map(|p| p.to_string()).unwrap_or_default(),
        );
        self.put("slo.latency_p99", slo.latency_p99.map(|l| format!("{l:?}")).unwrap_or_default());
        self.put("traffic_weight", offer.traffic_weight.map(|w| w.to_string()).unwrap_or_default());
        self.put("discover", if offer.discover { "true" } else { "" });
        self.list("services", offer.services.iter().map(ServiceName::as_str));
        if let Some(sealed) = sealed {
            self.put("contract", sealed.digest.to_string());
            self.put("descriptor_set", sealed.files.map(|files| files.to_string()).unwrap_or_default());
        }
        let facts = &offer.facts;
        self.labels(&facts.labels);
        self.put("replacement", facts.replacement.as_ref().map(ToString::to_string).unwrap_or_default());
        if facts.availability != Default::default() {
            self.put("availability", format!("{:?}", facts.availability));
        }
        self.list("depends_on", facts.depends_on.iter().map(requirement));
        self.list("prerequisites", facts.prerequisites.iter().map(requirement));
        self.put("on_call", &facts.on_call);
        self.put("support_tier", &facts.support_tier);
        self.put("cost_unit", &facts.cost_unit);
        self.put("sticky_key", &facts.sticky_key);
        self.list("obligations", &facts.obligations);
        self.put("service_config", facts.service_config.as_ref().map(|c| c.as_str()).unwrap_or_default());
    }

    fn producer(&mut self, spec: &ProducerSpec) {
        self.put("identity", &spec.identity);
        self.list("endpoints", spec.endpoints.iter().map(endpoint));
        self.list("versions", spec.versions.iter().map(|(id, version)| format!("{id}/{version}")));
        self.put("discovery_interval", spec.discovery_interval.map(|i| format!("{i:?}")).unwrap_or_default());
    }
}

fn requirement(requirement: &Requirement) -> String {
    format!("{} {}", requirement.capability, requirement.range)
}

fn endpoint(endpoint: &Endpoint) -> String {
    let Endpoint { address, locality, weight } = endpoint;
    if locality.is_empty() {
        format!("{address} weight {weight}")
    } else {
        format!("{address} in {locality} weight {weight}")
    }
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Alpha => "alpha",
        Stage::Beta => "beta",
        Stage::Stable => "stable",
        Stage::Deprecated => "deprecated",
        Stage::Retired => "retired",
    }
}

fn cut(text: &str) -> String {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    match text.chars().nth(SHOWN) {
        Some(_) => printable.take(SHOWN).chain(['…']).collect(),
        None => printable.collect(),
    }
}
